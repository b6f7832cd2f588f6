"""From a query's features to an answer: what a gallery has learned, its gates, and the search."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lowshot.encoder import Card, Features
from lowshot.errors import DataError, GalleryError, ShapeError
from lowshot.gallery.index import Compared, Held, Index, Kept, check_top, check_where, empty
from lowshot.gallery.learned import AUTO, LEARNED, Learned, learn, read_learned
from lowshot.gallery.records import DESCRIBED, Answer, Candidate, Match, Record
from lowshot.gallery.store import Store
from lowshot.recognize.choice import Background, recognizer_named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lowshot.recognize.gate import AttributeGate, GateReport
    from lowshot.recognize.recognizer import Recognizer

Stated = tuple[Features, Sequence[str], Any]  # features, the value of an attribute, and what is held out together

_GATE = "gate: "  # a fact's name begins so, and goes on with the attribute's


class Answerer:
    """Compares queries with what a store holds, and says what they are. Safe to share between threads.

    Args:
        store: of the examples, and of what was learned from them.
        card, fingerprint: of the encoder.
        background: gives features and classes of what the encoder learned from, see ``Encoder.background``.
    """

    def __init__(self, store: Store, card: Card, fingerprint: str, background: Callable[[], Background | None]) -> None:
        self._store = store
        self._card = card
        self._fingerprint = fingerprint
        self._background = background
        self._lock = threading.RLock()
        self._facts: Mapping[str, str] = {}
        self._version: Hashable = None  # of the store, when the facts were read
        self._recognizers: dict[str, Recognizer] = {}

    def identify(
        self,
        features_QD: Features,
        top: int,
        where: Mapping[str, str | Sequence[str]],
        gate: Sequence[str],
        gate_recall: float,
    ) -> list[Answer]:
        """See :meth:`Gallery.identify <lowshot.gallery.Gallery.identify>`."""
        check_top(top)
        if features_QD.ndim != 2 or features_QD.shape[1] != self._card.features:
            raise ShapeError(f"features {features_QD.shape} are not of this gallery: give (n, {self._card.features})")
        wanted = check_where(where)
        gate = [gate] if isinstance(gate, str) else gate
        with self._lock:
            learned = self._learned()
            kept = self._kept(features_QD, list(dict.fromkeys(gate)), gate_recall)
            compared = self._index.compare(
                features_QD,
                top,
                learned.calibration,
                where=wanted,
                gates=kept,
                recognizer=self._recognizer(learned.recognizer),
            )
        records = self._store.some({id for each in compared for id, _ in each.examples})
        return [_answer(each, records, learned.recognizer, _passed(kept, row)) for row, each in enumerate(compared)]

    @property
    def recognizer(self) -> str:
        """The name of the recognizer in use."""
        with self._lock:
            return self._learned().recognizer

    def calibrate(self, recognizer: str, queries: tuple[Features, list[Any]] | None) -> Learned:
        """See :meth:`Gallery.calibrate <lowshot.gallery.Gallery.calibrate>`."""
        with self._lock:
            self._follow()
            learned = learn(self._index, self._card, self._background(), recognizer, queries)
            self._store.change({LEARNED: learned.text()})
        return learned

    def train_gate(self, attribute: str, background: Stated | None) -> AttributeGate:
        """See :meth:`Gallery.train_gate <lowshot.gallery.Gallery.train_gate>`."""
        with self._lock:
            self._follow()
            gate = self._fitted_gate(attribute, background)
            self._store.change({_GATE + attribute: _as_text(gate)})
        return gate

    def gate_reports(self, recall: float) -> dict[str, GateReport]:
        """See :meth:`Gallery.gate_reports <lowshot.gallery.Gallery.gate_reports>`."""
        from lowshot.recognize.gate import gate_report

        with self._lock:
            self._follow()
            held = self._index.held()
            stated = {name: self._stated(name, held) for name in self._stated_names()}
        reports = {}
        for attribute, each in stated.items():  # which takes a while, and queries need not wait for it
            with suppress(DataError):  # too few examples share a value
                reports[attribute] = gate_report(*each, recall)
        return reports

    def stating(self, attributes: Sequence[str]) -> tuple[Features, dict[str, NDArray[np.str_]]]:
        """Every example's feature, and what the real ones say of those of these attributes that any states.

        Raises EmptyGallery where nothing is enrolled.
        """
        with self._lock:
            self._follow()
            held, known = self._index.held(), self._stated_names()
            columns = {name: np.array(self._stated(name, held)[1]) for name in attributes if name in known}
        return held.features, columns

    def held(self) -> Held:
        """Every enrolled example's id, label and feature, in order of the ids."""
        with self._lock:
            self._follow()
            return self._index.held()

    @cached_property
    def _index(self) -> Index:
        return self._store.index(self._card)

    def _follow(self) -> None:
        """Bring the index and the facts up to date. Raises GalleryError where nothing is enrolled."""
        version = self._store.version()
        if version != self._version:
            self._facts, self._version = self._store.facts(), version
            if self._facts.get("fingerprint") != self._fingerprint:
                raise GalleryError(f"{self._store.place} has got another encoder meanwhile: open it again")
        self._index.follow()
        if not len(self._index):
            raise empty(self._store.place)

    def _learned(self) -> Learned:
        """What the gallery has learned, with the index up to date; learned anew where that is due."""
        self._follow()
        before = None
        if LEARNED in self._facts:
            before = read_learned(self._facts[LEARNED], self._store.place)
            if not before.is_stale(len(self._index)):
                return before
        asked = AUTO if before is None else before.asked
        learned = learn(self._index, self._card, self._background(), asked, before=before)
        self._keep({LEARNED: learned.text()})
        return learned

    def _keep(self, facts: Mapping[str, str]) -> None:
        """Let other processes have what was learned.

        Where the store is read-only, or another process is writing just now, that one has learned or will learn the same.
        """
        self._facts = {**self._facts, **facts}
        with suppress(GalleryError):
            self._store.change(facts, patient=False)

    def _recognizer(self, name: str) -> Recognizer | None:
        """The recognizer of that name; None for the one of the encoder's card, which an index knows."""
        if name == self._card.compare:
            return None
        if name not in self._recognizers:
            made = recognizer_named(name, self._card.distance, self._card.negative, self._background())
            self._recognizers[name] = made
        return self._recognizers[name]

    def _kept(self, features_QD: Features, attributes: Sequence[str], recall: float) -> list[Kept]:
        """What each gate lets through; together they keep the true values of a query with the recall asked for."""
        if not attributes:
            return []
        from lowshot.recognize.gate import keep_likely

        gates = {attribute: self._gate(attribute) for attribute in attributes}
        likely = keep_likely(gates, features_QD, recall)
        return [Kept(attribute, gate.values_, likely[attribute]) for attribute, gate in gates.items()]

    def _gate(self, attribute: str) -> AttributeGate:
        """The gate of an attribute; one that was never trained is trained on the gallery."""
        if (name := _GATE + attribute) not in self._facts:
            self._keep({name: _as_text(self._fitted_gate(attribute, None))})
        return _read_gate(self._facts[name])

    def _fitted_gate(self, attribute: str, background: Stated | None) -> AttributeGate:
        from lowshot.recognize.gate import AttributeGate

        return AttributeGate().fit(*(background or self._stated(attribute, self._index.held())))

    def _stated_names(self) -> list[str]:
        """The attributes that examples state, but for the mark of descriptions."""
        return [name for name in self._index.attribute_names() if name != DESCRIBED]

    def _stated(self, attribute: str, held: Held) -> Stated:
        """What the real examples say of an attribute; of a description nothing can be learned.

        Each stands for itself: queries to let through are of their classes.
        """
        values = self._index.attributes(attribute)
        if DESCRIBED in self._index.attribute_names():
            values = np.where(self._index.attributes(DESCRIBED) == "", values, "")
        return held.features, values.tolist(), np.arange(len(held.ids))


