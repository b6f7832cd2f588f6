"""Parallel arrays whose rows come and go at no more cost than their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]

_SPARE = 1.25  # memory is taken ahead by this much, so that the n-th row is copied a few times at most


class Growing:
    """Columns of one length: rows are appended, and the last rows fill the gaps of those removed.

    Args:
        columns: an empty array each: its type and the shape of an entry.

    Example:
        >>> table = Growing(number=np.zeros(0, int))
        >>> table.append(number=np.array([5, 6, 7, 8]))
        >>> [rows.tolist() for rows in table.remove(np.array([1]))]
        [[3], [1]]
        >>> table["number"].tolist()
        [5, 8, 7]
    """

    def __init__(self, **columns: NDArray[Any]) -> None:
        self._columns = columns
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A view of one column; it is good until the next change."""
        return self._columns[name][: self._length]

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def add_column(self, name: str, fill: Any, dtype: Any) -> None:
        """A further column, with one value in every row."""
        room = max((len(column) for column in self._columns.values()), default=0)
        self._columns[name] = np.full(room, fill, dtype)

    def append(self, **columns: NDArray[Any]) -> None:
        """Add rows at the end. Every column must be given."""
        total = self._length + len(next(iter(columns.values())))
        for name, values in columns.items():
            column = self._columns[name]
            if total > len(column):
                larger = np.empty((int(total * _SPARE), *column.shape[1:]), column.dtype)
                larger[: self._length] = column[: self._length]
                self._columns[name] = column = larger
            column[self._length : total] = values
        self._length = total

    def remove(self, rows: Rows) -> tuple[Rows, Rows]:
        """Take rows out, each named once. Returns which rows moved, and where to."""
        left = self._length - len(rows)
        stay = np.ones(len(rows), bool)
        stay[rows[rows >= left] - left] = False
        moved, gaps = left + np.flatnonzero(stay), np.sort(rows[rows < left])
        for column in self._columns.values():
            column[gaps] = column[moved]
        self._length = left
        return moved, gaps
