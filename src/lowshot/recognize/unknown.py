"""When to say "unknown", and how sure to be: learned from distances, never a constant the user must guess.

Two kinds of distances decide, both to the *nearest* class: **genuine** ones of items that belong to a class, learned
without them, and **impostor** ones of items that belong to none. They come from

- the gallery: in each class of two or more, the first examples are held out in turn; and every example is an impostor
  to the other classes;
- a **stand-in**: background items that the encoder carries, made into a gallery of as many classes with as many examples.
  Its other items are the genuine, items of its other classes the impostors. Where the gallery's own classes lie closer
  together than the background's, or farther apart, all its distances are stretched alike: an encoder of handwriting sees
  printed digits, say, huddled in a corner. The more classes, the nearer the nearest: where the background has too few,
  it says only how far an item is from its own class, and the gallery itself how far the others are.

Shape suffixes: M held-out items, I impostors, N examples, Q queries, C classes, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from lowshot.recognize.distances import Floats
from lowshot.recognize.recognizer import Ints, Recognizer, encode, softmax

_FOLDS = 5  # examples of a class held out in turn
_MOST = 1000  # items taken from the gallery: plenty for three numbers
_STAND_IN = 100  # items of either kind from the background: so few that a gallery's own examples soon weigh more


@dataclass(frozen=True)
class Calibration:
    """From distances to probabilities.

    Attributes:
        threshold: the distance to the nearest class at which known and unknown are equally likely.
        width: P(known) = 1 / (1 + exp((distance - threshold) / width)); ``inf`` where distances tell nothing.
        temperature: P(class | known) is the softmax of -distance / temperature.
        genuine, impostors: how many distances of either kind this was learned from.
    """

    threshold: float
    width: float
    temperature: float
    genuine: int
    impostors: int

    def known(self, distances_QC: Floats) -> Floats:
        """The probability that a query belongs to one of the classes, (Q,). It never rises with the distance."""
        nearest = distances_QC.min(axis=1).astype(np.float64)  # a width may be below what float32 can hold
        return np.asarray(expit((self.threshold - nearest) / self.width), np.float32)

    def probabilities(self, distances_QC: Floats) -> Floats:
        """P(known) × P(class | known), (Q, C): each row sums to P(known)."""
        return self.known(distances_QC)[:, None] * softmax(distances_QC.astype(np.float64) / -self.temperature)


def calibrate(recognizer: Recognizer, X: Floats, y: Any, background: tuple[Floats, Ints] | None = None) -> Calibration:
    """Learn from a gallery's examples when a query is unknown.

    Args:
        recognizer: says how to compare; what it has learned is left alone.
        X, y: features (N, D) and labels (N,) of the enrolled examples.
        background: features and classes of items that stand for what is not enrolled, see ``Encoder.background``.

    Where no distance is genuine (no background, one example a class), the threshold is the distance that 5 % of the
    impostors beat; where none is an impostor's (no background, one class), it is the one that 5 % of the genuine
    exceed. P(known) then falls from 95 % at distance 0 to 5 % at twice the threshold. With neither (one example in all)
    there is nothing to learn from: P(known) is 0.5 whatever comes, and nothing is called unknown.

    Example:
        >>> import numpy as np
        >>> from lowshot.recognize import NearestPrototype
        >>> enrolled = np.array([[0.0], [0.1], [9.0], [9.1]])
        >>> learned = calibrate(NearestPrototype(), enrolled, ["a", "a", "b", "b"])
        >>> (learned.known(np.array([[0.01, 80.0], [90.0, 70.0]])) > 0.5).tolist()
        [True, False]
    """
    codes = encode(y)[1]
    gallery = clone(recognizer).fit(X, codes)
    some = _some(len(X))
    between = _without_own(gallery.distances(X[some]), codes[some])
    own, others = _held_out(recognizer, X, codes)
    impostors = between.min(axis=1)
    if background is not None:
        stand_in = _stand_in(recognizer, *background, len(gallery.classes_), int(np.median(gallery.counts_)))
        stretch = _stretch(between, stand_in.others)
        own = np.append(own, stretch * stand_in.own)
        if stand_in.others.shape[1] == len(gallery.classes_):
            others = np.concatenate([others, stretch * stand_in.others])
            impostors = np.append(impostors, stretch * stand_in.impostors)
        else:
            others = np.concatenate([others, between[_spread(len(between), len(stand_in.own))]])
    return fit(own, others, impostors[np.isfinite(impostors)])


def fit(own_M: Floats, others_MC: Floats, impostors_I: Floats) -> Calibration:
    """Learn from distances.

    Args:
        own_M: of held-out items to their own class.
        others_MC: of the same items to the classes they do not belong to; ``inf`` where there is none.
        impostors_I: of items of no class to the nearest class.
    """
    genuine = np.minimum(own_M, others_MC.min(axis=1))
    if len(genuine) and len(impostors_I):
        threshold, width = _logistic(genuine, impostors_I)
    elif len(genuine) or len(impostors_I):
        threshold = float(np.quantile(genuine, 0.95) if len(genuine) else np.quantile(impostors_I, 0.05))
        width = max(abs(threshold), 1e-6) / np.log(19)
    else:
        threshold, width = 0.0, np.inf
    comparable = np.isfinite(others_MC).any(axis=1)
    temperature = _temperature(own_M[comparable], others_MC[comparable]) if comparable.any() else width
    return Calibration(
        threshold, width, temperature if np.isfinite(temperature) else 1.0, len(genuine), len(impostors_I)
    )


def _held_out(recognizer: Recognizer, X: Floats, codes_N: Ints) -> tuple[Floats, Floats]:
    """Distances to the own class and to the others, (M,) and (M, C), of examples held out in turn."""
    order, counts = _order_in_class(codes_N), np.bincount(codes_N)
    own, others = [np.zeros(0, np.float32)], [np.zeros((0, len(counts)), np.float32)]
    for fold in range(min(_FOLDS, counts.max())):
        out = (order == fold) & (counts[codes_N] > 1)
        if out.any():
            held = np.flatnonzero(out)[_some(out.sum(), _MOST // _FOLDS)]
            distances = clone(recognizer).fit(X[~out], codes_N[~out]).distances(X[held])
            own.append(distances[np.arange(len(held)), codes_N[held]])
            others.append(_without_own(distances, codes_N[held]))
    return np.concatenate(own), np.concatenate(others)


@dataclass(frozen=True)
class _StandIn:
    """Distances in a gallery made of background items: ``own_M`` and ``others_MC`` as in :func:`fit`."""

    own: Floats
    others: Floats
    impostors: Floats


def _stand_in(recognizer: Recognizer, X: Floats, labels_N: Ints, classes: int, shots: int) -> _StandIn:
    """A gallery of at most half of the background classes, with ``shots`` examples where there are as many."""
    codes = encode(labels_N)[1]
    counts = np.bincount(codes)
    enrolled = np.isin(codes, _some(len(counts), max(1, min(classes, len(counts) // 2))))
    support = enrolled & (_order_in_class(codes) < np.minimum(shots, counts[codes] - 1).clip(1))
    queries = np.flatnonzero(enrolled & ~support)
    queries = queries[_some(len(queries), _STAND_IN)]
    strangers = np.flatnonzero(~enrolled)
    gallery = clone(recognizer).fit(X[support], codes[support])
    distances = gallery.distances(X[np.append(queries, strangers[_some(len(strangers), _STAND_IN)])])
    known, unknown = distances[: len(queries)], distances[len(queries) :]
    rows = np.searchsorted(gallery.classes_, codes[queries])
    own = known[np.arange(len(queries)), rows]
    return _StandIn(own, _without_own(known, rows), unknown.min(axis=1))


def _stretch(between_NC: Floats, stand_in_MC: Floats) -> float:
    """How much farther apart the gallery's classes are than the stand-in's; the fewer they are, the less it is believed."""
    here, there = (each[np.isfinite(each)] for each in (between_NC, stand_in_MC))
    if not len(here) or not len(there) or min(here.mean(), there.mean()) <= 0:
        return 1.0
    classes = between_NC.shape[1]
    return float((here.mean() / there.mean()) ** ((classes - 1) / classes))


def _logistic(genuine: Floats, impostors: Floats) -> tuple[float, float]:
    """Threshold and width of P(known), both kinds weighing the same.

    With the smoothed targets of Platt (1999): a few distances that happen to be separable do not make it certain.
    """
    distances = np.concatenate([genuine, impostors]).astype(np.float64)
    center, scale = distances.mean(), max(distances.std(), 1e-12)
    sizes = len(genuine), len(impostors)
    target = np.repeat([(sizes[0] + 1) / (sizes[0] + 2), 1 / (sizes[1] + 2)], sizes)
    weight = np.repeat([1 / sizes[0], 1 / sizes[1]], sizes) * len(distances) / 2
    model = LogisticRegression(C=np.inf).fit(
        np.tile((distances - center) / scale, 2)[:, None],
        np.repeat([1, 0], len(distances)),
        np.concatenate([weight * target, weight * (1 - target)]),
    )
    slope = -model.coef_.item()
    if slope <= 0:  # impostors are no farther than the genuine
        return float(np.median(distances)), np.inf
    return float(center + scale * model.intercept_.item() / slope), float(scale / slope)


def _temperature(own_M: Floats, others_MC: Floats) -> float:
    """The temperature at which P(class | known) is most likely right, with Platt's targets again."""
    some = _some(len(own_M), max(50, 100 * _MOST // others_MC.shape[1]))
    own, others = own_M[some].astype(np.float64), others_MC[some].astype(np.float64)
    target = (len(own) + 1) / (len(own) + 2)

    def loss(log_temperature: float) -> float:
        sharpness = np.exp(-log_temperature)
        logit = -own * sharpness - logsumexp(-others * sharpness, axis=1)
        return float(np.mean(target * np.logaddexp(0, -logit) + (1 - target) * np.logaddexp(0, logit)))

    middle = np.log(np.median(np.abs(others.min(axis=1) - own)) or 1.0)
    return float(np.exp(minimize_scalar(loss, bounds=(middle - 7, middle + 7), method="bounded").x))


def _without_own(distances_MC: Floats, codes_M: Ints) -> Floats:
    distances = distances_MC.copy()
    distances[np.arange(len(codes_M)), codes_M] = np.inf
    return distances


def _order_in_class(codes_N: Ints) -> Ints:
    """For each item, how many of its class come before it."""
    by_class = np.argsort(codes_N, kind="stable")
    counts = np.bincount(codes_N)
    order = np.empty(len(codes_N), np.int64)
    order[by_class] = np.arange(len(codes_N)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order


def _some(of: int, most: int = _MOST) -> NDArray[np.intp]:
    """Positions spread evenly over 0..of-1, at most ``most``."""
    return _spread(of, min(of, most))


def _spread(of: int, number: int) -> NDArray[np.intp]:
    """``number`` positions spread evenly over 0..of-1, repeated where there are fewer."""
    return np.linspace(0, of - 1, number).round().astype(np.intp)
