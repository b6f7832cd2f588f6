"""One SQLite file: enrolled examples with their features, and nothing about what features mean."""

from __future__ import annotations

import hashlib
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

from lowshot.errors import GalleryError
from lowshot.gallery.records import Record

_APPLICATION = int.from_bytes(b"lows")  # marks the file as a gallery, where `file` and SQLite look for such a mark
_SCHEMA = 1
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

_LARGEST = 2**63 - 1  # what SQLite can hold; no id is larger

_FAULTS = {
    sqlite3.SQLITE_NOTADB: "is not a gallery: give another file",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore it from a copy",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full: free some space; nothing of this call was kept",
    sqlite3.SQLITE_READONLY: "or its folder is read-only: change its permissions or copy it; nothing was written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder must exist and be writable, for SQLite's log beside it",
    sqlite3.SQLITE_BUSY: "is being written by another process: try again",
}


@dataclass(frozen=True)
class Row:
    """An example to add; ``feature`` is little-endian float32, ``original`` the bytes of a picture file."""

    label: str
    name: str
    attributes: Mapping[str, str]
    feature: bytes
    original: bytes | None


class Store:
    """Opens a gallery's file; safe to share between threads.

    Any number of processes may have it open: one writes at a time, and readers never wait (write-ahead log). A change
    is on the disk when the call that made it returns (synchronous=FULL). Where its folder takes no log, a gallery is
    read as it is: it can be asked but not changed, and what others change meanwhile is not seen.

    Args:
        path: the file.
        create: facts to write into a new gallery where there is no file, or an empty one; None for an existing gallery.
            The file is made when it is first used: work that fails before leaves none behind.

    Raises:
        GalleryError: no such file, no gallery, one of a newer version, or a damaged one; from any method also: the disk
            is full, the file is read-only, another process does not stop writing, or the store is closed.
    """

    def __init__(self, path: Path, create: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._new = create
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

    def _connect(self) -> sqlite3.Connection:
        """Open the file, and make it a gallery where it is to be one."""
        self._connection = connection = _connection(self.path)
        try:
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
            if (schema := _pragma(connection, "user_version")) != _SCHEMA:
                raise GalleryError(
                    f"{self.path} has format {schema}, this lowshot reads {_SCHEMA}: use the one that made it"
                )
            if self._new is not None and self.facts() != self._new:
                raise GalleryError(f"another process has made {self.path} meanwhile: open it again")
        except BaseException:
            self._connection = None
            connection.close()
            raise
        return connection

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

    def change(self, key: str, value: str) -> None:
        """Change one of the facts."""
        with self._transaction() as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))

    def add(self, rows: Sequence[Row]) -> list[int]:
        """Add examples, all or none, but none twice; their ids, in the same order.

        Where the same picture is there already under the same label, its id is given and nothing is changed.
        """
        added = datetime.now(UTC).isoformat(timespec="milliseconds")
        ids = []
        with self._transaction() as connection:
            known = _known(connection, rows)
            for row in rows:
                key = row.label, _digest(row.original)
                if row.original is None or key not in known:
                    known[key] = _insert(connection, row, added)
                ids.append(known[key])
        return ids

    def remove(self, ids: Iterable[int]) -> int:
        """Remove examples, all or none; how many there were. Raises GalleryError where one is not there."""
        different = dict.fromkeys(map(_whole, ids))
        with self._transaction() as connection:
            for id in different:
                gone = abs(id) <= _LARGEST and connection.execute("DELETE FROM examples WHERE id = ?", (id,)).rowcount
                if not gone:
                    raise GalleryError(f"{self.path} has no example {id}: nothing was removed")
        return len(different)

    def remove_class(self, label: str) -> int:
        """Remove every example of a class; how many there were. Raises GalleryError where there is no such class."""
        with self._transaction() as connection:
            removed = connection.execute("DELETE FROM examples WHERE label = ?", (label,)).rowcount
            if not removed:
                raise GalleryError(f"{self.path} has no class {label!r}: nothing was removed")
        return removed

    def classes(self) -> dict[str, int]:
        """Each class and how many examples it has, in order of the labels."""
        with self._use() as connection:
            return dict(
                connection.execute("SELECT label, count(*) FROM examples GROUP BY label ORDER BY label").fetchall()
            )

    def records(self, label: str | None = None) -> list[Record]:
        """The examples, of one class or of all, oldest first. Raises GalleryError where there is no such class."""
        where, values = ("", ()) if label is None else ("WHERE label = ?", (label,))
        query = f"SELECT id, label, name, attributes, added FROM examples {where} ORDER BY id"
        with self._use() as connection:
            rows = connection.execute(query, values).fetchall()
        if label is not None and not rows:
            raise GalleryError(f"{self.path} has no class {label!r}")
        return [
            Record(id, label, name, json.loads(attributes), datetime.fromisoformat(added))
            for id, label, name, attributes, added in rows
        ]

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of those examples that (still) are there."""
        query = "SELECT id, name FROM examples WHERE id IN (SELECT value FROM json_each(?))"
        with self._use() as connection:
            return dict(connection.execute(query, (json.dumps(list(ids)),)).fetchall())

    def original(self, id: int) -> bytes | None:
        """The picture file an example came from, None where none is kept. Raises GalleryError for an unknown id."""
        query = "SELECT picture FROM examples LEFT JOIN originals USING (id) WHERE id = ?"
        with self._use() as connection:
            row: tuple[bytes | None] | None = None
            if abs(_whole(id)) <= _LARGEST:
                row = connection.execute(query, (_whole(id),)).fetchone()
        if row is None:
            raise GalleryError(f"{self.path} has no example {id}")
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

    def changes(self, after: int, had: int) -> tuple[list[tuple[int, str, bytes]], list[int] | None]:
        """What a reader lacks who has seen every id up to ``after`` and holds ``had`` of these examples.

        Returns:
            id, label and feature of each later example, oldest first; and, where earlier ones are gone, the ids of all
            that are there (else None). Ids only ever grow, so nothing else can have changed.
        """
        with self._transaction("DEFERRED") as connection:  # one state of the file for all three queries
            query = "SELECT id, label, feature FROM examples WHERE id > ? ORDER BY id"
            rows = connection.execute(query, (after,)).fetchall()
            if len(self) == had + len(rows):
                return rows, None
            return rows, [id for (id,) in connection.execute("SELECT id FROM examples ORDER BY id")]

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
            yield self._connection or self._connect()

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
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema")  # opens the log, too
    except sqlite3.Error as error:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        refused = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not (refused and path.is_file()) or (log.exists() and log.stat().st_size):
            raise
        fixed = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        return sqlite3.connect(fixed, uri=True, isolation_level=None, check_same_thread=False)
    return connection


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether this is no database of anyone yet."""
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return not tables and _pragma(connection, "application_id") == 0


