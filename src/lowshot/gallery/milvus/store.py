"""The examples and facts of a gallery on Milvus; see the package for how they are kept."""

from __future__ import annotations

import operator
import secrets
import threading
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lowshot.encoder import Card, Features
from lowshot.errors import GalleryError, NotEnrolled
from lowshot.gallery.milvus import layout
from lowshot.gallery.milvus.connection import MOST_RESULTS, PATIENCE, Connection, Found, milvus_error, quoted
from lowshot.gallery.milvus.files import Files, parts
from lowshot.gallery.milvus.ids import Ids
from lowshot.gallery.milvus.layout import Named, named
from lowshot.gallery.records import Record
from lowshot.gallery.store import Row

if TYPE_CHECKING:
    from lowshot.gallery.milvus.index import MilvusIndex

_FACT = "lowshot.fact."  # a property's name begins so, and goes on with the fact's
_TEXT, _FILE = "text:", "file:"  # how the value of such a property begins
_LONGEST = 4096  # characters of a fact that is a property itself
_RECORD = ["label", "name", "attributes", "added"]
_KEPT = ["name", "attributes", "added", "digest", "parts", "feature"]  # of an example, with its label
_PAGE, _PAGE_OF_PICTURES = 2048, 32  # examples read at once with their features, and with their pictures
_PROBED = 128  # cells of the index in which neighbors are looked for; see docs/scale.md for the recall
_UNSEEN = 10_000  # added examples remembered until Milvus shows them


