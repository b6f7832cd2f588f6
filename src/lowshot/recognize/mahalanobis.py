"""Mahalanobis prototypes: a class is the mean of its examples and how they spread."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ConfigError
from lowshot.recognize.distances import Floats
from lowshot.recognize.recognizer import Ints, Recognizer

Doubles = NDArray[np.float64]


class MahalanobisPrototype(Recognizer):
    """Answers with the class whose mean is nearest in its own metric (Simple CNAPS; Bateni et al. 2020, section 4).

    The distance is 1/2 (q - mu_k)ᵀ Q_k⁻¹ (q - mu_k), where Q_k = l S_k + (1 - l) S + beta I mixes the covariance S_k of the
    class with that of all examples, S, and l = n / (n + 1) for a class of n examples. A class of one example, where S_k
    is 0, is judged by the spread of all.

    Keeps running sums of the examples and of their outer products: adding or forgetting an example costs O(features²),
    whatever was learned before, and a class takes 8 · features² bytes. A call of ``predict`` factors one matrix for each
    class of two or more examples and one for all the others: ask many queries at once.

    Args:
        beta: how much of the identity is added. The paper's 1 suits features of length 10 or so; for features of unit
            length, whose covariances are small beside it, a hundredth is a fair start.
        temperature: probabilities are the softmax of -distance / temperature; 1 is the paper's.

    Attributes:
        classes_, counts_: the labels and how many examples each has, (C,).
        prototypes_: the mean of each class, ``float64`` (C, features).

    Example:
        >>> flat, tall = [[-4, 0], [0, 0], [4, 0]], [[9, -4], [9, 0], [9, 4]]
        >>> MahalanobisPrototype().fit(flat + tall, ["flat"] * 3 + ["tall"] * 3).predict([[5, 0]]).item()
        'flat'
    """

    _sums: Doubles  # of float32 in float64: alike in any order, but for the last bits
    _products: Doubles  # (C, D, D)

    def __init__(self, beta: float = 1.0, temperature: float = 1.0) -> None:
        super().__init__(temperature=temperature)
        self.beta = beta

    @property
    def prototypes_(self) -> Doubles:
        """The mean of each class, (C, features)."""
        means: Doubles = self._sums / self.counts_[:, None]
        return means

    def _start(self) -> None:
        if not self.beta > 0:
            raise ConfigError(f"beta must be above 0, not {self.beta}")
        self._sums = np.zeros((0, self.n_features_in_))
        self._products = np.zeros((0, self.n_features_in_, self.n_features_in_))

    def _move(self, rows: Ints, total: int) -> None:
        old = self._sums, self._products
        self._sums, self._products = (np.zeros((total, *each.shape[1:])) for each in old)
        self._sums[rows], self._products[rows] = old

    def _add(self, features_ND: Floats, codes_N: Ints) -> None:
        self._count(features_ND, codes_N, 1)

    def _subtract(self, features_ND: Floats, codes_N: Ints) -> None:
        self._count(features_ND, codes_N, -1)

    def _count(self, features_ND: Floats, codes_N: Ints, sign: int) -> None:
        """Add examples to the sums of their classes, or take them out."""
        for row in np.unique(codes_N):
            examples = features_ND[codes_N == row].astype(np.float64)
            self._sums[row] += sign * examples.sum(axis=0)
            self._products[row] += sign * examples.T @ examples

    def _drop(self, kept_C: NDArray[np.bool_]) -> None:
        self._sums, self._products = self._sums[kept_C], self._products[kept_C]

    def _distances(self, queries_QD: Floats) -> Floats:
        from scipy.linalg import cholesky, solve_triangular  # late: whoever recognizes otherwise need not wait for it
        from scipy.spatial.distance import cdist

        means_CD = self.prototypes_
        distances_QC = np.empty((len(queries_QD), len(means_CD)), np.float32)
        for rows, spread_DD in self._spreads():
            factor_DD = cholesky(spread_DD, lower=True)
            queries, means = (
                solve_triangular(factor_DD, each.T, lower=True).T for each in (queries_QD, means_CD[rows])
            )
            distances_QC[:, rows] = cdist(queries, means, "sqeuclidean") / 2
        return distances_QC

    def _spreads(self) -> Iterator[tuple[Ints, Doubles]]:
        """Every Q_k with its classes; those of one example share theirs."""
        every_DD = _covariance(self._products.sum(axis=0), self._sums.sum(axis=0), int(self.counts_.sum()))
        beta_DD = self.beta * np.eye(self.n_features_in_)
        alone = self.counts_ == 1
        if alone.any():
            yield np.flatnonzero(alone), every_DD / 2 + beta_DD
        for row in np.flatnonzero(~alone):
            own_DD = _covariance(self._products[row], self._sums[row], count := int(self.counts_[row]))
            yield np.array([row]), (count * own_DD + every_DD) / (count + 1) + beta_DD


def _covariance(products_DD: Doubles, sum_D: Doubles, count: int) -> Doubles:
    """Covariance of examples from their sums; 0 of a single one."""
    covariance: Doubles = (products_DD - np.outer(sum_D, sum_D) / count) / max(count - 1, 1)
    return covariance
