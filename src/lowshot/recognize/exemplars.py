"""Prototypes of classes that were never seen, from what is said of them.

Shape suffixes: N items, C classes, A attribute values, D features.
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
from lowshot.recognize.recognizer import encode

_RIDGES = 10.0 ** np.arange(-3, 4)


class PredictedExemplars(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts where the features of a class would lie from the values of its attributes.

    Changpinyo, Chao and Sha (ICCV 2017, section 3) learn to map the semantic code of a class to its mean feature, its
    exemplar, and then treat unseen classes like seen ones: nearest exemplar. Their map is a kernel regression; classes are
    few here, so it is ridge regression of the classes' means, with the penalty that predicts left-out classes best. What it
    predicts is a feature like any other, so described classes and classes of examples stand in one gallery.

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
        from sklearn.linear_model import RidgeCV

        features_ND = np.asarray(X, np.float64)
        if features_ND.ndim != 2 or len(features_ND) != len(descriptions) or not np.isfinite(features_ND).all():
            raise ShapeError(
                f"features {features_ND.shape} must be finite, (n, features), and have one description each, not "
                f"{len(descriptions)} in all"
            )
        said = [tuple(sorted(pair for pair in each.items() if pair[1])) for each in descriptions]
        stating_N = np.array([bool(each) for each in said], bool)
        features_ND = features_ND[stating_N]
        kinds, codes_N = encode([each for each in said if each])
        if len(kinds) < 2:
            raise DataError("fewer than two different descriptions: enroll examples of several, with their attributes")
        counts_C = np.bincount(codes_N)
        by_kind = np.argsort(codes_N, kind="stable")
        means_CD = np.add.reduceat(features_ND[by_kind], np.cumsum(counts_C) - counts_C, axis=0) / counts_C[:, None]
        self._vectorizer = DictVectorizer(sparse=False)
        codes_CA = self._vectorizer.fit_transform([dict(kind) for kind in kinds])
        self.values_ = np.array(self._vectorizer.get_feature_names_out())
        self.n_features_in_ = features_ND.shape[1]
        # A mean of more items is known better; leaving one class out at a time chooses the penalty.
        self._ridge = RidgeCV(alphas=_RIDGES).fit(codes_CA, means_CD, sample_weight=np.sqrt(counts_C))
        return self

    def predict(self, descriptions: Sequence[Mapping[str, str]]) -> NDArray[np.float32]:
        """The mean feature that each described class would have, ``float32`` (classes, D).

        Raises DataError where a description says nothing that was learned.
        """
        check_is_fitted(self, "values_")
        known = set(self.values_.tolist())
        for each in descriptions:
            if not {f"{key}={value}" for key, value in each.items()} & known:
                said = ", ".join(f"{key}={value}" for key, value in each.items()) or "nothing"
                some = ", ".join(self.values_[:10].tolist())
                raise DataError(f"no enrolled example says any of {said}; there are: {some}{' …' * (len(known) > 10)}")
        codes = self._vectorizer.transform([dict(each) for each in descriptions])
        return np.asarray(self._ridge.predict(codes), np.float32)
