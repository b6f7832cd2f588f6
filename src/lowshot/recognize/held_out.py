"""What a recognizer would answer about its own examples, had it not learned them.

Examples are held out in turn, one of every class at a time, so that a few fits and matrix products answer about all.

Shape suffixes: N examples, Q queries, C classes, D features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from lowshot.data.examples import places_in_class
from lowshot.recognize.distances import Floats
from lowshot.recognize.examples import ExampleKeeper
from lowshot.recognize.recognizer import Ints, Recognizer

Rows = NDArray[np.intp]

_AT_ONCE = 1 << 24  # distances in memory at once: 64 MB


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Answers about examples that were not learned.

    Attributes:
        rows: which examples were asked about; one may come several times, (Q,).
        own: distance of each to its class, (Q,).
        other: distance to the nearest other class, ``inf`` where there is none, (Q,).
        rival: that class, by its code, -1 where there is none, (Q,).
    """

    rows: Rows
    own: Floats
    other: Floats
    rival: Ints

    @property
    def right(self) -> NDArray[np.float64]:
        """How likely each is answered right when a tie is broken by lot: 1, 0, or ½ for a tie, (Q,)."""
        return np.asarray((self.own < self.other) + 0.5 * (self.own == self.other))

    def of(self, rows: Rows) -> HeldOut:
        """The answers about some examples."""
        some = np.isin(self.rows, rows)
        return HeldOut(self.rows[some], self.own[some], self.other[some], self.rival[some])

    def __len__(self) -> int:
        return len(self.rows)


def join(parts: Sequence[HeldOut]) -> HeldOut:
    """All answers after each other."""
    if not parts:
        return HeldOut(np.zeros(0, np.intp), np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    rows, own, other, rival = zip(*((each.rows, each.own, each.other, each.rival) for each in parts), strict=True)
    return HeldOut(np.concatenate(rows), np.concatenate(own), np.concatenate(other), np.concatenate(rival))


def ask(recognizer: Recognizer, X: Floats, codes_N: Ints, learned_N: NDArray[np.bool_], queries: Rows) -> HeldOut:
    """Learn some examples and ask about others, each of a class that was learned.

    Args:
        recognizer: says how to compare; what it has learned is left alone.
        X: features (N, D).
        codes_N: the class of each example, a number from 0.
        learned_N: which ones to learn.
        queries: the rows to ask about.
    """
    fitted = clone(recognizer).fit(X[learned_N], codes_N[learned_N])
    references = len(fitted.features_) if isinstance(fitted, ExampleKeeper) else len(fitted.classes_)
    own, other = np.empty((2, len(queries)), np.float32)
    rival = np.empty(len(queries), np.int64)
    step = max(1, _AT_ONCE // references)
    for start in range(0, len(queries), step):
        some = slice(start, start + step)
        far_QC = fitted.distances(X[queries[some]])
        here, column = np.arange(len(far_QC)), np.searchsorted(fitted.classes_, codes_N[queries[some]])
        own[some] = far_QC[here, column]
        far_QC[here, column] = np.inf
        nearest = far_QC.argmin(axis=1)
        other[some] = far_QC[here, nearest]
        rival[some] = fitted.classes_[nearest]
    rival[np.isinf(other)] = -1
    return HeldOut(queries, own, other, rival)


def in_turn(
    recognizer: Recognizer, X: Floats, codes_N: Ints, rng: np.random.Generator, *, most: int, folds: int = 20
) -> HeldOut:
    """Ask about every example, or ``most`` of them, of the classes of two or more; without itself.

    One of each class is held out at a time. Of a class of more than ``folds`` examples several are held out together.
    """
    order_N, counts_C = places_in_class(codes_N, rng), np.bincount(codes_N)
    candidates = np.flatnonzero(counts_C[codes_N] > 1)
    asked = np.zeros(len(codes_N), bool)
    asked[rng.choice(candidates, min(most, len(candidates)), replace=False)] = True
    fold_N = np.where(counts_C[codes_N] > 1, order_N % min(folds, counts_C.max(initial=1)), -1)
    return join(
        [
            ask(recognizer, X, codes_N, fold_N != fold, np.flatnonzero(asked & (fold_N == fold)))
            for fold in range(fold_N.max(initial=-1) + 1)
        ]
    )


def at_shots(
    recognizer: Recognizer,
    X: Floats,
    codes_N: Ints,
    shots: Sequence[int],
    rng: np.random.Generator,
    *,
    draws: int,
    most: int,
) -> dict[int, HeldOut]:
    """Ask how each number of shots would do: at most so many of every class are learned, by lot.

    The classes with more examples than that are asked about, with as many of the others as there are.

    Args:
        recognizer, X, codes_N: as in :func:`ask`.
        shots: each number, 1 or more.
        draws: how often what is learned is drawn.
        most: examples to ask about, in each draw for each number.
    """
    found: dict[int, list[HeldOut]] = {k: [] for k in shots}
    for _ in range(draws):
        order_N = places_in_class(codes_N, rng)
        for k, queries in _queries(codes_N, order_N, shots, rng, most):
            found[k].append(ask(recognizer, X, codes_N, order_N < k, queries))
    return {k: join(parts) for k, parts in found.items()}


def _queries(
    codes_N: Ints, order_N: Ints, shots: Sequence[int], rng: np.random.Generator, most: int
) -> Iterator[tuple[int, Rows]]:
    """For each number of shots, ``most`` rows that are not learned; equally many of each class, where it has them."""
    counts_C = np.bincount(codes_N)
    for k in shots:
        classes = max(1, int((counts_C > k).sum()))
        rows = np.flatnonzero((order_N >= k) & (order_N < k + max(1, most // classes)))
        yield k, np.sort(rng.choice(rows, min(most, len(rows)), replace=False))
