"""Nearest prototype: a class is the mean of its examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lowshot.recognize.distances import Floats, distances, unit
from lowshot.recognize.recognizer import Ints, Recognizer


class NearestPrototype(Recognizer):
    """Answers with the class whose mean feature, its prototype, is nearest (Snell et al. 2017, section 2.2).

    Keeps one running sum a class: adding or forgetting an example costs O(features), whatever was learned before. With
    the cosine distance each example counts by its direction alone.

    Args:
        distance: ``euclidean`` (squared), ``cosine`` or ``l1``, see :func:`~lowshot.recognize.distances`.
        negative: with ``l1``, how many of the last features count against the distance.
        temperature: probabilities are the softmax of -distance / temperature; 1 is the paper's.

    Attributes:
        classes_, counts_: the labels and how many examples each has, (C,).
        prototypes_: the mean of each class, ``float32`` (C, features).

    Example:
        >>> import numpy as np
        >>> recognizer = NearestPrototype().fit([[0.0, 1.0], [4.0, 4.0]], ["dot", "ring"])
        >>> recognizer.partial_fit([[9.0, 0.0]], ["cross"]).predict([[8.0, 1.0]])
        array(['cross'], dtype='<U5')
        >>> recognizer.remove(["cross"]).predict([[8.0, 1.0]]).item()
        'ring'
    """

    prototypes_: Floats
    _sums: NDArray[np.float64]  # sums of float32 in float64 come out alike in any order

    def _start(self) -> None:
        self._sums = np.zeros((0, self.n_features_in_))
        self.prototypes_ = self._sums.astype(np.float32)

    def _move(self, rows: Ints, total: int) -> None:
        sums = np.zeros((total, self.n_features_in_))
        sums[rows] = self._sums
        prototypes = np.zeros_like(sums, np.float32)
        prototypes[rows] = self.prototypes_
        self._sums, self.prototypes_ = sums, prototypes

    def _add(self, features_ND: Floats, codes_N: Ints) -> None:
        rows, sums = self._class_sums(features_ND, codes_N)
        self._sums[rows] += sums
        self._average(rows, self.counts_)

    def _subtract(self, features_ND: Floats, codes_N: Ints) -> None:
        rows, sums = self._class_sums(features_ND, codes_N)
        self._sums[rows] -= sums
        self._average(rows, self.counts_ - np.bincount(codes_N, minlength=len(self.counts_)))

    def _drop(self, kept_C: NDArray[np.bool_]) -> None:
        self._sums, self.prototypes_ = self._sums[kept_C], self.prototypes_[kept_C]

    def _class_sums(self, features_ND: Floats, codes_N: Ints) -> tuple[Ints, NDArray[np.float64]]:
        """The classes among the examples, and the sum of each one's features."""
        weighed = unit(features_ND) if self.distance == "cosine" else features_ND
        by_class = np.argsort(codes_N, kind="stable")  # a sum of runs is many times faster than np.add.at
        rows, start = np.unique(codes_N[by_class], return_index=True)
        return rows, np.add.reduceat(weighed[by_class], start, axis=0, dtype=np.float64)

    def _average(self, rows: Ints, counts_C: Ints) -> None:
        """Bring the prototypes of these classes up to date; one that lost its last example is dropped next."""
        self.prototypes_[rows] = self._sums[rows] / np.maximum(counts_C[rows, None], 1)

    def _distances(self, queries_QD: Floats) -> Floats:
        return distances(queries_QD, self.prototypes_, self.distance, self.negative)
