"""Nearest neighbors: a class is its examples."""

from __future__ import annotations

import numpy as np

from lowshot.errors import ConfigError
from lowshot.recognize.distances import Distance, Floats, distances
from lowshot.recognize.examples import ExampleKeeper


class NearestNeighbors(ExampleKeeper):
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

    def __init__(
        self, k: int = 1, distance: Distance = "euclidean", negative: int = 0, temperature: float = 1.0
    ) -> None:
        super().__init__(distance, negative, temperature)
        self.k = k

    def _start(self) -> None:
        if self.k < 1:
            raise ConfigError(f"k must be at least 1, not {self.k}")
        super()._start()

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
