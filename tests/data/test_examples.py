from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowshot.data import Examples
from lowshot.errors import DataError, ShapeError

CLASSES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu")


@st.composite
def example_sets(draw: st.DrawFn, side: int = 2) -> Examples:
    """Some classes in any order, items of all of them shuffled; each item's pixels are its own."""
    classes = draw(st.permutations(CLASSES).flatmap(lambda order: st.integers(1, 7).map(lambda n: order[:n])))
    counts = draw(st.lists(st.integers(1, 4), min_size=len(classes), max_size=len(classes)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.permutation(np.repeat(np.arange(len(classes)), counts))
    n = len(labels)
    return Examples(
        items=rng.integers(0, 256, (n, side, side, 1), np.uint8),
        labels=labels,
        classes=tuple(classes),
        names=tuple(f"{draw(st.integers(0, 10**6))}-{i}" for i in range(n)),
        attributes={"color": rng.choice(["red", "green"], n)},
    )


def rows(examples: Examples) -> Counter[tuple[object, ...]]:
    """What each item is, with its class by name: equal whatever the order of items and classes."""
    colors = examples.attributes.get("color", np.full(len(examples), ""))
    return Counter(
        (examples.classes[label], name, item.tobytes(), str(color))
        for label, name, item, color in zip(examples.labels, examples.names, examples.items, colors, strict=True)
    )


def small() -> Examples:
    return Examples(
        np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1), np.array([0, 1, 1, 2, 2]), ("a", "b", "c"),
        attributes={"size": np.array(["s", "m", "s", "l", "s"])},
    )  # fmt: skip


@given(example_sets(), st.data())
def test_take_keeps_what_it_takes(examples: Examples, data: st.DataObject) -> None:
    indices = np.array(data.draw(st.lists(st.integers(0, len(examples) - 1), min_size=1)))
    taken = examples.take(indices)
    assert (taken.items == examples.items[indices]).all()
    assert taken.names == tuple(examples.names[i] for i in indices)
    assert [taken.classes[c] for c in taken.labels] == [examples.classes[c] for c in examples.labels[indices]]
    assert (taken.attributes["color"] == examples.attributes["color"][indices]).all()
    assert taken.labels.dtype == np.int64
    kept = [name for name in examples.classes if name in taken.classes]
    assert list(taken.classes) == kept  # the order of the classes stays
    mask = np.zeros(len(examples), bool)
    mask[indices] = True
    assert rows(examples.take(mask)) == rows(examples.take(np.flatnonzero(mask)))


@given(example_sets(), st.floats(0.01, 0.99))
def test_split_shares_out_the_classes(examples: Examples, share: float) -> None:
    if 0 < round(share * len(examples.classes)) < len(examples.classes):
        one, other = examples.split(share, seed=3)
        assert not set(one.classes) & set(other.classes)
        assert rows(one) + rows(other) == rows(examples)
        assert len(one.classes) == round(share * len(examples.classes))
        assert rows(examples.part(0, share, seed=3)) == rows(one)
    else:
        with pytest.raises(DataError, match="is empty"):
            examples.split(share, seed=3)


def test_part_is_the_same_on_every_machine() -> None:
    numbers = Examples(np.zeros((10, 1, 1, 1), np.uint8), np.arange(10), tuple("0123456789"))
    assert numbers.part(0, 0.5).classes == tuple("23467")
    assert numbers.part(0, 0.5, seed=1).classes != numbers.part(0, 0.5).classes


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0.5, 0.5), (0.8, 0.2), (-0.1, 0.5), (0.5, 1.1), (0, 0.01), (float("nan"), 1), (0, float("inf"))],
)
def test_a_part_outside_or_empty_is_refused(start: float, stop: float) -> None:
    with pytest.raises(DataError, match="empty or outside 0:1"):
        small().part(start, stop)


@given(st.lists(example_sets(), min_size=1, max_size=3))
def test_merge_keeps_every_item_under_its_name(sets: list[Examples]) -> None:
    merged = sets[0].merge(*sets[1:])
    assert rows(merged) == sum(map(rows, sets), Counter())
    assert merged.classes == tuple(dict.fromkeys(name for each in sets for name in each.classes))
    assert merged.labels.dtype == np.int64
    assert merged.names == tuple(name for each in sets for name in each.names)


@given(example_sets(), st.floats(0.2, 0.8))
def test_merge_undoes_split(examples: Examples, share: float) -> None:
    if 0 < round(share * len(examples.classes)) < len(examples.classes):
        one, other = examples.split(share)
        assert rows(one.merge(other)) == rows(examples)


