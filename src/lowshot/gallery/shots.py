"""How often a gallery will be right, by the number of examples of each class.

Shape suffixes: N examples, Q answers, C classes, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lowshot.data.examples import places_in_class
from lowshot.encoder import Features
from lowshot.gallery.index import Ints
from lowshot.recognize.distances import distances
from lowshot.recognize.examples import ExampleKeeper
from lowshot.recognize.held_out import HeldOut, Rows, ask, at_shots
from lowshot.recognize.recognizer import Recognizer

How = Literal["held out", "extrapolated", "stand-in"]

_STEPS = (1, 2, 3, 4, 5, 7, 10, 15, 20)  # shots that are tried; an accuracy changes little in between
_DRAWS = 10
_FEW, _MANY = 50, 500  # examples asked about, in each draw for each number of shots
_WORK = 10_000_000  # distances worth computing for one of them
_LEARNED = 60_000  # examples worth learning in all draws for one number of shots
_Z = 1.96  # of a 95 % interval


@dataclass(frozen=True)
class Shots:
    """The expected accuracy with a number of examples of each class: how often the nearest class is the right one.

    Attributes:
        shots: how many; classes with fewer examples take part with what they have.
        accuracy: a fraction.
        low, high: its 95 % interval. Of an extrapolated one: from no gain at all to the upper end, drawn on. Of a stand-in:
            from classes as varied as the background's to classes that are the tighter, the closer together they lie.
        classes: how many were asked about.
        queries: examples that were asked about.
        how: ``held out``: by examples that were left out; ``extrapolated``: from fewer shots; ``stand-in``: there is but
            one example of each class, and how much a class varies was taken from the encoder's background.
    """

    shots: int
    accuracy: float
    low: float
    high: float
    classes: int
    queries: int
    how: How


@dataclass(frozen=True, eq=False)
class Curve:
    """What the gallery's classes, or the background's, tell about shots.

    Attributes:
        shots: the measured accuracies, by shots.
        single: distances of examples to their class where it has one example, ascending, (Q,).
        exponent: errors fall as shots ** -exponent.
    """

    shots: tuple[Shots, ...]
    single: Features
    exponent: float


def curve(recognizer: Recognizer, X: Features, codes_N: Ints, seed: int) -> Curve | None:
    """Leave examples out, by lot; None where no class has two, or there is one class.

    Shots are tried up to where half of the classes with two or more examples can still be asked about.
    """
    counts_C = np.bincount(codes_N)
    several = np.sort(counts_C[counts_C > 1])
    if not len(several) or len(counts_C) < 2:
        return None
    rng = np.random.default_rng(seed)
    most = int(several[len(several) // 2]) - 1
    tried = sorted({min(k, most) for k in _STEPS})
    references = len(codes_N) if isinstance(recognizer, ExampleKeeper) else len(counts_C)
    draws = int(np.clip(_LEARNED // len(codes_N), 2, _DRAWS))
    asked = int(np.clip(_WORK // references, _FEW, _MANY))
    answers = at_shots(recognizer, X, codes_N, tried, rng, draws=draws, most=asked)
    shots = tuple(_shots(k, found, codes_N) for k, found in answers.items())
    common = np.flatnonzero(counts_C[codes_N] > most)
    return Curve(shots, np.sort(answers[1].own), _exponent({k: found.of(common) for k, found in answers.items()}))


def extrapolated(measured: Curve, exponent: float) -> tuple[Shots, ...]:
    """The next two numbers of shots: errors fall by a power law (Cortes et al. 1994), here to none in the limit."""
    last = measured.shots[-1]
    found = []
    for shots in (last.shots + 1, last.shots + 2):
        left = (shots / last.shots) ** -exponent  # of the errors
        accuracy, high = (1 - (1 - each) * left for each in (last.accuracy, last.high))
        found.append(Shots(shots, accuracy, min(last.low, accuracy), high, last.classes, last.queries, "extrapolated"))
    return tuple(found)


def stand_in(lone: HeldOut, spread: Curve, stretch: float) -> tuple[Shots, ...]:
    """The accuracy at one example a class, and at two.

    A query is as far from the other classes as the example of its own class is: both are members of it. How far it is from
    its own class is not known; it is taken from the background, as it is, stretched as the classes' distances are, and, for
    the estimate, halfway between (the geometric mean).
    """
    middle, *ends = (1 - misses(lone.other, spread.single * by).mean() for by in (stretch**0.5, 1.0, stretch))
    low, _ = wilson(min(middle, *ends), len(lone))
    _, high = wilson(max(middle, *ends), len(lone))
    one = Shots(1, float(middle), low, high, len(lone), len(lone), "stand-in")
    error = (1 - one.accuracy) * 2**-spread.exponent
    return one, Shots(2, 1 - error, low, 1 - (1 - high) * 2**-spread.exponent, len(lone), len(lone), "stand-in")


def misses(other_Q: Features, single: Features) -> Features:
    """How likely a query is farther from its class of one example than from the nearest other, (Q,)."""
    return np.asarray(1 - np.searchsorted(single, other_Q) / len(single), np.float32)


def lone(recognizer: Recognizer, X: Features, codes_N: Ints, rows: Rows) -> HeldOut:
    """Examples as if their class had never been enrolled: what they are taken for. ``own`` says nothing."""
    return ask(recognizer, X, codes_N, np.ones(len(codes_N), bool), rows)


def stretched(
    recognizer: Recognizer, X: Features, codes_N: Ints, background: tuple[Features, Ints], seed: int
) -> float:
    """How much farther apart the gallery's classes are than the background's, on average."""
    here, there = (_between(recognizer, *each, np.random.default_rng(seed)) for each in ((X, codes_N), background))
    return here / there if min(here, there) > 0 else 1.0


def wilson(share: float, number: float) -> tuple[float, float]:
    """The 95 % interval of a share of independent answers (Wilson 1927).

    Example:
        >>> low, high = wilson(1.0, 10)
        >>> print(f"{low:.2f} to {high:.2f}")
        0.72 to 1.00
    """
    middle = (share + _Z**2 / (2 * number)) / (1 + _Z**2 / number)
    half = _Z / (1 + _Z**2 / number) * np.sqrt(share * (1 - share) / number + _Z**2 / (4 * number**2))
    return float(np.clip(middle - half, 0, share)), float(np.clip(middle + half, share, 1))  # rounding aside


def independent(right_Q: NDArray[np.float64], rows: Rows, codes_N: Ints) -> float:
    """How many independent answers these are worth.

    Answers about one example are one, and those about one class are alike: where classes differ more than chance makes
    them, the number is divided by the design effect (Kish 1965), the variance between classes over the binomial one.
    """
    number, share = len(np.unique(rows)), float(right_Q.mean())
    classes, of = np.unique(codes_N[rows], return_inverse=True)
    if len(classes) < 2:
        return number
    asked_C, right_C = np.bincount(of), np.bincount(of, right_Q)
    between = np.square(right_C - share * asked_C).sum() / len(rows) ** 2 * len(classes) / (len(classes) - 1)
    chance = share * (1 - share) / number
    return max(1.0, number * min(1.0, chance / between)) if between > 0 else number


def _shots(shots: int, found: HeldOut, codes_N: Ints) -> Shots:
    right = found.right
    accuracy, classes = float(right.mean()), len(np.unique(codes_N[found.rows]))
    low, high = wilson(accuracy, independent(right, found.rows, codes_N))
    return Shots(shots, accuracy, low, high, classes, len(np.unique(found.rows)), "held out")


def _exponent(answers: Mapping[int, HeldOut]) -> float:
    """Of the power law, from answers by shots about the same classes.

    1 where one number of shots was tried: the variance of a mean falls so.
    """
    if len(answers) < 2:
        return 1.0
    errors = [1 - found.right.mean() + 0.5 / len(found) for found in answers.values()]
    return float(np.clip(-np.polyfit(np.log(list(answers)), np.log(errors), 1)[0], 0, 2))


def _between(recognizer: Recognizer, X: Features, codes_N: Ints, rng: np.random.Generator) -> float:
    """The mean distance of single examples of different classes."""
    single = np.flatnonzero(places_in_class(codes_N, rng) == 0)
    some = rng.choice(single, min(_MANY, len(single)), replace=False)
    far = distances(X[some], X[some], recognizer.distance, recognizer.negative)
    np.fill_diagonal(far, 0)
    return float(far.sum() / max(1, len(some) * (len(some) - 1)))
