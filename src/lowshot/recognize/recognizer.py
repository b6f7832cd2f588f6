"""What every recognizer shares: labels of any kind, classes that come and go, answers from distances.

Shape suffixes: N examples, C classes, Q queries, D features.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from lowshot.errors import ConfigError, LowshotError, ShapeError
from lowshot.recognize.distances import Distance, Floats, check_distance

Ints = NDArray[np.int64]


class Recognizer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A scikit-learn classifier over features that also forgets: see :class:`NearestPrototype` for its use.

    Attributes:
        classes_: the labels, (C,): sorted, or in order of appearance where they cannot be sorted.
        counts_: examples of each class, (C,).
        n_features_in_: length of a feature vector.
    """

    classes_: NDArray[Any]
    counts_: Ints

    def __init__(self, distance: Distance = "euclidean", negative: int = 0, temperature: float = 1.0) -> None:
        self.distance = distance
        self.negative = negative
        self.temperature = temperature

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the examples, and forget all that came before.

        Args:
            X: features (examples, features).
            y: a label for each; strings, numbers, tuples: anything that can be a key of a ``dict``.

        Raises:
            ShapeError: features that are no finite (examples, features), or another number of labels than of examples.
            ConfigError: a setting outside its range.
        """
        features, labels = self._check_examples(X, y, reset=True)
        self.classes_, self.counts_ = labels[:0], np.zeros(0, np.int64)
        self._start()
        self._learn(features, labels)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Learn more examples, of old classes or new ones. The order and the number of calls make no difference.

        ``classes`` is there because scikit-learn passes it; a class needs no announcement. Raises as :meth:`fit` does.
        """
        if not hasattr(self, "classes_"):
            return self.fit(X, y)
        self._learn(*self._check_examples(X, y, reset=False))
        return self

    def forget(self, X: Any, y: Any) -> Self:
        """The inverse of :meth:`partial_fit`: as if these examples had never been learned.

        A class without examples is gone. Raises LowshotError where a class has not that many examples.
        """
        check_is_fitted(self)
        features, labels = self._check_examples(X, y, reset=False)
        codes = self._codes(labels)
        lost_C = np.bincount(codes, minlength=len(self.classes_))
        if (short := np.flatnonzero(lost_C > self.counts_)).size:
            label, has, lost = (array[short[0]] for array in (self.classes_, self.counts_, lost_C))
            raise LowshotError(f"class {label!r} has {has} examples: {lost} cannot be forgotten")
        self._subtract(features, codes)
        self.counts_ = self.counts_ - lost_C
        self._keep(self.counts_ > 0)
        return self

    def remove(self, labels: Iterable[Any]) -> Self:
        """Forget whole classes. Raises LowshotError where a label is not a class."""
        check_is_fitted(self)
        kept = np.ones(len(self.classes_), bool)
        kept[self._codes(_label_array(list(labels)))] = False
        self._keep(kept)
        return self

    def distances(self, X: Any) -> Floats:
        """Distance of each query to each class, ``float32`` (queries, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        return self._distances(self._check_features(X, reset=False))

    def predict(self, X: Any) -> NDArray[Any]:
        """The label of the nearest class for each query, (queries,)."""
        nearest = self.distances(X).argmin(axis=1)
        return np.asarray(self.classes_[nearest])

    def predict_proba(self, X: Any) -> Floats:
        """Softmax of -distance / temperature: (queries, classes), each row sums to 1."""
        return softmax(self.distances(X) / -self.temperature)

    def __sklearn_is_fitted__(self) -> bool:
        return len(getattr(self, "classes_", ())) > 0

    @abstractmethod
    def _start(self) -> None:
        """Become empty, for features of length ``n_features_in_``."""

    @abstractmethod
    def _move(self, rows: Ints, total: int) -> None:
        """Class i becomes class ``rows[i]`` of ``total``; the others are new and empty."""

    @abstractmethod
    def _add(self, features_ND: Floats, codes_N: Ints) -> None:
        """Learn examples of classes that have a row."""

    @abstractmethod
    def _subtract(self, features_ND: Floats, codes_N: Ints) -> None:
        """Undo :meth:`_add`."""

    @abstractmethod
    def _drop(self, kept_C: NDArray[np.bool_]) -> None:
        """Keep the marked classes only; they move up."""

    @abstractmethod
    def _distances(self, queries_QD: Floats) -> Floats:
        """Distance to each class, (Q, C)."""

    def _learn(self, features_ND: Floats, labels_N: NDArray[Any]) -> None:
        old = len(self.classes_)
        self.classes_, codes = encode(_join(self.classes_, labels_N))
        total = len(self.classes_)
        if not np.array_equal(codes[:old], np.arange(total)):  # a class is new: rows move
            self._move(codes[:old], total)
            counts = np.zeros(total, np.int64)
            counts[codes[:old]] = self.counts_
            self.counts_ = counts
        self.counts_ = self.counts_ + np.bincount(codes[old:], minlength=total)
        self._add(features_ND, codes[old:])

    def _keep(self, kept_C: NDArray[np.bool_]) -> None:
        if not kept_C.all():
            self._drop(kept_C)
            self.classes_, self.counts_ = self.classes_[kept_C], self.counts_[kept_C]

    def _codes(self, labels_N: NDArray[Any]) -> Ints:
        """The row of each label's class."""
        rows = {label: row for row, label in enumerate(self.classes_.tolist())}
        try:
            return np.array([rows[label] for label in labels_N.tolist()], np.int64)
        except KeyError as missing:
            raise LowshotError(f"{missing.args[0]!r} is none of the {len(rows)} classes") from None

    def _check_examples(self, X: Any, y: Any, reset: bool) -> tuple[Floats, NDArray[Any]]:
        check_distance(self.distance)
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be above 0, not {self.temperature}")
        if y is None:
            raise ShapeError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        features, labels = self._check_features(X, reset), _label_array(y)
        if len(features) != len(labels):
            raise ShapeError(
                f"features of {len(features)} examples but {len(labels)} labels: give one label an example"
            )
        if not 0 <= self.negative <= features.shape[1]:
            raise ConfigError(
                f"negative must lie in 0..{features.shape[1]}, the number of features, not {self.negative}"
            )
        return features, labels

    def _check_features(self, X: Any, reset: bool) -> Floats:
        return valid_features(self, X, reset, np.float32)


