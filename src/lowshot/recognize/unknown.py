"""When to say "unknown", and how sure to be: learned from distances, never a constant the user must guess.

What is learned belongs to *pairs*, so that it holds for a gallery of any size. A distance is **genuine** where an item is
compared with its own class, an **impostor's** where with another. How much likelier a distance is genuine,

    ratio(d) = p(d | genuine) / p(d | impostor) = exp(evidence - sharpness · d),

is a logistic regression's form (and exact for two gamma distributions of one shape, such as squared distances of normal
classes). Among C classes equally likely beforehand, by Bayes' rule, a query whose nearest class is at distance d is known
with the odds

    ratio(d) / C  +  (C - 1) / C · P(genuine distance > d):

either the nearest class is its own, or its own is one of the others, farther away. The number of classes is in the formula,
so it is not relearned as classes come; known and unknown queries are taken to be equally frequent.

It is learned from trials in galleries of several sizes, each with a query's own class and without it:

- the **gallery**: its examples, each held out from its class. A class of one example leaves nothing to compare it with;
  its genuine distance is then borrowed: from a stand-in, or else from other classes and a few that are assumed.
- a **stand-in**: background items that the encoder carries, made into a gallery with as many examples a class. Where the
  gallery's own classes lie closer together than the background's, or farther apart, all its distances are stretched
  alike: an encoder of handwriting sees printed digits, say, huddled in a corner.
- **queries** of which a user has said what they are.

Shape suffixes: M trials' queries, N examples, Q queries, C classes, D features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone

from lowshot.data.examples import places_in_class
from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize.distances import Floats
from lowshot.recognize.prototypes import NearestPrototype
from lowshot.recognize.recognizer import Ints, Recognizer, encode

_CLASSES, _EXAMPLES = 256, 4096  # sampled from a gallery: what learning costs does not grow with it
_ROWS = 200  # examples of a gallery that are held out
_FOLDS = 5  # examples of a class held out in turn
_STAND_IN = 100  # queries of the stand-in ...
_STAND_IN_WEIGHT = 30.0  # ... that together weigh as much as so many examples of the gallery, which soon weigh more
_QUERIES, _QUERY_WEIGHT = 1000, 5.0  # labeled queries used, and how much each weighs: nothing else is as true
_SHRINK = 8  # each size of gallery is so many times smaller than the one before
_SMALLEST = 1e-30  # distances that differ by less are alike
_CONTRAST = 1.2  # classes are told apart so much more sharply than known from unknown: what blurs a query blurs both
_FEW = 5  # genuine distances that are assumed where there is no stand-in: others soon outnumber them
_ASSUMED = 0.5  # where nothing tells, a genuine distance is on average so much of an impostor's


@dataclass(frozen=True)
class Calibration:
    """From distances to probabilities, in galleries of any size.

    Attributes:
        evidence: the logarithm of how much likelier a distance of 0 is genuine than an impostor's.
        sharpness: how fast that falls with the distance; 0 where the nearest distance does not tell known from unknown.
        contrast: how fast the logarithm of a class's probability falls with its distance, compared with other classes.
        typical, spread: mean and scale of the genuine distances, as those of a logistic distribution.
        genuine, impostors: how many items this was learned from, compared with their own class and with others alone.
    """

    evidence: float
    sharpness: float
    contrast: float
    typical: float
    spread: float
    genuine: int
    impostors: int

    def known(self, distances_QC: Floats, classes: int | None = None) -> Floats:
        """The probability that a query belongs to one of the classes, (Q,). It never rises with the distance.

        Args:
            distances_QC: of each query to each class, or to its few nearest ones.
            classes: how many classes there are, where the distances are to a few of them.
        """
        return np.asarray(self._known(distances_QC.min(axis=1), classes or distances_QC.shape[1]), np.float32)

    def probabilities(self, distances_QC: Floats, classes: int | None = None) -> Floats:
        """The probability that a query is of a class, (Q, C): each row sums to the probability that it is known.

        Takes what :meth:`known` takes. Classes that are not among the nearest few get nothing.
        """
        nearest_Q = distances_QC.min(axis=1)
        scores: Floats = nearest_Q[:, None] - distances_QC  # one array for all: a row may hold a million classes
        scores *= np.float32(self.contrast)
        np.exp(scores, out=scores)
        share_Q = self._known(nearest_Q, classes or distances_QC.shape[1]) / scores.sum(axis=1)
        scores *= share_Q.astype(np.float32)[:, None]
        return scores

    def as_dict(self) -> dict[str, float]:
        """The numbers by name, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, numbers: Mapping[str, float]) -> Self:
        """The inverse of :meth:`as_dict`. Raises ConfigError where a number is missing, too much, or not finite."""
        names = {field.name for field in fields(cls)}
        if numbers.keys() != names:
            raise ConfigError(f"a calibration has the numbers {', '.join(sorted(names))}, not {sorted(numbers)}")
        if bad := [name for name, number in numbers.items() if isinstance(number, str) or not np.isfinite(number)]:
            raise ConfigError(f"a calibration's {bad[0]} must be a finite number, not {numbers[bad[0]]!r}")
        return cls(**numbers)  # type: ignore[arg-type]  # counts are whole

    def _known(self, nearest_Q: Floats, classes: int) -> NDArray[np.float64]:
        nearest = nearest_Q.astype(np.float64)  # a spread may be below what float32 can hold
        ratio = np.exp(np.minimum(self.evidence - self.sharpness * nearest, 500.0))
        farther = expit((self.typical - nearest) / self.spread)
        odds: NDArray[np.float64] = (ratio + (classes - 1) * farther) / classes
        return odds / (1 + odds)


