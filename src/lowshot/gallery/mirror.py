"""A store's features in memory, compared exactly.

Shape suffixes: N examples, R of them that are looked at, C classes, Q queries, D features.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from lowshot.encoder import Card, Features
from lowshot.errors import GalleryError
from lowshot.gallery.columns import Columns
from lowshot.gallery.growing import Growing, Rows
from lowshot.gallery.index import Compared, Held, Ints, Kept, Where
from lowshot.gallery.sqlite import Changes, Mark
from lowshot.recognize.distances import (
    distances,
    nearest_columns,
    squared_euclidean,
    squared_length,
    unit,
    unit_cosine,
)

if TYPE_CHECKING:
    from lowshot.recognize.recognizer import Recognizer
    from lowshot.recognize.unknown import Calibration

Mask = NDArray[np.bool_]

_AT_ONCE = 1 << 24  # distances computed at once: 64 MB
_FILTERS = 32  # remembered
_SMALL = 64  # a filter that lets so small a part through is remembered with the classes it leaves: half a copy, in all


class Source(Protocol):
    """What a mirror follows."""

    @property
    def place(self) -> str:
        """Its address, for messages."""

    def version(self) -> Hashable:
        """Differs from before when something has changed."""

    def changes(self, mark: Mark) -> Changes:
        """What a reader lacks who has seen it up to a mark."""


@dataclass(frozen=True, eq=False)
class _Gathered:
    """The classes that some examples are of, and their means over these."""

    of: Ints
    numbers: Ints
    means: Features
    squares: Features


class Mirror:
    """One matrix of all features and one of the class means. Not safe for several threads at once.

    Follows a store by loading only what was added or changed and dropping what was removed, at a cost of these alone.
    Every class has a number that only this mirror knows; it may change when another class goes.
    """

    def __init__(self, card: Card, store: Source) -> None:
        self._card = card
        self._store = store
        self._mark = Mark()
        self._version: Hashable = None
        empty = np.zeros((0, card.features), np.float32)
        square = np.zeros(0, np.float32)  # lengths
        self._examples = Growing(id=np.zeros(0, np.int64), of=np.zeros(0, np.int32), feature=empty, square=square)
        self._classes = Growing(label=np.zeros(0, object), count=np.zeros(0, np.int64), feature=empty, square=square)
        self._number: dict[str, int] = {}  # of each class
        self._columns = Columns(self._examples)
        self._all: Ints = np.arange(0)
        self._filtered: dict[str, Rows] = {}  # by filter
        self._gathered: dict[int, _Gathered] = {}  # by the identity of such rows
        self._learner: Recognizer | None = None  # whose copy has learned the examples
        self._student: Recognizer

    def __len__(self) -> int:
        return len(self._examples)

    def follow(self) -> None:
        """Bring this up to date with the store. Nearly free where nothing has changed."""
        version = self._store.version()
        while version != self._version:
            changes = self._store.changes(self._mark)
            self._drop(np.array(changes.gone, np.int64))
            if changes.ids:
                self._take(changes)
            self._mark = changes.mark
            self._learner = None
            self._forget_filters()
            if changes.complete:
                self._version = version

    def compare(
        self,
        queries_QD: Features,
        top: int,
        calibration: Calibration,
        *,
        where: Where | None = None,
        gates: Sequence[Kept] = (),
        recognizer: Recognizer | None = None,
        shown: int = 5,
        classes: int | None = None,
    ) -> list[Compared]:
        """Compare queries with the classes, see :class:`~lowshot.gallery.index.Index`.

        Where these are only the nearest ones of a larger gallery, ``classes`` says how many it has.
        """
        wanted = self._having(where) if where else None
        queries_QD = unit(queries_QD) if self._card.distance == "cosine" else queries_QD
        answers: dict[int, Compared] = {}
        for rows, kept in alike(gates, len(queries_QD)):
            allowed = self._allowed(wanted, gates, kept)
            size = len(self) if allowed is None else len(allowed)
            for some in np.array_split(rows, -(-len(rows) * size // _AT_ONCE)):
                numbers, far_QC = self._to_classes(queries_QD[some], allowed, recognizer)
                likely_QC = calibration.probabilities(far_QC, classes)
                for row, far_C, likely_C in zip(some.tolist(), far_QC, likely_QC, strict=True):
                    near = self._nearest(far_C, numbers, top)
                    members = self._members(numbers[near[0]], allowed)
                    answers[row] = Compared(
                        labels=self._classes["label"][numbers[near]].tolist(),
                        scores=likely_C[near].tolist(),
                        known=float(likely_C.sum()),
                        classes=classes or len(numbers),
                        examples=self._deciding(queries_QD[row], members, shown),
                    )
        return [answers[row] for row in range(len(queries_QD))]

    def attribute_names(self) -> list[str]:
        """The attributes that examples state."""
        return self._columns.names

    def attributes(self, attribute: str) -> NDArray[np.str_]:
        """The attribute of each example of :meth:`held`, empty where one does not state it, (N,)."""
        return self._columns.texts(attribute)[np.argsort(self._examples["id"])]

    def held(self, most: int | None = None) -> Held:
        """The examples, or those of evenly chosen classes, ``most`` of them at about; in order of their ids."""
        ids, of = self._examples["id"], self._examples["of"]
        chosen = np.argsort(ids)
        if most is not None and most < len(ids):
            chosen = chosen[spread(of[chosen], most)]
        return Held(ids[chosen], self._classes["label"][of[chosen]].astype(str), self._examples["feature"][chosen])

    def _having(self, where: Where) -> Rows:
        """The rows that a filter lets through; remembered until something changes, since filters come again."""
        name = str(sorted((attribute, sorted(values)) for attribute, values in where.items()))
        if name not in self._filtered:
            if len(self._filtered) == _FILTERS:
                self._forget_filters()
            self._filtered[name] = np.flatnonzero(self._columns.having(where))
        return self._filtered[name]

    def _forget_filters(self) -> None:
        self._filtered.clear()
        self._gathered.clear()

    def _allowed(self, wanted: Rows | None, gates: Sequence[Kept], kept: Sequence[Mask]) -> Rows | None:
        """The rows of the examples to compare with; None for all of them."""
        if not gates:
            return wanted
        allowed = np.ones(len(self), bool)
        for gate, likely in zip(gates, kept, strict=True):
            passing = self._columns.lacking(gate.attribute, np.array(gate.values)[~likely].tolist())
            of_class = np.zeros(len(self._classes), bool)
            of_class[self._examples["of"][passing]] = True
            allowed &= of_class[self._examples["of"]]
        if allowed.all():
            return wanted
        rows = np.flatnonzero(allowed) if wanted is None else wanted[allowed[wanted]]
        return rows if len(rows) else wanted

    def _to_classes(
        self, queries_QD: Features, allowed: Rows | None, recognizer: Recognizer | None
    ) -> tuple[Ints, Features]:
        """The classes that have an allowed example, by their numbers, and the distances to them, (Q, C)."""
        if recognizer is not None:
            numbers = self._every() if allowed is None else self._numbers(allowed)
            return numbers, self._taught(recognizer).distances(queries_QD)[:, numbers]
        if self._card.compare == "prototype":
            return self._to_means(queries_QD, allowed)
        return self._to_nearest(queries_QD, allowed)

    def _every(self) -> Ints:
        """The numbers of all classes; kept, since writing a million of them takes a while."""
        if len(self._all) != len(self._classes):
            self._all = np.arange(len(self._classes))
        return self._all

    def _numbers(self, rows: Rows) -> Ints:
        """The classes of some examples, each once."""
        of = self._examples["of"][rows]
        return of if (self._classes["count"][of] == 1).all() else np.unique(of)

    def _to_means(self, queries_QD: Features, allowed: Rows | None) -> tuple[Ints, Features]:
        """Distances to the means of classes, over their allowed examples only."""
        if allowed is None:
            return self._every(), self._distances(queries_QD, self._classes["feature"], self._classes["square"])
        some = self._gather(allowed)
        return some.numbers, self._distances(queries_QD, some.means, some.squares)

    def _gather(self, rows: Rows) -> _Gathered:
        """The classes of some examples. Those of a small filter are remembered: they lie scattered over all memory."""
        if id(rows) in self._gathered:
            return self._gathered[id(rows)]
        numbers = self._numbers(rows)
        if len(rows) == self._classes["count"][numbers].sum():  # of these classes all are allowed
            means, squares = self._classes["feature"].take(numbers, axis=0), self._classes["square"][numbers]
        else:
            means = self._averages(rows)[1]
            squares = squared_length(means)
        some = _Gathered(self._examples["of"][rows], numbers, means, squares)
        if len(rows) * _SMALL <= len(self) and any(rows is each for each in self._filtered.values()):
            self._gathered[id(rows)] = some
        return some

    def _to_nearest(self, queries_QD: Features, allowed: Rows | None) -> tuple[Ints, Features]:
        """Distances to the nearest allowed example of each class."""
        rows = slice(None) if allowed is None else allowed
        of = self._examples["of"][rows]
        each_QR = self._distances(queries_QD, self._examples["feature"][rows], self._examples["square"][rows])
        numbers = np.unique(of)
        if len(numbers) == len(of):
            return of, each_QR
        place = np.empty(len(self._classes), np.intp)
        place[numbers] = np.arange(len(numbers))
        queries = len(queries_QD)
        nearest = np.full(len(numbers) * queries, np.inf, np.float32)
        np.minimum.at(nearest, (place[of] * queries + np.arange(queries)[:, None]).ravel(), each_QR.ravel())
        return numbers, nearest.reshape(-1, queries).T

    def _averages(self, rows: Rows) -> tuple[Ints, Features]:
        """The classes among examples, and the mean of each one's; alike in every process, whatever came first."""
        rows = rows[np.lexsort((self._examples["id"][rows], self._examples["of"][rows]))]
        numbers, start, count = np.unique(self._examples["of"][rows], return_index=True, return_counts=True)
        if len(numbers) == len(rows):
            return numbers, self._examples["feature"][rows]
        sums = np.add.reduceat(self._examples["feature"][rows], start, axis=0, dtype=np.float64)
        means = (sums / count[:, None]).astype(np.float32)
        return numbers, unit(means) if self._card.distance == "cosine" else means

    def _distances(self, queries_QD: Features, references_RD: Features, squares_R: Features) -> Features:
        match self._card.distance:
            case "cosine":
                return unit_cosine(queries_QD, references_RD)
            case "euclidean":
                return squared_euclidean(queries_QD, references_RD, squares_R)
            case "l1":
                return distances(queries_QD, references_RD, "l1", self._card.negative)

    def _nearest(self, far_C: Features, numbers: Ints, top: int) -> Rows:
        """Where the nearest classes stand, nearest first; of equal distances the first label comes first."""
        some = nearest_columns(far_C, top)
        labels = self._classes["label"][numbers[some]].astype(str)
        return np.asarray(some[np.lexsort((labels, far_C[some]))])

    def _members(self, number: int, allowed: Rows | None) -> Rows:
        """The rows of a class's allowed examples."""
        if allowed is None:
            return np.flatnonzero(self._examples["of"] == number)
        of = self._gathered[id(allowed)].of if id(allowed) in self._gathered else self._examples["of"][allowed]
        return np.asarray(allowed[of == number])

    def _deciding(self, query_D: Features, rows: Rows, shown: int) -> list[tuple[int, float]]:
        """Ids and distances of the nearest of some examples."""
        far = self._distances(query_D[None], self._examples["feature"][rows], self._examples["square"][rows])[0]
        ids = self._examples["id"][rows]
        order = np.lexsort((ids, far))[:shown]
        return list(zip(ids[order].tolist(), far[order].tolist(), strict=True))

    def _taught(self, recognizer: Recognizer) -> Recognizer:
        """A recognizer like this one that has learned all examples; its labels are the classes' numbers, in order."""
        if self._learner is not recognizer:
            order = np.argsort(self._examples["id"])
            self._student = clone(recognizer).fit(self._examples["feature"][order], self._examples["of"][order])
            self._learner = recognizer
        return self._student

    def _take(self, changes: Changes) -> None:
        if changes.features.shape[1] != self._card.features:
            raise GalleryError(
                f"{self._store.place} is damaged (a feature has another length than its encoder's): restore it from a copy"
            )
        new = [label for label in dict.fromkeys(changes.labels) if label not in self._number]
        self._number.update(zip(new, range(len(self._classes), len(self._classes) + len(new)), strict=True))
        self._classes.append(
            label=np.array(new, object),
            count=np.zeros(len(new), np.int64),
            feature=np.zeros((len(new), self._card.features), np.float32),
            square=np.zeros(len(new), np.float32),
        )
        of = np.fromiter(map(self._number.__getitem__, changes.labels), np.int32, len(changes.labels))
        features = unit(changes.features) if self._card.distance == "cosine" else changes.features
        values = self._columns.coded(changes.attributes)
        ids, squares = np.array(changes.ids, np.int64), squared_length(features)
        self._examples.append(id=ids, of=of, feature=features, square=squares, **values)
        self._classes["count"][:] += np.bincount(of, minlength=len(self._classes))
        self._average(np.unique(of))

    def _drop(self, ids: Ints) -> None:
        rows = np.flatnonzero(np.isin(self._examples["id"], ids))
        if not len(rows):
            return
        lost = np.bincount(self._examples["of"][rows], minlength=len(self._classes))
        self._examples.remove(rows)
        self._classes["count"][:] -= lost
        empty = np.flatnonzero(self._classes["count"] == 0)
        self._average(np.flatnonzero((lost > 0) & (self._classes["count"] > 0)))
        self._close(empty)

    def _close(self, empty: Rows) -> None:
        """Take classes out that have no example; others may get their numbers."""
        if not len(empty):
            return
        for label in self._classes["label"][empty]:
            del self._number[label]
        renumbered = np.arange(len(self._classes), dtype=np.int32)
        moved, to = self._classes.remove(empty)
        renumbered[moved] = to
        self._number.update(zip(self._classes["label"][to].tolist(), to.tolist(), strict=True))
        self._examples["of"][:] = renumbered[self._examples["of"]]

    def _average(self, numbers: Rows) -> None:
        """Bring the means of classes up to date."""
        if self._card.compare == "prototype" and len(numbers):
            of_them = np.zeros(len(self._classes), bool)
            of_them[numbers] = True
            rows = np.flatnonzero(of_them[self._examples["of"]])
            means = self._averages(rows)[1]
            self._classes["feature"][numbers], self._classes["square"][numbers] = means, squared_length(means)


def alike(gates: Sequence[Kept], queries: int) -> Iterator[tuple[Rows, list[Mask]]]:
    """Queries for which the gates keep the same values, and what each gate keeps for them."""
    if not queries:
        return
    if not gates:
        yield np.arange(queries), []
        return
    together: NDArray[Any] = np.concatenate([gate.likely for gate in gates], axis=1)
    kinds, kind_of = np.unique(together, axis=0, return_inverse=True)
    ends = np.cumsum([len(gate.values) for gate in gates])[:-1]
    for number, kind in enumerate(kinds):
        yield np.flatnonzero(kind_of == number), np.split(kind, ends)


def spread(of_N: NDArray[Any], most: int) -> Mask:
    """Examples of evenly chosen classes, ``most`` of them at about, from the class of each example, (N,)."""
    classes, first, of = np.unique(of_N, return_index=True, return_inverse=True)
    number = max(1, most * len(classes) // len(of_N))
    some = np.argsort(first)[np.linspace(0, len(first) - 1, number).round().astype(np.intp)]
    return np.isin(of, some)