def _as_text(gate: AttributeGate) -> str:
    return base64.b64encode(gate.to_bytes()).decode()


@lru_cache(maxsize=16)  # every query asks
def _read_gate(text: str) -> AttributeGate:
    from lowshot.recognize.gate import AttributeGate

    return AttributeGate.from_bytes(base64.b64decode(text))


def _passed(kept: Sequence[Kept], row: int) -> dict[str, tuple[str, ...]]:
    """The values that each gate kept for one query."""
    return {gate.attribute: tuple(np.array(gate.values)[gate.likely[row]].tolist()) for gate in kept}


def _match(id: int, label: str, distance: float, record: Record | None) -> Match:
    """A deciding example; its record is None where another process has just removed it."""
    return Match(id, label, record.name, distance, record.described) if record else Match(id, label, "", distance)


def _answer(
    compared: Compared, records: Mapping[int, Record], recognizer: str, gate: Mapping[str, tuple[str, ...]]
) -> Answer:
    unknown = compared.known < 0.5
    return Answer(
        label=None if unknown else compared.labels[0],
        confidence=1 - compared.known if unknown else compared.scores[0],
        known=compared.known,
        candidates=tuple(map(Candidate, compared.labels, compared.scores)),
        examples=tuple(_match(id, compared.labels[0], far, records.get(id)) for id, far in compared.examples),
        recognizer=recognizer,
        compared=compared.classes,
        gate=gate,
    )
