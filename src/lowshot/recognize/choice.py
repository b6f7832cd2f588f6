"""Which recognizer to use: a name for each, and the gallery's own examples to decide between them.

Shape suffixes: N examples, M held-out examples, C classes, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from lowshot.data.examples import places_in_class
from lowshot.errors import ConfigError
from lowshot.recognize.distances import Distance, Floats
from lowshot.recognize.linear_probe import LinearProbe
from lowshot.recognize.neighbors import NearestNeighbors
from lowshot.recognize.prototypes import NearestPrototype
from lowshot.recognize.recognizer import Ints, Recognizer
from lowshot.recognize.simple_shot import SimpleShot
from lowshot.recognize.whitened import WhitenedPrototype, Whitening

Doubles = NDArray[np.float64]
Background = tuple[Floats, Ints]  # features and classes, as ``Encoder.background()`` gives them

_FOLDS = 5  # the examples of a class are held out in so many turns
_HELD_OUT = 500  # examples asked in all, at most
_FEWEST = 20  # examples that must be held out before another than the default is chosen
_LARGEST = 2000  # examples of a gallery that is asked
_SLOWEST = 20_000  # examples × classes from which logistic regression is not tried


def _mahalanobis(distance: Distance, negative: int, background: Background | None) -> Recognizer:
    return WhitenedPrototype(Whitening.of(*_needed(background, "mahalanobis")))


def _simple_shot(distance: Distance, negative: int, background: Background | None) -> Recognizer:
    return SimpleShot(_needed(background, "simple-shot")[0].mean(axis=0))


_RECOGNIZERS: dict[str, Callable[[Distance, int, Background | None], Recognizer]] = {
    "prototype": lambda distance, negative, _: NearestPrototype(distance, negative),
    "neighbor": lambda distance, negative, _: NearestNeighbors(1, distance, negative),
    "3-neighbors": lambda distance, negative, _: NearestNeighbors(3, distance, negative),
    "mahalanobis": _mahalanobis,
    "logistic": lambda *_: LinearProbe(),
    "simple-shot": _simple_shot,
}
NAMES = tuple(_RECOGNIZERS)
_OF_BACKGROUND = frozenset({"mahalanobis", "simple-shot"})


def recognizer_named(
    name: str, distance: Distance = "cosine", negative: int = 0, background: Background | None = None
) -> Recognizer:
    """A recognizer that has learned nothing yet.

    ========================  ===================================================================
    ``prototype``             :class:`NearestPrototype`
    ``neighbor``              :class:`NearestNeighbors` with ``k=1``
    ``3-neighbors``           the same with ``k=3``
    ``mahalanobis``           :class:`WhitenedPrototype`, the metric learned from the background
    ``logistic``              :class:`LinearProbe`
    ``simple-shot``           :class:`SimpleShot`, centered at the background's mean
    ========================  ===================================================================

    Args:
        name: one of :data:`NAMES`.
        distance, negative: how two features are compared, as an encoder's card says; only the first three ask.
        background: features (N, D) and classes (N,), such as ``Encoder.background()`` gives.

    Raises:
        ConfigError: there is no such name, or the recognizer needs a background and there is none.
        ShapeError: the background is one from which no metric can be learned.

    Example:
        >>> recognizer_named("3-neighbors", "euclidean").k
        3
    """
    if name not in _RECOGNIZERS:
        raise ConfigError(f"no recognizer {name!r}: choose one of {', '.join(NAMES)}")
    return _RECOGNIZERS[name](distance, negative, background)


def _needed(background: Background | None, name: str) -> Background:
    if background is None:
        raise ConfigError(
            f"the recognizer {name!r} needs background features and the encoder carries none: choose another"
        )
    return background


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why.

    Attributes:
        name: the recognizer chosen, one of :data:`NAMES`.
        default: the one it would have been without looking.
        held_out: how many examples were held out and asked; 0 where the gallery is too small or too large for that.
        accuracy: share of them that each candidate named rightly.
        loss: mean of -log of the probability that each candidate gave the right label, at its best temperature.
    """

    name: str
    default: str
    held_out: int = 0
    accuracy: dict[str, float] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.held_out:
            return f"{self.name}, not compared with others"
        found = ", ".join(f"{name} {right:.1%}" for name, right in self.accuracy.items())
        return f"{self.name} ({self.held_out} examples held out: {found})"


