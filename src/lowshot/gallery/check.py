"""What a gallery is worth, and what is wrong with it, from its enrolled examples alone: before anything is deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from lowshot.encoder import Card, Encoder, Features
from lowshot.errors import ConfigError
from lowshot.gallery.duplicates import Duplicates, duplicates
from lowshot.gallery.findings import (
    Confused,
    Enrolled,
    Gain,
    Mislabeled,
    Unknowns,
    confused,
    gains,
    mislabeled,
    unknowns,
)
from lowshot.gallery.index import Held, Ints, empty
from lowshot.gallery.shots import Shots, curve, extrapolated, lone, stand_in, stretched
from lowshot.recognize.choice import recognizer_named
from lowshot.recognize.examples import ExampleKeeper
from lowshot.recognize.gate import GateReport
from lowshot.recognize.held_out import HeldOut, in_turn, join

_WORK = 200_000_000  # distances worth computing to look at examples one by one
_LEARNED = 1_000_000  # examples worth learning for it, in all folds
_ASKED = 20_000  # examples looked at, at most
_SLOW = {
    "logistic": "The gallery compares by logistic regression, which would be learned anew for each turn of a check."
}


@dataclass(frozen=True)
class Check:
    """What was found. All accuracies say how often the nearest class is the right one, "unknown" aside.

    Attributes:
        examples, classes: how many are enrolled.
        recognizer: how they were compared.
        asked: examples that were held out in turn, one by one; in a large gallery, a random part of them.
        accuracy: expected with each number of examples of a class, see :class:`~lowshot.gallery.shots.Shots`.
        unknowns: how well classes that are not enrolled are told; None where nothing can be said.
        confused, mislabeled, duplicates: the gravest findings first, see their classes.
        confused_in_all, mislabeled_in_all, duplicates_in_all: how many there are, listed or not.
        gains: the classes that gain most from one more example, the greatest gain first.
        gates: for each attribute that enough examples share, what a gate would be worth.
        notes: what cannot be said, and why.
        seed: of what was drawn.
    """

    examples: int
    classes: int
    recognizer: str
    asked: int
    accuracy: tuple[Shots, ...]
    unknowns: Unknowns | None
    confused: tuple[Confused, ...]
    confused_in_all: int
    mislabeled: tuple[Mislabeled, ...]
    mislabeled_in_all: int
    duplicates: tuple[Duplicates, ...]
    duplicates_in_all: int
    gains: tuple[Gain, ...]
    gates: Mapping[str, GateReport]
    notes: tuple[str, ...]
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """The findings by name, ready for JSON."""
        return {**asdict(self), "duplicates": [{**asdict(each), "across": each.across} for each in self.duplicates]}


class Checked(Protocol):
    """A gallery, as far as a check needs it."""

    @property
    def place(self) -> str:
        """Its address."""

    @property
    def card(self) -> Card:
        """Of its encoder."""

    @property
    def encoder(self) -> Encoder:
        """Whose background stands in where a gallery is too small."""

    @property
    def recognizer(self) -> str:
        """How it compares."""

    def held(self) -> Held:
        """The examples."""

    def gate_reports(self, recall: float) -> Mapping[str, GateReport]:
        """What gates would be worth, by attribute."""

    def original(self, id: int) -> bytes:
        """The file of an example. Raises GalleryError where none is kept."""


def check(
    gallery: Checked, *, recognizer: str | None = None, gate_recall: float = 0.99, seed: int = 0, most: int = 20
) -> Check:
    """Look for what is wrong with a gallery, and estimate how well it will do.

    Args:
        gallery: for instance a :class:`lowshot.Gallery`.
        recognizer: how to compare, see :mod:`lowshot.recognize.choice`; None as the gallery does,
            unless that takes too long: a note then says so.
        gate_recall: asked of gates.
        seed: of what is drawn; the same seed finds the same.
        most: findings of each kind to list.

    Raises:
        EmptyGallery: nothing is enrolled.
        ConfigError: ``most`` or ``seed`` is below 0, or there is no such recognizer.

    Example:
        >>> import tempfile, numpy as np
        >>> from lowshot import Gallery, load
        >>> from lowshot.gallery.check import check
        >>> digits = load("digits")
        >>> with tempfile.TemporaryDirectory() as folder, Gallery.open(f"{folder}/my.gallery", create=True) as gallery:
        ...     ids = gallery.enroll_examples(digits.take(np.arange(40)))
        ...     found = check(gallery)
        >>> [each.shots for each in found.accuracy if each.how == "held out"]
        [1, 2, 3]
    """
    held = gallery.held()
    if not len(held.ids):
        raise empty(gallery.place)
    background, own = gallery.encoder.background(), gallery.recognizer
    name = recognizer or (gallery.card.compare if own in _SLOW else own)
    found = check_held(held, gallery.card, background, gallery.original, recognizer=name, seed=seed, most=most)
    said = () if recognizer or name == own else (f"{_SLOW[own]} The figures are those of {name!r}.",)
    return replace(found, gates=gallery.gate_reports(gate_recall), notes=found.notes + said)


def check_held(
    held: Held,
    card: Card,
    background: tuple[Features, Ints] | None = None,
    original: Callable[[int], bytes] | None = None,
    *,
    recognizer: str | None = None,
    seed: int = 0,
    most: int = 20,
) -> Check:
    """:func:`check` enrolled features.

    Args:
        held: at least one example.
        card: of their encoder: how features are compared.
        background: features and classes of background items, see ``Encoder.background``; without them less can be said of
            a gallery of one example a class.
        original: gives the file of an example; without it duplicates are told by features alone.
        recognizer, seed, most: as in :func:`check`.
    """
    if seed < 0 or most < 0:
        raise ConfigError(f"seed and most must be at least 0, not {seed} and {most}")
    classes, codes = np.unique(held.labels, return_inverse=True)
    name = recognizer or card.compare
    how = recognizer_named(name, card.distance, card.negative, background)
    enrolled = Enrolled(held.ids, classes, codes.astype(np.int64), held.features, how)
    look = _look(enrolled, background, seed)
    twice = duplicates(held.ids, held.labels, enrolled.codes, held.features, background, original)
    wrong_in_all, wrong = mislabeled(enrolled, look.held, most)
    mixed_in_all, mixed = confused(enrolled, look.held, look.lone, look.single, most)
    return Check(
        examples=len(held.ids),
        classes=len(classes),
        recognizer=name,
        asked=len(look.held),
        accuracy=look.accuracy,
        unknowns=unknowns(look.held, look.lone, look.single, seed),
        confused=mixed,
        confused_in_all=mixed_in_all,
        mislabeled=wrong,
        mislabeled_in_all=wrong_in_all,
        duplicates=twice[:most],
        duplicates_in_all=len(twice),
        gains=_gains(enrolled, look, most),
        gates={},
        notes=_notes(enrolled, look, background is not None),
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Look:
    """Answers about examples, and what follows from them all.

    Attributes:
        held: about examples of classes of two or more, held out in turn.
        lone: about the only examples of their classes, as if the class were not enrolled.
        accuracy: by shots.
        single: distances of queries to a class of one example, ascending; None where nothing tells.
        exponent: errors fall as shots ** -exponent.
    """

    held: HeldOut
    lone: HeldOut
    accuracy: tuple[Shots, ...]
    single: Features | None
    exponent: float


def _look(enrolled: Enrolled, background: tuple[Features, Ints] | None, seed: int) -> _Look:
    recognizer, X, codes = enrolled.recognizer, enrolled.features, enrolled.codes
    counts = np.bincount(codes)
    if len(counts) < 2:
        return _Look(join([]), join([]), (), None, 1.0)
    rng = np.random.default_rng(seed)
    asked = min(_ASKED, max(1000, _WORK // (len(codes) if isinstance(recognizer, ExampleKeeper) else len(counts))))
    folds = int(np.clip(_LEARNED // len(codes), 5, 20))
    held = in_turn(recognizer, X, codes, rng, most=asked, folds=folds)
    alone = np.flatnonzero(counts[codes] == 1)
    alone = np.sort(rng.choice(alone, min(asked, len(alone)), replace=False))
    single = lone(recognizer, X, codes, alone)
    measured = curve(recognizer, X, codes, seed)
    spread = curve(recognizer, *background, seed) if background is not None else None
    if measured is not None:
        exponent = (spread or measured).exponent if len(measured.shots) == 1 else measured.exponent
        return _Look(held, single, (*measured.shots, *extrapolated(measured, exponent)), measured.single, exponent)
    if spread is None or background is None:
        return _Look(held, single, (), None, 1.0)
    stretch = stretched(recognizer, X, codes, background, seed)
    return _Look(
        held, single, stand_in(single, spread, stretch), spread.single * np.float32(stretch**0.5), spread.exponent
    )


def _gains(enrolled: Enrolled, look: _Look, most: int) -> tuple[Gain, ...]:
    if not look.accuracy:
        return ()
    first = look.accuracy[0]
    error = (1 - first.accuracy) * first.shots**look.exponent
    return gains(enrolled, look.held, look.lone, look.single, error, look.exponent, most)


def _notes(enrolled: Enrolled, look: _Look, background: bool) -> tuple[str, ...]:
    """What a reader must know about these figures."""
    counts = np.bincount(enrolled.codes)
    several, single = int((counts > 1).sum()), int((counts == 1).sum())
    notes = []
    if len(counts) < 2:
        notes.append("There is one class: nothing can be confused with it, and nothing tells what is unknown.")
    elif not several and not background:
        notes.append(
            "Every class has one example and the encoder carries no background: how often answers will be right cannot be "
            "said. Enroll a second example of some classes."
        )
    elif not several:
        notes.append(
            "Every class has one example, so none can be held out: accuracies are estimates, for which the encoder's "
            "background stands in, and wrong labels cannot be told. A second example of some classes makes them measurable."
        )
    elif single:
        notes.append(
            f"{single} of {len(counts)} classes have one example: what is said of these is estimated, the rest is measured."
        )
    if several and len(counts) > 1 and len(look.held) < counts[counts > 1].sum():
        notes.append(f"{len(look.held)} examples, drawn by lot, were held out; the rest was not looked at one by one.")
    if look.accuracy and look.accuracy[-1].how == "extrapolated" and len(look.accuracy) == 3:
        notes.append(
            "One number of examples could be tried: how fast errors fall with more is "
            + ("taken from the encoder's background." if background else "not known, as 1 / examples is supposed.")
        )
    return tuple(notes)