def calibrate(
    recognizer: Recognizer,
    X: Floats,
    y: Any,
    background: tuple[Floats, Ints] | None = None,
    queries: tuple[Floats, Any] | None = None,
) -> Calibration:
    """Learn from a gallery's examples when a query is unknown, and which class is likely.

    Args:
        recognizer: says how to compare; what it has learned is left alone.
        X, y: features (N, D) and labels (N,) of the enrolled examples.
        background: features and classes of items that stand for what is not enrolled, see ``Encoder.background``.
        queries: features and labels of queries that a user has named. A label that no example has, such as None, says
            that the query is of no class.

    Where no distance is genuine (no background, one example a class), genuine distances are taken to be uniform up to
    the mean distance between classes; where none is an impostor's (no background, one class), those are taken to be
    twice the genuine ones. With neither (one example in all) there is nothing to learn from: P(known) is
    0.5 whatever comes, and nothing is called unknown.

    Large galleries are sampled: a class of very many examples is represented by some of them.

    Raises ShapeError where features and labels do not agree.

    Example:
        >>> import numpy as np
        >>> from lowshot.recognize import NearestPrototype
        >>> enrolled = np.array([[0.0], [0.1], [9.0], [9.1]])
        >>> learned = calibrate(NearestPrototype(), enrolled, ["a", "a", "b", "b"])
        >>> (learned.known(np.array([[0.01, 80.0], [90.0, 70.0]])) > 0.5).tolist()
        [True, False]
    """
    labels, codes = encode(y)
    asked = _encode_queries(labels, queries)
    rng = np.random.default_rng(0)
    rows, ranks = _sampled(codes, asked, rng)
    support, features = ranks[codes[rows]], np.asarray(X)[rows]
    gallery = clone(recognizer).fit(features, support)
    enrolled = _enrolled(recognizer, gallery, features, support)
    named, stand_in = [], []
    if queries is not None and len(asked):
        named = [_named(gallery, np.asarray(queries[0]), asked, ranks)]
    if background is not None:
        made = _stand_in(recognizer, *background, gallery.counts_, rng)
        stand_in = [made.stretched(_stretch(enrolled.between, made.between, len(gallery.classes_)))]
    return fit(_completed(enrolled, named, stand_in, rng), *named, *stand_in)


