"""Nearest neighbors: a class is its examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ConfigError, LowshotError
from lowshot.recognize.distances import Distance, Floats, distances
from lowshot.recognize.recognizer import Ints, Recognizer


class NearestNeighbors(Recognizer):
    """Answers with the class whose ``k`` nearest examples are nearest on average.

    With ``k=1`` this is the nearest neighbor. With more it is not a vote, in which a class of one example could never
    win against one of five: each class is judged by its own nearest examples, by all where it has fewer than ``k``.

    Args:
        k: how many of a class's examples speak for it.
        distance, negative, temperature: as in :class:`NearestPrototype`.

    Attributes:
        classes_, counts_: the labels and how many examples each has, (C,).
        features_: the examples, ``float32`` (N, features).
        codes_: the position in ``classes_`` of each example's label, (N,).

    Example:
        >>> NearestNeighbors().fit([[0.0], [5.0], [6.0]], [("a", 1), ("b", 2), ("b", 2)]).predict([[4.0]]).item()
        ('b', 2)
    """

    features_: Floats
    codes_: Ints

    def __init__(
        self, k: int = 1, distance: Distance = "euclidean", negative: int = 0, temperature: float = 1.0
    ) -> None:
        super().__init__(distance, negative, temperature)
        self.k = k

    def _start(self) -> None:
        if self.k < 1:
            raise ConfigError(f"k must be at least 1, not {self.k}")
        self.features_ = np.zeros((0, self.n_features_in_), np.float32)
        self.codes_ = np.zeros(0, np.int64)

    def _move(self, rows: Ints, total: int) -> None:
        self.codes_ = rows[self.codes_]

    def _add(self, features_ND: Floats, codes_N: Ints) -> None:
        self.features_ = np.concatenate([self.features_, features_ND]) if len(self.features_) else features_ND
        self.codes_ = np.concatenate([self.codes_, codes_N])

    def _subtract(self, features_ND: Floats, codes_N: Ints) -> None:
        """Each example given takes out one that is equal to it."""
        rows = np.concatenate([_keys(self.features_, self.codes_), _keys(features_ND, codes_N)])
        kinds = np.unique(rows, return_inverse=True)[1]
        here, gone = kinds[: len(self.codes_)], np.bincount(kinds[len(self.codes_) :], minlength=kinds.max() + 1)
        order = np.argsort(here, kind="stable")
        copies = np.bincount(here, minlength=len(gone))
        if (gone > copies).any():
            raise LowshotError(
                "an example to forget was never learned: give the features and the label it was learned with"
            )
        copy = np.arange(len(order)) - np.repeat(np.cumsum(copies) - copies, copies)
        kept = np.ones(len(order), bool)
        kept[order[copy < gone[here[order]]]] = False
        self.features_, self.codes_ = self.features_[kept], self.codes_[kept]

    def _drop(self, kept_C: NDArray[np.bool_]) -> None:
        kept = kept_C[self.codes_]
        self.features_, self.codes_ = self.features_[kept], (np.cumsum(kept_C) - 1)[self.codes_[kept]]

    def _distances(self, queries_QD: Floats) -> Floats:
        by_class = np.argsort(self.codes_, kind="stable")
        every = distances(queries_QD, self.features_, self.distance, self.negative)[:, by_class]
        start = np.cumsum(self.counts_) - self.counts_
        if self.k == 1:
            return np.minimum.reduceat(every, start, axis=1)
        codes = np.broadcast_to(self.codes_[by_class], every.shape)
        every = np.take_along_axis(every, np.lexsort((every, codes)), axis=1)  # by class, then by distance
        place = np.arange(len(by_class)) - np.repeat(start, self.counts_)
        total: Floats = np.add.reduceat(np.where(place < self.k, every, np.float32(0)), start, axis=1)
        total /= np.minimum(self.counts_, self.k)
        return total


def _keys(features_ND: Floats, codes_N: Ints) -> NDArray[np.void]:
    """One key an example, equal where features and class are; adding 0 makes -0.0 and 0.0 one."""
    rows = np.concatenate([features_ND + np.float32(0), codes_N[:, None].astype(np.int32).view(np.float32)], axis=1)
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * 4)))[:, 0]