def test_merge_fills_missing_attributes_and_takes_empty_sets() -> None:
    plain = Examples(np.zeros((1, 1, 1, 1), np.uint8), np.array([0]), ("z",))
    merged = small().merge(plain)
    assert merged.attributes["size"].tolist() == ["s", "m", "s", "l", "s", ""]
    nothing = Examples(np.zeros((0, 1, 1, 1), np.uint8), np.zeros(0, np.int64), ())
    assert rows(nothing.merge(plain)) == rows(plain)


def test_merge_refuses_another_shape() -> None:
    with pytest.raises(ShapeError, match=r"\(1, 1, 1\), \(2, 2, 1\)"):
        small().merge(Examples(np.zeros((1, 2, 2, 1), np.uint8), np.array([0]), ("z",)))


@given(example_sets(), st.data())
def test_only_and_where_select(examples: Examples, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.sampled_from(examples.classes), min_size=1))
    chosen = examples.only(wanted)
    assert set(chosen.classes) == set(wanted)
    assert rows(chosen) == Counter({row: n for row, n in rows(examples).items() if row[0] in wanted})
    color = str(examples.attributes["color"][0])
    of_color = examples.where(color=color)
    assert rows(of_color) == Counter({row: n for row, n in rows(examples).items() if row[3] == color})


def test_only_takes_one_name() -> None:
    assert small().only("b").classes == ("b",)
    with pytest.raises(DataError, match="no class is named 'ab'"):
        small().only("ab")


def test_where_refuses_what_is_not_there() -> None:
    with pytest.raises(DataError, match=r"no attribute 'weight' \(they have: size\)"):
        small().where(weight="1")
    # a slip of the pen must not shrink the data unseen
    with pytest.raises(DataError, match="size=xl; there are: l, m, s"):
        small().where(size=["s", "xl"])
    both = small().merge(Examples(np.zeros((1, 1, 1, 1), np.uint8), np.array([0]), ("z",)))
    assert len(both.where(size="")) == 1
    with pytest.raises(DataError, match="leaves no example"):
        Examples(
            np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 0]), ("a",),
            attributes={"x": np.array(["1", "2"]), "y": np.array(["1", "2"])},
        ).where(x="1", y="2")  # fmt: skip


@given(example_sets(), st.integers(0, 5))
def test_with_at_least_keeps_the_large_classes(examples: Examples, number: int) -> None:
    large = {name for name, count in zip(examples.classes, examples.counts, strict=True) if count >= number}
    if large:
        assert set(examples.with_at_least(number).classes) == large
    else:
        with pytest.raises(DataError, match=f"no class has {number} items; the largest has {examples.counts.max()}"):
            examples.with_at_least(number)


@given(example_sets(), st.integers(0, 5))
def test_with_at_most_keeps_what_with_at_least_leaves_out(examples: Examples, number: int) -> None:
    if examples.counts.min() > number:
        with pytest.raises(DataError, match=f"more than {number} items; the smallest has {examples.counts.min()}"):
            examples.with_at_most(number)
        return
    small = examples.with_at_most(number)
    assert small.counts.max() <= number
    large = examples.with_at_least(number + 1).classes if examples.counts.max() > number else ()
    assert sorted(small.classes + large) == sorted(examples.classes)


@given(example_sets())
def test_places_count_the_items_of_each_class(examples: Examples) -> None:
    before = [examples.labels[:i].tolist().count(label) for i, label in enumerate(examples.labels)]
    assert examples.places.tolist() == before


@given(example_sets())
def test_items_as_classes(examples: Examples) -> None:
    own = examples.with_own_classes()
    assert own.classes == own.names == examples.names
    assert own.labels.tolist() == list(range(len(examples)))
    assert np.array_equal(own.items, examples.items)


def test_items_of_one_name_are_no_classes() -> None:
    twice = Examples(np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 0]), ("a",), names=("x", "x"))
    with pytest.raises(DataError, match="given twice"):
        twice.with_own_classes()


@given(example_sets(side=3))
def test_rotations_are_classes_of_their_own(examples: Examples) -> None:
    turned = examples.with_rotations()
    n = len(examples)
    assert len(turned) == 4 * n and len(turned.classes) == 4 * len(examples.classes)
    assert sorted(turned.counts) == sorted(np.tile(examples.counts, 4))
    for quarter in range(4):
        one = turned.where(rotation=f"rot{90 * quarter:03d}")
        assert {name.rsplit("/", 1)[1] for name in one.classes} == {f"rot{90 * quarter:03d}"}
        assert [one.classes[c].split("/")[0] for c in one.labels] == [examples.classes[c] for c in examples.labels]
        back = np.stack([np.rot90(item, -quarter) for item in one.items])
        assert (back == examples.items).all()
        assert one.names == examples.names


