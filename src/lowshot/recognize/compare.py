"""Which recognizer compares queries as an encoder's card says."""

from __future__ import annotations

from typing import Literal, get_args

from lowshot.errors import ConfigError
from lowshot.recognize.choice import recognizer_named
from lowshot.recognize.distances import Distance
from lowshot.recognize.recognizer import Recognizer

Compare = Literal["prototype", "neighbor"]


def comparing(compare: Compare, distance: Distance, negative: int = 0) -> Recognizer:
    """A recognizer that compares with class means (``prototype``) or with single examples (``neighbor``).

    Args:
        distance, negative: as in :func:`~lowshot.recognize.distances`.

    Raises ConfigError where there is no such way.
    """
    check_compare(compare)
    return recognizer_named(compare, distance, negative)


def check_compare(compare: str) -> None:
    """Raises ConfigError where there is no such way."""
    if compare not in get_args(Compare):
        raise ConfigError(
            f"queries cannot be compared with each class's {compare!r}: choose {' or '.join(get_args(Compare))}"
        )
