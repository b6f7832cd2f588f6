"""One SQLite file: enrolled examples with their features, and nothing about what features mean."""

from __future__ import annotations

import json
import operator
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lowshot.encoder import Card, Features
from lowshot.errors import GalleryError, NotEnrolled
from lowshot.gallery.records import Record
from lowshot.gallery.store import Row, digest

if TYPE_CHECKING:
    from lowshot.gallery.mirror import Mirror

_APPLICATION = int.from_bytes(b"lows")  # marks the file as a gallery, where `file` and SQLite look for such a mark
_SCHEMA = 2
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE examples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    label TEXT NOT NULL,
    name TEXT NOT NULL,
    attributes TEXT NOT NULL,
    added TEXT NOT NULL,
    feature BLOB NOT NULL
) STRICT;
CREATE INDEX examples_by_label ON examples (label);
CREATE TABLE originals (
    id INTEGER PRIMARY KEY REFERENCES examples (id) ON DELETE CASCADE,
    picture BLOB NOT NULL
) STRICT;
"""
# Format 1 had neither of these: examples that were removed or changed, so that a reader need not look at all of them, and
# what tells whether a picture is there already.
_SINCE_1 = (
    "CREATE TABLE journal (seq INTEGER PRIMARY KEY AUTOINCREMENT, example INTEGER NOT NULL) STRICT",
    """
    CREATE TABLE digests (
        id INTEGER PRIMARY KEY REFERENCES examples (id) ON DELETE CASCADE,
        digest BLOB NOT NULL
    ) STRICT
    """,
)
_BY_DIGEST = "CREATE INDEX digests_by_digest ON digests (digest)"

_RECORD = "SELECT id, label, name, attributes, added FROM examples"
_LARGEST = 2**63 - 1  # what SQLite can hold; no id is larger
_PATIENCE = 10_000  # milliseconds to wait for another writer
_PAGE, _PAGE_OF_PICTURES = 256, 16  # examples read at once, without and with their pictures

_FAULTS = {
    sqlite3.SQLITE_NOTADB: "is not a gallery: give another file",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore it from a copy, without the -wal and -shm files beside it",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full: free some space; what was to be written last was not kept",
    sqlite3.SQLITE_READONLY: "or its folder is read-only: change its permissions or copy it; nothing was written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder must exist and be writable, for SQLite's log beside it",
    sqlite3.SQLITE_BUSY: "is being written by another process: try again",
}


@dataclass(frozen=True)
class Mark:
    """How much of the file a reader has seen: every example up to an id, every entry of the journal up to a number."""

    example: int = 0
    journal: int = 0


@dataclass(frozen=True, eq=False)
class Changes:
    """What a reader lacks.

    Attributes:
        mark: where it stands with these changes.
        gone: ids of examples that it must drop, where it has them.
        ids, labels, attributes, features: of examples to take in, oldest first; attributes as JSON, features (n, D).
        complete: whether that is all; else ask again with the new mark.
    """

    mark: Mark
    gone: Sequence[int]
    ids: Sequence[int]
    labels: Sequence[str]
    attributes: Sequence[str]
    features: Features
    complete: bool


class SqliteStore:
    """Opens a gallery's file; see :class:`~lowshot.gallery.store.Store` for its methods.

    Any number of processes may have it open: one writes at a time, and readers never wait (write-ahead log). A change
    is on the disk when the call that made it returns (synchronous=FULL). Where its folder takes no log, a gallery is
    read as it is: it can be asked but not changed, and what others change meanwhile is not seen.

    Args:
        path: the file.
        create: facts to write into a new gallery where there is no file, or an empty one; None for an existing gallery.
            The file is made when it is first used: work that fails before leaves none behind. With the fact ``precision``
            of ``float16`` features take half the space.

    Raises:
        GalleryError: no such file, no gallery, one of a newer version, or a damaged one; from any method also: the disk
            is full, the file is read-only, another process does not stop writing, or the store is closed.
    """

    def __init__(self, path: Path, create: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._new = create
        self._precision = "<f4"  # of features in the file
        self._file = (0, 0)  # which file it is, whatever its name
        self._lock = threading.RLock()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        if path.exists() and not path.is_file():
            raise GalleryError(f"{path} is a folder or a device: give the file of a gallery")
        if path.is_file() and (create is None or path.stat().st_size):
            with self._use():
                pass
        elif create is None:
            raise GalleryError(f"no gallery {str(path)!r}: enroll examples into it first")
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            raise GalleryError(f"{path} cannot be made: its folder must exist and be writable")

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self.path)

    def index(self, card: Card) -> Mirror:
        """All features in memory."""
        from lowshot.gallery.mirror import Mirror  # brings SciPy, which enrolling does without

        return Mirror(card, self)

    def _connect(self) -> sqlite3.Connection:
        """Open the file, and make it a gallery where it is to be one."""
        self._connection = connection = _connection(self.path)
        try:
            found = self.path.stat()
            self._file = found.st_dev, found.st_ino
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            # A file that is not ours must stay as it is, so ask before the switch to a write-ahead log.
            if self._new is not None and _is_empty(connection):
                connection.execute("PRAGMA journal_mode = WAL")
                with self._transaction():
                    if _is_empty(connection):  # no other process was faster
                        _create(connection, self._new)
            if _pragma(connection, "application_id") != _APPLICATION:
                raise GalleryError(f"{self.path} is not a gallery: give another file")
            self._check_schema(connection)
            facts = self.facts()
            if self._new is not None and not facts.items() >= self._new.items():
                raise GalleryError(f"another process has made {self.path} meanwhile: open it again")
            self._precision = {"float32": "<f4", "float16": "<f2"}[facts.get("precision", "float32")]
        except BaseException:
            self._connection = None
            connection.close()
            raise
        return connection

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        """Raises GalleryError where the file is of a newer format; one of an older format is brought to ours."""
        schema = _pragma(connection, "user_version")
        if schema == 1 and _pragma(connection, "query_only"):
            for table in _SINCE_1:
                connection.execute(table.replace("TABLE", "TEMP TABLE"))  # stays empty: nobody changes such a file
        elif schema == 1:
            with self._transaction():
                if _pragma(connection, "user_version") == 1:  # no other process was faster
                    for statement in (*_SINCE_1, _BY_DIGEST):
                        connection.execute(statement)
                    connection.create_function("digest", 1, digest, deterministic=True)
                    connection.execute("INSERT INTO digests SELECT id, digest(picture) FROM originals")
                    connection.execute(f"PRAGMA user_version = {_SCHEMA}")
        elif schema != _SCHEMA:
            raise GalleryError(
                f"{self.path} has format {schema}, this lowshot reads {_SCHEMA}: use the one that made it"
            )

    def close(self) -> None:
        """Close the file. Closing twice is fine."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    def facts(self) -> dict[str, str]:
        """What was written when the gallery was created, and changed by :meth:`change` since."""
        with self._use() as connection:
            return dict(connection.execute("SELECT key, value FROM meta").fetchall())

    def change(self, facts: Mapping[str, str], patient: bool = True) -> None:
        """Write facts; an empty text takes one out. Where not ``patient``, another writer makes it fail at once."""
        written = {key: value for key, value in facts.items() if value}
        with self._use() as connection:
            connection.execute(f"PRAGMA busy_timeout = {_PATIENCE if patient else 0}")
            try:
                with self._transaction():
                    connection.executemany("DELETE FROM meta WHERE key = ?", ((key,) for key in facts))
                    connection.executemany("INSERT INTO meta VALUES (?, ?)", written.items())
            finally:
                connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}")

    def add(self, rows: Sequence[Row]) -> list[int]:
        """Add examples, all or none, but none twice; their ids, in the same order.

        Where the same picture is there already under the same label, its id is given and nothing is changed.
        """
        now = datetime.now(UTC)
        with self._transaction() as connection:
            return [_same(connection, row) or self._insert(connection, row, now) for row in rows]

    def remove(self, ids: Iterable[int]) -> int:
        """Remove examples, all or none; how many there were. Raises NotEnrolled where one is not there."""
        different = dict.fromkeys(map(_whole, ids))
        with self._transaction() as connection:
            for id in different:
                gone = abs(id) <= _LARGEST and connection.execute("DELETE FROM examples WHERE id = ?", (id,)).rowcount
                if not gone:
                    raise NotEnrolled(f"{self.path} has no example {id}: nothing was removed")
            connection.executemany("INSERT INTO journal VALUES (NULL, ?)", ((id,) for id in different))
        return len(different)

    def remove_class(self, label: str) -> int:
        """Remove every example of a class; how many there were. Raises NotEnrolled where there is no such class."""
        with self._transaction() as connection:
            self._note(connection, label, "removed")
            return connection.execute("DELETE FROM examples WHERE label = ?", (label,)).rowcount

    def rename_class(self, label: str, to: str) -> int:
        """Give every example of a class another label; how many there were."""
        with self._transaction() as connection:
            self._note(connection, label, "renamed")
            return connection.execute("UPDATE examples SET label = ? WHERE label = ?", (to, label)).rowcount

    def _note(self, connection: sqlite3.Connection, label: str, what: str) -> None:
        """Write the examples of a class into the journal. Raises NotEnrolled where there is no such class."""
        noted = connection.execute(
            "INSERT INTO journal SELECT NULL, id FROM examples WHERE label = ? ORDER BY id", (label,)
        ).rowcount
        if not noted:
            raise NotEnrolled(f"{self.path} has no class {label!r}: nothing was {what}")

    def classes(self) -> dict[str, int]:
        """Each class and how many examples it has, in order of the labels."""
        with self._use() as connection:
            return dict(
                connection.execute("SELECT label, count(*) FROM examples GROUP BY label ORDER BY label").fetchall()
            )

    def oldest(self) -> dict[str, int]:
        """The id of the oldest example of each class."""
        with self._use() as connection:
            return dict(connection.execute("SELECT label, min(id) FROM examples GROUP BY label").fetchall())

    def record(self, id: int) -> Record:
        """One example. Raises NotEnrolled where it is not there."""
        row: tuple[int, str, str, str, str] | None = None
        with self._use() as connection:
            if abs(_whole(id)) <= _LARGEST:
                row = connection.execute(f"{_RECORD} WHERE id = ?", (_whole(id),)).fetchone()
        if row is None:
            raise NotEnrolled(f"{self.path} has no example {id}")
        return _record(*row)

    def records(self, label: str | None = None) -> list[Record]:
        """The examples, of one class or of all, oldest first. Raises NotEnrolled where there is no such class."""
        where, values = ("", ()) if label is None else ("WHERE label = ?", (label,))
        with self._use() as connection:
            rows = connection.execute(f"{_RECORD} {where} ORDER BY id", values).fetchall()
        if label is not None and not rows:
            raise NotEnrolled(f"{self.path} has no class {label!r}")
        return [_record(*row) for row in rows]

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of those examples that (still) are there."""
        query = "SELECT id, name FROM examples WHERE id IN (SELECT value FROM json_each(?))"
        with self._use() as connection:
            return dict(connection.execute(query, (json.dumps(list(ids)),)).fetchall())

    def original(self, id: int) -> bytes | None:
        """The picture file an example came from, None where none is kept. Raises NotEnrolled for an unknown id."""
        query = "SELECT picture FROM examples LEFT JOIN originals USING (id) WHERE id = ?"
        with self._use() as connection:
            row: tuple[bytes | None] | None = None
            if abs(_whole(id)) <= _LARGEST:
                row = connection.execute(query, (_whole(id),)).fetchone()
        if row is None:
            raise NotEnrolled(f"{self.path} has no example {id}")
        return row[0]

    def __len__(self) -> int:
        with self._use() as connection:
            number: int = connection.execute("SELECT count(*) FROM examples").fetchone()[0]
            return number

    def is_empty(self) -> bool:
        """Whether no example is there. Costs microseconds."""
        with self._use() as connection:
            return connection.execute("SELECT 1 FROM examples LIMIT 1").fetchone() is None

    def version(self) -> tuple[int, int]:
        """Differs from before when this store or any other process has changed something. Costs microseconds."""
        with self._use() as connection:
            return _pragma(connection, "data_version"), connection.total_changes

    def changes(self, mark: Mark, most: int = 100_000) -> Changes:
        """What a reader lacks who has seen the file up to a mark; not more than ``most`` new examples at once."""
        with self._transaction("DEFERRED") as connection:  # one state of the file for all queries
            journal = connection.execute("SELECT seq, example FROM journal WHERE seq > ?", (mark.journal,)).fetchall()
            changed = sorted({example for _, example in journal if example <= mark.example})
            columns = "SELECT id, label, attributes, feature FROM examples"
            again = f"{columns} WHERE id IN (SELECT value FROM json_each(?))"
            rows = connection.execute(again, (json.dumps(changed),)).fetchall() if changed else []
            new = connection.execute(f"{columns} WHERE id > ? ORDER BY id LIMIT ?", (mark.example, most)).fetchall()
        seen = Mark(new[-1][0] if new else mark.example, max((seq for seq, _ in journal), default=mark.journal))
        ids, labels, attributes, blobs = zip(*rows, *new, strict=True) if rows or new else ([], [], [], [])
        return Changes(seen, changed, ids, labels, attributes, self._features(blobs), len(new) < most)

    def rows(self, after: int = 0, originals: bool = True) -> Iterator[Row]:
        """All that is kept of the examples with a larger id than ``after``, in order of their ids."""
        picture, size = ("picture", _PAGE_OF_PICTURES) if originals else ("NULL", _PAGE)
        query = f"""
            SELECT id, label, name, attributes, added, feature, digest, {picture}
            FROM examples LEFT JOIN digests USING (id) LEFT JOIN originals USING (id) WHERE id > ? ORDER BY id LIMIT ?
        """
        while True:  # page by page, lest a slow reader keep the log from being tidied up
            with self._use() as connection:
                page = connection.execute(query, (after, size)).fetchall()
            for id, label, name, attributes, added, feature, kept, original in page:
                when = datetime.fromisoformat(added)
                yield Row(label, name, json.loads(attributes), self._features([feature])[0], original, kept, id, when)
            if len(page) < size:
                return
            after = page[-1][0]

    def _features(self, blobs: Sequence[bytes]) -> Features:
        """The features of a file's blobs, (n, D)."""
        if not blobs:
            return np.zeros((0, 0), np.float32)
        length = len(blobs[0])
        if any(len(blob) != length for blob in blobs):
            raise GalleryError(f"{self.path} is damaged (its features differ in length): restore it from a copy")
        return np.frombuffer(b"".join(blobs), self._precision).reshape(len(blobs), -1).astype(np.float32)

    def _insert(self, connection: sqlite3.Connection, row: Row, now: datetime) -> int:
        with np.errstate(over="ignore"):  # what float16 cannot hold is refused
            feature = row.feature.astype(self._precision)
        if not np.isfinite(feature).all():
            raise GalleryError(f"a feature of {row.label!r} is too large for float16: use a gallery of float32")
        added = (row.added or now).isoformat(timespec="milliseconds")
        if row.id is not None and connection.execute("SELECT 1 FROM examples WHERE id = ?", (row.id,)).fetchone():
            raise GalleryError(f"{self.path} has an example {row.id} already: nothing was added")
        id: int = connection.execute(
            "INSERT INTO examples VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (row.id, row.label, row.name, json.dumps(dict(row.attributes)), added, feature.tobytes()),
        ).fetchone()[0]
        if row.original is not None:
            connection.execute("INSERT INTO originals VALUES (?, ?)", (id, row.original))
        if row.digest is not None:
            connection.execute("INSERT INTO digests VALUES (?, ?)", (id, row.digest))
        return id

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        with self._use() as connection:
            connection.execute(f"BEGIN {kind}")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone."""
        with self._lock, self._faults():
            if self._closed:
                raise GalleryError(f"{self.path} is closed: open it again")
            yield self._same(self._connection) if self._connection else self._connect()

    def _same(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """The connection. Raises GalleryError where another file has taken the place of the one it was made to."""
        try:
            found = self.path.stat()
        except OSError:
            raise GalleryError(f"{self.path} was deleted or moved while it was open: open it again") from None
        if (found.st_dev, found.st_ino) != self._file:
            raise GalleryError(f"{self.path} was replaced while it was open: open it again")
        return connection

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """SQLite's errors in the user's words."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits only refine it
            raise GalleryError(f"{self.path} {_FAULTS.get(code, f'cannot be used: {error}')}") from None
        except UnicodeEncodeError as error:  # labels that SQLite cannot hold are not there either
            raise GalleryError(f"{self.path} holds nothing of that kind: {error}") from None


