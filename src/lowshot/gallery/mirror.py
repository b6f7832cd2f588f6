"""The enrolled features in memory, and what was learned from them.

Shape suffixes: N examples, C classes, Q queries, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowshot.encoder import Card, Features
from lowshot.errors import GalleryError
from lowshot.gallery.store import Store
from lowshot.recognize.compare import comparing
from lowshot.recognize.distances import distances
from lowshot.recognize.recognizer import Recognizer
from lowshot.recognize.unknown import Calibration, calibrate

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """How queries compare with the classes.

    Attributes:
        labels: the nearest classes of each query, nearest first, (Q, top).
        scores: the probability of each of these, (Q, top).
        known: the probability that the query belongs to a class at all, (Q,).
    """

    labels: Sequence[Sequence[str]]
    scores: Features
    known: Features


class Mirror:
    """One matrix of all features beside the recognizer that learned them. Not safe for several threads at once.

    Follows a store by loading only what was added and dropping what was removed. Labels are numbered as they come, so
    that no example costs a Python object.
    """

    def __init__(self, card: Card, background: tuple[Features, Ints] | None) -> None:
        self._card = card
        self._background = background
        self._recognizer: Recognizer = comparing(card.compare, card.distance, card.negative)
        self._calibration: Calibration | None = None
        self._version: tuple[int, int] | None = None
        self._labels: list[str] = []  # every label ever seen; a label's code is its place here
        self._code: dict[str, int] = {}
        self._ids: Ints = np.zeros(0, np.int64)
        self._codes: Ints = np.zeros(0, np.int64)
        self._features: Features = np.zeros((0, card.features), np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def follow(self, store: Store) -> None:
        """Bring this up to date with the store. Nearly free where nothing has changed."""
        if (version := store.version()) == self._version:
            return
        last = int(self._ids[-1]) if len(self._ids) else 0
        added, remaining = store.changes(after=last, had=len(self))
        if remaining is not None:
            self._drop(np.isin(self._ids, remaining, assume_unique=True))
        if added:
            self._append(*zip(*added, strict=True))
        self._version = version

    def score(self, queries_QD: Features, top: int) -> Scores:
        """Compare queries with every class; the ``top`` nearest of each."""
        if self._calibration is None:
            self._calibration = calibrate(self._recognizer, self._features, self._codes, self._background)
        distances_QC = self._recognizer.distances(queries_QD)
        top = min(top, distances_QC.shape[1])
        some = np.argpartition(distances_QC, top - 1, axis=1)[:, :top]
        order = np.argsort(np.take_along_axis(distances_QC, some, axis=1), axis=1, kind="stable")
        nearest = np.take_along_axis(some, order, axis=1)
        codes = self._recognizer.classes_[nearest]
        return Scores(
            labels=[[self._labels[code] for code in row] for row in codes.tolist()],
            scores=np.take_along_axis(self._calibration.probabilities(distances_QC), nearest, axis=1),
            known=self._calibration.known(distances_QC),
        )

    def examples(self, query_D: Features, label: str, top: int) -> list[tuple[int, float]]:
        """Ids and distances of the examples of one class that are nearest to a query."""
        members = np.flatnonzero(self._codes == self._code[label])
        card = self._card
        far = distances(query_D[None], self._features[members], card.distance, card.negative)[0]
        nearest = np.argsort(far, kind="stable")[:top]
        return list(zip(self._ids[members[nearest]].tolist(), far[nearest].tolist(), strict=True))

    def _append(self, ids: Sequence[int], labels: Sequence[str], blobs: Sequence[bytes]) -> None:
        if any(len(blob) != 4 * self._card.features for blob in blobs):
            raise GalleryError(
                "the gallery is damaged (a feature has another length than its encoder's): restore it from a copy"
            )
        features = np.frombuffer(b"".join(blobs), "<f4").reshape(-1, self._card.features).astype(np.float32)
        for label in dict.fromkeys(labels):
            if label not in self._code:
                self._code[label] = len(self._labels)
                self._labels.append(label)
        codes = np.array([self._code[label] for label in labels], np.int64)
        self._recognizer.partial_fit(features, codes)
        self._ids = np.append(self._ids, np.array(ids, np.int64))
        self._codes = np.append(self._codes, codes)
        self._features = np.concatenate([self._features, features])
        self._calibration = None

    def _drop(self, kept_N: NDArray[np.bool_]) -> None:
        self._recognizer.forget(self._features[~kept_N], self._codes[~kept_N])
        self._ids, self._codes, self._features = self._ids[kept_N], self._codes[kept_N], self._features[kept_N]
        self._calibration = None