def choose(
    X: Any,
    y: Any,
    default: str = "prototype",
    *,
    candidates: Sequence[str] = NAMES,
    distance: Distance = "cosine",
    negative: int = 0,
    background: Background | None = None,
    seed: int = 0,
) -> Choice:
    """Let a gallery's examples say which recognizer suits them.

    Each class's examples are held out in turn, one at a time where there are up to five, a fifth where there are more, and
    asked of the others. A candidate takes the default's place where it loses less, and by more than one standard error
    of the difference, which is the caution of Breiman et al. (1984, section 3.4.3) in pruning trees: among a few dozen
    examples a better number is soon luck. Of several, the one that loses least is chosen.

    What counts is the logarithm of the probability given to the right label, each candidate at its own best temperature, and
    not how often it is right: two recognizers that name the same examples rightly can still be told apart, and a gallery
    answers with probabilities. Examples of one class are right or wrong together: the standard error is the larger one of
    that between examples and that between classes. ``benchmarks/recognizers.py`` measures what the choice is worth.

    The default stays where it names every held-out example rightly, where fewer than twenty examples of two classes can be
    held out, so wherever every class has one example, and in galleries of more than 2000 examples.

    Args:
        X, y: features (N, D) and labels (N,) of the enrolled examples.
        default: the comparison on the encoder's card.
        candidates: names among :data:`NAMES`. Without a background those that need one are left out, and where examples
            times classes are more than 20,000, ``logistic`` is: it learns all anew whenever an example comes.
        distance, negative, background: as for :func:`recognizer_named`.
        seed: of the turns; the same seed makes the same choice.

    Raises:
        ConfigError: a name that is none, or a default that needs a background where there is none.
        ShapeError: features or labels that no recognizer can learn.

    Example:
        >>> y = np.repeat([1, 2, 3, 4], 6)
        >>> both_sides = 4.0 * y * np.tile([-1, 1], 12) + np.tile([0, 0, 0.1, 0.1, 0.2, 0.2], 4)
        >>> choose(both_sides[:, None], y, candidates=["neighbor"], distance="euclidean").name
        'neighbor'
    """
    examples = NearestNeighbors().fit(X, y)  # refuses what cannot be learned
    features_ND, codes_N = examples.features_, examples.codes_
    left_out = set() if background is not None else set(_OF_BACKGROUND)
    if len(codes_N) * len(examples.classes_) > _SLOWEST:
        left_out.add("logistic")
    names = dict.fromkeys([default, *(name for name in candidates if name not in left_out)])
    asked = {name: recognizer_named(name, distance, negative, background) for name in names}
    turns_N = _turns(codes_N, seed)
    if len(codes_N) > _LARGEST or not _enough(codes_N[turns_N >= 0]):
        return Choice(default, default)
    distances, codes_M = _held_out(list(asked.values()), features_ND, codes_N, turns_N)
    right = {name: each.argmin(axis=1) == codes_M for name, each in zip(asked, distances, strict=True)}
    losses = {name: _losses(each, codes_M) for name, each in zip(asked, distances, strict=True)}
    better = [name for name in asked if _surely_less(losses[name], losses[default], codes_M)]
    return Choice(
        name=default if right[default].all() else min(better, key=lambda name: losses[name].mean(), default=default),
        default=default,
        held_out=len(codes_M),
        accuracy={name: float(each.mean()) for name, each in right.items()},
        loss={name: float(each.mean()) for name, each in losses.items()},
    )


def _turns(codes_N: Ints, seed: int) -> Ints:
    """In which turn each example is held out; -1 for the only one of a class, which never is."""
    counts_C = np.bincount(codes_N)
    turns = places_in_class(codes_N, np.random.default_rng(seed)) % _FOLDS
    return np.where(counts_C[codes_N] > 1, turns, -1)


def _enough(codes_M: Ints) -> bool:
    """Whether so many examples can be held out that a difference between candidates can be told from luck."""
    return len(codes_M) >= _FEWEST and len(np.unique(codes_M)) > 1


def _held_out(
    recognizers: Sequence[Recognizer], features_ND: Floats, codes_N: Ints, turns_N: Ints
) -> tuple[list[Floats], Ints]:
    """Distances (M, C) of held-out examples by each recognizer, and their classes (M,)."""
    found: list[list[Floats]] = [[] for _ in recognizers]
    asked = []
    for turn in range(_FOLDS):
        out = turns_N == turn
        if not out.any():
            continue
        held = np.flatnonzero(out)
        held = held[np.linspace(0, len(held) - 1, min(len(held), _HELD_OUT // _FOLDS)).round().astype(np.intp)]
        asked.append(codes_N[held])
        for recognizer, distances in zip(recognizers, found, strict=True):
            distances.append(clone(recognizer).fit(features_ND[~out], codes_N[~out]).distances(features_ND[held]))
    return [np.concatenate(distances) for distances in found], np.concatenate(asked)


def _losses(distances_MC: Floats, codes_M: Ints) -> Doubles:
    """-log of the probability of the right class, (M,), at the temperature where its mean is least."""
    from scipy.optimize import minimize_scalar  # late: whoever has chosen need not wait for it
    from scipy.special import logsumexp

    beyond_MC = distances_MC - distances_MC[np.arange(len(codes_M)), codes_M, None].astype(np.float64)
    scale = np.abs(beyond_MC).mean() or 1.0

    def losses(log_sharpness: float) -> Doubles:
        loss: Doubles = logsumexp(beyond_MC * (-np.exp(log_sharpness) / scale), axis=1)
        return loss

    best = minimize_scalar(lambda log_sharpness: float(losses(log_sharpness).mean()), bounds=(-5, 7), method="bounded")
    return losses(best.x)


def _surely_less(losses_M: Doubles, other_M: Doubles, codes_M: Ints) -> bool:
    """Whether the mean is lower by more than a standard error of the difference, between examples and between classes.

    Where classes are few their standard error is itself luck: it counts for as much more as in Student's distribution.
    """
    from scipy.stats import norm, t

    less_M = other_M - losses_M
    counts_C = np.bincount(codes_M)
    less_C = (np.bincount(codes_M, less_M) / np.maximum(counts_C, 1))[counts_C > 0]
    error = max(each.std(ddof=1) / np.sqrt(len(each)) for each in (less_M, less_C))
    return bool(less_M.mean() > t.ppf(norm.cdf(1), len(less_C) - 1) * error)
