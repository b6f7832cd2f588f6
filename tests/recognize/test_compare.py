"""A card's word for how to compare becomes a recognizer."""

from __future__ import annotations

from typing import Any

import pytest

from lowshot.errors import ConfigError
from lowshot.recognize import NearestNeighbors, NearestPrototype
from lowshot.recognize.compare import comparing


@pytest.mark.parametrize(("compare", "kind"), [("prototype", NearestPrototype), ("neighbor", NearestNeighbors)])
def test_the_recognizer_compares_as_asked(compare: Any, kind: type) -> None:
    found = comparing(compare, "l1", 3)
    assert type(found) is kind and (found.distance, found.negative) == ("l1", 3)


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="'median': choose prototype or neighbor"):
        comparing("median", "cosine")  # type: ignore[arg-type]
