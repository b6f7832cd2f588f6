"""What answers about held-out examples tell: confused classes, labels that look wrong, where one more example helps.

Shape suffixes: N examples, Q answers, C classes, D features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from lowshot.encoder import Features
from lowshot.gallery.index import Ints
from lowshot.gallery.shots import How, misses
from lowshot.recognize.distances import distances
from lowshot.recognize.held_out import HeldOut, Rows, join
from lowshot.recognize.recognizer import Recognizer

_SOFTNESS = 0.25  # how gradually an answer turns from right to wrong, of the usual gap
_TAKEN = 0.5  # weight of the examples that are taken for a class, beside its own that are taken for others
_PRIOR = 2.0  # examples of a usual class with which every class's own are averaged
_LIKELY = 0.1  # share from which on a class of one example and its neighbor are listed
_AT_ONCE = 1 << 24  # distances in memory at once: 64 MB


@dataclass(frozen=True)
class Taken:
    """An example that is taken for another class: its id, its own label, and the id of the nearest example there."""

    id: int
    label: str
    like: int


@dataclass(frozen=True)
class Confused:
    """Two classes that are confused.

    Attributes:
        labels: of both, the first label first.
        share: how often an example of the one was taken for the other.
        taken: how many were, in either direction; 0 where that is estimated.
        asked: examples of both that were asked about.
        seen: some of them, the clearest first.
        how: ``held out``, or ``stand-in`` where one of the classes has but one example: the share is then how many queries
            are usually farther from the one example of their class than these two classes are from each other.
    """

    labels: tuple[str, str]
    share: float
    taken: int
    asked: int
    seen: tuple[Taken, ...]
    how: How


@dataclass(frozen=True)
class Mislabeled:
    """An example whose label is probably wrong: it is as clearly another class's as others are clearly their own's.

    Attributes:
        id, label: of the example.
        rival: the class it looks like.
        like: the nearest example there.
        excess: how much nearer it is to that class than to its own, as a multiple of how much nearer others are, in the
            median, to their own: 1 or more.
        either: its class has one other example, and nobody knows which of the two is wrong.
    """

    id: int
    label: str
    rival: str
    like: int
    excess: float
    either: bool


@dataclass(frozen=True)
class Gain:
    """What one more example of a class would bring.

    Attributes:
        label: the class.
        examples: how many it has.
        gain: estimated share of its queries that will be answered right and are not now. Rough for each class alone, since
            it has few examples; the order is worth more than the number.
    """

    label: str
    examples: int
    gain: float


@dataclass(frozen=True)
class Unknowns:
    """How well items of classes that are not enrolled can be told by their distance to the nearest class.

    Attributes:
        auroc: how often an item of an enrolled class is nearer than one of none.
        fpr95: the share of unknown ones taken for known when 95 % of the known are.
        genuine, impostors: distances of either kind this comes from. Genuine: examples to the gallery without them.
            Impostors: examples to the gallery without their class.
        how: ``stand-in`` where there is but one example of each class; how far the genuine are from their own is then taken
            from the encoder's background.
    """

    auroc: float
    fpr95: float
    genuine: int
    impostors: int
    how: How


@dataclass(frozen=True, eq=False)
class Enrolled:
    """The examples that are looked at: ids (N,), labels of the classes (C,), the class of each (N,), features (N, D)."""

    ids: Ints
    classes: NDArray[np.str_]
    codes: Ints
    features: Features
    recognizer: Recognizer


def gap(held: HeldOut) -> float:
    """How much nearer an example usually is to its own class than to the nearest other, where it is nearer."""
    margin = held.other - held.own
    right = margin[(margin > 0) & np.isfinite(margin)]
    return float(np.median(right)) if len(right) else 0.0


def mislabeled(enrolled: Enrolled, held: HeldOut, most: int) -> tuple[int, tuple[Mislabeled, ...]]:
    """How many examples look mislabeled, and ``most`` of them, the clearest first."""
    usual, excess = gap(held), held.own - held.other
    if not usual or not np.isfinite(held.other).all():
        return 0, ()
    wrong = np.flatnonzero(excess > usual)
    shown = wrong[np.lexsort((held.rows[wrong], -excess[wrong]))][:most]
    like = nearest_of(enrolled, held.rows[shown], held.rival[shown])
    counts_C = np.bincount(enrolled.codes)
    return len(wrong), tuple(
        Mislabeled(id, label, rival, near, far, few)
        for id, label, rival, near, far, few in zip(
            enrolled.ids[held.rows[shown]].tolist(),
            enrolled.classes[enrolled.codes[held.rows[shown]]].tolist(),
            enrolled.classes[held.rival[shown]].tolist(),
            enrolled.ids[like].tolist(),
            (excess[shown] / usual).tolist(),
            (counts_C[enrolled.codes[held.rows[shown]]] == 2).tolist(),
            strict=True,
        )
    )


def confused(
    enrolled: Enrolled, held: HeldOut, lone: HeldOut, single: Features | None, most: int, seen: int = 3
) -> tuple[int, tuple[Confused, ...]]:
    """How many pairs of classes are confused, and ``most`` of them; those measured first, by how often."""
    asked_C = np.bincount(enrolled.codes[held.rows], minlength=len(enrolled.classes))
    wrong = np.flatnonzero(held.own >= held.other)
    pairs, of = _pairs(enrolled, held, wrong)
    taken = np.bincount(of, minlength=len(pairs))
    share = taken / np.maximum(asked_C[pairs].sum(axis=1), 1)
    found = [
        (pairs[place], float(share[place]), int(taken[place]), wrong[of == place])
        for place in np.lexsort((-taken, -share))[:most]
    ]
    measured = [
        Confused(
            _labels(enrolled, pair),
            part,
            number,
            int(asked_C[pair].sum()),
            _seen(enrolled, held, some, seen),
            "held out",
        )
        for pair, part, number, some in found
    ]
    guessed, estimated = _look_alikes(enrolled, lone, single, most - len(measured))
    return len(pairs) + guessed, (*measured, *estimated)


def gains(
    enrolled: Enrolled, held: HeldOut, lone: HeldOut, single: Features | None, error: float, exponent: float, most: int
) -> tuple[Gain, ...]:
    """The classes that gain most from one more example.

    An error rate falls with the examples of a class by the gallery's own power law, ``error · n ** -exponent``, times how
    difficult the class is: how near its held-out examples are to being taken for another class, and others' for it, beside
    the usual class, which counts as two examples. A class of one example counts by how near the nearest other one is.

    Args:
        enrolled, held: the examples and the answers about them.
        lone: of the classes of one example.
        single: distances of queries to a class of one example; None where nothing tells.
        error: the error rate with one example of each class.
    """
    counts_C, classes = np.bincount(enrolled.codes), len(enrolled.classes)
    difficult, number = np.full(classes, _PRIOR), np.full(classes, _PRIOR)
    usual = gap(held)
    if usual:
        soft = expit((held.own - held.other) / (_SOFTNESS * usual))
        soft = soft / soft.mean() / (1 + _TAKEN)
        difficult += np.bincount(enrolled.codes[held.rows], soft, minlength=classes)
        difficult += _TAKEN * np.bincount(held.rival, soft, minlength=classes)
        number += np.bincount(enrolled.codes[held.rows], minlength=classes)
    if single is not None and len(lone):
        soft = misses(lone.other, single)
        difficult += np.bincount(enrolled.codes[lone.rows], soft / max(soft.mean(), 1e-9), minlength=classes)
        number += np.bincount(enrolled.codes[lone.rows], minlength=classes)
    falls = error * (counts_C**-exponent - (counts_C + 1.0) ** -exponent)
    gain = difficult / number * falls
    first = np.lexsort((counts_C, -gain))[:most]
    return tuple(
        Gain(label, number, value)
        for label, number, value in zip(
            enrolled.classes[first].tolist(), counts_C[first].tolist(), np.minimum(gain, 1)[first].tolist(), strict=True
        )
    )


def unknowns(held: HeldOut, lone: HeldOut, single: Features | None, seed: int) -> Unknowns | None:
    """From the answers about examples of classes of two or more or, where there is none, from stand-ins."""
    impostors = join([held, lone]).other
    if not len(impostors) or not np.isfinite(impostors).all():
        return None
    if len(held):
        genuine = np.minimum(held.own, held.other)
    elif single is not None:
        genuine = np.minimum(np.random.default_rng(seed).choice(single, len(lone)), lone.other)
    else:
        return None
    known = np.repeat([1, 0], [len(genuine), len(impostors)])
    threshold = np.quantile(genuine, 0.95, method="inverted_cdf")
    return Unknowns(
        auroc=float(roc_auc_score(known, -np.concatenate([genuine, impostors]))),
        fpr95=float((impostors <= threshold).mean()),
        genuine=len(genuine),
        impostors=len(impostors),
        how="held out" if len(held) else "stand-in",
    )


def nearest_of(enrolled: Enrolled, rows: Rows, classes_Q: Ints) -> Rows:
    """For each of some rows the nearest example of a class, as a row, (Q,)."""
    found = np.empty(len(rows), np.intp)
    step = max(1, _AT_ONCE // len(enrolled.codes))
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        far = distances(
            enrolled.features[rows[some]], enrolled.features, enrolled.recognizer.distance, enrolled.recognizer.negative
        )
        found[some] = np.where(enrolled.codes == classes_Q[some, None], far, np.inf).argmin(axis=1)
    return found


def _pairs(enrolled: Enrolled, held: HeldOut, some: Rows) -> tuple[Ints, Ints]:
    """The different pairs of own class and rival, in either order, (P, 2), and which one each answer is of."""
    both = np.sort(np.stack([enrolled.codes[held.rows[some]], held.rival[some]], axis=1), axis=1)
    pairs, of = np.unique(both.reshape(-1, 2), axis=0, return_inverse=True)
    return pairs, of.ravel()


def _seen(enrolled: Enrolled, held: HeldOut, some: Rows, number: int) -> tuple[Taken, ...]:
    """The clearest of some answers, with the nearest example of the class each was taken for."""
    some = some[np.lexsort((held.rows[some], (held.other - held.own)[some]))][:number]
    like = nearest_of(enrolled, held.rows[some], held.rival[some])
    ids, labels = enrolled.ids, enrolled.classes[enrolled.codes[held.rows[some]]]
    return tuple(map(Taken, ids[held.rows[some]].tolist(), labels.tolist(), ids[like].tolist()))


def _look_alikes(enrolled: Enrolled, lone: HeldOut, single: Features | None, most: int) -> tuple[int, list[Confused]]:
    """Pairs of a class of one example with the nearest other."""
    if single is None or not len(lone):
        return 0, []
    share = misses(lone.other, single)
    likely = np.flatnonzero(share >= _LIKELY)
    pairs, of = _pairs(enrolled, lone, likely)
    highest = np.zeros(len(pairs))
    np.maximum.at(highest, of, share[likely])
    return len(pairs), [
        Confused(
            _labels(enrolled, pairs[place]),
            float(highest[place]),
            0,
            0,
            _seen(enrolled, lone, likely[of == place], 1),
            "stand-in",
        )
        for place in np.argsort(-highest, kind="stable")[: max(0, most)]
    ]


def _labels(enrolled: Enrolled, pair: Ints) -> tuple[str, str]:
    one, other = enrolled.classes[pair].tolist()
    return one, other
