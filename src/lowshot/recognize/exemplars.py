"""Predicted exemplars (Changpinyo, Chao and Sha, ICCV 2017): what the features of a class would be, by what is said of it.

Shape suffixes: N items, C classes, S of them seen, A attributes, D features, Q queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.feature_extraction import DictVectorizer
from sklearn.utils.validation import check_is_fitted

from lowshot.errors import DataError, ShapeError
from lowshot.recognize.distances import Distance, check_distance, distances
from lowshot.recognize.recognizer import Ints, encode
from lowshot.recognize.zero_shot import Doubles, ZeroShot

_RIDGES = 10.0 ** np.arange(-3, 4)


class Exemplars(ZeroShot):
    """Learns to map the code of a class to its mean feature, its exemplar; then the class of the nearest one (section 3).

    The paper's map is a kernel regression for each feature. Here it is ridge regression of the means, with the penalty that
    predicts left-out classes best: classes are few, codes are short. A class that was seen keeps its own mean.

    Args:
        distance: how queries and exemplars are compared; the paper's is ``euclidean``.
        seen_penalty: as in :class:`ZeroShot`.

    Attributes:
        means_: of the seen classes, (S, D).

    Example:
        >>> X, y = [[1, 0], [2, 0], [0, 1], [0, 2]], ["zebra", "zebra", "bat", "bat"]
        >>> stripes_and_wings = [[0, 1], [1, 0]]  # of bat, of zebra
        >>> known = Exemplars().fit(X, y, stripes_and_wings)
        >>> known.describe(["tiger", "bird"], [[1, 0], [0, 1]]).predict([[3, 1]]).item()
        'tiger'
    """

    means_: NDArray[np.float32]

    def __init__(self, distance: Distance = "euclidean", seen_penalty: float = 0.0) -> None:
        super().__init__(seen_penalty)
        self.distance = distance

    def exemplars(self, codes: Any) -> NDArray[np.float32]:
        """The mean feature that classes of these codes (C, A) would have, ``float32`` (C, D)."""
        check_is_fitted(self)
        return np.asarray(self._ridge.predict(codes), np.float32)

    def _check_settings(self) -> None:
        super()._check_settings()
        check_distance(self.distance)

    def _learn(self, features_ND: Doubles, labels_N: Ints, codes_SA: Doubles) -> None:
        from sklearn.linear_model import RidgeCV

        if len(codes_SA) < 2:
            raise DataError("one class cannot tell how classes differ: give examples of two or more")
        counts_S = np.bincount(labels_N)
        by_class = np.argsort(labels_N, kind="stable")
        means_SD = np.add.reduceat(features_ND[by_class], np.cumsum(counts_S) - counts_S, axis=0) / counts_S[:, None]
        # A mean of more items is known better; leaving one class out at a time chooses the penalty.
        self._ridge = RidgeCV(alphas=_RIDGES).fit(codes_SA, means_SD, sample_weight=np.sqrt(counts_S))
        self.means_ = np.asarray(means_SD, np.float32)

    def _scores(self, queries_QD: Doubles) -> Doubles:
        row = {label: row for row, label in enumerate(self.seen_classes_.tolist())}
        rows_C = np.array([row.get(label, -1) for label in self.classes_.tolist()])
        exemplars_CD = np.where(rows_C[:, None] < 0, self.exemplars(self.codes_), self.means_[rows_C])
        return np.asarray(-distances(queries_QD, exemplars_CD, self.distance), np.float64)


class PredictedExemplars(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """:class:`Exemplars` for classes that are described by the values of their attributes.

    What it predicts is a feature like any other, so described classes and classes of examples stand in one gallery.

    Attributes:
        values_: the attribute values that mean something, ``attribute=value``, (A,).
        n_features_in_: length of a feature vector.

    Example:
        >>> seen = [{"color": "red", "size": "s"}, {"color": "red", "size": "l"}, {"color": "blue", "size": "s"}]
        >>> features = [[1.0, 0.0], [1.0, 9.0], [-1.0, 0.0]]
        >>> unseen = PredictedExemplars().fit(features, seen).predict([{"color": "blue", "size": "l"}])
        >>> unseen.argmax().item()
        1
    """

    values_: NDArray[np.str_]
    n_features_in_: int

    def fit(self, X: Any, descriptions: Sequence[Mapping[str, str]]) -> Self:
        """Learn from items whose attributes are known; those of equal attributes count as one class.

        Args:
            X: features (N, D).
            descriptions: the attributes of each item, N mappings; what one does not say, or says with an empty value, is
                left open, and of an item that says nothing nothing is learned.

        Raises:
            ShapeError: features that are no finite (N, D), or another number of descriptions.
            DataError: fewer than two different descriptions: nothing can be learned from how they differ.
        """
        features_ND = np.asarray(X, np.float64)
        if features_ND.ndim != 2 or len(features_ND) != len(descriptions) or not np.isfinite(features_ND).all():
            raise ShapeError(
                f"features {features_ND.shape} must be finite, (n, features), and have one description each, not "
                f"{len(descriptions)} in all"
            )
        said = [tuple(sorted(pair for pair in each.items() if pair[1])) for each in descriptions]
        stating_N = np.array([bool(each) for each in said], bool)
        features_ND = features_ND[stating_N]
        kinds, kinds_N = encode([each for each in said if each])
        if len(kinds) < 2:
            raise DataError("fewer than two different descriptions: enroll examples of several, with their attributes")
        self._vectorizer = DictVectorizer(sparse=False)
        codes_CA = self._vectorizer.fit_transform([dict(kind) for kind in kinds])
        self.values_ = np.array(self._vectorizer.get_feature_names_out())
        self.n_features_in_ = features_ND.shape[1]
        self._exemplars = Exemplars().fit(features_ND, kinds_N, codes_CA)
        return self

    def predict(self, descriptions: Sequence[Mapping[str, str]]) -> NDArray[np.float32]:
        """The mean feature that each described class would have, ``float32`` (classes, D).

        Raises DataError where a description says nothing, or what no item said: it may be misspelled.
        """
        check_is_fitted(self, "values_")
        known = set(self.values_.tolist())
        for each in descriptions:
            said = [f"{key}={value}" for key, value in each.items()]
            if strange := [pair for pair in said if pair not in known] or ["nothing"] * (not said):
                some = ", ".join(self.values_[:10].tolist())
                raise DataError(f"no enrolled example says {strange[0]}; there are: {some}{' …' * (len(known) > 10)}")
        return self._exemplars.exemplars(self._vectorizer.transform([dict(each) for each in descriptions]))
