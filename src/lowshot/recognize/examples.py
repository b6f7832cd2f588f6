"""What recognizers share that keep their examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import LowshotError
from lowshot.recognize.distances import Floats
from lowshot.recognize.recognizer import Ints, Recognizer


class ExampleKeeper(Recognizer):
    """Remembers every example, in the order in which they came; says nothing of how they answer.

    Attributes:
        features_: the examples, ``float32`` (N, features).
        codes_: the position in ``classes_`` of each example's label, (N,).
    """

    features_: Floats
    codes_: Ints

    def _start(self) -> None:
        self.features_ = np.zeros((0, self.n_features_in_), np.float32)
        self.codes_ = np.zeros(0, np.int64)

    def _move(self, rows: Ints, total: int) -> None:
        self.codes_ = rows[self.codes_]

    def _add(self, features_ND: Floats, codes_N: Ints) -> None:
        self.features_ = np.concatenate([self.features_, features_ND]) if len(self.features_) else features_ND
        self.codes_ = np.concatenate([self.codes_, codes_N])

    def _subtract(self, features_ND: Floats, codes_N: Ints) -> None:
        """Each example given takes out one that is equal to it."""
        rows = np.concatenate([_keys(self.features_, self.codes_), _keys(features_ND, codes_N)])
        kinds = np.unique(rows, return_inverse=True)[1]
        here, gone = kinds[: len(self.codes_)], np.bincount(kinds[len(self.codes_) :], minlength=kinds.max() + 1)
        order = np.argsort(here, kind="stable")
        copies = np.bincount(here, minlength=len(gone))
        if (gone > copies).any():
            raise LowshotError(
                "an example to forget was never learned: give the features and the label it was learned with"
            )
        copy = np.arange(len(order)) - np.repeat(np.cumsum(copies) - copies, copies)
        kept = np.ones(len(order), bool)
        kept[order[copy < gone[here[order]]]] = False
        self.features_, self.codes_ = self.features_[kept], self.codes_[kept]

    def _drop(self, kept_C: NDArray[np.bool_]) -> None:
        kept = kept_C[self.codes_]
        self.features_, self.codes_ = self.features_[kept], (np.cumsum(kept_C) - 1)[self.codes_[kept]]


def _keys(features_ND: Floats, codes_N: Ints) -> NDArray[np.void]:
    """One key an example, equal where features and class are; adding 0 makes -0.0 and 0.0 one."""
    rows = np.concatenate([features_ND + np.float32(0), codes_N[:, None].astype(np.int32).view(np.float32)], axis=1)
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * 4)))[:, 0]
