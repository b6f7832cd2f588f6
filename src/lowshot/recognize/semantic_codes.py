"""Semantic output codes (Palatucci et al. 2009)."""

from __future__ import annotations

import numpy as np

from lowshot.recognize.distances import Distance, check_distance, distances
from lowshot.recognize.recognizer import Ints
from lowshot.recognize.zero_shot import Doubles, ZeroShot, check_positive, ridge


class SemanticCodes(ZeroShot):
    """Ridge regression from features to codes, then the class with the nearest code (section 4).

    Args:
        penalty: λ of the ridge, on the squared weights of each attribute.
        distance: how codes are compared; the paper's is ``euclidean``.
        seen_penalty: as in :class:`ZeroShot`.

    Attributes:
        coef_, intercept_: of the regression, (A, D) and (A,).

    Example:
        >>> X, y = [[1, 0], [2, 0], [0, 1], [0, 2]], ["zebra", "zebra", "bat", "bat"]
        >>> stripes_and_wings = [[0, 1], [1, 0]]  # of bat, of zebra
        >>> known = SemanticCodes(penalty=0.1).fit(X, y, stripes_and_wings)
        >>> known.describe(["tiger", "bird"], [[1, 0], [0, 1]]).predict([[3, 1]]).item()
        'tiger'
    """

    coef_: Doubles
    intercept_: Doubles

    def __init__(self, penalty: float = 1.0, distance: Distance = "euclidean", seen_penalty: float = 0.0) -> None:
        super().__init__(seen_penalty)
        self.penalty, self.distance = penalty, distance

    def codes(self, X: object) -> Doubles:
        """What the regression makes of each query, (Q, A)."""
        found: Doubles = self._features(X, reset=False) @ self.coef_.T + self.intercept_
        return found

    def _check_settings(self) -> None:
        super()._check_settings()
        check_positive(penalty=self.penalty)
        check_distance(self.distance)

    def _learn(self, features_ND: Doubles, labels_N: Ints, codes_SA: Doubles) -> None:
        weights_DA, self.intercept_ = ridge(features_ND, codes_SA[labels_N], self.penalty)
        self.coef_ = weights_DA.T

    def _scores(self, queries_QD: Doubles) -> Doubles:
        found_QA = queries_QD @ self.coef_.T + self.intercept_
        return np.asarray(-distances(found_QA, self.codes_, self.distance), np.float64)
