"""Codes of classes, from attributes of items and from a matrix."""

from __future__ import annotations

import numpy as np
import pytest

from lowshot.data import Examples
from lowshot.data.awa import animals
from lowshot.data.descriptions import Descriptions
from lowshot.data.locate import find
from lowshot.errors import DataError, ShapeError


def pictures(**attributes: list[str]) -> Examples:
    return Examples(
        np.zeros((4, 2, 2, 1), np.uint8),
        np.array([0, 0, 1, 2]),
        ("a", "b", "c"),
        attributes={name: np.array(values) for name, values in attributes.items()},
    )


def test_each_value_of_an_attribute_is_a_column() -> None:
    found = Descriptions.of_examples(
        pictures(
            color=["red", "red", "blue", "red"],
            size=["", "", "big", "big"],
            hand=["x", "y", "x", "x"],
            name=list("aabc"),
        )
    )
    assert found.classes == ("a", "b", "c")
    assert found.attributes == (
        "color=blue",
        "color=red",
        "size=big",
    )  # hands differ within a class; a name describes none
    assert found.codes.tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 1]]
    assert Descriptions.of_examples(pictures(name=list("aabc")), ["name"]).codes.tolist() == np.eye(3).tolist()
    assert found.of(["c", "a"]).tolist() == [[0, 1, 1], [0, 1, 0]]


def test_what_has_nothing_is_left_out() -> None:
    plain = Descriptions(("a", "b", "c"), ("x", "y"), np.array([[0, 1], [0, 0], [0, 2]])).without_empty()
    assert (plain.classes, plain.attributes, plain.codes.tolist()) == (("a", "c"), ("y",), [[1], [2]])


def test_bad_descriptions_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 1\)"):
        Descriptions(("a", "b"), ("x",), np.zeros((2, 2)))
    with pytest.raises(ShapeError, match="finite"):
        Descriptions(("a",), ("x",), np.array([[np.nan]]))
    with pytest.raises(DataError, match="class 'a'"):
        Descriptions(("a", "a"), ("x",), np.zeros((2, 1)))
    with pytest.raises(DataError, match="attribute 'x'"):
        Descriptions(("a",), ("x", "x"), np.zeros((1, 2)))
    with pytest.raises(DataError, match="zebra"):
        Descriptions(("a",), ("x",), np.zeros((1, 1))).of(["zebra"])
    with pytest.raises(DataError, match="there are none"):
        Descriptions.of_examples(pictures())
    with pytest.raises(DataError, match="several values"):
        Descriptions.of_examples(pictures(hand=["x", "y", "x", "x"]), ["hand"])


@pytest.mark.skipif(find("awa_attributes/classes.txt") is None, reason="awa_attributes is not in $LOWSHOT_DATA")
def test_the_real_animals() -> None:
    found = animals()
    assert found.codes.shape == (50, 85) and len(set(map(tuple, found.codes))) == 50
    has = dict(zip(found.attributes, found.of(["zebra"])[0], strict=True))
    assert has["stripes"] == 1 and has["flys"] == 0
    assert found.without_empty().codes.shape == (50, 85)
