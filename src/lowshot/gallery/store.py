"""One SQLite file: enrolled examples with their features, and nothing about what features mean."""

from __future__ import annotations

import json
import operator
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
    is on the disk when the call that made it returns (synchronous=FULL).

    Args:
        path: the file.
        create: facts to write into a new gallery where there is no file, or an empty one; None for an existing gallery.

    Raises:
        GalleryError: no such file, no gallery, one of a newer version, or a damaged one; from any method also: the disk
            is full, the file is read-only, another process does not stop writing, or the store is closed.
    """

    def __init__(self, path: Path, create: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._closed = False
        if create is None and not path.is_file():
            raise GalleryError(f"no gallery {str(path)!r}: enroll examples into it first")
        with self._faults():
            self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            with self._use() as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA synchronous = FULL")
            self._open(create)
        except BaseException:
            self.close()
            raise

    def _open(self, create: Mapping[str, str] | None) -> None:
        with self._use() as connection:
            # A file that is not ours must stay as it is, so ask before the switch to a write-ahead log.
            if create is not None and self._is_empty():
                connection.execute("PRAGMA journal_mode = WAL")
                with self._transaction():
                    if self._is_empty():  # no other process was faster
                        self._create(create)
            if _pragma(connection, "application_id") != _APPLICATION:
                raise GalleryError(f"{self.path} is not a gallery: give another file")
            if (schema := _pragma(connection, "user_version")) != _SCHEMA:
                raise GalleryError(
                    f"{self.path} has format {schema}, this lowshot reads {_SCHEMA}: use the one that made it"
                )

    def _is_empty(self) -> bool:
        with self._use() as connection:
            tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            return not tables and _pragma(connection, "application_id") == 0

    def _create(self, facts: Mapping[str, str]) -> None:
        with self._use() as connection:
            for statement in filter(str.strip, _TABLES.split(";")):  # executescript would commit the transaction
                connection.execute(statement)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA}")

    def close(self) -> None:
        """Close the file. Closing twice is fine."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def facts(self) -> dict[str, str]:
        """What was written when the gallery was created."""
        with self._use() as connection:
            return dict(connection.execute("SELECT key, value FROM meta").fetchall())

    def add(self, rows: Sequence[Row]) -> list[int]:
        """Add examples, all or none; their ids, in the same order."""
        added = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._transaction() as connection:
            ids = [
                connection.execute(
                    "INSERT INTO examples VALUES (NULL, ?, ?, ?, ?, ?) RETURNING id",
                    (row.label, row.name, json.dumps(dict(row.attributes)), added, row.feature),
                ).fetchone()[0]
                for row in rows
            ]
            originals = ((id, row.original) for id, row in zip(ids, rows, strict=True) if row.original is not None)
            connection.executemany("INSERT INTO originals VALUES (?, ?)", originals)
        return ids

    def remove(self, ids: Iterable[int]) -> None:
        """Remove examples, all or none. Raises GalleryError where one is not there."""
        with self._transaction() as connection:
            for id in dict.fromkeys(map(_whole, ids)):
                if not connection.execute("DELETE FROM examples WHERE id = ?", (id,)).rowcount:
                    raise GalleryError(f"{self.path} has no example {id}: nothing was removed")

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
        """The examples, of one class or of all, oldest first."""
        where, values = ("", ()) if label is None else ("WHERE label = ?", (label,))
        query = f"SELECT id, label, name, attributes, added FROM examples {where} ORDER BY id"
        with self._use() as connection:
            return [
                Record(id, label, name, json.loads(attributes), datetime.fromisoformat(added))
                for id, label, name, attributes, added in connection.execute(query, values)
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
            row: tuple[bytes | None] | None = connection.execute(query, (_whole(id),)).fetchone()
        if row is None:
            raise GalleryError(f"{self.path} has no example {id}")
        return row[0]

    def __len__(self) -> int:
        with self._use() as connection:
            number: int = connection.execute("SELECT count(*) FROM examples").fetchone()[0]
            return number

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
            yield self._connection

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """SQLite's errors in the user's words."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits only refine it
            raise GalleryError(f"{self.path} {_FAULTS.get(code, f'cannot be used: {error}')}") from None
        except (
            OverflowError,
            UnicodeEncodeError,
        ) as error:  # ids and labels that SQLite cannot hold are not there either
            raise GalleryError(f"{self.path} holds nothing of that kind: {error}") from None


def _whole(id: int) -> int:
    """An id as SQLite knows it: an integer of NumPy's would be taken for a blob, and never be found."""
    try:
        return operator.index(id)
    except TypeError:
        raise GalleryError(f"{id!r} is no id of an example: give a whole number") from None


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
