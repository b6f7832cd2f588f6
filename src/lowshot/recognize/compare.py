"""Which recognizer compares queries as an encoder's card says."""

from __future__ import annotations

from typing import Literal

from lowshot.errors import ConfigError
from lowshot.recognize.distances import Distance
from lowshot.recognize.neighbors import NearestNeighbors
from lowshot.recognize.prototypes import NearestPrototype
from lowshot.recognize.recognizer import Recognizer

Compare = Literal["prototype", "neighbor"]


def comparing(compare: Compare, distance: Distance, negative: int = 0) -> Recognizer:
    """A recognizer that compares with class means (``prototype``) or with single examples (``neighbor``).

    Args:
        distance, negative: as in :func:`~lowshot.recognize.distances`.

    Raises ConfigError where there is no such way.
    """
    kinds: dict[str, type[NearestPrototype | NearestNeighbors]] = {
        "prototype": NearestPrototype,
        "neighbor": NearestNeighbors,
    }
    if compare not in kinds:
        raise ConfigError(f"queries cannot be compared with each class's {compare!r}: choose {' or '.join(kinds)}")
    return kinds[compare](distance=distance, negative=negative)
