"""The features in memory, against plain loops over what the file holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from by_loops import CALIBRATION, FEATURES, agrees, card_of, expected, random_row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowshot.errors import GalleryError
from lowshot.gallery.columns import Columns
from lowshot.gallery.growing import Growing
from lowshot.gallery.index import Kept
from lowshot.gallery.sqlite import SqliteStore
from lowshot.gallery.store import Row
from lowshot.recognize.distances import nearest_columns, unit


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), turns=st.integers(1, 6))
@pytest.mark.parametrize("compare", ["prototype", "neighbor"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean", "l1"])
def test_it_answers_as_a_loop_over_the_file_would(
    tmp_path: Path, distance: str, compare: str, seed: int, turns: int
) -> None:
    rng = np.random.default_rng(seed)
    (path := tmp_path / "g").unlink(missing_ok=True)
    store, card = SqliteStore(path, {"card": "{}"}), card_of(distance, compare)
    mirror = store.index(card)
    for _ in range(turns):
        store.add([random_row(rng) for _ in range(rng.integers(1, 12))])
        if rng.random() < 0.6:
            ids = [record.id for record in store.records()]
            store.remove(rng.choice(ids, rng.integers(0, len(ids)), replace=False))
        if rng.random() < 0.3:
            store.rename_class(rng.choice(list(store.classes())), f"class {rng.integers(8)}")
        if rng.random() < 0.7:
            mirror.follow()
    mirror.follow()
    queries = rng.normal(size=(3, FEATURES)).astype(np.float32)
    for query, compared in zip(queries, mirror.compare(queries, 3, CALIBRATION), strict=True):
        agrees(compared, expected(store, query, card, lambda row: True))
    for values in (["red"], ["red", "green"], ["blue", "mauve"]):
        if not any(row.attributes.get("color") in values for row in store.rows()):
            continue
        for query, compared in zip(
            queries, mirror.compare(queries, 3, CALIBRATION, where={"color": values}), strict=True
        ):
            agrees(compared, expected(store, query, card, lambda row: row.attributes.get("color") in values))  # noqa: B023
    assert len(mirror) == len(store)
    store.close()


def test_gates_let_whole_classes_through_each_query_by_its_own(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "g", {"card": "{}"})
    feature = np.eye(FEATURES, dtype=np.float32)
    store.add([
        Row("a", "", {"color": "red"}, feature[0], None),
        Row("a", "", {"color": "blue"}, feature[1], None),
        Row("b", "", {"color": "blue"}, feature[2], None),
        Row("c", "", {}, feature[3], None),
    ])  # fmt: skip
    mirror = store.index(card_of())
    mirror.follow()
    likely = np.array([[True, False], [False, True], [False, False]])
    gate = Kept("color", ("red", "blue"), likely)
    one, two, none = mirror.compare(feature[[2, 2, 2]], 9, CALIBRATION, gates=[gate])
    assert sorted(one.labels) == ["a", "c"]  # with both of its examples; c does not say
    assert sorted(two.labels) == ["a", "b", "c"]
    assert none.labels == ["c"]
    gates = [gate, Kept("shape", ("round",), np.zeros((3, 1), bool))]
    assert [each.classes for each in mirror.compare(feature[:3], 9, CALIBRATION, gates=gates)] == [2, 3, 1]
    assert mirror.attributes("color").tolist() == ["red", "blue", "blue", ""]
    store.close()


def test_a_gate_that_lets_nothing_through_is_left_out(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "g", {"card": "{}"})
    rng = np.random.default_rng(0)
    store.add([Row(label, "", {"color": "red"}, rng.normal(size=FEATURES).astype("f4"), None) for label in "ab"])
    mirror = store.index(card_of())
    mirror.follow()
    gate = Kept("color", ("green", "red"), np.array([[True, False]]))
    assert mirror.compare(np.ones((1, FEATURES), np.float32), 5, CALIBRATION, gates=[gate])[0].classes == 2
    store.close()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"color": ["mauve"]}, "no enrolled example has color=mauve; there are: red, blue"),
        ({"weight": ["1"]}, r"no enrolled example has an attribute 'weight' \(there are: color, size\)"),
        ({"color": ["red"], "size": ["2"]}, "no enrolled example has color="),
    ],
)
def test_a_filter_that_nothing_passes_is_an_error(tmp_path: Path, where: dict[str, list[str]], message: str) -> None:
    store = SqliteStore(tmp_path / "g", {"card": "{}"})
    ones = np.ones(FEATURES, np.float32)
    store.add([Row("a", "", {"color": "red"}, ones, None), Row("b", "", {"color": "blue", "size": "2"}, ones, None)])
    mirror = store.index(card_of())
    mirror.follow()
    with pytest.raises(GalleryError, match=message):
        mirror.compare(ones[None], 1, CALIBRATION, where=where)
    store.close()


def test_what_is_held_is_in_order_and_a_part_of_it_spreads_over_all_classes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "g", {"card": "{}"})
    rng = np.random.default_rng(1)
    rows = [Row(f"{i // 5:03d}", "", {}, rng.normal(size=FEATURES).astype("f4"), None) for i in range(500)]
    store.add(rows)
    store.remove([1, 7, 499])
    one, other = store.index(card_of()), store.index(card_of())
    one.follow()
    store.add(rows[:5])
    one.follow()
    other.follow()
    held, part = one.held(), one.held(100)
    assert held.ids.tolist() == [record.id for record in store.records()]
    assert held.labels.tolist() == [record.label for record in store.records()]
    np.testing.assert_allclose(held.features, unit(np.array([row.feature for row in store.rows()])), atol=1e-6)
    assert 80 <= len(part.ids) <= 120 and len(set(part.labels)) in range(18, 23)
    assert part.ids.tolist() == other.held(100).ids.tolist()  # whatever came first
    store.close()


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, -3.0]) | st.floats(-9, 9, width=32), min_size=1, max_size=600))
@settings(max_examples=60)
def test_the_nearest_columns_are_those_of_a_sort(row: list[float]) -> None:
    far = np.array(row * 3, np.float32)
    for top in (1, 3, 700, len(far)):
        assert sorted(far[nearest_columns(far, top)]) == sorted(far)[:top]


@given(st.data())
@settings(max_examples=60)
def test_a_growing_table_is_a_list_of_rows(data: st.DataObject) -> None:
    table, mirror = Growing(a=np.zeros(0, np.int64), b=np.zeros((0, 2), np.int64)), [0] * 0
    for turn in range(data.draw(st.integers(1, 6))):
        new = np.arange(data.draw(st.integers(0, 9))) + 100 * turn
        table.append(a=new, b=np.stack([new, -new], axis=1))
        mirror += new.tolist()
        gone = data.draw(st.sets(st.integers(0, len(mirror) - 1))) if mirror else set()
        before = table["a"].tolist()
        moved, to = table.remove(np.array(sorted(gone), np.intp))
        for source, target in zip(moved, to, strict=True):
            assert table["a"][target] == before[source]
        mirror = [value for place, value in enumerate(before) if place not in gone]
        assert sorted(table["a"].tolist()) == sorted(mirror) and len(table) == len(mirror)
        assert np.array_equal(table["b"], np.stack([table["a"], -table["a"]], axis=1))


def test_attributes_that_come_late_are_silent_before() -> None:
    table = Growing(id=np.zeros(0, np.int64))
    columns = Columns(table)
    for texts in ([{}, {"a": "1"}], [{"b": "x"}, {"a": "2", "b": "x"}]):
        coded = columns.coded([json.dumps(text) for text in texts])
        table.append(id=np.zeros(2, np.int64), **coded)
    assert columns.texts("a").tolist() == ["", "1", "", "2"] and columns.texts("b").tolist() == ["", "", "x", "x"]
    assert columns.having({"a": ["1", "2"], "b": ["x"]}).tolist() == [False, False, False, True]
    assert columns.lacking("a", ["2", "3"]).tolist() == [True, True, True, False]
    assert columns.lacking("c", ["1"]).all()
