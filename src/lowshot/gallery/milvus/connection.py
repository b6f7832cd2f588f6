"""The connection to a Milvus server: its address, its errors in plain words, and queries that see every change."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from lowshot.encoder import Features
from lowshot.errors import ConfigError, GalleryError

if TYPE_CHECKING:
    from pymilvus import MilvusClient

Found = dict[str, Any]  # the fields of a row

MOST_RESULTS = 16_384  # rows or neighbors that Milvus gives at once
PATIENCE = 30.0  # seconds until a request is given up

_PORT = 19_530
_MARK = "lowshot.changed"  # the property that every change sets anew
_UNREACHABLE = ("Fail connecting", "failed to connect", "UNAVAILABLE", "Timeout", "timeout", "DEADLINE", "Deadline")


class Connection:
    """To the server, and the two collections of one gallery on it. Safe to share between threads.

    Args:
        address: ``milvus+http://[user:password@]host[:port]/collection``, or with ``https``.

    Attributes:
        place: the address without the password.
        examples, files: names of the collections.

    Raises:
        ConfigError: pymilvus is not installed.
        GalleryError: the address is none, or the server cannot be reached.
    """

    def __init__(self, address: str) -> None:
        self.place, self.examples, options = _parsed(address)
        self.files = f"{self.examples}_files"
        self._seen: dict[str, str] = {}  # the mark up to which all of a collection can be read
        self._client: MilvusClient | None = _connected(self.place, options)

    def close(self) -> None:
        """Let go of the server. Closing twice is fine."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    @property
    def client(self) -> MilvusClient:
        """What sends requests. Raises GalleryError where the connection is closed."""
        if self._client is None:
            raise GalleryError(f"{self.place} is closed: open it again")
        return self._client

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Milvus's errors in the user's words."""
        with _faults(self.place):
            yield

    def is_there(self) -> bool:
        """Whether there is the collection of examples, or another of its name."""
        return bool(self.client.has_collection(self.examples, timeout=PATIENCE))

    def described(self) -> Found:
        """What Milvus knows of the collection of examples, up to now."""
        found: Found = self.client.describe_collection(self.examples, timeout=PATIENCE)
        return found

    def properties(self) -> dict[str, str]:
        """Of the collection of examples."""
        return dict(self.described()["properties"])

    def mark(self) -> str:
        """What every change by any client sets anew."""
        return self.properties().get(_MARK, "")

    def changed(self, properties: Mapping[str, str] | None = None) -> str:
        """Set properties, all at once, and a new mark; the mark."""
        mark = secrets.token_hex(8)
        self.client.alter_collection_properties(self.examples, {**(properties or {}), _MARK: mark}, timeout=PATIENCE)
        return mark

    def query(
        self, collection: str, filter: str, fields: Sequence[str], limit: int | None = None, level: str | None = None
    ) -> list[Found]:
        """Fields of the rows that pass a filter: those with the smallest ids, in order of these.

        Args:
            collection: its name.
            filter: as Milvus writes it; all rows where it is empty.
            fields: their names.
            limit: rows at most; must be given unless they are counted.
            level: how consistent, in Milvus's words; None for seeing all changes so far.
        """
        limits = {} if limit is None else {"limit": limit}
        with nullcontext(level) if level else self._seeing_all(collection) as chosen:
            found: list[Found] = list(
                self.client.query(
                    collection,
                    filter=filter,
                    output_fields=list(fields),
                    consistency_level=chosen,
                    timeout=PATIENCE,
                    **limits,
                )
            )
        return found if limit is None else sorted(found, key=lambda row: row["id"])

    def count(self, collection: str, filter: str) -> int:
        """How many rows pass a filter."""
        return int(self.query(collection, filter, ["count(*)"])[0]["count(*)"])

    def search(
        self, queries_QD: Features, filter: str, limit: int, cells: int, fields: Sequence[str]
    ) -> list[list[Found]]:
        """Fields of the examples nearest to each query that pass a filter, nearest first, in so many cells of the index."""
        with self._seeing_all(self.examples) as level:
            found = self.client.search(
                self.examples,
                list(queries_QD),
                filter=filter,
                limit=limit,
                output_fields=list(fields),
                search_params={"params": {"nprobe": cells}},
                consistency_level=level,
                timeout=PATIENCE,
            )
        return [[hit["entity"] for hit in hits] for hits in found]

    @contextmanager
    def _seeing_all(self, collection: str) -> Iterator[str]:
        """How consistent a query must be to see all changes so far: strong, but for one that follows on such a one."""
        mark = self.mark()
        yield "Session" if self._seen.get(collection) == mark else "Strong"
        self._seen[collection] = mark


def is_there(address: str) -> bool:
    """Whether there is a collection at an address. Raises GalleryError where that cannot be found out."""
    connection = Connection(address)
    try:
        with connection.faults():
            return connection.is_there()
    finally:
        connection.close()


def quoted(text: str) -> str:
    r"""A text as a filter writes it.

    Example:
        >>> print(quoted('say "hi"'))
        "say \"hi\""
    """
    return json.dumps(text, ensure_ascii=False)


def milvus_error() -> type[Exception]:
    """What pymilvus raises."""
    from pymilvus import MilvusException

    kind: type[Exception] = MilvusException
    return kind


def _parsed(address: str) -> tuple[str, str, dict[str, str]]:
    """The address without its password, the collection, and what connects to the server."""
    parts = urlsplit(address)
    name = parts.path.removeprefix("/").removesuffix("/")
    try:
        port = parts.port or _PORT
    except ValueError:
        port = 0
    fits = name.isascii() and name.isidentifier() and not parts.query and not parts.fragment
    if parts.scheme not in ("milvus+http", "milvus+https") or not parts.hostname or not port or not fits:
        raise GalleryError(
            f"{_shown(address)!r} is no address of a gallery: give milvus+http://host:port/collection, the collection in "
            "letters, digits and underscores"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    options = {"uri": f"{parts.scheme.removeprefix('milvus+')}://{host}:{port}"}
    if parts.username:
        options |= {"user": unquote(parts.username), "password": unquote(parts.password or "")}
    return f"{parts.scheme}://{host}:{port}/{name}", name, options


def _shown(address: str) -> str:
    """An address without what may be a password."""
    scheme, at, rest = address.rpartition("@")
    return f"{scheme.partition('//')[0]}//…@{rest}" if at else address


def _connected(place: str, options: Mapping[str, str]) -> MilvusClient:
    try:
        from pymilvus import MilvusClient
    except ImportError:
        raise ConfigError("galleries on Milvus need pymilvus: pip install 'lowshot[milvus]'") from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it prints what it raises, with its traceback
    with _faults(place):
        return MilvusClient(**options, timeout=PATIENCE / 3)


@contextmanager
def _faults(place: str) -> Iterator[None]:
    import grpc

    try:
        yield
    except (milvus_error(), grpc.RpcError) as error:
        raise _translated(place, str(getattr(error, "message", "") or error)) from None
    except UnicodeEncodeError as error:  # what Milvus cannot hold is not there either
        raise GalleryError(f"{place} holds nothing of that kind: {error}") from None


def _translated(place: str, said: str) -> GalleryError:
    if any(sign in said for sign in _UNREACHABLE):
        return GalleryError(f"{place} cannot be reached: see that the Milvus server runs there, and try again ({said})")
    if "auth" in said.lower():
        return GalleryError(f"{place} lets nobody in: give milvus+http://user:password@host:port/collection ({said})")
    return GalleryError(f"{place} cannot be used: {said}")
