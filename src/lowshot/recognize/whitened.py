"""Prototypes in the metric of the background: how much classes spread, learned where examples are many.

Shape suffixes: N items, R items of classes that have several, C classes, D features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ShapeError
from lowshot.recognize.distances import Floats, unit
from lowshot.recognize.prototypes import NearestPrototype
from lowshot.recognize.recognizer import encode

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Whitening:
    """Moves features so that items of one class spread alike in every direction.

    Attributes:
        center: subtracted from features first, ``float32`` (features,).
        matrix: multiplied with what remains, ``float32`` (features, features): the inverse root of a covariance.
        shrinkage: how much of that covariance is the identity, 0–1.
    """

    center: Floats = field(repr=False)
    matrix: Floats = field(repr=False)
    shrinkage: float

    @classmethod
    def of(cls, X: Any, y: Any) -> Whitening:
        """Learn from background items: their mean, and how the items of a class differ from the class's mean.

        That pooled covariance within classes is what linear discriminant analysis divides by. A few hundred items say little
        of a covariance of many features, so it is mixed with as large an identity, as much of it as Ledoit and Wolf (2004,
        section 3) find best for that number of items.

        Args:
            X, y: features (N, D) and classes (N,), such as ``Encoder.background()`` gives. Of a class with one item
                nothing is learned but the mean.

        Raises:
            ShapeError: features that are no finite (N, D), another number of classes, or no two different items of one
                class.

        Example:
            >>> wide = Whitening.of([[-9.0, 1.0], [9.0, 1.0], [-9.0, 7.0], [9.0, 7.0], [0.0, 7.1]], [*"aabbb"])
            >>> bool(wide.matrix[0, 0] < wide.matrix[1, 1])  # what differs within a class hardly counts
            True
        """
        from sklearn.covariance import ledoit_wolf_shrinkage  # late: whoever recognizes otherwise need not wait for it

        features_ND = np.asarray(X, np.float64)
        codes_N = encode(y)[1]
        if features_ND.ndim != 2 or len(features_ND) != len(codes_N) or not np.isfinite(features_ND).all():
            raise ShapeError(
                f"background features {features_ND.shape} and classes ({len(codes_N)},) must be finite, (n, features) and "
                "(n,)"
            )
        apart_RD, freedom = _within(features_ND, codes_N)
        if not apart_RD.any():
            raise ShapeError("no class of the background has two different items: give several of each class")
        # Few items may look alike by chance: then the formula trusts them too much.
        shrinkage = max(float(ledoit_wolf_shrinkage(apart_RD, assume_centered=True)), 1 / (1 + freedom))
        matrix_DD = _inverse_root(apart_RD, shrinkage)
        return cls(features_ND.mean(axis=0).astype(np.float32), matrix_DD.astype(np.float32), shrinkage)

    def __call__(self, features_ND: Floats) -> Floats:
        """The features, centered and whitened."""
        return np.asarray((features_ND - self.center) @ self.matrix, np.float32)


class WhitenedPrototype(NearestPrototype):
    """Nearest prototype under the Mahalanobis distance that the background's classes share, between directions.

    :class:`MahalanobisPrototype` learns a covariance of each class from the class's own few examples, and keeps and factors
    a matrix for each. Here one covariance serves all, so it is no setting of that class but another one: features are
    whitened once, when they come, and the Euclidean distance between them is the Mahalanobis distance. A class costs one
    sum, as with any prototypes, and one example is enough.

    Whitened features are brought to unit length before they are compared, as is done before speakers are told apart
    (Garcia-Romero and Espy-Wilson, Interspeech 2011): else items far from the background's mean are far from
    everything. ``benchmarks/recognizers.py`` measures it.

    Args:
        whitening: learned from the background by :meth:`Whitening.of`; None compares directions as they are.
        temperature: probabilities are the softmax of -distance / temperature. Distances are squared Euclidean ones of unit
            features, 4 at most: with the temperature of 1 no answer is confident.

    Attributes:
        classes_, counts_: the labels and how many examples each has, (C,).
        prototypes_: the mean of each class's transformed features, ``float32`` (C, features).

    Example:
        >>> background = [[-9, -3], [9, -3.1], [0, -2.9], [9, 3], [0, 3.1], [-9, 2.9]], [*"aaabbb"]
        >>> recognizer = WhitenedPrototype(Whitening.of(*background)).fit([[5, -2], [-1, 2]], ["low", "high"])
        >>> recognizer.predict([[-8, -2.5]]).item()
        'low'
    """

    def __init__(self, whitening: Whitening | None = None, temperature: float = 1.0) -> None:
        super().__init__(temperature=temperature)
        self.whitening = whitening

    def _check_features(self, X: Any, reset: bool) -> Floats:
        """Transformed features: all else is as with any prototypes."""
        features_ND = super()._check_features(X, reset)
        if self.whitening is None:
            return unit(features_ND)
        if self.whitening.center.shape != features_ND.shape[1:]:
            raise ShapeError(
                f"the whitening is one of {len(self.whitening.center)} features, the examples have {features_ND.shape[1]}: "
                "learn it from the background of the same encoder"
            )
        return unit(self.whitening(features_ND))


def _within(features_ND: Doubles, codes_N: NDArray[np.int64]) -> tuple[Doubles, int]:
    """How items differ from their class's mean, (R, D), so scaled that their covariance is unbiased; degrees of freedom."""
    counts_C = np.bincount(codes_N)
    by_class = np.argsort(codes_N, kind="stable")
    sums_CD = np.add.reduceat(features_ND[by_class], np.cumsum(counts_C) - counts_C, axis=0)
    several_N = counts_C[codes_N] > 1
    codes_R = codes_N[several_N]
    apart_RD = features_ND[several_N] - (sums_CD / counts_C[:, None])[codes_R]
    apart_RD *= np.sqrt(counts_C / np.maximum(counts_C - 1, 1))[codes_R, None]
    return apart_RD, int((counts_C - 1).sum())


def _inverse_root(apart_RD: Doubles, shrinkage: float) -> Doubles:
    """((1 - shrinkage) S + shrinkage m I)^(-1/2), where S is the covariance and m the mean of its diagonal, (D, D).

    By the singular values of the few items: outside their span the root is a multiple of the identity.
    """
    items, features = apart_RD.shape
    _, values_K, directions_KD = np.linalg.svd(apart_RD, full_matrices=False)
    ridge = shrinkage * np.square(values_K).sum() / (items * features)
    inside_K = ((1 - shrinkage) * np.square(values_K) / items + ridge) ** -0.5
    root_DD: Doubles = (directions_KD.T * (inside_K - ridge**-0.5)) @ directions_KD
    root_DD += np.eye(features) * ridge**-0.5
    return root_DD