class MilvusStore:
    """Opens a gallery on a Milvus server; see :class:`~lowshot.gallery.store.Store` for its methods.

    Any number of clients may have it open: what one changes, all see with their next query. Features are kept as float32,
    whatever precision is asked for.

    Args:
        address: ``milvus+http://[user:password@]host[:port]/collection``, or with ``https``.
        create: facts to write into a new gallery where there is no such collection; None for an existing gallery. It is
            made when it is first used.

    Raises:
        ConfigError: pymilvus is not installed.
        GalleryError: the address is none, the server cannot be reached, there is no such gallery, the collection is
            something else, or Milvus cannot compare as the encoder's card says.
    """

    def __init__(self, address: str, create: Mapping[str, str] | None = None) -> None:
        self._new = None if create is None else {**create, "precision": "float32"}
        self._lock = threading.RLock()  # of changes
        self._features = 0  # of an example; known when the collections are ready
        self._connection = Connection(address)
        self._files = Files(self._connection)
        self._ids = Ids(self._connection)
        self._mark = ""  # up to which Milvus shows, or we remember, all that was added
        self._unseen: dict[Named, int] = {}  # what we added since Milvus last showed all
        self._swept = False
        try:
            if self._new is not None:
                layout.read_card(self.place, self._new)
            with self._connection.faults():
                if self._connection.is_there():
                    self._open()
                elif create is None:
                    raise GalleryError(f"no gallery {self.place!r}: enroll examples into it first")
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> str:
        """Its address, without the password."""
        return self._connection.place

    def close(self) -> None:
        """Close the connection. Closing twice is fine."""
        self._connection.close()

    def index(self, card: Card) -> MilvusIndex:
        """Milvus's own search."""
        from lowshot.gallery.milvus.index import MilvusIndex  # brings SciPy, which enrolling does without

        return MilvusIndex(card, self)

    def facts(self) -> dict[str, str]:
        """What was written when the gallery was created, and changed by :meth:`change` since."""
        with self._use() as milvus:
            return self._facts(milvus.properties())

    def change(self, facts: Mapping[str, str], patient: bool = True) -> None:
        """Write facts; an empty text takes one out. Milvus lets nobody wait, so ``patient`` makes no difference."""
        with self._lock, self._use() as milvus:
            before = milvus.properties()
            milvus.changed({_FACT + name: self._property(text) for name, text in facts.items()})
            replaced = [before.get(_FACT + name, "") for name in facts]
            self._files.remove(dict(_file(value) for value in replaced if value.startswith(_FILE)))

    def add(self, rows: Sequence[Row]) -> list[int]:
        """Add examples, all or none, but none twice; their ids, in the same order.

        Where the same picture is there already under the same label, its id is given and nothing is changed. Raises
        GalleryError where an example is too large to be kept, or an id is taken.
        """
        with self._lock, self._use() as milvus:
            for row in rows:
                layout.check(row, self._features)
            known = self._known(milvus, rows)
            new = self._numbered([row for row in rows if row.id or row.digest is None or named(row) not in known])
            if new:
                self._sweep(milvus)
                self._insert(milvus, new)
            at = {id(row): number for number, row in new.items()}
            known = {named(row): number for number, row in new.items()} | known
            return [at.get(id(row)) or known[named(row)] for row in rows]

    def remove(self, ids: Iterable[int]) -> int:
        """Remove examples, all or none; how many there were. Raises NotEnrolled where one is not there."""
        different = list(dict.fromkeys(map(_whole, ids)))
        with self._lock, self._use() as milvus:
            there = {row["id"]: row["parts"] for row in self._of_ids(different, ["parts"])}
            for id in different:
                if id not in there:
                    raise NotEnrolled(f"{self.place} has no example {id}: nothing was removed")
            self._remove(milvus, there)
        return len(different)

    def remove_class(self, label: str) -> int:
        """Remove every example of a class; how many there were. Raises NotEnrolled where there is no such class."""
        with self._lock, self._use() as milvus:
            there = {row["id"]: row["parts"] for row in self._of_class(label, ["parts"], ": nothing was removed")}
            self._remove(milvus, there)
        return len(there)

    def rename_class(self, label: str, to: str) -> int:
        """Give every example of a class another label; how many there were."""
        with self._lock, self._use() as milvus:
            rows = [layout.renamed(row, to) for row in self._of_class(label, _KEPT, ": nothing was renamed")]
            layout.check_request(self.place, rows)
            milvus.client.upsert(milvus.examples, rows, timeout=PATIENCE)
            milvus.changed()
        return len(rows)

    def classes(self) -> dict[str, int]:
        """Each class and how many examples it has, in order of the labels."""
        return dict(sorted(Counter(row["label"] for row in self.pages("", ["label"])).items()))

    def oldest(self) -> dict[str, int]:
        """The id of the oldest example of each class."""
        oldest: dict[str, int] = {}
        for row in self.pages("", ["label"]):
            oldest.setdefault(row["label"], row["id"])
        return oldest

    def record(self, id: int) -> Record:
        """One example. Raises NotEnrolled where it is not there."""
        for row in self._of_ids([_whole(id)], _RECORD):
            return layout.record(row)
        raise NotEnrolled(f"{self.place} has no example {id}")

    def records(self, label: str | None = None) -> list[Record]:
        """The examples, of one class or of all, oldest first. Raises NotEnrolled where there is no such class."""
        rows = self.pages("", _RECORD) if label is None else self._of_class(label, _RECORD)
        return [layout.record(row) for row in rows]

    def rows(self, after: int = 0, originals: bool = True) -> Iterator[Row]:
        """All that is kept of the examples with a larger id than ``after``, in order of their ids."""
        size = _PAGE_OF_PICTURES if originals else _PAGE
        while page := self.query(f"id > {after}", ["label", *_KEPT], size):
            pictures = self._pictures(page) if originals else {}
            for row in page:
                yield layout.row(row, pictures.get(row["id"]))
            after = page[-1]["id"]

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of those examples that (still) are there."""
        return {row["id"]: row["name"] for row in self._of_ids(list(ids), ["name"])}

    def original(self, id: int) -> bytes | None:
        """The picture file an example came from, None where none is kept. Raises NotEnrolled for an unknown id."""
        found = list(self._of_ids([_whole(id)], ["parts"]))
        if not found:
            raise NotEnrolled(f"{self.place} has no example {id}")
        return self._pictures(found).get(id)

    def __len__(self) -> int:
        return self.count("")

    def is_empty(self) -> bool:
        """Whether no example is there. Costs milliseconds."""
        return not self.query("", [], 1)

    def version(self) -> Hashable:
        """Differs from before when this store or any other client has changed something. Costs a millisecond or two."""
        with self._use() as milvus:
            return milvus.mark()

    # What an index asks; filters are Milvus's.

    def count(self, filter: str) -> int:
        """How many examples pass a filter."""
        with self._use() as milvus:
            return milvus.count(milvus.examples, filter)

    def query(self, filter: str, fields: Sequence[str], limit: int = MOST_RESULTS) -> list[Found]:
        """Ids and fields of the examples that pass a filter; of very many, those with the smallest ids."""
        with self._use() as milvus:
            return milvus.query(milvus.examples, filter, ["id", *fields], limit)

    def pages(self, filter: str, fields: Sequence[str]) -> Iterator[Found]:
        """Ids and fields of all examples that pass a filter, in order of their ids."""
        size, after = _PAGE if "feature" in fields else MOST_RESULTS, 0
        also = f" and ({filter})" if filter else ""
        while page := self.query(f"id > {after}{also}", fields, size):
            yield from page
            if len(page) < size:
                return
            after = page[-1]["id"]

    def search(self, queries_QD: Features, filter: str, most: int) -> list[list[str]]:
        """The labels of the examples nearest to each query that pass a filter, nearest first.

        Those that pass a filter are compared exactly; without one, those in the likely cells of the index.
        """
        cells = layout.CELLS if filter else _PROBED
        with self._use() as milvus:
            found = milvus.search(queries_QD, filter, most, cells, ["label"])
        return [[row["label"] for row in rows] for rows in found]

    # Facts.

    def _facts(self, properties: Mapping[str, str]) -> dict[str, str]:
        values = {
            name.removeprefix(_FACT): text for name, text in properties.items() if name.startswith(_FACT) and text
        }
        long = {name: _file(value) for name, value in values.items() if value.startswith(_FILE)}
        files = self._files.read(dict(long.values()))
        return {
            name: files[long[name][0]].decode() if name in long else value.removeprefix(_TEXT)
            for name, value in values.items()
        }

    def _property(self, text: str) -> str:
        """What a fact's property says; a long fact is written into a file first. An empty text stays one."""
        if len(text) <= _LONGEST:
            return text and _TEXT + text
        number, content = -1 - secrets.randbelow(1 << 52), text.encode()
        self._files.write({number: content})
        return f"{_FILE}{number}:{parts(content)}"

    # Examples.

    def _of_ids(self, ids: Sequence[int], fields: Sequence[str]) -> Iterator[Found]:
        possible = [int(id) for id in ids if 0 < id < 1 << 63]
        for start in range(0, len(possible), MOST_RESULTS):
            yield from self.query(f"id in {possible[start : start + MOST_RESULTS]}", fields)

    def _of_class(self, label: str, fields: Sequence[str], so: str = "") -> list[Found]:
        """The examples of a class. Raises NotEnrolled where there is none, and says so what did not happen."""
        rows = list(self.pages(f"label == {quoted(label)}", ["label", *fields]))
        if not rows:
            raise NotEnrolled(f"{self.place} has no class {label!r}{so}")
        return rows

    def _pictures(self, rows: Sequence[Found]) -> dict[int, bytes]:
        with self._connection.faults():
            return self._files.read({row["id"]: row["parts"] for row in rows})

    def _known(self, milvus: Connection, rows: Sequence[Row]) -> dict[Named, int]:
        """Ids of examples that new ones may show again. Raises GalleryError where an id that is given is taken."""
        for taken in self._of_ids([row.id for row in rows if row.id is not None], []):
            raise GalleryError(f"{self.place} has an example {taken['id']} already: nothing was added")
        keys = list({layout.key(*named(row)) for row in rows if row.digest is not None})
        mark, found = milvus.mark(), list[Found]()
        # We need not wait to be shown what we added ourselves.
        remembered = mark == self._mark and len(self._unseen) < _UNSEEN
        for start in range(0, len(keys), MOST_RESULTS):
            filter, level = f"key in {keys[start : start + MOST_RESULTS]}", "Eventually" if remembered else "Strong"
            found += milvus.query(milvus.examples, filter, ["id", "label", "digest"], MOST_RESULTS, level)
        if keys and not remembered:
            self._mark = mark
            self._unseen.clear()
        return {(row["label"], row["digest"]): row["id"] for row in reversed(found)} | self._unseen

    def _numbered(self, rows: Sequence[Row]) -> dict[int, Row]:
        """New examples by their ids; of the same picture under the same label, one."""
        first: dict[Any, Row] = {}
        for row in rows:
            first.setdefault(id(row) if row.id or row.digest is None else named(row), row)
        given = [row.id for row in first.values() if row.id is not None]
        if len(set(given)) < len(given):
            raise GalleryError(f"{self.place} was given an id twice: nothing was added")
        if given:
            self._ids.pass_over(max(given))
        taken = iter(self._ids.take(len(first) - len(given)))
        return {next(taken) if row.id is None else row.id: row for row in first.values()}

    def _insert(self, milvus: Connection, rows: Mapping[int, Row]) -> None:
        """Write examples under their ids, their pictures first."""
        now = datetime.now(UTC)
        entries = [layout.entry(id, row, now) for id, row in rows.items()]
        layout.check_request(self.place, entries)
        self._files.write({id: row.original for id, row in rows.items() if row.original is not None})
        # Sent once only: a request whose answer is lost may have been obeyed, and Milvus would take it twice.
        milvus.client.insert(milvus.examples, entries, retry_times=0)
        remembered = milvus.mark() == self._mark
        mark = milvus.changed()
        if remembered:
            self._mark = mark
            self._unseen |= {named(row): id for id, row in rows.items() if row.digest is not None}

    def _remove(self, milvus: Connection, sizes: Mapping[int, int]) -> None:
        """Remove examples by their ids, then their pictures of so many parts each."""
        if sizes:
            milvus.client.delete(milvus.examples, ids=list(sizes), timeout=PATIENCE)
            milvus.changed()
            self._files.remove(sizes)

    def _sweep(self, milvus: Connection) -> None:
        """Once, remove the pictures of no example."""
        if not self._swept:
            pictures = milvus.count(milvus.examples, "parts > 0")
            self._files.sweep(pictures, lambda ids: [row["id"] for row in self._of_ids(ids, [])])
            self._swept = True

    # The collections.

    @contextmanager
    def _use(self) -> Iterator[Connection]:
        """The connection, with the gallery there."""
        with self._connection.faults():
            if not self._features:
                with self._lock:
                    if not self._features:
                        self._make()
            yield self._connection

    def _open(self) -> None:
        """Take the collection that is there. Raises GalleryError where it is no gallery, or was made by another just now."""
        described = self._connection.described()
        kind, properties = described["description"], described["properties"]
        if kind != layout.FORMAT:
            raise GalleryError(
                f"{self.place} is a {kind}, this lowshot reads {layout.FORMAT!r}: use the one that made it"
                if kind.startswith(layout.FORMAT.rstrip("0123456789"))
                else f"{self.place} is a collection of something else: give another name"
            )
        card = properties.get(_FACT + "card", "").removeprefix(_TEXT)
        self._serve(layout.read_card(self.place, {"card": card}))
        if self._new is not None and not self._facts(properties).items() >= self._new.items():
            raise GalleryError(f"another process has made {self.place} meanwhile: open it again")

    def _make(self) -> None:
        """Make the gallery with its facts."""
        facts = self._new or {}
        card = layout.read_card(self.place, facts)
        try:
            layout.make(self._connection, card, {_FACT + name: _TEXT + text for name, text in facts.items()})
        except milvus_error():
            if not self._connection.is_there():
                raise
            self._open()  # another client was faster
        else:
            self._serve(card)

    def _serve(self, card: Card) -> None:
        layout.serve(self._connection, card)
        self._features = card.features


def _file(value: str) -> tuple[int, int]:
    """Number and parts of the file that a property refers to."""
    number, size = value.removeprefix(_FILE).split(":")
    return int(number), int(size)


def _whole(id: int) -> int:
    try:
        return operator.index(id)
    except TypeError:
        raise GalleryError(f"{id!r} is no id of an example: give a whole number") from None
