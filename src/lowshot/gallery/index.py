"""How a gallery searches its enrolled features.

Shape suffixes: N examples, Q queries, D features, V values of an attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from lowshot.encoder import Features
from lowshot.errors import ConfigError, EmptyGallery

if TYPE_CHECKING:
    from lowshot.recognize.recognizer import Recognizer
    from lowshot.recognize.unknown import Calibration

Ints = NDArray[np.int64]
Where = Mapping[str, Sequence[str]]  # each attribute with the values that are wanted


@dataclass(frozen=True, eq=False)
class Kept:
    """What a gate lets through: the likely values of one attribute of each query.

    Attributes:
        attribute: its name.
        values: the values the gate knows, V of them.
        likely: which of them are likely, (Q, V).
    """

    attribute: str
    values: Sequence[str]
    likely: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Compared:
    """How one query compares with the classes.

    Attributes:
        labels: the nearest classes, nearest first; equally near ones in the order of their labels.
        scores: the probability of each of these.
        known: the probability that the query belongs to a class at all.
        classes: how many classes it was compared with.
        examples: ids and distances of the nearest examples of the nearest class, nearest first.
    """

    labels: Sequence[str]
    scores: Sequence[float]
    known: float
    classes: int
    examples: Sequence[tuple[int, float]]


@dataclass(frozen=True, eq=False)
class Held:
    """Enrolled features, in order of their ids.

    Attributes:
        ids: of the examples, (N,).
        labels: the class of each, N texts.
        features: as they are compared: at unit length where the distance is cosine, (N, D).
    """

    ids: Ints
    labels: NDArray[np.str_]
    features: Features


class Index(Protocol):
    """The enrolled features of a store, to be compared with queries. Not safe for several threads at once."""

    def follow(self) -> None:
        """Bring this up to date with the store. Nearly free where nothing has changed."""

    def __len__(self) -> int:
        """How many examples there are."""

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
        """Compare queries with the classes.

        Args:
            queries_QD: their features.
            top: nearest classes to name.
            calibration: from distances to probabilities.
            where: compare only with examples that have one of these values of each attribute.
            gates: leave classes out of which every example has an unlikely value of an attribute; one that does not state
                it, or has a value that the gate does not know, lets its class through. Where no class is left, the gates
                are left out.
            recognizer: how to compare, one that has learned nothing; None as the encoder's card says.
            shown: deciding examples to name.

        Raises NoMatch where no example has the values of ``where``, GalleryError where the store compares only as the card
        says.
        """

    def attribute_names(self) -> list[str]:
        """The attributes that examples state."""

    def attributes(self, attribute: str) -> NDArray[np.str_]:
        """The attribute of each example of :meth:`held`, empty where one does not state it, (N,)."""

    def held(self, most: int | None = None) -> Held:
        """The examples, or ``most`` of them at about, of classes spread over all; the same ones in every process."""


def check_top(top: int) -> None:
    """Raises ConfigError where so many candidates cannot be listed."""
    if top < 1:
        raise ConfigError(f"top must be at least 1, not {top}")


def check_where(where: Mapping[str, str | Sequence[str]]) -> dict[str, Sequence[str]]:
    """Each attribute with the values wanted. Raises ConfigError where that is not what was given."""
    if not isinstance(where, Mapping):
        raise ConfigError(f"where must map attributes to values, as {{'color': 'red'}}, not {where!r}")
    wanted = {key: [values] if isinstance(values, str) else values for key, values in where.items()}
    for key, values in wanted.items():
        if not isinstance(values, Sequence) or not all(isinstance(each, str) for each in values):
            raise ConfigError(f"the values of {key!r} must be text, one or a list, not {values!r}")
    return wanted


def empty(place: str) -> EmptyGallery:
    """The error of a gallery that nothing can be compared with."""
    return EmptyGallery(f"{place} is empty: enroll at least one example first")
