"""Examples held out: each against the others, one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowshot.data.examples import places_in_class
from lowshot.recognize import NearestNeighbors, NearestPrototype
from lowshot.recognize.held_out import at_shots, in_turn, join
from lowshot.recognize.recognizer import Recognizer

Sizes = st.lists(st.integers(1, 5), min_size=2, max_size=5)


def gallery(seed: int, sizes: list[int]) -> tuple[Any, Any, np.random.Generator]:
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return rng.normal(size=(len(codes), 3)).astype(np.float32), codes, rng


@pytest.mark.parametrize("recognizer", [NearestPrototype(), NearestNeighbors()])
@given(seed=st.integers(0, 1000), sizes=Sizes)
def test_each_of_a_class_of_two_or_more_is_asked_once(recognizer: Recognizer, seed: int, sizes: list[int]) -> None:
    X, codes, rng = gallery(seed, sizes)
    held = in_turn(recognizer, X, codes, rng, most=100)
    asked = np.flatnonzero(np.bincount(codes)[codes] > 1)
    assert sorted(held.rows.tolist()) == asked.tolist()
    assert (held.rival != codes[held.rows]).all() and (held.own > 0).all()
    nearest = ((X[held.rows][:, None] - X[None]) ** 2).sum(-1)
    others = np.where(codes[None] == codes[held.rows][:, None], np.inf, nearest).min(axis=1)
    if isinstance(recognizer, NearestNeighbors):
        assert (held.other >= others - 1e-4).all(), "others are held out, too, so the nearest may be"


def test_of_two_examples_each_is_compared_with_the_other() -> None:
    X, codes, rng = gallery(0, [2, 2, 2])
    held = in_turn(NearestPrototype(), X, codes, rng, most=100)
    for row, own in zip(held.rows, held.own, strict=True):
        (twin,) = set(np.flatnonzero(codes == codes[row]).tolist()) - {row}
        assert own == pytest.approx(((X[row] - X[twin]) ** 2).sum(), rel=1e-4)


@given(seed=st.integers(0, 1000), sizes=Sizes, shots=st.integers(1, 4), most=st.integers(1, 30))
def test_only_what_is_not_learned_is_asked(seed: int, sizes: list[int], shots: int, most: int) -> None:
    X, codes, rng = gallery(seed, sizes)
    found = at_shots(NearestPrototype(), X, codes, [shots], rng, draws=3, most=most)[shots]
    assert len(found) <= 3 * most
    assert set(codes[found.rows].tolist()) <= set(np.flatnonzero(np.bincount(codes) > shots).tolist())
    assert (found.own > 0).all(), "an example that was learned alone would be at 0"


def test_ties_count_half_and_one_class_has_no_rival() -> None:
    codes = np.array([0, 0, 1, 1])
    held = in_turn(NearestPrototype(), np.ones((4, 2), np.float32), codes, np.random.default_rng(0), most=9)
    assert (held.right == 0.5).all()
    alone = in_turn(
        NearestPrototype(), np.ones((3, 2), np.float32), codes[:2].repeat([2, 1]), np.random.default_rng(0), most=9
    )
    assert (alone.rival == -1).all() and np.isinf(alone.other).all() and (alone.right == 1).all()


def test_parts_are_joined_and_chosen() -> None:
    X, codes, rng = gallery(3, [3, 3])
    held = in_turn(NearestPrototype(), X, codes, rng, most=9)
    assert len(join([])) == 0 and len(join([held, held])) == 12
    assert set(held.of(np.array([1, 4])).rows.tolist()) == {1, 4}


@given(seed=st.integers(0, 1000), sizes=Sizes)
def test_an_order_is_a_shuffle_of_each_class(seed: int, sizes: list[int]) -> None:
    _, codes, rng = gallery(seed, sizes)
    order = places_in_class(codes, rng)
    for code, size in enumerate(sizes):
        assert sorted(order[codes == code].tolist()) == list(range(size))
