"""Self-training: learn from labels, predict the unlabeled, learn from both (Yarowsky, ACL 1995)."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize.distances import Floats, unit
from lowshot.recognize.recognizer import encode


class SelfTraining(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Logistic regression on directions that takes its surest predictions of unlabeled items for labels, in rounds.

    A layer over scikit-learn's ``SelfTrainingClassifier``: labels of any kind, and unlabeled items given for themselves.
    Every class has the same weight and no intercept, however many predictions fall to it: otherwise the classes that get
    the first ones attract the rest. It takes about three examples a class for predictions that are worth learning from;
    with fewer, :class:`~lowshot.recognize.SoftKMeans` gains more.

    Args:
        confidence: predictions at least so probable become labels.
        rounds: of predicting and learning again, at most; it ends when no prediction is sure enough.
        C: how closely the regression follows the examples. More makes it surer of its predictions.

    Attributes:
        classes_: the labels, (C,).
        model_: the regression that answers.

    Example:
        >>> apart = SelfTraining().fit([[1, 0], [0, 1]], ["right", "up"], unlabeled=[[2, 1], [2, 1.2], [0, 3]])
        >>> apart.predict([[3, 2.9]]).item()
        'right'
    """

    def __init__(self, confidence: float = 0.5, rounds: int = 10, C: float = 10.0) -> None:
        self.confidence = confidence
        self.rounds = rounds
        self.C = C

    def fit(self, X: Any, y: Any, unlabeled: Any = None) -> Self:
        """Learn.

        Args:
            X: features (examples, features), of any length: their directions count.
            y: a label for each, of any kind; at least two different ones.
            unlabeled: features (items, features); None for none.

        Raises:
            ShapeError: features that are no finite (items, features), another number of labels, or a single class.
            ConfigError: a setting outside its range.
        """
        from sklearn.linear_model import LogisticRegression  # late: whoever recognizes otherwise need not wait for it
        from sklearn.semi_supervised import SelfTrainingClassifier

        if not 0 <= self.confidence < 1 or self.rounds < 1 or not self.C > 0:
            raise ConfigError(
                f"confidence={self.confidence}, rounds={self.rounds}, C={self.C}: "
                "confidence lies in 0–1, rounds are at least 1, C is above 0"
            )
        if y is None:
            raise ShapeError("SelfTraining requires y to be passed, but the target y is None")
        features_ND = self._directions(X, reset=True)
        self.classes_, codes = encode(y)
        if len(codes) != len(features_ND):
            raise ShapeError(f"features of {len(features_ND)} examples but {len(codes)} labels: give one an example")
        if len(self.classes_) < 2:
            raise ShapeError("one class alone cannot be told from others: give examples of two classes")
        self.model_ = LogisticRegression(C=self.C, fit_intercept=False, class_weight="balanced", max_iter=1000)
        if unlabeled is not None and len(unlabeled):
            features_ND = np.concatenate([features_ND, self._directions(unlabeled, reset=False)])
            codes = np.concatenate([codes, np.full(len(unlabeled), -1)])
            self.model_ = SelfTrainingClassifier(self.model_, threshold=self.confidence, max_iter=self.rounds)
        with warnings.catch_warnings():  # one example a class is no regression problem
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            self.model_.fit(features_ND, codes)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label of each query, (queries,)."""
        check_is_fitted(self)
        return np.asarray(self.classes_[self.model_.predict(self._directions(X, reset=False))])

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities (queries, classes), in the order of ``classes_``; each row sums to 1."""
        check_is_fitted(self)
        return np.asarray(self.model_.predict_proba(self._directions(X, reset=False)), np.float32)

    def _directions(self, X: Any, reset: bool) -> Floats:
        try:
            return unit(validate_data(self, X, reset=reset, dtype=np.float32))
        except ValueError as error:
            raise ShapeError(f"features of shape {np.shape(X)} cannot be used: {error}") from None
