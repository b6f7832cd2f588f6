"""Soft k-means: prototypes refined with unlabeled features (Ren et al., ICLR 2018, arXiv 1803.00676)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from lowshot.errors import ConfigError
from lowshot.recognize.distances import Distance, Floats, distances, unit
from lowshot.recognize.prototypes import NearestPrototype
from lowshot.recognize.recognizer import softmax


class SoftKMeans(NearestPrototype):
    """Nearest prototype, where unlabeled items near a class move its prototype, too (sections 3.1.1 and 3.1.3).

    Each unlabeled item counts for every class by its share z, the softmax of -distance / temperature, beside the labeled
    examples, which count 1 for theirs: p = (Σ h + Σ z u) / (n + Σ z). Without unlabeled items it is
    :class:`NearestPrototype`.

    Labels can be anything, so none could mean "unlabeled": such items are given for themselves. They stay when examples
    are learned or forgotten later. The refined prototypes are made anew in each call of ``predict``: ask many queries at
    once.

    Args:
        distance, negative: as in :class:`NearestPrototype`.
        temperature: probabilities, and the shares, are the softmax of -distance / temperature. The paper's 1 is for the
            squared Euclidean distance of a network that was trained so. Cosines lie so close together that 1 would give
            every class the same share; 0.05 is a fair start for them.
        steps: refinements; 1 is the paper's.
        mask: ``(beta, gamma)`` to keep out distractors, items of no class: shares are multiplied by
            sigmoid(-gamma (d / mean d - beta)), where d is the distance to the class, so that items farther than ``beta``
            times the mean of all unlabeled ones hardly count. The paper predicts both numbers by a small network; here
            they are given, and (0.6, 20) is a fair start for cosines. None counts all items.

    Attributes:
        classes_, counts_, prototypes_: as in :class:`NearestPrototype`, of the labeled examples alone.
        unlabeled_: the unlabeled features, (U, features).
        refined_: the prototypes that answer, ``float32`` (C, features).

    Example:
        >>> recognizer = SoftKMeans().fit([[0.0], [8.0]], ["low", "high"], unlabeled=[[3.0], [3.0], [11.0], [11.0]])
        >>> recognizer.classes_.tolist(), recognizer.refined_.ravel().round(3).tolist()
        (['high', 'low'], [10.0, 2.0])
        >>> recognizer.predict([[5.5]]).item()  # halfway is 4 without the unlabeled items, 6 with them
        'low'
    """

    unlabeled_: Floats

    def __init__(
        self,
        distance: Distance = "euclidean",
        negative: int = 0,
        temperature: float = 1.0,
        steps: int = 1,
        mask: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(distance, negative, temperature)
        self.steps = steps
        self.mask = mask

    def fit(self, X: Any, y: Any, unlabeled: Any = None) -> Self:
        """Learn the examples and the unlabeled items, and forget all that came before.

        Args:
            X: features (examples, features).
            y: a label for each, of any kind.
            unlabeled: features (items, features); None for none.

        Raises:
            ShapeError: features that are no finite (items, features), or another number of labels than of examples.
            ConfigError: a setting outside its range.
        """
        if self.steps < 1:
            raise ConfigError(f"steps must be at least 1, not {self.steps}")
        if self.mask is not None and (np.shape(self.mask) != (2,) or min(self.mask) <= 0):
            raise ConfigError(f"mask is (beta, gamma), two numbers above 0, not {self.mask}")
        super().fit(X, y)
        few = unlabeled is None or not len(unlabeled)
        none = np.zeros((0, self.n_features_in_), np.float32)
        self.unlabeled_ = none if few else self._check_features(unlabeled, reset=False)
        return self

    @property
    def refined_(self) -> Floats:
        """The prototypes of examples and unlabeled items, (C, features)."""
        prototypes_CD = self.prototypes_
        if not len(self.unlabeled_):
            return prototypes_CD
        weighed_UD = unit(self.unlabeled_) if self.distance == "cosine" else self.unlabeled_
        for _ in range(self.steps):
            share_UC = self._shares(distances(self.unlabeled_, prototypes_CD, self.distance, self.negative))
            total_C = self.counts_ + share_UC.sum(axis=0)
            prototypes_CD = ((self._sums + share_UC.T @ weighed_UD) / total_C[:, None]).astype(np.float32)
        return prototypes_CD

    def _shares(self, distances_UC: Floats) -> Floats:
        """How much each unlabeled item counts for each class."""
        shares_UC = softmax(distances_UC / -self.temperature)
        if self.mask is None:
            return shares_UC
        beta, gamma = self.mask
        relative_UC = distances_UC / np.maximum(distances_UC.mean(axis=0), np.finfo(np.float32).tiny)
        shares_UC /= 1 + np.exp(np.minimum(gamma * (relative_UC - beta), 80))  # exp 89 is no float32
        return shares_UC

    def _distances(self, queries_QD: Floats) -> Floats:
        return distances(queries_QD, self.refined_, self.distance, self.negative)