@dataclass(frozen=True)
class Trials:
    """Queries compared with a gallery; each is tried with its own class in the gallery, and without it.

    Attributes:
        own: distance to the own class, (M,); ``inf`` where it has none, or only the query itself is in it.
        others: distances to the other classes in random order, (M, C); ``inf`` at the own one.
        weight: of each query.
    """

    own: Floats
    others: Floats
    weight: float = 1.0

    @property
    def genuine(self) -> Floats:
        """The genuine distances there are."""
        return self.own[np.isfinite(self.own)]

    @property
    def between(self) -> Floats:
        """The distances to other classes."""
        return self.others[np.isfinite(self.others)]

    def stretched(self, factor: float) -> Trials:
        """The same in a world of another size."""
        return Trials(self.own * np.float32(factor), self.others * np.float32(factor), self.weight)


def fit(*sources: Trials) -> Calibration:
    """Learn from trials, in galleries of all their classes, of an eighth of them, and so on."""
    own = np.concatenate([source.genuine for source in sources]).astype(np.float64)
    weight = np.concatenate([np.full(len(source.genuine), source.weight) for source in sources])
    between = np.concatenate([source.between for source in sources]).astype(np.float64)
    impostors = sum(int(np.isfinite(source.others).any(axis=1).sum()) for source in sources)
    outcomes = _Outcomes(*map(np.concatenate, zip(*_outcomes(sources), strict=True)))
    if not len(own) or not impostors or outcomes.nearest.std() < _SMALLEST:
        return _undecided(0.0, len(own), impostors)
    typical = float(np.average(own, weights=weight))
    variance = float(np.average(np.square(own - typical), weights=weight))
    floor = 1e-3 * float(outcomes.nearest.std())
    spread = max(np.sqrt(3 * variance) / np.pi, floor)  # of a logistic distribution
    target = np.where(outcomes.known, (len(own) + 1) / (len(own) + 2), 1 / (impostors + 2))
    evidence, sharpness = _regression(outcomes, target, typical, spread)
    discriminant = 2 * float(between.mean() - typical) / (variance + float(between.var()) + floor**2)
    contrast = max(0.0, _CONTRAST * sharpness, discriminant / 2)  # even where strangers stand as near as the own class
    if not sharpness:
        return _undecided(contrast, len(own), impostors)
    return Calibration(evidence, sharpness, contrast, typical, spread, len(own), impostors)


def _undecided(contrast: float, genuine: int, impostors: int) -> Calibration:
    """P(known) is 0.5 whatever comes, as likely as before."""
    return Calibration(0.0, 0.0, contrast, float(np.finfo(np.float64).max), 1.0, genuine, impostors)


@dataclass(frozen=True)
class _Outcomes:
    """Trials: the distance to the nearest class, the number of classes, whether the own one is among them, the weight."""

    nearest: NDArray[np.float64]
    classes: Ints
    known: NDArray[np.bool_]
    weight: NDArray[np.float64]


def _outcomes(sources: tuple[Trials, ...]) -> Iterator[tuple[NDArray[Any], ...]]:
    """What :class:`_Outcomes` holds, for each source, size of gallery, and kind of query."""
    for source in sources:
        size, named = source.others.shape[1], np.isfinite(source.own)
        while size:
            others = source.others[:, :size]
            nearest, count = others.min(axis=1), np.isfinite(others).sum(axis=1)
            for known, asked, distance in ((True, named, np.minimum(nearest, source.own)), (False, count > 0, nearest)):
                same = np.ones(asked.sum())
                yield distance[asked].astype(np.float64), count[asked] + known, same == known, same * source.weight
            size = size // _SHRINK if size >= 2 * _SHRINK else 0


