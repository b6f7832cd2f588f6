"""Classes known by description only: what every zero-shot recognizer shares.

Shape suffixes: N examples, C classes, S of them seen, Q queries, D features, A attributes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize.recognizer import Ints, encode, valid_features

Doubles = NDArray[np.float64]


class ZeroShot(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learns from classes with examples and a code each what codes look like; answers with classes that have a code only.

    Args:
        seen_penalty: subtracted from the scores of classes that had examples, which are otherwise preferred to all others:
            calibrated stacking (Chao et al. 2016, equation 3). 0 where only unseen classes are described.

    Attributes:
        classes_: the labels that are answered with, (C,): the seen classes, until others are described.
        codes_: of those, (C, A).
        seen_classes_: the labels of the examples, (S,).
        n_features_in_: length of a feature vector.
    """

    classes_: NDArray[Any]
    codes_: Doubles
    seen_classes_: NDArray[Any]

    def __init__(self, seen_penalty: float = 0.0) -> None:
        self.seen_penalty = seen_penalty

    def fit(self, X: Any, y: Any, codes: Any) -> Self:
        """Learn from examples of the seen classes.

        Args:
            X: features (N, D).
            y: a label for each.
            codes: the code of each example's class, (N, A); or one a class, (S, A), in the order of the sorted labels.

        Raises:
            ShapeError: features, labels and codes that do not agree, or are not finite; examples of one class with
                several codes.
            ConfigError: a setting outside its range.
        """
        self._check_settings()
        features_ND = self._features(X, reset=True)
        self.seen_classes_, labels_N = encode(y)
        if len(labels_N) != len(features_ND):
            raise ShapeError(
                f"features of {len(features_ND)} examples but {len(labels_N)} labels: give one label an example"
            )
        codes_SA = _codes(codes)
        if len(codes_SA) == len(labels_N) != len(self.seen_classes_):
            codes_SA = _of_classes(codes_SA, labels_N)
        if len(codes_SA) != len(self.seen_classes_):
            raise ShapeError(
                f"{len(codes_SA)} codes for {len(labels_N)} examples of {len(self.seen_classes_)} classes: give one a "
                "class, in the order of the sorted labels, or one an example"
            )
        self.classes_, self.codes_ = self.seen_classes_, codes_SA
        self._learn(features_ND, labels_N, codes_SA)
        return self

    def describe(self, classes: Any, codes: Any) -> Self:
        """From now on answer with these classes, seen or not.

        Args:
            classes: labels, (C,).
            codes: one a class, (C, A).

        Raises ShapeError where the two do not agree, or codes have another length than those of the seen classes.
        """
        check_is_fitted(self)
        labels, rows = encode(classes)
        codes_CA = _codes(codes)
        if len(labels) != len(rows) or codes_CA.shape != (len(rows), self.codes_.shape[1]):
            raise ShapeError(
                f"{len(rows)} classes, {len(labels)} of them different, and codes {codes_CA.shape}: give every class once, "
                f"and a code of {self.codes_.shape[1]} numbers for each"
            )
        self.classes_, self.codes_ = labels, np.empty_like(codes_CA)
        self.codes_[rows] = codes_CA
        return self

    def scores(self, X: Any) -> Doubles:
        """How well each class's code fits each query, (Q, C), higher is better; the penalty is taken off seen classes."""
        check_is_fitted(self)
        seen_C = np.isin(self.classes_, self.seen_classes_)
        return self._scores(self._features(X, reset=False)) - self.seen_penalty * seen_C

    def predict(self, X: Any) -> NDArray[Any]:
        """The label whose code fits best, (Q,)."""
        best_Q = self.scores(X).argmax(axis=1)
        return np.asarray(self.classes_[best_Q])

    def _check_settings(self) -> None:
        if not np.isfinite(self.seen_penalty):
            raise ConfigError(f"seen_penalty must be a finite number, not {self.seen_penalty}")

    @abstractmethod
    def _learn(self, features_ND: Doubles, labels_N: Ints, codes_SA: Doubles) -> None:
        """Learn from examples, their rows in the codes, and the codes."""

    @abstractmethod
    def _scores(self, queries_QD: Doubles) -> Doubles:
        """Of each class in ``codes_``, (Q, C)."""

    def _features(self, X: Any, reset: bool) -> Doubles:
        return valid_features(self, X, reset, np.float64)


def ridge(features_ND: Doubles, targets_NA: Doubles, penalty: float) -> tuple[Doubles, Doubles]:
    """Least squares with a squared penalty on the weights, not on the intercept: weights (D, A) and intercepts (A,).

    Where features are more than examples, by a matrix of examples: (XXᵀ + λI)⁻¹ in place of (XᵀX + λI)⁻¹.
    """
    mean_D, mean_A = features_ND.mean(axis=0), targets_NA.mean(axis=0)
    centered_ND, targets_NA = features_ND - mean_D, targets_NA - mean_A
    if centered_ND.shape[0] < centered_ND.shape[1]:
        products_NN = centered_ND @ centered_ND.T + penalty * np.eye(len(centered_ND))
        weights_DA = centered_ND.T @ np.linalg.solve(products_NN, targets_NA)
    else:
        products_DD = centered_ND.T @ centered_ND + penalty * np.eye(centered_ND.shape[1])
        weights_DA = np.linalg.solve(products_DD, centered_ND.T @ targets_NA)
    return weights_DA, mean_A - mean_D @ weights_DA


def check_positive(**settings: float) -> None:
    """Raises ConfigError for a setting that is not a finite number above 0."""
    for name, value in settings.items():
        if not (np.isfinite(value) and value > 0):
            raise ConfigError(f"{name} must be a number above 0, not {value}")


def _codes(codes: Any) -> Doubles:
    numbers = np.asarray(codes, np.float64)
    if numbers.ndim != 2 or not numbers.shape[1] or not np.isfinite(numbers).all():
        raise ShapeError(f"codes must be finite numbers of (classes, attributes), not {numbers.shape}")
    return numbers


def _of_classes(codes_NA: Doubles, labels_N: Ints) -> Doubles:
    """The code of each class from those of its examples. Raises ShapeError where they differ."""
    first_S = np.unique(labels_N, return_index=True)[1]
    if not np.array_equal(codes_NA[first_S][labels_N], codes_NA):
        raise ShapeError("examples of one class have several codes: give one a class")
    return codes_NA[first_S]
