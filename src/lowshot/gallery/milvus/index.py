"""A gallery on Milvus, compared with queries: Milvus finds the classes that are near, memory says how near they are.

Milvus names the examples nearest to a query. The classes of the first of them are fetched whole and compared as any gallery
is (:class:`~lowshot.gallery.mirror.Mirror`), so that class means, filters, recognizers and ties are the same as for a file.
What is approximate is which classes are looked at. A recognizer that learns from the examples learns from those alone.

Shape suffixes: N examples, Q queries, D features.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lowshot.encoder import Card, Features
from lowshot.errors import NoMatch
from lowshot.gallery.index import Compared, Held, Kept, Where
from lowshot.gallery.milvus.connection import MOST_RESULTS, Found, quoted
from lowshot.gallery.milvus.store import MilvusStore
from lowshot.gallery.mirror import Mirror, alike, spread
from lowshot.gallery.sqlite import Changes, Mark
from lowshot.recognize.distances import unit

if TYPE_CHECKING:
    from lowshot.recognize.recognizer import Recognizer
    from lowshot.recognize.unknown import Calibration

_NEIGHBORS = 1024  # examples looked for
_CLASSES = 16  # classes of these that are compared, or so many as are to be named
_TOGETHER = 64  # queries answered in one request
_COUNTED = 1.1  # classes are counted anew when there are so many times more or fewer examples


class MilvusIndex:
    """A collection to compare queries with; see :class:`~lowshot.gallery.index.Index`."""

    def __init__(self, card: Card, store: MilvusStore) -> None:
        self._card = card
        self._store = store
        self._version: Hashable = None
        self._examples = 0
        self._numbers: dict[str, int] = {}  # of classes, by filter
        self._counted = (0, 0)  # examples and classes when all were counted

    def __len__(self) -> int:
        return self._examples

    def follow(self) -> None:
        """See whether something has changed."""
        version = self._store.version()
        if version != self._version:
            self._examples, self._version = len(self._store), version
            self._numbers.clear()

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
    ) -> list[Compared]:
        """Compare queries with the classes, see :class:`~lowshot.gallery.index.Index`."""
        answers: dict[int, Compared] = {}
        wanted = [_having(attribute, values) for attribute, values in (where or {}).items()]
        for rows, kept in alike(gates, len(queries_QD)):
            passing = [
                _passing(gate.attribute, np.array(gate.values)[~likely].tolist())
                for gate, likely in zip(gates, kept, strict=True)
                if not likely.all()
            ]
            filter = " and ".join([*wanted, *passing])
            if passing and not self._store.count(filter):
                filter = " and ".join(wanted)
            classes = self._classes(filter)
            for some in np.array_split(rows, -(-len(rows) // _TOGETHER)):
                near = self._near(queries_QD[some], top, filter)
                of_these = [Kept(gate.attribute, gate.values, gate.likely[some]) for gate in gates]
                compared = self._mirror(near, where, bool(where or gates)).compare(
                    queries_QD[some],
                    top,
                    calibration,
                    where=where,
                    gates=of_these,
                    recognizer=recognizer,
                    shown=shown,
                    classes=max(classes, len(near)),
                )
                answers.update(zip(some.tolist(), compared, strict=True))
        return [answers[row] for row in range(len(queries_QD))]

    def attribute_names(self) -> list[str]:
        """The attributes that examples state."""
        return list(dict.fromkeys(key for row in self._store.pages("", ["attributes"]) for key in row["attributes"]))

    def attributes(self, attribute: str) -> NDArray[np.str_]:
        """The attribute of each example of :meth:`held`, empty where one does not state it, (N,)."""
        values = [row["attributes"].get(attribute) for row in self._store.pages("", ["attributes"])]
        if all(value is None for value in values):
            raise NoMatch(f"no enrolled example has an attribute {attribute!r}")
        return np.array([value or "" for value in values])

    def held(self, most: int | None = None) -> Held:
        """The examples, or those of evenly chosen classes, ``most`` of them at about; in order of their ids."""
        if most is None or most >= self._examples:
            return self._as_held(self._store.pages("", ["label", "feature"]))
        labels = self._labels()
        return self._as_held(self._of(np.unique(labels[spread(labels, most)]).tolist(), ["label", "feature"]))

    def _as_held(self, rows: Iterable[Found]) -> Held:
        ordered = sorted(rows, key=lambda row: row["id"])
        features = np.array([row["feature"] for row in ordered], np.float32).reshape(len(ordered), self._card.features)
        ids = np.array([row["id"] for row in ordered], np.int64)
        labels = np.array([row["label"] for row in ordered], np.str_)
        return Held(ids, labels, unit(features) if self._card.distance == "cosine" else features)

    def _labels(self) -> NDArray[np.str_]:
        """The class of each example, in order of the ids."""
        return np.array([row["label"] for row in self._store.pages("", ["label"])], np.str_)

    def _classes(self, filter: str) -> int:
        """How many classes have an example that passes; of very many examples, at about."""
        if filter not in self._numbers:
            examples = self._store.count(filter) if filter else self._examples
            self._numbers[filter] = self._counted_classes(filter, examples)
        return self._numbers[filter]

    def _counted_classes(self, filter: str, examples: int) -> int:
        if examples <= MOST_RESULTS:
            return len({row["label"] for row in self._store.query(filter, ["label"])})
        before, classes = self._counted
        if not before / _COUNTED <= self._examples <= before * _COUNTED:
            before, classes = self._counted = self._examples, len(np.unique(self._labels()))
        return max(1, round(classes * examples / before))

    def _near(self, queries_QD: Features, top: int, filter: str) -> list[str]:
        """The classes of the examples that are nearest to one of the queries."""
        wanted = max(top, _CLASSES)
        found = self._store.search(queries_QD, filter, _NEIGHBORS)
        if any(len(set(labels)) < top and len(labels) == _NEIGHBORS for labels in found):
            found = self._store.search(queries_QD, filter, MOST_RESULTS)
        return list(dict.fromkeys(label for labels in found for label in list(dict.fromkeys(labels))[:wanted]))

    def _mirror(self, labels: Sequence[str], where: Where | None, filtered: bool) -> Mirror:
        """The examples of some classes in memory; where there is none, some that have one of the attributes at all."""
        fields = ["label", "feature", *(["attributes"] if filtered else [])]
        if labels:
            rows = self._of(labels, fields)
        else:
            stated = [f"exists attributes[{quoted(attribute)}]" for attribute in where or {} if attribute]
            rows = [row for filter in [*stated, ""] for row in self._store.query(filter, fields, _NEIGHBORS)]
            rows = list({row["id"]: row for row in rows}.values())
        mirror = Mirror(self._card, _Some(self._store.place, rows))
        mirror.follow()
        return mirror

    def _of(self, labels: Sequence[str], fields: Sequence[str]) -> list[Found]:
        """The examples of some classes."""
        rows: list[Found] = []
        for start in range(0, len(labels), _NEIGHBORS):
            some = ", ".join(map(quoted, labels[start : start + _NEIGHBORS]))
            rows += self._store.pages(f"label in [{some}]", fields)
        return rows


class _Some:
    """A few examples, as a mirror follows them."""

    def __init__(self, place: str, rows: Sequence[Found]) -> None:
        self.place = place
        self._rows = rows

    def version(self) -> Hashable:
        return 0

    def changes(self, mark: Mark) -> Changes:
        return Changes(
            mark=mark,
            gone=[],
            ids=[row["id"] for row in self._rows],
            labels=[row["label"] for row in self._rows],
            attributes=[json.dumps(row.get("attributes", {})) for row in self._rows],
            features=np.array([row["feature"] for row in self._rows], np.float32),
            complete=True,
        )


def _having(attribute: str, values: Sequence[str]) -> str:
    """The filter for examples with one of the values."""
    if not attribute:  # Milvus has no such key, and the gallery no such attribute
        return "id < 0"
    return f"attributes[{quoted(attribute)}] in [{', '.join(map(quoted, values))}]"


def _passing(attribute: str, unlikely: Sequence[str]) -> str:
    """The filter for examples with none of the values, or that do not state the attribute."""
    return f"not ({_having(attribute, unlikely)})"
