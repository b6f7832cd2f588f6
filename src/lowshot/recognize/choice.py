"""Which recognizer to use: a name for each, and the gallery's own examples to decide between them.

Shape suffixes: N examples, M held-out examples, K candidates, D features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lowshot.errors import ConfigError
from lowshot.recognize.distances import Distance, Floats
from lowshot.recognize.linear_probe import LinearProbe
from lowshot.recognize.neighbors import NearestNeighbors
from lowshot.recognize.prototypes import NearestPrototype
from lowshot.recognize.recognizer import Ints, Recognizer
from lowshot.recognize.simple_shot import SimpleShot
from lowshot.recognize.whitened import WhitenedPrototype, Whitening

Background = tuple[Floats, Ints]  # features and classes, as ``Encoder.background()`` gives them

_FOLDS = 5  # the examples of a class are held out in so many turns
_HELD_OUT = 500  # examples asked in all, at most
_LARGEST = 2000  # examples of a gallery that is asked
_SLOWEST = 20_000  # examples × classes from which logistic regression is not tried
_CHANCE = 0.05  # that a candidate no better than the default takes its place


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
_OF_BACKGROUND = ("mahalanobis", "simple-shot")


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
        accuracy: share of the held-out examples that each candidate named rightly; empty where none could be held out.
        held_out: how many examples that were.
        chance: how likely the chosen one is no better than the default and only had luck; 1 for the default itself.
    """

    name: str
    default: str
    accuracy: dict[str, float]
    held_out: int
    chance: float

    def __str__(self) -> str:
        if not self.accuracy:
            return f"{self.name}, not compared with others"
        found = ", ".join(f"{name} {right:.1%}" for name, right in self.accuracy.items())
        return f"{self.name} ({self.held_out} examples held out: {found})"
