"""Means with intervals, and how well scores tell two kinds apart.

A **score** says how sure it is that an item is known (or that a pair is of one class): higher is surer. A negated
distance is one.

Shape suffixes: E episodes, N known (or same), M unknown (or different), T thresholds, B any leading axes, W references,
Q queries, G groups of answers, K bins of confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
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


def clustered_ci95(values_N: NDArray[Any], groups_N: NDArray[np.integer]) -> tuple[float, float | None]:
    """The mean and the half width of its 95 % interval where values of one group go together.

    Several queries of one person fail together where the enrolled picture is a bad one, so that persons are the sample,
    not pictures. The mean is a ratio of two sums over groups, of values and of sizes; its interval is 1.96 times the
    linearized standard error of such a ratio (Cochran, Sampling Techniques, 1977, chapter 6). With groups of one it is
    that of :func:`mean_ci95`. One group alone has no interval: None.

    Args:
        groups_N: the group of each value, any whole numbers from 0.

    Example:
        >>> import numpy as np
        >>> mean, ci95 = clustered_ci95(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1]))
        >>> f"{mean} ± {ci95:.4f}"
        '0.5 ± 0.9800'
    """
    values, groups = np.asarray(values_N, np.float64), np.unique(groups_N, return_inverse=True)[1]
    if values.size == 0 or values.shape != groups.shape:
        raise ShapeError(
            f"{values.shape} values and {groups.shape} groups: give at least one value, and a group for each"
        )
    mean = float(values.mean())
    off_G = np.bincount(groups, values - mean)
    number = len(off_G)
    if number == 1:
        return mean, None
    return mean, 1.96 * math.sqrt(number / (number - 1) * float(off_G @ off_G)) / values.size


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
    return oscr(known_EN, np.ones(known_EN.shape), unknown_EM)


def oscr(known_EN: NDArray[Any], right_EN: NDArray[Any], unknown_EM: NDArray[Any]) -> Floats:
    """Area under the open-set classification rate curve of each episode, (E,): Dhamija et al. (2018).

    The curve has the share of known items that are accepted *and* answered right over the share of unknown ones that are
    accepted, as the threshold falls. Its area is how often a known item is answered right and outscores an unknown one,
    ties half: the accuracy where all unknown are told, the AUROC where all answers are right.

    Args:
        known_EN, unknown_EM: scores of the answers' classes.
        right_EN: whether each known item's class is its own.

    Example:
        >>> oscr(np.array([[0.9, 0.8, 0.3]]), np.array([[True, False, True]]), np.array([[0.5, 0.1]])).tolist()
        [0.5]
    """
    _check_batches(known_EN, unknown_EM)
    n, m = known_EN.shape[1], unknown_EM.shape[1]
    ranks = rankdata(np.concatenate([known_EN, unknown_EM], axis=1), axis=1)[:, :n]
    beaten = ranks - rankdata(known_EN, axis=1)  # unknown items below each known one
    area: Floats = (beaten * right_EN).sum(axis=1) / (n * m)
    return area


def auroc_ci95(
    known_N: NDArray[Any], unknown_M: NDArray[Any], groups_N: NDArray[np.integer]
) -> tuple[float, float | None]:
    """Area under the ROC curve, and the half width of its 95 % interval; known items come in groups, unknown ones do not.

    From how large a share of the other kind each item is on the right side of (DeLong et al., Biometrics 44, 1988,
    section 2), with :func:`clustered_ci95` for the known.
    """
    _check_batches(known_N[None], unknown_M[None])
    known, unknown = np.sort(known_N), np.sort(unknown_M)
    above_N = (np.searchsorted(unknown, known_N) + np.searchsorted(unknown, known_N, "right")) / (2 * len(unknown))
    above_M = (np.searchsorted(known, unknown_M) + np.searchsorted(known, unknown_M, "right")) / (2 * len(known))
    area, of_known = clustered_ci95(above_N, groups_N)
    of_unknown = mean_ci95(above_M)[1]
    return area, None if of_known is None or of_unknown is None else math.hypot(of_known, of_unknown)


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


@dataclass(frozen=True)
class Reliability:
    """The bins of a reliability diagram, as in Guo et al. (2017), section 2: bin k holds confidences in (k/K, (k+1)/K].

    Attributes:
        counts: answers in each bin, (K,).
        confidence, accuracy: their mean confidence and how many of them are right, fractions, (K,); 0 in empty bins.
    """

    counts: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """The expected calibration error: how far the two are apart, on average over the answers."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.counts))


def reliability(confidence_N: NDArray[Any], right_N: NDArray[Any], bins: int = 15) -> Reliability:
    """How often answers are right, by how sure they were, in bins of equal width.

    Args:
        confidence_N: of each answer, 0 to 1.
        right_N: whether it is right.

    Raises ShapeError where there are no answers, or not as many of either.
    """
    counts_1K, sums_1K, right_1K = _binned(np.atleast_2d(confidence_N), np.atleast_2d(right_N), bins)
    filled = np.maximum(counts_1K[0], 1)
    return Reliability(counts_1K[0].astype(np.int64), sums_1K[0] / filled, right_1K[0] / filled)


def expected_calibration_error(
    confidence_GN: NDArray[Any], right_GN: NDArray[Any], bins: int = 15
) -> tuple[float, float | None]:
    """Expected calibration error of all answers together, and the half width of its 95 % interval over groups of them.

    The interval is the jackknife's (Efron 1982): from the error without each group in turn. One group has none: None.

    Args:
        confidence_GN, right_GN: of each answer, in groups that were drawn independently, such as galleries.
        bins: of equal width, see :class:`Reliability`.

    Example:
        >>> error, ci95 = expected_calibration_error(np.array([[0.9, 0.9], [0.8, 0.8]]), np.array([[1, 1], [1, 0]]))
        >>> round(error, 3), ci95 is not None
        (0.2, True)
    """
    binned_3GK = _binned(confidence_GN, right_GN, bins)

    def error(counts_K: Floats, sums_K: Floats, right_K: Floats) -> Floats:
        found: Floats = np.abs(right_K - sums_K).sum(axis=-1) / counts_K.sum(axis=-1)
        return found

    groups = len(confidence_GN)
    together = float(error(*binned_3GK.sum(axis=1)))
    if groups == 1:
        return together, None
    without_G = error(*(binned_3GK.sum(axis=1, keepdims=True) - binned_3GK))
    return together, float(1.96 * np.sqrt(groups - 1) * without_G.std())


def _binned(confidence_GN: NDArray[Any], right_GN: NDArray[Any], bins: int) -> NDArray[Any]:
    """Number of answers, sum of their confidence, and number of right ones, by group and bin: (3, G, K)."""
    if confidence_GN.shape != right_GN.shape or not confidence_GN.size:
        raise ShapeError(
            f"confidence {confidence_GN.shape} and right answers {right_GN.shape} must be of one shape, and not empty"
        )
    groups = len(confidence_GN)
    place_GN = np.digitize(confidence_GN, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    place = (place_GN + bins * np.arange(groups)[:, None]).ravel()
    weights = (np.ones(place.shape), confidence_GN.ravel().astype(np.float64), right_GN.ravel().astype(np.float64))
    sums = [np.bincount(place, weight, minlength=groups * bins) for weight in weights]
    return np.reshape(sums, (3, groups, bins))


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