def _connection(path: Path) -> sqlite3.Connection:
    """A connection that reads and writes; where the folder takes no log and there is none, one that only reads."""
    connection = sqlite3.connect(path, timeout=_PATIENCE / 1000, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema")  # opens the log, too
    except sqlite3.Error as error:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        refused = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not (refused and path.is_file()) or (log.exists() and log.stat().st_size):
            raise
        fixed = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(fixed, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
    return connection


def _record(id: int, label: str, name: str, attributes: str, added: str) -> Record:
    return Record(id, label, name, json.loads(attributes), datetime.fromisoformat(added))


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether this is no database of anyone yet."""
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return not tables and _pragma(connection, "application_id") == 0


def _create(connection: sqlite3.Connection, facts: Mapping[str, str]) -> None:
    for statement in [
        *filter(str.strip, _TABLES.split(";")),
        *_SINCE_1,
        _BY_DIGEST,
    ]:  # executescript would commit the transaction
        connection.execute(statement)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_SCHEMA}")


def _same(connection: sqlite3.Connection, row: Row) -> int | None:
    """The example that a new row is already; None where it is none."""
    if row.id is not None or row.digest is None:
        return None
    query = "SELECT id FROM digests JOIN examples USING (id) WHERE digest = ? AND label = ? ORDER BY id LIMIT 1"
    found = connection.execute(query, (row.digest, row.label)).fetchone()
    return found and int(found[0])


def _whole(id: int) -> int:
    """An id as SQLite knows it: an integer of NumPy's would be taken for a blob, and never be found."""
    try:
        return operator.index(id)
    except TypeError:
        raise GalleryError(f"{id!r} is no id of an example: give a whole number") from None


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
