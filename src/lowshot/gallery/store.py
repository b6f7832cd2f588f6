"""Where a gallery's examples are kept: what every store can do, and how one is found by its address."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from lowshot.encoder import Card, Features
from lowshot.errors import GalleryError
from lowshot.gallery.index import Index
from lowshot.gallery.records import Record

UNFINISHED = "unfinished"  # the fact: what is filling this gallery; absent where it is whole


@dataclass(frozen=True, eq=False)
class Row:
    """An example to add, or one as it is kept.

    Attributes:
        label, name, attributes: as in :class:`~lowshot.gallery.records.Record`.
        feature: ``float32`` (features,).
        original: the bytes of a picture file; None where none is kept.
        digest: tells whether the picture is there already under its label: see :func:`digest`. Where none is given, that of
            the original, if there is one.
        id, added: None for a new example, which gets the next id and the present time; those of an example that is copied
            from another store are kept.
    """

    label: str
    name: str
    attributes: Mapping[str, str]
    feature: Features
    original: bytes | None
    digest: bytes | None = None
    id: int | None = None
    added: datetime | None = None

    def __post_init__(self) -> None:
        if self.digest is None and self.original is not None:
            object.__setattr__(self, "digest", digest(self.original))


def digest(content: bytes) -> bytes:
    """What tells the content of one file from that of another: its SHA-256."""
    return hashlib.sha256(content).digest()


class Store(Protocol):
    """Keeps examples with their features, and knows nothing about what features mean. Safe to share between threads.

    What a method has changed when it returns is durable, all of it or nothing. Every method raises GalleryError where the
    store cannot be used.
    """

    @property
    def place(self) -> str:
        """Its address, for messages."""

    def close(self) -> None:
        """Let go of it. Closing twice is fine."""

    def facts(self) -> dict[str, str]:
        """What was written when the gallery was created, and by :meth:`change` since."""

    def change(self, facts: Mapping[str, str], patient: bool = True) -> None:
        """Write facts, over those of the same name; an empty text takes one out.

        Where it is not ``patient``, it fails at once when another process is writing.
        """

    def add(self, rows: Sequence[Row]) -> list[int]:
        """Add examples, all or none, but none twice; their ids, in the same order.

        Where the same picture is there already under the same label (a row of the same digest), its id is given and nothing
        is changed. Ids grow and are never used again. Raises GalleryError where a given id is taken.
        """

    def remove(self, ids: Iterable[int]) -> int:
        """Remove examples, all or none; how many there were. Raises NotEnrolled where one is not there."""

    def remove_class(self, label: str) -> int:
        """Remove every example of a class; how many there were. Raises NotEnrolled where there is no such class."""

    def rename_class(self, label: str, to: str) -> int:
        """Give every example of a class another label; how many there were. Raises NotEnrolled as ``remove_class``."""

    def classes(self) -> dict[str, int]:
        """Each class and how many examples it has, in order of the labels."""

    def oldest(self) -> dict[str, int]:
        """The id of the oldest example of each class."""

    def record(self, id: int) -> Record:
        """One example. Raises NotEnrolled where it is not there."""

    def records(self, label: str | None = None) -> list[Record]:
        """The examples, of one class or of all, oldest first. Raises NotEnrolled where there is no such class."""

    def rows(self, after: int = 0, originals: bool = True) -> Iterator[Row]:
        """All that is kept of the examples with a larger id than ``after``, in order of their ids."""

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of those examples that (still) are there."""

    def original(self, id: int) -> bytes | None:
        """The picture file an example came from, None where none is kept. Raises NotEnrolled for an unknown id."""

    def __len__(self) -> int:
        """How many examples there are."""

    def is_empty(self) -> bool:
        """Whether no example is there; quick."""

    def version(self) -> Hashable:
        """Differs from before when this store or any other process has changed something; quick."""

    def index(self, card: Card) -> Index:
        """The examples' features, to be compared with queries as the card says."""


def open_store(place: str, create: Mapping[str, str] | None = None) -> Store:
    """The store at an address: the path of a SQLite file, or ``milvus+http://host:port/collection``.

    Args:
        place: the address.
        create: facts to write into a new gallery where there is none; None for an existing gallery.

    Raises GalleryError where there is no such gallery, or it cannot be used.
    """
    if is_address(place):
        from lowshot.gallery.milvus import MilvusStore  # brings pymilvus, which a file does without

        return MilvusStore(place, create)
    from lowshot.gallery.sqlite import SqliteStore

    return SqliteStore(Path(place).expanduser(), create)


def open_whole(place: str) -> Store:
    """The store of an existing gallery, as :func:`open_store`. Raises GalleryError also where it is a part of one so far."""
    store = open_store(place)
    try:
        if task := store.facts().get(UNFINISHED):
            raise GalleryError(
                f"{place} is not finished yet: run again what makes it, the {task}, and it goes on there"
            )
    except BaseException:
        store.close()
        raise
    return store


def is_address(place: str) -> bool:
    """Whether a place is a Milvus collection, not a file."""
    return place.startswith(("milvus+http://", "milvus+https://"))


def is_there(place: str) -> bool:
    """Whether there is a gallery, or something else, at an address. Raises GalleryError where that cannot be found out."""
    if is_address(place):
        from lowshot.gallery import milvus

        return milvus.is_there(place)
    path = Path(place).expanduser()
    return path.exists() and not (path.is_file() and path.stat().st_size == 0)
