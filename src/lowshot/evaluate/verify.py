"""Verification: do two items belong to one class?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowshot.data import EpisodeSampler, Examples
from lowshot.errors import ConfigError, ShapeError
from lowshot.evaluate.episodes import batched_distances, checked
from lowshot.evaluate.report import Report, percent
from lowshot.evaluate.statistics import auroc, best_threshold, equal_error_rate, mean_ci95
from lowshot.recognize.distances import Distance, unit

if TYPE_CHECKING:
    from lowshot.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class VerifyResult(Report):
    """How well distances tell pairs of one class from pairs of two; all rates are fractions.

    Attributes:
        accuracy, ci95: on the half of the pairs from which the threshold was **not** chosen.
        threshold: two items are taken for one class when their distance is at most this.
        eer, auroc: equal error rate and area under the ROC curve, of all pairs.
        pairs: how many, half of them of one class.
    """

    accuracy: float
    ci95: float | None
    threshold: float
    eer: float
    auroc: float
    pairs: int
    seed: int

    def __str__(self) -> str:
        rates = f"equal error rate {percent(self.eer)}, AUROC {self.auroc:.4f}"
        return f"accuracy {percent(self.accuracy, self.ci95)}, {rates} over {self.pairs} pairs ({self.seconds:.1f} s)"


def verify(
    features_ND: NDArray[Any],
    labels: NDArray[np.integer],
    *,
    distance: Distance,
    negative: int = 0,
    pairs: int = 6000,
    seed: int = 0,
    apart: Sequence[str] | NDArray[np.str_] | None = None,
    class_names: Sequence[str] = (),
) -> VerifyResult:
    """Evaluate features on pairs drawn at random, half of them of one class.

    Args:
        features_ND, labels, distance, negative, class_names: as in :func:`~lowshot.evaluate.nway`.
        pairs: how many; the threshold is chosen on every other one and the accuracy measured on the rest.
        seed: of the pairs.
        apart: group of each item, (N,), such as its speaker: the two items of a pair of one class then come from two groups.

    Raises:
        ClassTooSmall: a class has fewer than two items, or than can be held apart.
        ConfigError: fewer than 4 pairs, or there is only one class.
        ShapeError: features and labels do not agree.
        EncoderError: a feature is not a finite number.
    """
    started = perf_counter()
    if len(features_ND) != len(labels):
        raise ShapeError(f"{len(features_ND)} features but {len(labels)} labels: give one for each item")
    if pairs < 4:
        raise ConfigError(
            f"pairs must be at least 4, not {pairs}: the threshold and the accuracy need two of each kind"
        )
    indices_P2, alike_P = EpisodeSampler(labels, apart=apart, class_names=class_names).draw_pairs(pairs, seed=seed)
    features = checked(features_ND)
    if distance == "cosine":
        features = unit(features)
    one, other = features[indices_P2[:, 0], None], features[indices_P2[:, 1], None]
    scores_P = -batched_distances(one, other, distance, negative)[:, 0, 0].astype(np.float64)
    chosen, measured = np.arange(pairs) % 2 == 0, np.arange(pairs) % 2 == 1
    threshold = best_threshold(scores_P[chosen & alike_P], scores_P[chosen & ~alike_P])
    accuracy, ci95 = mean_ci95((scores_P[measured] >= threshold) == alike_P[measured])
    return VerifyResult(
        accuracy=accuracy,
        ci95=ci95,
        threshold=-threshold,
        eer=equal_error_rate(scores_P[alike_P], scores_P[~alike_P]),
        auroc=float(auroc(scores_P[None, alike_P], scores_P[None, ~alike_P])[0]),
        pairs=pairs,
        seed=seed,
        seconds=perf_counter() - started,
    )


def verify_of(
    encoder: Encoder, examples: Examples, *, pairs: int = 6000, seed: int = 0, apart: str | None = None
) -> VerifyResult:
    """Evaluate an encoder on pairs; each item is embedded once. See :func:`verify`.

    ``apart`` is an attribute, such as ``speaker``.
    """
    started = perf_counter()
    features = encoder.embed(examples.items)
    embedded = perf_counter()
    card = encoder.card
    result = verify(
        features,
        examples.labels,
        distance=card.distance,
        negative=card.negative,
        pairs=pairs,
        seed=seed,
        apart=None if apart is None else examples.values(apart),
        class_names=examples.classes,
    )
    return replace(result, seconds=perf_counter() - started, embed_seconds=embedded - started)
