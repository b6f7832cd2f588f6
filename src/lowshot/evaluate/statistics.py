"""Means with intervals, and how well scores tell two kinds apart.

A **score** says how sure it is that an item is known (or that a pair is of one class): higher is surer. A negated
distance is one.

Shape suffixes: E episodes, N known (or same), M unknown (or different), T thresholds, B any leading axes, W references,
Q queries.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from lowshot.errors import ShapeError

Floats = NDArray[np.float64]


def mean_ci95(values_N: NDArray[Any]) -> tuple[float, float | None]:
    """The mean and the half width of its 95 % interval, 1.96 s / √n, as the field reports them.

    s is the sample standard deviation (n - 1). One value alone has no interval: None.

    Example:
        >>> import numpy as np
        >>> mean, ci95 = mean_ci95(np.array([0.0, 1.0, 1.0, 0.0]))
        >>> f"{mean} ± {ci95:.4f}"
        '0.5 ± 0.5658'
    """
    values = np.asarray(values_N, np.float64)
    if values.size == 0:
        raise ShapeError("no values to average: give at least one")
    interval = 1.96 * float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else None
    return float(values.mean()), interval


def expected_right(
    distances_BWQ: NDArray[Any], answer_BQ: NDArray[np.integer], slack_BQ: NDArray[Any] | None = None
) -> Floats:
    """How likely each query is answered right, (B, Q), when a tie is broken by lot.

    1 or 0 without ties; 1/t where the right reference is among t nearest ones. So scores that are all alike count as
    chance, never as right because the first one happened to be picked.

    Args:
        distances_BWQ: of each reference to each query.
        answer_BQ: the position of the right reference.
        slack_BQ: distances that differ by no more are tied; without it, only equal ones.

    Example:
        >>> expected_right(np.zeros((4, 3)), np.array([0, 1, 3])).tolist()
        [0.25, 0.25, 0.25]
    """
    limit_B1Q = distances_BWQ.min(axis=-2, keepdims=True)
    if slack_BQ is not None:
        limit_B1Q = limit_B1Q + slack_BQ[..., None, :]
    tied_BWQ = distances_BWQ <= limit_B1Q
    right_BQ = np.take_along_axis(tied_BWQ, answer_BQ[..., None, :], axis=-2)[..., 0, :]
    share: Floats = right_BQ / tied_BWQ.sum(axis=-2)
    return share


def auroc(known_EN: NDArray[Any], unknown_EM: NDArray[Any]) -> Floats:
    """Area under the ROC curve of each episode, (E,): how often a known item outscores an unknown one, ties half.

    By ranks: the Mann-Whitney U statistic over N · M.
    """
    _check_batches(known_EN, unknown_EM)
    n, m = known_EN.shape[1], unknown_EM.shape[1]
    ranks = rankdata(np.concatenate([known_EN, unknown_EM], axis=1), axis=1)
    area: Floats = (ranks[:, :n].sum(axis=1) - n * (n + 1) / 2) / (n * m)
    return area


def fpr95(known_EN: NDArray[Any], unknown_EM: NDArray[Any]) -> Floats:
    """Share of unknown items accepted at the threshold that accepts at least 95 % of the known ones, (E,)."""
    _check_batches(known_EN, unknown_EM)
    n = known_EN.shape[1]
    rejected = n - math.ceil(0.95 * n - 1e-9)
    threshold_E1 = np.partition(known_EN, rejected, axis=1)[:, rejected, None]
    share: Floats = (unknown_EM >= threshold_E1).mean(axis=1)
    return share


def equal_error_rate(known_N: NDArray[Any], unknown_M: NDArray[Any]) -> float:
    """The error at the threshold that accepts as large a share of unknown as it rejects of known.

    Between two thresholds the shares are interpolated linearly.
    """
    _, tpr_T, fpr_T = _rates(known_N, unknown_M)
    return float(np.interp(0.0, fpr_T + tpr_T - 1, fpr_T))


def best_threshold(known_N: NDArray[Any], unknown_M: NDArray[Any]) -> float:
    """The threshold at which ``score >= threshold`` is right most often, halfway to the next score below it.

    Above all scores, but finite, where it is best to accept none.
    """
    thresholds_T, tpr_T, fpr_T = _rates(known_N, unknown_M)
    best = int(np.argmax(tpr_T * len(known_N) - fpr_T * len(unknown_M)))
    below = min(best + 1, len(thresholds_T) - 1)
    return float((thresholds_T[best] + thresholds_T[below]) / 2)


def _rates(known_N: NDArray[Any], unknown_M: NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """Thresholds, from one that accepts nothing downwards, and the shares of known and of unknown each accepts."""
    _check_batches(known_N[None], unknown_M[None])
    scores = np.unique(np.concatenate([known_N, unknown_M]).astype(np.float64))[::-1]
    above = scores[0] + max(1.0, abs(scores[0]))  # finite, since JSON has no infinity
    thresholds = np.concatenate([[above], scores])
    tpr, fpr = (1 - np.searchsorted(np.sort(kind), thresholds) / len(kind) for kind in (known_N, unknown_M))
    return thresholds, tpr, fpr


def _check_batches(known_EN: NDArray[Any], unknown_EM: NDArray[Any]) -> None:
    shapes = known_EN.shape, unknown_EM.shape
    if known_EN.ndim != 2 or unknown_EM.ndim != 2 or shapes[0][0] != shapes[1][0] or 0 in (shapes[0][1], shapes[1][1]):
        raise ShapeError(
            f"known scores {shapes[0]} and unknown scores {shapes[1]} cannot be compared: both must be "
            "(episodes, items), with equally many episodes and at least one item"
        )
