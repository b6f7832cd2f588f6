"""A gallery on a Milvus server or cluster: the same examples and facts as in a file, searched by Milvus.

How Milvus (2.3 and newer) is used:

- The **examples** are one collection, their features indexed in cells (IVF) and compared as the encoder's card says. The
  **facts** are properties of that collection, which are changed all at once and read back at once.
- **Files** that are kept, pictures and facts too long for a property, are cut into texts of a second collection. They are
  written before the row or the property that refers to them, and removed after it: a crash leaves no example without its
  picture, but perhaps a picture without an example. Those are swept away later.
- **Ids** come in blocks of a thousand. A block is taken by giving the collection an alias with its number, which only one
  client can do, so ids are never given twice, nor again; a client that ends leaves the rest of its block unused.
- **Reading** waits for what was written: every change leaves a new mark in the properties, and the first query that finds a
  new mark is a strong one, which waits (0.4 s, as Milvus is set by default) until all writes can be seen.

All or nothing: what one call adds is one request. Milvus writes it into its log as one message up to about 4 MB, and as
several above; a crash of Milvus itself between them can leave a part. Two clients that enroll the same picture under the
same label within the same moment may both add it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import operator
import secrets
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np
from pydantic import ValidationError

from lowshot.encoder import Card, Features
from lowshot.errors import ConfigError, GalleryError
from lowshot.gallery.records import Record
from lowshot.gallery.store import Row

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from lowshot.gallery.milvus_index import MilvusIndex

Named = tuple[str, str]  # label and digest of an example: where two are the same, they show the same picture

SCHEMES = ("milvus+http", "milvus+https")
MOST_RESULTS = 16_384  # rows or neighbors that Milvus gives at once

_FORMAT = "lowshot gallery, format 1"  # the collection's description
_FACT = "lowshot.fact."  # a property's name begins so, and goes on with the fact's
_CHANGED = "lowshot.changed"  # the property that every change sets anew
_LONGEST = 4096  # characters of a fact that is a property itself
_TEXT, _FILE = "text:", "file:"  # how the value of such a property begins
_METRICS = {"cosine": "COSINE", "euclidean": "L2"}  # Milvus's L2 is squared, as ours

_BLOCK = 1000  # ids taken at once
_CELLS, _PROBED = 1024, 128  # of the index; see docs/scale.md for the recall
_PAGE, _PAGE_OF_PICTURES = 2048, 32  # rows with their features read at once, without and with their pictures
_CHUNK, _PARTS = (
    49_149,
    1024,
)  # bytes that are 65,532 characters as base64, of the 65,535 Milvus holds; and at most so many
_REQUEST = 60 << 20  # bytes of one request; Milvus takes 64 MiB
_TRIES = 100  # to take a block
_UNSEEN = 10_000  # added examples remembered until Milvus shows them
_PATIENCE = 30.0  # seconds until a query is given up
_ORPHANED = 3600  # seconds after which a picture without example belongs to nobody


class MilvusStore:
    """Opens a gallery on a Milvus server; see :class:`~lowshot.gallery.store.Store` for its methods.

    Any number of clients may have it open. What one changes, all see with their next query. Features are kept as float32,
    whatever precision is asked for.

    Args:
        address: ``milvus+http://[user:password@]host[:port]/collection``, or with ``https``.
        create: facts to write into a new gallery where there is no such collection; None for an existing gallery. It is made
            when it is first used.

    Raises:
        ConfigError: pymilvus is not installed.
        GalleryError: the address is none, the server cannot be reached, there is no such gallery, the collection is
            something else, or Milvus cannot compare as the encoder's card says.
    """

    def __init__(self, address: str, create: Mapping[str, str] | None = None) -> None:
        self._place, self._name, options = _parsed(address)
        self._files = f"{self._name}_files"
        self._new = None if create is None else {**create, "precision": "float32"}
        self._lock = threading.RLock()
        self._seen: dict[str, str] = {}  # the mark up to which all of a collection can be read
        self._free: list[int] = []  # ids of our block
        self._known = ""  # the mark up to which Milvus shows, or we remember, all that was added
        self._unseen: dict[Named, int] = {}  # ids of what we added since
        self._swept = False
        self._features = 0  # of an example; known when the collection is ready
        if self._new is not None:
            _card(self._place, self._new)
        self._client: MilvusClient | None = None
        self._client = _connected(self._place, options)
        try:
            with self._faults():
                there = self._client.has_collection(self._name, timeout=_PATIENCE)
            if there:
                self._open()
            elif create is None:
                raise GalleryError(f"no gallery {self._place!r}: enroll examples into it first")
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> str:
        """Its address, without the password."""
        return self._place

    def close(self) -> None:
        """Close the connection. Closing twice is fine."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def index(self, card: Card) -> MilvusIndex:
        """Milvus's own search."""
        from lowshot.gallery.milvus_index import MilvusIndex  # brings SciPy, which enrolling does without

        return MilvusIndex(card, self)

    def facts(self) -> dict[str, str]:
        """What was written when the gallery was created, and changed by :meth:`change` since."""
        return self._facts(self._properties())

    def change(self, facts: Mapping[str, str], patient: bool = True) -> None:
        """Write facts; an empty text takes one out. Milvus lets nobody wait, so ``patient`` makes no difference."""
        with self._lock, self._faults():
            before = self._properties()
            self._set({_FACT + name: self._kept(text) for name, text in facts.items()})
            for name in facts:
                self._drop_fact(before.get(_FACT + name, ""))

    def add(self, rows: Sequence[Row]) -> list[int]:
        """Add examples, all or none, but none twice; their ids, in the same order.

        Where the same picture is there already under the same label, its id is given and nothing is changed. Raises
        GalleryError where an example is too large to be kept, or an id is taken.
        """
        with self._lock, self._faults():
            self._use()
            for row in rows:
                _check(row, self._features)
            known = self._same(rows)
            new = self._numbered([row for row in rows if row.id or row.digest is None or _named(row) not in known])
            if new:
                self._sweep()
                self._insert(new)
            at = {id(row): number for number, row in new.items()}
            known = {_named(row): number for number, row in reversed(new.items())} | known
            return [at.get(id(row)) or known[_named(row)] for row in rows]

    def _numbered(self, rows: Sequence[Row]) -> dict[int, Row]:
        """New examples by their ids; of the same picture under the same label, one."""
        first: dict[Any, Row] = {}
        for row in rows:
            first.setdefault(id(row) if row.id or row.digest is None else _named(row), row)
        new = dict(zip(self._ids(list(first.values())), first.values(), strict=True))
        if len(new) < len(first):
            raise GalleryError(f"{self._place} was given an id twice: nothing was added")
        return new

    def remove(self, ids: Iterable[int]) -> int:
        """Remove examples, all or none; how many there were. Raises GalleryError where one is not there."""
        different = list(dict.fromkeys(map(_whole, ids)))
        with self._lock, self._faults():
            there = {row["id"]: row["parts"] for row in self._of_ids(different, ["parts"])}
            for id in different:
                if id not in there:
                    raise GalleryError(f"{self._place} has no example {id}: nothing was removed")
            if different:
                self._remove(there)
        return len(different)

    def remove_class(self, label: str) -> int:
        """Remove every example of a class; how many there were. Raises GalleryError where there is no such class."""
        with self._lock, self._faults():
            there = {row["id"]: row["parts"] for row in self._of_class(label, ["parts"], ": nothing was removed")}
            self._remove(there)
        return len(there)

    def rename_class(self, label: str, to: str) -> int:
        """Give every example of a class another label; how many there were."""
        fields = ["name", "attributes", "added", "digest", "parts", "feature"]
        with self._lock, self._faults():
            rows = list(self._of_class(label, fields, ": nothing was renamed"))
            entries = [{**row, "label": to, "key": _key(to, row["digest"])} for row in rows]
            self._check_request(entries)
            self._use().upsert(self._name, entries, timeout=_PATIENCE)
            self._set({})
        return len(rows)

    def classes(self) -> dict[str, int]:
        """Each class and how many examples it has, in order of the labels."""
        counted = Counter(row["label"] for row in self.pages("", ["label"]))
        return dict(sorted(counted.items()))

    def records(self, label: str | None = None) -> list[Record]:
        """The examples, of one class or of all, oldest first. Raises GalleryError where there is no such class."""
        fields = ["label", "name", "attributes", "added"]
        rows = self.pages("", fields) if label is None else self._of_class(label, fields)
        return [Record(row["id"], row["label"], row["name"], row["attributes"], _when(row["added"])) for row in rows]

    def rows(self, after: int = 0, originals: bool = True) -> Iterator[Row]:
        """All that is kept of the examples with a larger id than ``after``, in order of their ids."""
        fields = ["label", "name", "attributes", "added", "digest", "parts", "feature"]
        size = _PAGE_OF_PICTURES if originals else _PAGE
        while page := self.query(f"id > {after}", fields, limit=size):
            kept = self._read({row["id"]: row["parts"] for row in page}) if originals else {}
            for row in page:
                feature = np.array(row["feature"], np.float32)
                digest = bytes.fromhex(row["digest"]) or None
                picture, when = kept.get(row["id"]), _when(row["added"])
                yield Row(row["label"], row["name"], row["attributes"], feature, picture, digest, row["id"], when)
            after = page[-1]["id"]

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of those examples that (still) are there."""
        return {row["id"]: row["name"] for row in self._of_ids(list(ids), ["name"])}

    def original(self, id: int) -> bytes | None:
        """The picture file an example came from, None where none is kept. Raises GalleryError for an unknown id."""
        row = next(iter(self._of_ids([_whole(id)], ["parts"])), None)
        if row is None:
            raise GalleryError(f"{self._place} has no example {id}")
        return self._read({row["id"]: row["parts"]}).get(row["id"])

    def __len__(self) -> int:
        return self.count()

    def is_empty(self) -> bool:
        """Whether no example is there. Costs milliseconds."""
        return not self.query("", [], limit=1)

    def version(self) -> Hashable:
        """Differs from before when this store or any other client has changed something. Costs a millisecond or two."""
        return self._mark()

    # What an index asks.

    def count(self, filter: str = "") -> int:
        """How many examples pass a filter of Milvus's."""
        with self._faults():
            found = self._query(self._name, filter, ["count(*)"])
        return int(found[0]["count(*)"])

    def query(self, filter: str, fields: Sequence[str], limit: int = MOST_RESULTS) -> list[dict[str, Any]]:
        """Ids and fields of those examples that pass a filter and have the smallest ids, in order of these."""
        with self._faults():
            found = self._query(self._name, filter, ["id", *fields], limit)
        return sorted(found, key=operator.itemgetter("id"))

    def pages(self, filter: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Ids and fields of all examples that pass a filter, in order of their ids."""
        size, after = _PAGE if "feature" in fields else MOST_RESULTS, 0
        also = f" and ({filter})" if filter else ""
        while page := self.query(f"id > {after}{also}", fields, size):
            yield from page
            if len(page) < size:
                return
            after = page[-1]["id"]

    def search(self, queries_QD: Features, filter: str, most: int) -> list[list[str]]:
        """The labels of the nearest examples of each query that pass a filter, nearest first.

        What passes a filter is compared exactly, all else in the likely cells of the index.
        """
        with self._faults(), self._level(self._name) as level:
            found = self._use().search(
                self._name,
                list(queries_QD),
                filter=filter,
                limit=most,
                output_fields=["label"],
                search_params={"params": {"nprobe": _CELLS if filter else _PROBED}},
                consistency_level=level,
                timeout=_PATIENCE,
            )
        return [[hit["entity"]["label"] for hit in hits] for hits in found]

    # Facts.

    def _properties(self) -> dict[str, str]:
        with self._faults():
            described: dict[str, Any] = self._use().describe_collection(self._name, timeout=_PATIENCE)
        return dict(described["properties"])

    def _mark(self) -> str:
        return self._properties().get(_CHANGED, "")

    def _facts(self, properties: Mapping[str, str]) -> dict[str, str]:
        values = {name.removeprefix(_FACT): value for name, value in properties.items() if name.startswith(_FACT)}
        numbers = {name: _numbers(value) for name, value in values.items() if value.startswith(_FILE)}
        files = self._read(dict(numbers.values()))
        return {
            name: files[numbers[name][0]].decode() if name in numbers else value.removeprefix(_TEXT)
            for name, value in values.items()
            if value
        }

    def _kept(self, text: str) -> str:
        """What a fact's property says; a long fact is written into a file first. An empty text stays one."""
        if len(text) <= _LONGEST:
            return text and _TEXT + text
        number, content = -1 - secrets.randbelow(1 << 52), text.encode()
        self._write({number: content})
        return f"{_FILE}{number}:{_parts(content)}"

    def _drop_fact(self, value: str) -> None:
        if value.startswith(_FILE):
            self._drop(dict([_numbers(value)]))

    def _set(self, properties: Mapping[str, str]) -> str:
        """Set properties, all at once, and a new mark; the mark."""
        mark = secrets.token_hex(8)
        self._use().alter_collection_properties(self._name, {**properties, _CHANGED: mark}, timeout=_PATIENCE)
        return mark

    # Examples.

    def _of_ids(self, ids: Sequence[int], fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        possible = [id for id in map(int, ids) if 0 < id < 1 << 63]
        for start in range(0, len(possible), MOST_RESULTS):
            yield from self.query(f"id in {possible[start : start + MOST_RESULTS]}", fields)

    def _of_class(self, label: str, fields: Sequence[str], so: str = "") -> Iterator[dict[str, Any]]:
        """The examples of a class. Raises GalleryError where there is no such class, and says what did not happen."""
        if not isinstance(label, str):
            raise GalleryError(f"{self._place} cannot be used: {label!r} is no label")
        rows = self.pages(f"label == {quoted(label)}", ["label", *fields])
        first = next(rows, None)
        if first is None:
            raise GalleryError(f"{self._place} has no class {label!r}{so}")
        yield first
        yield from rows

    def _same(self, rows: Sequence[Row]) -> dict[Named, int]:
        """Ids of examples that may be the same as new ones. Raises GalleryError for an id that is taken."""
        keys = list({_key(*_named(row)) for row in rows if row.digest is not None})
        mark, level = self._mark(), "Eventually"
        if mark != self._known or len(self._unseen) > _UNSEEN:
            level = "Strong"
        there: dict[Named, int] = {}
        for start in range(0, len(keys), MOST_RESULTS):
            filter, fields = f"key in {keys[start : start + MOST_RESULTS]}", ["id", "label", "digest"]
            for found in self._query(self._name, filter, fields, MOST_RESULTS, level):
                there.setdefault((found["label"], found["digest"]), found["id"])
        if level == "Strong" and keys:
            self._known = mark
            self._unseen.clear()
        for taken in self._of_ids([row.id for row in rows if row.id is not None], []):
            raise GalleryError(f"{self._place} has an example {taken['id']} already: nothing was added")
        return there | self._unseen

    def _insert(self, rows: Mapping[int, Row]) -> None:
        """Write examples under their ids, their pictures first."""
        now = datetime.now(UTC)
        entries = [_entry(id, row, now) for id, row in rows.items()]
        self._check_request(entries)
        self._write({id: row.original for id, row in rows.items() if row.original is not None})
        # Sent once only: a request whose answer is lost may have been obeyed, and Milvus would take it twice.
        self._use().insert(self._name, entries, retry_times=0)
        unchanged = self._mark() == self._known
        mark = self._set({})
        if unchanged:
            self._known = mark
            self._unseen |= {_named(row): id for id, row in rows.items() if row.digest is not None}

    def _remove(self, parts: Mapping[int, int]) -> None:
        """Remove examples by their ids, then their pictures of so many parts each."""
        self._use().delete(self._name, ids=list(parts), timeout=_PATIENCE)
        self._set({})
        self._drop(parts)

    def _check_request(self, entries: Sequence[Mapping[str, Any]]) -> None:
        size = sum(_size(entry) for entry in entries)
        if size > _REQUEST:
            raise GalleryError(
                f"{self._place} takes {_REQUEST >> 20} MiB at once, all or nothing, not {size >> 20} MiB: do it in parts"
            )

    def _ids(self, rows: Sequence[Row]) -> list[int]:
        """An id for each new example: the one it has, or one that was never given."""
        number = sum(row.id is None for row in rows)
        if number < len(rows):
            self._pass_over(max(row.id or 0 for row in rows))
        while len(self._free) < number:
            self._free += self._next_block()
        taken, self._free = iter(self._free[:number]), self._free[number:]
        return [next(taken) if row.id is None else row.id for row in rows]

    def _next_block(self) -> range:
        """Ids that were never given, nor will be to another client."""
        for _ in range(_TRIES):
            block = self._highest_block() + 1
            if self._take_block(block):
                return range(block * _BLOCK + 1, (block + 1) * _BLOCK + 1)
        raise GalleryError(f"{self._place} gives no ids, other clients are always faster: try again")

    def _pass_over(self, id: int) -> None:
        """See to it that no id up to this one is given any more."""
        self._free = [free for free in self._free if free > id]
        block = (id - 1) // _BLOCK
        while self._highest_block() < block:
            self._take_block(block)

    def _take_block(self, block: int) -> bool:
        """Whether a block is ours now. Blocks below the highest one are taken as well, though their aliases are gone."""
        client = self._use()
        try:
            client.create_alias(self._name, f"{self._name}_ids_{block}", timeout=_PATIENCE)
        except _milvus_error() as error:
            if "alias" not in str(error):
                raise
            return False  # another client was faster
        highest = self._highest_block()
        for old in self._blocks():
            if old < highest:
                with suppress(_milvus_error()):  # another client was faster
                    client.drop_alias(f"{self._name}_ids_{old}", timeout=_PATIENCE)
        return highest == block

    def _highest_block(self) -> int:
        return max(self._blocks(), default=-1)

    def _blocks(self) -> list[int]:
        prefix = f"{self._name}_ids_"
        aliases = self._use().describe_collection(self._name, timeout=_PATIENCE)["aliases"]
        return [int(alias.removeprefix(prefix)) for alias in aliases if alias.startswith(prefix)]

    # Files.

    def _write(self, contents: Mapping[int, bytes]) -> None:
        """Keep files under their numbers, in requests of not too many bytes."""
        batch: list[dict[str, Any]] = []
        now = int(time.time())
        for number, content in contents.items():
            for part in range(_parts(content)):
                text = base64.b64encode(content[part * _CHUNK : (part + 1) * _CHUNK]).decode()
                never = [0.0, 0.0]  # Milvus wants a vector in every collection
                entry = {"id": number * _PARTS + part, "file": number, "written": now, "content": text, "never": never}
                batch.append(entry)
                if len(batch) * _CHUNK > _REQUEST // 4:
                    self._use().upsert(self._files, batch, timeout=_PATIENCE)
                    batch = []
        if batch:
            self._use().upsert(self._files, batch, timeout=_PATIENCE)

    def _read(self, parts: Mapping[int, int]) -> dict[int, bytes]:
        """The files of so many parts each, by their numbers; those of no parts are left out."""
        ids = [number * _PARTS + part for number, parts_of in parts.items() for part in range(parts_of)]
        chunks: dict[int, bytes] = {}
        for start in range(0, len(ids), _REQUEST // _CHUNK // 4):
            some = ids[start : start + _REQUEST // _CHUNK // 4]
            with self._faults():
                found = self._query(self._files, f"id in {some}", ["id", "content"], MOST_RESULTS)
            chunks |= {each["id"]: base64.b64decode(each["content"]) for each in found}
        if len(chunks) < len(ids):
            raise GalleryError(f"{self._place} is damaged (pictures are missing): restore it from a copy")
        return {
            number: b"".join(chunks[number * _PARTS + part] for part in range(parts_of))
            for number, parts_of in parts.items()
            if parts_of
        }

    def _drop(self, parts: Mapping[int, int]) -> None:
        ids = [number * _PARTS + part for number, parts_of in parts.items() for part in range(parts_of)]
        if ids:
            self._use().delete(self._files, ids=ids, timeout=_PATIENCE)

    def _sweep(self) -> None:
        """Once, remove the pictures that belong to no example, as a crash may have left them."""
        if self._swept:
            return
        self._swept = True
        # The first part of a picture is there once for each example that has one.
        first = f"file > 0 and id % {_PARTS} == 0"
        kept = int(self._query(self._files, first, ["count(*)"])[0]["count(*)"])
        if kept == self.count("parts > 0"):
            return
        after = 0
        filter = f"file > 0 and written < {int(time.time()) - _ORPHANED}"
        while page := self._query(self._files, f"{filter} and id > {after}", ["id", "file"], MOST_RESULTS):
            there = {row["id"] for row in self._of_ids(list({each["file"] for each in page}), [])}
            orphans = [each["id"] for each in page if each["file"] not in there]
            if orphans:
                self._use().delete(self._files, ids=orphans, timeout=_PATIENCE)
            after = max(each["id"] for each in page)

    # Milvus.

    def _query(
        self, collection: str, filter: str, fields: Sequence[str], limit: int | None = None, level: str | None = None
    ) -> list[dict[str, Any]]:
        limits = {} if limit is None else {"limit": limit}
        with nullcontext(level) if level else self._level(collection) as chosen:
            return list(
                self._use().query(
                    collection,
                    filter=filter,
                    output_fields=list(fields),
                    consistency_level=chosen,
                    timeout=_PATIENCE,
                    **limits,
                )
            )

    @contextmanager
    def _level(self, collection: str) -> Iterator[str]:
        """How consistent a query must be to see every change so far."""
        mark = self._mark()
        yield "Session" if self._seen.get(collection) == mark else "Strong"
        self._seen[collection] = mark

    def _use(self) -> MilvusClient:
        """The client, with the collection there and loaded."""
        client = self._connection()
        if not self._features:
            with self._lock:
                if not self._features:
                    self._make()
        return client

    def _open(self) -> None:
        """Take the collection that is there. Raises GalleryError where it is no gallery, or was made by another just now."""
        described = self._connection().describe_collection(self._name, timeout=_PATIENCE)
        kind, properties = described["description"], described["properties"]
        if kind != _FORMAT:
            raise GalleryError(
                f"{self._place} has {kind!r}, this lowshot reads {_FORMAT!r}: use the one that made it"
                if kind.startswith(_FORMAT.rstrip("0123456789"))
                else f"{self._place} is a collection of something else: give another name"
            )
        self._serve(_card(self._place, {"card": properties.get(_FACT + "card", "").removeprefix(_TEXT)}))
        if self._new is not None and not self._facts(properties).items() >= self._new.items():
            raise GalleryError(f"another process has made {self._place} meanwhile: open it again")

    def _make(self) -> None:
        """Make the collections; with that of the examples, and its facts, there is a gallery."""
        client, facts = self._connection(), self._new or {}
        kept = {_FACT + name: _TEXT + text for name, text in facts.items()}
        card = _card(self._place, facts)
        given: dict[str, Any] = {"consistency_level": "Session", "timeout": _PATIENCE}
        client.create_collection(self._files, schema=_files_schema(), **given)
        try:
            client.create_collection(self._name, schema=_examples_schema(card.features), properties=kept, **given)
        except _milvus_error():
            if not client.has_collection(self._name, timeout=_PATIENCE):
                raise
            self._open()  # another client was faster
        else:
            self._serve(card)

    def _serve(self, card: Card) -> None:
        """Have Milvus index the collections, where it does not yet, and load them."""
        client = self._connection()
        indexes = {
            self._name: {"feature": ("IVF_FLAT", _METRICS[card.distance], {"nlist": _CELLS}), "label": ("Trie",)}
        }
        indexes |= {self._files: {"never": ("FLAT", "L2", {})}}
        for collection, fields in indexes.items():
            if not client.list_indexes(collection):
                made = client.prepare_index_params()
                for field, of in fields.items():
                    made.add_index(field, **dict(zip(("index_type", "metric_type", "params"), of, strict=False)))
                client.create_index(collection, made, sync=False, timeout=_PATIENCE)
            client.load_collection(collection, _async=True, timeout=_PATIENCE)
        for collection in indexes:
            client.load_collection(collection, timeout=_PATIENCE)
        self._features = card.features

    def _connection(self) -> MilvusClient:
        if self._client is None:
            raise GalleryError(f"{self._place} is closed: open it again")
        return self._client

    def _faults(self) -> AbstractContextManager[None]:
        return _faults(self._place)


def is_there(address: str) -> bool:
    """Whether there is a collection at an address. Raises GalleryError where the server cannot be reached."""
    place, name, options = _parsed(address)
    client = _connected(place, options)
    try:
        with _faults(place):
            return bool(client.has_collection(name, timeout=_PATIENCE))
    finally:
        client.close()


def quoted(text: str) -> str:
    """A text as a literal of Milvus's filters."""
    return json.dumps(text, ensure_ascii=False)


def _parsed(address: str) -> tuple[str, str, dict[str, str]]:
    """The address without its password, the collection, and what connects to the server."""
    parts = urlsplit(address)
    name = parts.path.removeprefix("/").removesuffix("/")
    try:
        port = parts.port or 19530
    except ValueError:
        port = 0
    fits = name.isascii() and name.isidentifier() and not parts.query and not parts.fragment
    if parts.scheme not in SCHEMES or not parts.hostname or not port or not fits:
        raise GalleryError(
            f"{address!r} is no address of a gallery: give milvus+http://host:port/collection, the collection in letters, "
            "digits and underscores"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    options = {"uri": f"{parts.scheme.removeprefix('milvus+')}://{host}:{port}"}
    if parts.username:
        options |= {"user": unquote(parts.username), "password": unquote(parts.password or "")}
    return f"{parts.scheme}://{host}:{port}/{name}", name, options


def _connected(place: str, options: Mapping[str, str]) -> MilvusClient:
    try:
        from pymilvus import MilvusClient
    except ImportError:
        raise ConfigError("galleries on Milvus need pymilvus: pip install 'lowshot[milvus]'") from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it prints what it raises, with its traceback
    with _faults(place):
        return MilvusClient(**options, timeout=_PATIENCE / 3)


def _milvus_error() -> type[Exception]:
    from pymilvus import MilvusException

    kind: type[Exception] = MilvusException
    return kind


@contextmanager
def _faults(place: str) -> Iterator[None]:
    """Milvus's errors in the user's words."""
    import grpc

    try:
        yield
    except (_milvus_error(), grpc.RpcError) as error:
        raise _translated(place, error) from None
    except UnicodeEncodeError as error:  # what Milvus cannot hold is not there either
        raise GalleryError(f"{place} holds nothing of that kind: {error}") from None


def _translated(place: str, error: Exception) -> GalleryError:
    said = str(getattr(error, "message", "") or error)
    if any(sign in said for sign in ("Fail connecting", "UNAVAILABLE", "failed to connect", "Timeout", "DEADLINE")):
        return GalleryError(f"{place} cannot be reached: see that the Milvus server runs there, and try again ({said})")
    if "auth" in said.lower():
        return GalleryError(
            f"{place} does not let you in: give milvus+http://user:password@host:port/collection ({said})"
        )
    return GalleryError(f"{place} cannot be used: {said}")


def _examples_schema(features: int) -> Any:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=_FORMAT)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("label", DataType.VARCHAR, max_length=_BYTES["label"])
    schema.add_field("name", DataType.VARCHAR, max_length=_BYTES["name"])
    schema.add_field("attributes", DataType.JSON)
    schema.add_field("added", DataType.INT64)  # milliseconds since 1970
    schema.add_field("digest", DataType.VARCHAR, max_length=_BYTES["digest"])
    schema.add_field("key", DataType.INT64)  # of label and digest, quick to look up
    schema.add_field("parts", DataType.INT64)  # of the picture, 0 where none is kept
    schema.add_field("feature", DataType.FLOAT_VECTOR, dim=features)
    return schema


def _files_schema() -> Any:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=f"files of a {_FORMAT}")
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("file", DataType.INT64)
    schema.add_field("written", DataType.INT64)  # seconds since 1970
    schema.add_field("content", DataType.VARCHAR, max_length=65_535)
    schema.add_field("never", DataType.FLOAT_VECTOR, dim=2)
    return schema


def _card(place: str, facts: Mapping[str, str]) -> Card:
    """The card among the facts. Raises GalleryError where there is none, or Milvus cannot compare as it says."""
    try:
        card = Card.model_validate_json(facts["card"])
    except (KeyError, ValidationError):
        raise GalleryError(f"{place} is damaged (its encoder's card cannot be read): restore it from a copy") from None
    if card.distance not in _METRICS:
        raise GalleryError(
            f"{place} cannot be made: Milvus does not compare by {card.distance}, as the encoder {card.name!r} needs; "
            "keep the gallery in a file"
        )
    return card


_BYTES = {"label": 800, "name": 65_535, "digest": 512, "attributes": 65_536}


def _check(row: Row, features: int) -> None:
    """Raises GalleryError where Milvus cannot keep an example as it is."""
    if row.feature.shape != (features,):
        raise GalleryError(f"a feature {row.feature.shape} of {row.label!r} is not of this gallery: give ({features},)")
    if not np.isfinite(row.feature).all():
        raise GalleryError(f"a feature of {row.label!r} is not finite: nothing was added")
    sizes = {
        "label": len(row.label.encode()),
        "name": len(row.name.encode()),
        "attributes": len(json.dumps(dict(row.attributes)).encode()),
        "digest": len(_hex(row.digest)),
    }
    for what, size in sizes.items():
        if size > _BYTES[what]:
            raise GalleryError(
                f"{what} of {row.label[:40]!r}: {size} bytes, Milvus holds {_BYTES[what]}; nothing was added"
            )
    if "" in row.attributes:
        raise GalleryError(f"an attribute of {row.label!r} has no name: Milvus needs one; nothing was added")
    if row.original is not None and _parts(row.original) > _PARTS:
        limit = _PARTS * _CHUNK >> 20
        raise GalleryError(
            f"the picture {row.name!r} of {row.label!r} has {len(row.original) >> 20} MiB, a gallery on Milvus keeps up to "
            f"{limit} MiB: make it smaller, or a gallery without pictures (--no-images); nothing was added"
        )


def _entry(id: int, row: Row, now: datetime) -> dict[str, Any]:
    """An example as Milvus keeps it."""
    added = (row.added or now) - datetime(1970, 1, 1, tzinfo=UTC)
    return {
        "id": id,
        "label": row.label,
        "name": row.name,
        "attributes": dict(row.attributes),
        "added": added // timedelta(milliseconds=1),
        "digest": _hex(row.digest),
        "key": _key(*_named(row)),
        "parts": 0 if row.original is None else _parts(row.original),
        "feature": row.feature,
    }


def _size(entry: Mapping[str, Any]) -> int:
    """Bytes of an example in a request, at most."""
    texts = len(entry["label"].encode()) + len(entry["name"].encode()) + len(json.dumps(entry["attributes"]))
    return 4 * len(entry["feature"]) + texts + len(entry["digest"]) + 64


def _hex(digest: bytes | None) -> str:
    return "" if digest is None else digest.hex()


def _named(row: Row) -> Named:
    return row.label, _hex(row.digest)


def _key(label: str, digest: str) -> int:
    """A number for a label and a digest; 0 for none."""
    if not digest:
        return 0
    return int.from_bytes(hashlib.sha256(f"{digest} {label}".encode()).digest()[:8], signed=True)


def _parts(content: bytes) -> int:
    """In how many parts a file is kept; an empty one has a part, too."""
    return max(1, -(-len(content) // _CHUNK))


def _numbers(value: str) -> tuple[int, int]:
    """Number and parts of the file that a property refers to."""
    number, parts = value.removeprefix(_FILE).split(":")
    return int(number), int(parts)


def _when(added: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=added)


def _whole(id: int) -> int:
    try:
        return operator.index(id)
    except TypeError:
        raise GalleryError(f"{id!r} is no id of an example: give a whole number") from None