def _regression(
    outcomes: _Outcomes, target_T: NDArray[np.float64], typical: float, spread: float
) -> tuple[float, float]:
    """Evidence and sharpness that make the outcomes likeliest, known and unknown weighing the same.

    With the smoothed targets of Platt (1999): a few distances that happen to be separable do not make it certain.
    """
    nearest, classes, known, weight = outcomes.nearest, outcomes.classes, outcomes.known, outcomes.weight
    center, scale = nearest.mean(), nearest.std()
    place = (nearest - center) / scale
    with np.errstate(divide="ignore"):  # a single class: the own one cannot be another
        farther = np.log1p(-1 / classes) - np.logaddexp(0, (nearest - typical) / spread)
    weight = weight / np.where(known, weight[known].sum(), weight[~known].sum())

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Cross entropy and its gradient."""
        log_ratio = parameters[0] - parameters[1] * place - np.log(classes)
        log_odds = np.logaddexp(log_ratio, farther)
        slope = weight * (expit(log_odds) - target_T) * np.exp(log_ratio - log_odds)
        value = float(weight @ (np.logaddexp(0, log_odds) - target_T * log_odds))
        return value, np.array([slope.sum(), -slope @ place])

    bounds = [(None, None), (0, None)]
    level, fall = minimize(loss, [2.0, 2.0], jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(level + fall * center / scale), float(fall / scale)


def _sampled(codes_N: Ints, asked_Q: Ints, rng: np.random.Generator) -> tuple[NDArray[np.intp], Ints]:
    """Examples of some classes, those of labeled queries before others; and each class's place in a random order."""
    counts = np.bincount(codes_N)
    priority = rng.random(len(counts)) - np.isin(np.arange(len(counts)), asked_Q)
    chosen = rng.permutation(np.argsort(priority)[:_CLASSES])
    ranks = np.full(len(counts), -1)
    ranks[chosen] = np.arange(len(chosen))
    few = places_in_class(codes_N) < max(2, _EXAMPLES // len(chosen))
    return np.flatnonzero(few & (ranks[codes_N] >= 0)), ranks


def _enrolled(recognizer: Recognizer, gallery: Recognizer, X: Floats, codes_N: Ints) -> Trials:
    """A gallery's examples: held out in turn from their own class, where it has others, and from all others."""
    rows = _some(len(X), _ROWS)
    others = gallery.distances(X[rows])
    own = np.full(len(rows), np.inf, np.float32)
    order, counts = places_in_class(codes_N), gallery.counts_
    for fold in range(min(_FOLDS, counts.max())):
        out = (order % _FOLDS == fold) & (counts[codes_N] > 1)
        if (held := out[rows]).any():
            rest = clone(recognizer).fit(X[~out], codes_N[~out])
            codes = codes_N[rows[held]]
            own[held] = _own(rest.distances(X[rows[held]]), codes) * _as_of(recognizer, rest.counts_, counts)[codes]
    return Trials(own, _without(others, codes_N[rows]))


def _as_of(recognizer: Recognizer, fewer_C: Ints, counts_C: Ints) -> Floats:
    """What turns a distance to a mean of fewer examples into one to the mean of all, (C,).

    The variance of an item around the mean of n others is 1 + 1/n times the class's; squared and cosine distances are
    such variances. Neighbors have no such rule; the nearest of a few fewer is little farther.
    """
    if not isinstance(recognizer, NearestPrototype):
        return np.ones(len(counts_C), np.float32)
    variance = (1 + 1 / counts_C) / (1 + 1 / fewer_C)
    return np.asarray(np.sqrt(variance) if recognizer.distance == "l1" else variance, np.float32)


def _stand_in(recognizer: Recognizer, X: Floats, labels_N: Ints, shots_C: Ints, rng: np.random.Generator) -> Trials:
    """A gallery of the background classes, with as many examples each as one with ``shots_C``, asked its other items.

    Where there are no others, its examples are impostors to each other.
    """
    codes = encode(labels_N)[1]
    codes = rng.permutation(codes.max() + 1)[codes]
    counts = np.bincount(codes)
    shots = np.quantile(shots_C, np.linspace(0, 1, len(counts))).round()
    support = places_in_class(codes) < np.minimum(shots, counts - 1).clip(1)[codes]
    queries = np.flatnonzero(~support if not support.all() else support)
    queries = queries[_some(len(queries), _STAND_IN)]
    distances = clone(recognizer).fit(X[support], codes[support]).distances(X[queries])
    own = np.where(support[queries], np.float32(np.inf), _own(distances, codes[queries]))
    return Trials(own, _without(distances, codes[queries]), _STAND_IN_WEIGHT / len(queries))


def _encode_queries(labels_C: NDArray[Any], queries: tuple[Floats, Any] | None) -> Ints:
    """The class of each query, -1 where it is of none, (Q,)."""
    if queries is None:
        return np.zeros(0, np.int64)
    features, (named, codes) = queries[0], encode(queries[1])
    if len(features) != len(codes):
        raise ShapeError(f"{len(features)} queries but {len(codes)} labels: give one label a query, None for no class")
    rows = {label: row for row, label in enumerate(labels_C.tolist())}
    found: Ints = np.array([rows.get(label, -1) for label in named.tolist()], np.int64)[codes]
    return found


def _named(gallery: Recognizer, X: Floats, asked_Q: Ints, ranks_C: Ints) -> Trials:
    """Labeled queries, but for those of classes that were not sampled."""
    unknown = asked_Q < 0
    usable = np.flatnonzero(unknown | (ranks_C[asked_Q] >= 0))
    usable = usable[_some(len(usable), _QUERIES)]
    distances = gallery.distances(X[usable])
    none, codes = unknown[usable], ranks_C[asked_Q[usable]]
    own = np.where(none, np.inf, _own(distances, codes)).astype(np.float32)
    others = np.where(none[:, None], distances, _without(distances, codes))
    return Trials(own, others, _QUERY_WEIGHT)


def _completed(enrolled: Trials, named: list[Trials], stand_in: list[Trials], rng: np.random.Generator) -> Trials:
    """A gallery's examples, each with a genuine distance: borrowed from the stand-in, or else from all and a few assumed.

    Where there are no impostors at all, they are assumed.
    """
    examples = len(enrolled.own)
    between = np.concatenate([source.between for source in (enrolled, *named, *stand_in)])
    lenders = [source for source in stand_in if len(source.genuine)]
    genuine = np.concatenate([source.genuine for source in lenders or (enrolled, *named)])
    if len(between) and not lenders:
        steps = _FEW if len(genuine) else examples
        assumed = 2 * _ASSUMED * np.abs(between).mean() * (np.arange(steps) + 0.5) / steps
        genuine = np.append(genuine, assumed.astype(np.float32))
    if not len(genuine):
        return enrolled
    borrowed = rng.permutation(np.resize(genuine, max(examples, len(genuine))))[:examples]
    own = np.where(np.isfinite(enrolled.own), enrolled.own, borrowed)
    others = enrolled.others if len(between) else (rng.permutation(own)[:, None] / _ASSUMED).astype(np.float32)
    return Trials(own, others, enrolled.weight)


def _stretch(between: Floats, stand_in: Floats, classes: int) -> float:
    """How much farther apart the gallery's classes are than the stand-in's; the fewer they are, the less it is believed."""
    if not len(between) or not len(stand_in) or min(between.mean(), stand_in.mean()) <= 0:
        return 1.0
    return float((between.mean() / stand_in.mean()) ** ((classes - 1) / classes))


def _own(distances_MC: Floats, codes_M: Ints) -> Floats:
    """Distances to the own class, (M,)."""
    return distances_MC[np.arange(len(codes_M)), codes_M]


def _without(distances_MC: Floats, codes_M: Ints) -> Floats:
    """The distances, with ``inf`` at the own class."""
    others = distances_MC.copy()
    others[np.arange(len(codes_M)), codes_M] = np.inf
    return others


def _some(of: int, most: int) -> NDArray[np.intp]:
    """Positions spread evenly over 0..of-1, at most ``most``."""
    return np.linspace(0, of - 1, min(of, most)).round().astype(np.intp)
