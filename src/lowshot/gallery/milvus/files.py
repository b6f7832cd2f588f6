"""Files in Milvus: pictures under the ids of their examples, and what else is long under negative numbers."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Mapping

from lowshot.errors import GalleryError
from lowshot.gallery.milvus.connection import MOST_RESULTS, PATIENCE, Connection

_CHUNK = 49_149  # bytes that are 65,532 characters as base64; Milvus holds texts of 65,535
_PARTS = 1024  # of a file, at most
_TOGETHER = 300  # parts sent or read at once: 20 MB
_ORPHANED = 3600  # seconds after which a picture without example belongs to nobody

LARGEST = _PARTS * _CHUNK  # bytes of a file


def parts(content: bytes) -> int:
    """In how many parts a file is kept; an empty one has one, too."""
    return max(1, -(-len(content) // _CHUNK))


class Files:
    """The files of one gallery, each cut into parts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, contents: Mapping[int, bytes]) -> None:
        """Keep files under their numbers."""
        now = int(time.time())
        rows = [
            {
                "id": number * _PARTS + part,
                "file": number,
                "written": now,
                "content": base64.b64encode(content[part * _CHUNK : (part + 1) * _CHUNK]).decode(),
                "never": [0.0, 0.0],
            }
            for number, content in contents.items()
            for part in range(parts(content))
        ]
        for start in range(0, len(rows), _TOGETHER):
            client = self._connection.client
            client.upsert(self._connection.files, rows[start : start + _TOGETHER], timeout=PATIENCE)

    def read(self, sizes: Mapping[int, int]) -> dict[int, bytes]:
        """The files of so many parts each, by their numbers; those of no parts are left out.

        Raises GalleryError where one is not there.
        """
        ids, found = _ids(sizes), dict[int, bytes]()
        for start in range(0, len(ids), _TOGETHER):
            filter = f"id in {ids[start : start + _TOGETHER]}"
            rows = self._connection.query(self._connection.files, filter, ["id", "content"], MOST_RESULTS)
            found |= {row["id"]: base64.b64decode(row["content"]) for row in rows}
        if len(found) < len(ids):
            raise GalleryError(f"{self._connection.place} is damaged (a picture is missing): restore it from a copy")
        return {
            number: b"".join(found[number * _PARTS + part] for part in range(size))
            for number, size in sizes.items()
            if size
        }

    def remove(self, sizes: Mapping[int, int]) -> None:
        """Remove the files of so many parts each."""
        self._delete(_ids(sizes))

    def sweep(self, pictures: int, enrolled: Callable[[list[int]], Iterable[int]]) -> None:
        """Remove pictures of no example, which a crash may have left.

        Args:
            pictures: how many examples have one.
            enrolled: those of some numbers that are ids of examples.
        """
        # Each picture has a first part.
        if self._connection.count(self._connection.files, f"file > 0 and id % {_PARTS} == 0") == pictures:
            return
        old, after = f"file > 0 and written < {int(time.time()) - _ORPHANED}", 0
        while rows := self._connection.query(
            self._connection.files, f"{old} and id > {after}", ["id", "file"], MOST_RESULTS
        ):
            there = set(enrolled(sorted({row["file"] for row in rows})))
            self._delete([row["id"] for row in rows if row["file"] not in there])
            after = rows[-1]["id"]

    def _delete(self, ids: list[int]) -> None:
        if ids:
            self._connection.client.delete(self._connection.files, ids=ids, timeout=PATIENCE)


def _ids(sizes: Mapping[int, int]) -> list[int]:
    return [number * _PARTS + part for number, size in sizes.items() for part in range(size)]
