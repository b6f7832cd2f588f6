"""SimpleShot: nearest class means of centered directions (Wang et al. 2019, arXiv 1911.04623)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lowshot.errors import ShapeError
from lowshot.recognize.distances import Floats, unit
from lowshot.recognize.prototypes import NearestPrototype


class SimpleShot(NearestPrototype):
    """Subtract the background's mean, divide the length out, answer with the nearest class mean (section 3).

    Features of a network that ends in a ReLU all point into one corner; seen from their mean they point every way.

    Args:
        center: the mean feature of the background set, (features,), such as the mean of the background items that an encoder
            carries, see :attr:`Encoder.background <lowshot.encoder.Encoder.background>`. That is the paper's CL2N; None
            subtracts nothing, which is its L2N.
        temperature: probabilities are the softmax of -distance / temperature. Distances are squared Euclidean ones of unit
            features, 4 at most: with the temperature of 1 no answer is confident.

    Attributes:
        classes_, counts_: the labels and how many examples each has, (C,).
        prototypes_: the mean of each class's transformed features, ``float32`` (C, features).

    Example:
        >>> examples, labels = [[9, 8], [8, 9]], ["low", "high"]
        >>> SimpleShot(center=[8, 8]).fit(examples, labels).predict([[90, 80]]).item()
        'low'
    """

    def __init__(self, center: Any = None, temperature: float = 1.0) -> None:
        super().__init__(temperature=temperature)
        self.center = center

    def _check_features(self, X: Any, reset: bool) -> Floats:
        """Transformed features: all else is as with any prototypes."""
        features_ND = super()._check_features(X, reset)
        if self.center is None:
            return unit(features_ND)
        center_D = np.asarray(self.center, np.float32)
        if center_D.shape != features_ND.shape[1:] or not np.isfinite(center_D).all():
            raise ShapeError(
                f"the center must be {features_ND.shape[1]} finite numbers, one a feature, not {center_D.shape}"
            )
        return unit(features_ND - center_D)