def valid_features(estimator: BaseEstimator, X: Any, reset: bool, dtype: type[np.floating]) -> NDArray[Any]:
    """Features (n, D) as scikit-learn's estimators check them. Raises ShapeError where they cannot be used."""
    try:
        features: NDArray[Any] = validate_data(estimator, X, reset=reset, dtype=dtype)
    except ValueError as error:
        raise ShapeError(f"features of shape {np.shape(X)} cannot be used: {error}") from None
    return features


def softmax(scores_QC: NDArray[np.floating]) -> Floats:
    """Probabilities from scores, along the last axis."""
    powers = np.exp(scores_QC - scores_QC.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def _label_array(y: Any) -> NDArray[Any]:
    """One entry a label. NumPy alone would turn [1, "a"] into strings and pairs into a matrix."""
    if not hasattr(y, "__array__"):
        y = list(y)
        if len({type(label) for label in y}) > 1 or (y and not np.isscalar(y[0])):
            return np.fromiter(y, dtype=object, count=len(y))
    labels: NDArray[Any] = column_or_1d(y, warn=True)
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise ShapeError("Input y contains NaN or infinity: give every example a label")
        check_classification_targets(labels)
    return labels


def _join(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Both after each other, as objects where a common type would change them."""
    if len(one) and one.dtype.kind != other.dtype.kind:
        return np.concatenate([one.astype(object), other.astype(object)])
    return np.concatenate([one, other]) if len(one) else other


def encode(y: Any) -> tuple[NDArray[Any], Ints]:
    """The different labels, and the row of each label among them."""
    labels = _label_array(y)
    if labels.dtype != object:
        classes, codes = np.unique(labels, return_inverse=True)
        return classes, codes.astype(np.int64)
    kinds = list(dict.fromkeys(labels.tolist()))
    with suppress(TypeError):  # labels of several kinds have no order
        kinds.sort()
    rows = {label: row for row, label in enumerate(kinds)}
    return np.fromiter(kinds, object, len(kinds)), np.array([rows[label] for label in labels.tolist()], np.int64)
