"""Embarrassingly simple zero-shot learning (Romera-Paredes & Torr 2015)."""

from __future__ import annotations

import numpy as np

from lowshot.recognize.recognizer import Ints
from lowshot.recognize.zero_shot import Doubles, ZeroShot, check_positive


class ESZSL(ZeroShot):
    """A bilinear score xᵀ V s of features x and a code s, in closed form (section 3.1, equation 11).

    V = (X Xᵀ + γ I)⁻¹ X Y Sᵀ (S Sᵀ + λ I)⁻¹, where Y is 1 for an example's class and -1 for the other seen ones. Features
    are seen from the mean of the examples, which the paper leaves to whoever makes them; codes are left as they come.

    Args:
        gamma: penalty on what a code looks like among features.
        lam: penalty on what features look like among codes.
        seen_penalty: as in :class:`ZeroShot`.

    Attributes:
        coef_: V, (D, A).
        mean_: of the examples, (D,).

    Example:
        >>> X, y = [[1, 0], [2, 0], [0, 1], [0, 2]], ["zebra", "zebra", "bat", "bat"]
        >>> known = ESZSL().fit(X, y, [[0, 1], [1, 0]])
        >>> known.describe(["tiger", "bird"], [[1, 0], [0, 1]]).predict([[3, 1]]).item()
        'tiger'
    """

    coef_: Doubles
    mean_: Doubles

    def __init__(self, gamma: float = 1.0, lam: float = 1.0, seen_penalty: float = 0.0) -> None:
        super().__init__(seen_penalty)
        self.gamma, self.lam = gamma, lam

    def _check_settings(self) -> None:
        super()._check_settings()
        check_positive(gamma=self.gamma, lam=self.lam)

    def _learn(self, features_ND: Doubles, labels_N: Ints, codes_SA: Doubles) -> None:
        self.mean_ = features_ND.mean(axis=0)
        features_ND = features_ND - self.mean_
        sums_SD = np.zeros((len(codes_SA), features_ND.shape[1]))
        np.add.at(sums_SD, labels_N, features_ND)
        told_DS = (2 * sums_SD - sums_SD.sum(axis=0)).T  # X Y: a class's examples count 1, all others -1
        left_DA = np.linalg.solve(
            features_ND.T @ features_ND + self.gamma * np.eye(features_ND.shape[1]), told_DS @ codes_SA
        )
        right_AA = codes_SA.T @ codes_SA + self.lam * np.eye(codes_SA.shape[1])
        self.coef_ = np.asarray(np.linalg.solve(right_AA, left_DA.T).T, np.float64)

    def _scores(self, queries_QD: Doubles) -> Doubles:
        scores: Doubles = (queries_QD - self.mean_) @ self.coef_ @ self.codes_.T
        return scores
