"""How much may be in a process at once: who comes when it is full is told to come again, and nobody waits for a place."""

from __future__ import annotations

import threading

from lowshot.serve.problems import Refused


class Places:
    """So many places for items, and for the bytes of their files. Safe to share between threads.

    Example:
        >>> places = Places(items=2, size=100)
        >>> held = places.held()
        >>> held.take(items=2, size=50)
        >>> places.taken
        2
        >>> held.release()
        >>> places.taken
        0
    """

    def __init__(self, items: int, size: int) -> None:
        self._most = items, size
        self._items = self._size = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Items that wait or are worked on."""
        return self._items

    def held(self) -> Held:
        """What a request takes; nothing yet."""
        return Held(self)


class Held:
    """The places of one request."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._items = self._size = 0
        self._released = False

    def take(self, items: int = 0, size: int = 0) -> None:
        """Take more places. Raises Refused where there are not so many, or the request is over already."""
        places = self._places
        with places._lock:
            fits = places._items + items <= places._most[0] and places._size + size <= places._most[1]
            if self._released or not fits:
                raise Refused("busy", f"{places._items} items are waiting already: try again in a moment")
            places._items += items
            places._size += size
            self._items += items
            self._size += size

    def release(self) -> None:
        """Give all of them back, for good."""
        places = self._places
        with places._lock:
            places._items -= self._items
            places._size -= self._size
            self._items = self._size = 0
            self._released = True
