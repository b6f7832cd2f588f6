"""Direct attribute prediction (Lampert et al. 2009, 2014)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import expit, log_expit

from lowshot.errors import DataError, ShapeError
from lowshot.recognize.recognizer import Ints
from lowshot.recognize.zero_shot import Doubles, ZeroShot, check_positive, ridge

_STEPS = 50  # of Newton's method, at most
_LEAST_PRIOR = 0.01


class DirectAttributePrediction(ZeroShot):
    """A probability for each attribute, and the class whose attributes are likeliest together (section 3.1 of 2009).

    The score of a class with the attributes a is the logarithm of the product of p(a_m | x) / p(a_m) over the attributes m,
    where p(a_m) is how many of the seen classes have it (section 4.1). Attributes are 1 or 0.

    Attributes are predicted by regularized least squares on ±1, all at once, in place of a support vector machine each.
    Their values become probabilities by a sigmoid (Platt 2000), fitted to those of each class by what the other classes
    teach: values of examples that were learned would be far too sure. So an attribute
    that fewer than two of the seen classes have, or fewer than two lack, is not told from the class itself, and left out.

    Args:
        penalty: of the least squares, on the squared weights of each attribute.
        seen_penalty: as in :class:`ZeroShot`.

    Attributes:
        attributes_: the columns of the codes that are predicted, (M,).
        coef_, intercept_: of their predictions, (M, D) and (M,).
        slope_, shift_: of their sigmoids, (M,): p = 1 / (1 + exp(-(slope · value + shift))).
        prior_: p(a_m = 1), (M,).

    Raises:
        ShapeError: a code that is neither 0 nor 1.
        DataError: no attribute is left.

    Example:
        >>> X, y = [[1, 0], [0.9, 0.3], [0, 1], [0.3, 0.9]], ["zebra", "tiger", "bat", "bird"]
        >>> known = DirectAttributePrediction(0.1).fit(X, y, [[0, 1], [0, 1], [1, 0], [1, 0]])
        >>> known.describe(["okapi", "moth"], [[1, 0], [0, 1]]).predict([[1, 0.1]]).item()
        'okapi'
    """

    attributes_: Ints
    coef_: Doubles
    intercept_: Doubles
    slope_: Doubles
    shift_: Doubles
    prior_: Doubles

    def __init__(self, penalty: float = 1.0, seen_penalty: float = 0.0) -> None:
        super().__init__(seen_penalty)
        self.penalty = penalty

    def probabilities(self, X: object) -> Doubles:
        """That each of ``attributes_`` is there, (Q, M)."""
        found: Doubles = expit(self._logits(self._features(X, reset=False)))
        return found

    def _check_settings(self) -> None:
        super()._check_settings()
        check_positive(penalty=self.penalty)

    def _learn(self, features_ND: Doubles, labels_N: Ints, codes_SA: Doubles) -> None:
        has_SA = _binary(codes_SA)
        have_A = has_SA.sum(axis=0)
        rarer_A = np.minimum(have_A, len(has_SA) - have_A)
        self.attributes_ = np.flatnonzero(rarer_A >= 2)
        if not len(self.attributes_):
            raise DataError("no attribute is had by two seen classes and lacked by two others: describe more classes")
        has_SM = has_SA[:, self.attributes_]
        self.prior_ = np.clip(has_SM.mean(axis=0), _LEAST_PRIOR, 1 - _LEAST_PRIOR)
        told_NM = np.where(has_SM[labels_N], 1.0, -1.0)
        weights_DM, self.intercept_ = ridge(features_ND, told_NM, self.penalty)
        self.coef_ = weights_DM.T
        self.slope_, self.shift_ = platt(held_out_classes(features_ND, told_NM, labels_N, self.penalty), told_NM > 0)

    def _logits(self, queries_QD: Doubles) -> Doubles:
        logits: Doubles = (queries_QD @ self.coef_.T + self.intercept_) * self.slope_ + self.shift_
        return logits

    def _scores(self, queries_QD: Doubles) -> Doubles:
        has_CM = _binary(self.codes_)[:, self.attributes_]
        logits_QM = self._logits(queries_QD)
        there_QM = log_expit(logits_QM) - np.log(self.prior_)
        missing_QM = log_expit(-logits_QM) - np.log1p(-self.prior_)
        scores: Doubles = there_QM @ has_CM.T + missing_QM @ ~has_CM.T
        return scores


def held_out_classes(features_ND: Doubles, targets_NM: Doubles, labels_N: Ints, penalty: float) -> Doubles:
    """What :func:`ridge` would say of each class's examples had it not learned this class, (N, M).

    In closed form: with H the matrix that makes predictions of targets, those of a held-out class are, in its rows c,
    y - (I - H_cc)⁻¹ (y - Hy) (Hastie et al. 2009, equation 7.64, for a block of rows in place of one).
    """
    centered_ND = features_ND - features_ND.mean(axis=0)
    products_DD = centered_ND.T @ centered_ND + penalty * np.eye(centered_ND.shape[1])
    root_DN = solve_triangular(cholesky(products_DD, lower=True), centered_ND.T, lower=True)
    off_NM = targets_NM - targets_NM.mean(axis=0) - root_DN.T @ (root_DN @ targets_NM)
    by_class = np.argsort(labels_N, kind="stable")
    for rows in np.split(by_class, np.flatnonzero(np.diff(labels_N[by_class])) + 1):
        own = root_DN[:, rows].T @ root_DN[:, rows] + 1 / len(labels_N)
        off_NM[rows] = np.linalg.solve(np.eye(len(rows)) - own, off_NM[rows])
    return np.asarray(targets_NM - off_NM)


def platt(values_NM: Doubles, true_NM: NDArray[np.bool_]) -> tuple[Doubles, Doubles]:
    """Slopes and shifts of sigmoids from values to probabilities, (M,), a column each (Platt 2000, section 2.2).

    Maximum likelihood by Newton's method, of the targets (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2) in place of 1 and 0, as
    there. Both are damped a little, so that values that say nothing, or all, give no infinite slope.

    Example:
        >>> slope, shift = platt(np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([[0], [0], [1], [1]]) > 0)
        >>> float(slope[0].round(2)), abs(float(shift[0].round(2)))
        (1.1, 0.0)
    """
    positive_M = true_NM.sum(axis=0)
    target_NM = np.where(true_NM, (positive_M + 1) / (positive_M + 2), 1 / (len(true_NM) - positive_M + 2))
    inputs_MN2 = np.stack([values_NM.T, np.ones_like(values_NM.T)], axis=2)
    weights_M2 = np.zeros((values_NM.shape[1], 2))
    damping_22 = 1e-6 * len(values_NM) * np.eye(2)
    for _ in range(_STEPS):
        p_MN = expit((inputs_MN2 @ weights_M2[..., None])[..., 0])
        gradient_M2 = ((p_MN - target_NM.T)[..., None] * inputs_MN2).sum(axis=1) + weights_M2 @ damping_22
        curvature_M22 = (inputs_MN2 * (p_MN * (1 - p_MN))[..., None]).swapaxes(1, 2) @ inputs_MN2 + damping_22
        step_M2 = np.linalg.solve(curvature_M22, gradient_M2[..., None])[..., 0]
        weights_M2 = weights_M2 - step_M2
        if np.abs(step_M2).max(initial=0) < 1e-9:
            break
    return weights_M2[:, 0], weights_M2[:, 1]


def _binary(codes_CA: Doubles) -> NDArray[np.bool_]:
    if not np.isin(codes_CA, (0, 1)).all():
        raise ShapeError("direct attribute prediction needs codes of 0 and 1: choose another method for other numbers")
    return np.asarray(codes_CA == 1)