def _create(connection: sqlite3.Connection, facts: Mapping[str, str]) -> None:
    for statement in filter(str.strip, _TABLES.split(";")):  # executescript would commit the transaction
        connection.execute(statement)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_SCHEMA}")


def _insert(connection: sqlite3.Connection, row: Row, added: str) -> int:
    id: int = connection.execute(
        "INSERT INTO examples VALUES (NULL, ?, ?, ?, ?, ?) RETURNING id",
        (row.label, row.name, json.dumps(dict(row.attributes)), added, row.feature),
    ).fetchone()[0]
    if row.original is not None:
        connection.execute("INSERT INTO originals VALUES (?, ?)", (id, row.original))
    return id


def _known(connection: sqlite3.Connection, rows: Sequence[Row]) -> dict[tuple[str, bytes], int]:
    """By label and digest, the examples that may be among the rows. Only pictures of an equal size are read."""
    sizes = {(row.label, len(row.original)) for row in rows if row.original is not None}
    query = """
        SELECT label, picture, examples.id FROM json_each(?) AS asked
        CROSS JOIN examples ON label = json_extract(asked.value, '$[0]')
        JOIN originals ON originals.id = examples.id AND length(picture) = json_extract(asked.value, '$[1]')
        ORDER BY examples.id DESC
    """
    found = connection.execute(query, (json.dumps(list(sizes)),))
    return {(label, _digest(picture)): id for label, picture, id in found}


def _digest(picture: bytes | None) -> bytes:
    return hashlib.sha256(picture or b"").digest()


def _whole(id: int) -> int:
    """An id as SQLite knows it: an integer of NumPy's would be taken for a blob, and never be found."""
    try:
        return operator.index(id)
    except TypeError:
        raise GalleryError(f"{id!r} is no id of an example: give a whole number") from None


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
