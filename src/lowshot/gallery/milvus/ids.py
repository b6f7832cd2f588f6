"""Ids that are never given twice, by however many clients.

Ids come in blocks of a thousand. A block is taken by giving the collection an alias with the block's number, which only one
client can do; only the alias of the highest block is kept. A client that ends leaves the rest of its block unused.
"""

from __future__ import annotations

from contextlib import suppress

from lowshot.errors import GalleryError
from lowshot.gallery.milvus.connection import PATIENCE, Connection, milvus_error

_BLOCK = 1000
_TRIES = 100  # while other clients are faster


class Ids:
    """Gives ids of one gallery. Not safe for several threads at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._prefix = f"{connection.examples}_ids_"
        self._free: list[int] = []  # of the blocks that are ours

    def take(self, number: int) -> list[int]:
        """So many ids, each larger than those before."""
        while len(self._free) < number:
            self._free += self._next_block()
        taken, self._free = self._free[:number], self._free[number:]
        return taken

    def pass_over(self, id: int) -> None:
        """See to it that no id up to this one is given any more."""
        self._free = [free for free in self._free if free > id]
        block = (id - 1) // _BLOCK
        while self._highest() < block:
            self._is_ours(block)

    def _next_block(self) -> range:
        for _ in range(_TRIES):
            block = self._highest() + 1
            if self._is_ours(block):
                return range(block * _BLOCK + 1, (block + 1) * _BLOCK + 1)
        raise GalleryError(f"{self._connection.place} gives no ids, other clients are always faster: try again")

    def _is_ours(self, block: int) -> bool:
        """Try to take a block. Those below the highest are taken, too, though their aliases are gone."""
        client = self._connection.client
        try:
            client.create_alias(self._connection.examples, f"{self._prefix}{block}", timeout=PATIENCE)
        except milvus_error() as error:
            if "alias" not in str(error):
                raise
            return False  # another client was faster
        highest = self._highest()
        for old in self._taken():
            if old < highest:
                with suppress(milvus_error()):  # another client was faster
                    client.drop_alias(f"{self._prefix}{old}", timeout=PATIENCE)
        return highest == block

    def _highest(self) -> int:
        return max(self._taken(), default=-1)

    def _taken(self) -> list[int]:
        aliases = self._connection.described()["aliases"]
        return [int(alias.removeprefix(self._prefix)) for alias in aliases if alias.startswith(self._prefix)]
