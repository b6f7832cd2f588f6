"""Labels that the neighbors contradict: examples to look at before they are enrolled, or to leave out.

Wilson's edited nearest neighbors (1972), made safe for few examples.

Shape suffixes: N examples, D features, J neighbors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize.distances import Distance, Floats, distances
from lowshot.recognize.recognizer import Ints, encode

_ROWS = 1024  # compared at once: memory grows with the number of examples, not with its square


@dataclass(frozen=True, eq=False)
class Agreement:
    """What the neighbors say of each example.

    Attributes:
        scores: share of its neighbors that have its label, 0–1, ``float32`` (N,).
        flags: whether its label is probably wrong, (N,).
    """

    scores: Floats
    flags: NDArray[np.bool_]


def agreement(X: Any, y: Any, *, k: int = 5, distance: Distance = "cosine", negative: int = 0) -> Agreement:
    """Ask the nearest other examples of each example whether they have its label.

    Those asked of an example of a class of n are its min(k, n - 1) nearest others: were all well, as many of its own class
    would be there. It is flagged where more than half of them have one other label. But

    * the only example of a class is not judged: score 1, no flag;
    * of two examples that disagree nobody knows which one is wrong: no flag;
    * at most half of a class is flagged: where more of it disagrees, the features cannot tell the class, and none is.

    Labels are judged by features: where these hardly tell the classes apart, most flags are wrong.

    Args:
        X: features (N, D).
        y: labels (N,), of any kind.
        k: neighbors asked at most.
        distance, negative: as in :func:`~lowshot.recognize.distances`.

    Raises:
        ShapeError: features that are no finite (N, D), or another number of labels.
        ConfigError: ``k`` below 1, or no such distance.

    Example:
        >>> asked = agreement([[0.0], [0.1], [0.2], [5.2], [5.0], [5.1], [5.3]], [*"aaaabbb"], distance="euclidean")
        >>> asked.flags.tolist()
        [False, False, False, True, False, False, False]
    """
    features_ND = np.asarray(X, np.float32)
    if features_ND.ndim != 2 or not np.isfinite(features_ND).all():
        raise ShapeError(
            f"features of shape {features_ND.shape} cannot be used: give finite numbers, (examples, features)"
        )
    classes, codes_N = encode(y)
    if len(codes_N) != len(features_ND):
        raise ShapeError(f"features of {len(features_ND)} examples but {len(codes_N)} labels: give one an example")
    if k < 1:
        raise ConfigError(f"k must be at least 1, not {k}")
    counts_C = np.bincount(codes_N, minlength=len(classes))
    asked_N = np.minimum(k, counts_C[codes_N] - 1)
    votes_NJ = codes_N[_neighbors(features_ND, min(k, len(codes_N) - 1), distance, negative)]
    counted_NJ = np.arange(votes_NJ.shape[1]) < asked_N[:, None]
    own_N = ((votes_NJ == codes_N[:, None]) & counted_NJ).sum(axis=1)
    other_NJ = (votes_NJ != codes_N[:, None]) & counted_NJ
    alike_NJJ = (votes_NJ[:, :, None] == votes_NJ[:, None, :]) & other_NJ[:, :, None] & counted_NJ[:, None, :]
    most_N = alike_NJJ.sum(axis=2).max(axis=1, initial=0)  # votes for the other label that has most
    flags = (2 * most_N > asked_N) & (counts_C[codes_N] > 2)
    flags &= (2 * np.bincount(codes_N[flags], minlength=len(classes)) <= counts_C)[codes_N]
    return Agreement(np.where(asked_N > 0, own_N / np.maximum(asked_N, 1), 1).astype(np.float32), flags)


def _neighbors(features_ND: Floats, number: int, distance: Distance, negative: int) -> Ints:
    """The nearest others of each example, nearest first, (N, number)."""
    nearest = np.empty((len(features_ND), number), np.int64)
    for start in range(0, len(features_ND), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(features_ND)))
        apart = distances(features_ND[rows], features_ND, distance, negative)
        apart[np.arange(len(rows)), rows] = np.inf
        few = np.argpartition(apart, max(number - 1, 0), axis=1)[:, :number]
        order = np.argsort(np.take_along_axis(apart, few, axis=1), axis=1, kind="stable")
        nearest[rows] = np.take_along_axis(few, order, axis=1)
    return nearest