def test_only_square_images_can_be_turned() -> None:
    with pytest.raises(ShapeError, match=r"not items of \(2, 3, 1\)"):
        Examples(np.zeros((1, 2, 3, 1), np.uint8), np.array([0]), ("a",)).with_rotations()


def test_sounds_played_backwards_are_classes_of_their_own() -> None:
    sounds = Examples(np.arange(12, dtype=np.int16).reshape(3, 4), np.array([0, 1, 1]), ("no", "yes"), ("a", "b", "c"))
    both = sounds.with_directions()
    assert both.classes == ("no/forward", "yes/forward", "no/backward", "yes/backward")
    assert both.counts.tolist() == [1, 2, 1, 2] and both.names == sounds.names * 2
    assert (both.where(direction="forward").items == sounds.items).all()
    assert both.where(direction="backward").items[0].tolist() == [3, 2, 1, 0]
    with pytest.raises(ShapeError, match=r"only sounds can be played backwards, not items of \(2, 3, 1\)"):
        Examples(np.zeros((1, 2, 3, 1), np.uint8), np.array([0]), ("a",)).with_directions()


@given(example_sets())
def test_fingerprint_is_of_the_content(examples: Examples) -> None:
    same = Examples(examples.items.copy(), examples.labels.astype(np.int32), examples.classes)  # type: ignore[arg-type]
    assert same.fingerprint == examples.fingerprint
    pixels = examples.items.copy()
    pixels[-1, -1, -1] ^= 1
    others = [
        Examples(pixels, examples.labels, examples.classes),
        Examples(examples.items, examples.labels, tuple(name.upper() for name in examples.classes)),
        Examples(examples.items.reshape(len(examples), 4, 1, 1), examples.labels, examples.classes),
    ]
    assert len({examples.fingerprint, *(each.fingerprint for each in others)}) == 4


def test_fingerprint_on_every_machine() -> None:
    assert small().fingerprint == "bf231f458f8e2da904b40b9792d19d7898b93f3c4bbedb8a5a488f7adba5dedf"


def test_counts_repr_and_names() -> None:
    assert small().counts.tolist() == [1, 2, 2]
    assert repr(small()) == "Examples(5 items of 1×1×1, 3 classes)"
    assert small().names[1] == "item 1"


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"labels": np.array([0, 1])}, ShapeError, "3 items but 2 labels"),
        ({"names": ("one",)}, ShapeError, "3 items but 1 names"),
        ({"attributes": {"x": np.array(["1"])}}, ShapeError, "3 items but 1 attribute 'x'"),
        ({"classes": ("a", "a")}, DataError, "given twice"),
        ({"labels": np.array([0, 1, 2])}, DataError, r"labels must lie in 0\.\.1"),
        ({"labels": np.array([0, 1, -1])}, DataError, r"labels must lie in 0\.\.1"),
        ({"classes": ("a", "b", "c")}, DataError, "class 'c' has no items"),
    ],
)
def test_parts_that_do_not_agree_are_refused(changed: dict[str, object], error: type[Exception], message: str) -> None:
    parts: dict[str, object] = {"labels": np.array([0, 1, 1]), "classes": ("a", "b")}
    with pytest.raises(error, match=message):
        Examples(np.zeros((3, 1, 1, 1), np.uint8), **parts | changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [[0, 1], (0, 1), np.array([0, 1], np.uint8)], ids=repr)
def test_labels_may_be_any_whole_numbers(labels: Any) -> None:
    examples = Examples(np.zeros((2, 1, 1, 1), np.uint8), labels, ("a", "b"))
    assert examples.labels.dtype == np.int64
    assert examples.take(np.array([1])).classes == ("b",)


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        (["a", "b"], DataError),
        ([0.0, 1.0], DataError),
        ([False, True], DataError),
        ([[0], [1]], ShapeError),
        (0, ShapeError),
    ],
    ids=repr,
)
def test_labels_that_are_no_class_numbers_are_refused(labels: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="labels must be"):
        Examples(np.zeros((2, 1, 1, 1), np.uint8), labels, ("a", "b"))


def test_an_attribute_may_have_any_name() -> None:
    examples = Examples(
        np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 1]), ("a", "b"), attributes={"self": np.array(["x", "y"])}
    )
    assert examples.where(**{"self": "x"}).classes == ("a",)
    assert examples.without(**{"self": "x"}).classes == ("b",)
