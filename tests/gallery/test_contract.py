"""What every store promises, asked of each of them: of a file, and of a Milvus server (`make test-milvus`)."""

from __future__ import annotations

import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from by_loops import CALIBRATION, FEATURES, agrees, card_of, expected, random_row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowshot import Encoder, Gallery
from lowshot.errors import GalleryError, NotEnrolled
from lowshot.gallery import moving
from lowshot.gallery.index import Kept
from lowshot.gallery.store import Row, Store, is_there, open_store
from lowshot.recognize.choice import recognizer_named
from lowshot.recognize.distances import distances, unit


def _facts(**fields: str) -> dict[str, str]:
    return {"card": card_of(**fields).model_dump_json(), "fingerprint": "abc", "source": "", "precision": "float32"}


def _feature(seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=FEATURES).astype(np.float32)


def _rows(number: int, label: str = "a", start: int = 0) -> list[Row]:
    each = range(start, start + number)
    return [Row(label, f"{i}.png", {"i": str(i)}, _feature(i), f"picture {i}".encode()) for i in each]


@pytest.fixture(scope="module")
def premade(milvus: str) -> Iterator[Callable[[], Store]]:
    """Gives new galleries on Milvus. It takes seconds to make one, so some are made ahead, side by side."""

    def make() -> Store:
        store = open_store(f"{milvus}/g{uuid.uuid4().hex}", _facts())
        store.facts()
        return store

    with ThreadPoolExecutor(6) as pool:
        ahead = deque(pool.submit(make) for _ in range(12))

        def take() -> Store:
            ahead.append(pool.submit(make))
            return ahead.popleft().result()

        yield take
        for each in ahead:
            each.cancel()


@pytest.fixture(params=["file", pytest.param("milvus", marks=pytest.mark.milvus)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A new gallery of each kind."""
    file = request.param == "file"
    with closing(
        open_store(str(tmp_path / "new"), _facts()) if file else request.getfixturevalue("premade")()
    ) as opened:
        yield opened


def _ids(store: Store) -> list[int]:
    return [record.id for record in store.records()]


class TestKeeping:
    def test_everything_comes_back_to_whoever_opens_it(self, store: Store) -> None:
        ids = store.add([*_rows(2, "b"), Row("a", "", {}, _feature(9), None)])
        assert ids == sorted(set(ids)) and min(ids) > 0
        with closing(open_store(store.place)) as again:
            assert again.facts() == _facts()
            assert again.classes() == {"a": 1, "b": 2} and len(again) == 3 and not again.is_empty()
            assert [(r.id, r.label, r.name, r.attributes) for r in again.records("b")] == [
                (ids[0], "b", "0.png", {"i": "0"}),
                (ids[1], "b", "1.png", {"i": "1"}),
            ]
            assert [again.original(id) for id in ids] == [b"picture 0", b"picture 1", None]
            assert again.names([ids[0], ids[2], 77_777]) == {ids[0]: "0.png", ids[2]: ""}
            rows = list(again.rows())
            assert [row.id for row in rows] == ids and [row.original for row in rows][2] is None
            np.testing.assert_array_equal([row.feature for row in rows], [_feature(i) for i in (0, 1, 9)])
            assert abs((rows[0].added or datetime.min.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds() < 60

    def test_pictures_of_every_size_are_kept_as_they_are(self, store: Store) -> None:
        pictures = [os.urandom(size) for size in (0, 1, 49_148, 49_149, 49_150, 300_000)]
        ids = store.add([Row("a", str(len(p)), {}, _feature(0), p) for p in pictures])
        assert [store.original(id) for id in ids] == pictures
        assert [row.original for row in store.rows()] == pictures
        assert all(row.original is None for row in store.rows(originals=False))

    @pytest.mark.parametrize(
        "text",
        [
            "é",
            "日本",
            "👩‍🏫 teacher",
            "a/b?c=d",
            "'; DROP TABLE examples; --",
            'say "hi"',
            "back\\slash",
            "%_",
            "x" * 200,
            '" or id > 0 or label == "',
            "\\",
            '\\"',
            "{a}",
        ],
        ids=repr,
    )
    def test_hostile_texts_come_back_and_are_found(self, shared: Store, text: str) -> None:
        store = shared
        (id,) = store.add([Row(text, text, {text: text, "of": text}, _feature(1), None)])
        assert store.classes() == {text: 1, "other": 1}
        (record,) = store.records(text)
        assert (record.id, record.label, record.name, record.attributes) == (id, text, text, {text: text, "of": text})
        index = store.index(card_of())
        index.follow()
        for where in ({text: [text]}, {"of": ["no", text]}, {text: [text], "of": [text]}):
            (compared,) = index.compare(_feature(1)[None], 5, CALIBRATION, where=where)
            assert list(compared.labels) == [text] and compared.examples[0][0] == id
        assert store.rename_class(text, f"{text[:100]}'\"") == 1
        assert store.remove_class(f"{text[:100]}'\"") == 1

    def test_one_example_and_the_oldest_of_each_class(self, store: Store) -> None:
        assert store.oldest() == {}
        first, second = store.add(_rows(2)), store.add(_rows(2, "b"))
        assert [store.record(id) for id in first] == store.records("a")
        assert store.oldest() == {"a": first[0], "b": second[0]}
        store.remove([first[0]])
        store.rename_class("b", "c")
        assert store.oldest() == {"a": first[1], "c": second[0]}
        assert store.record(second[0]).label == "c"
        for id in (first[0], 0, -1, 2**70):
            with pytest.raises(NotEnrolled):
                store.record(id)

    def test_the_same_picture_of_the_same_label_is_there_once(self, store: Store) -> None:
        bare = Row("a", "", {}, _feature(0), None)
        ids = store.add([*_rows(3), *_rows(2), *_rows(1, "b"), bare, bare])
        again = store.add([*_rows(4), *_rows(1, "b")])
        assert again[:3] == ids[:3] and again[4] == ids[5] and again[3] > max(ids)
        store.remove([ids[0]])
        (new,) = store.add(_rows(1))
        assert new > max(again)
        assert _ids(store) == sorted({*ids, again[3], new} - {ids[0]})

    def test_ids_are_never_used_again(self, store: Store) -> None:
        seen: list[int] = []
        for turn in range(3):
            with closing(open_store(store.place, _facts()) if turn == 0 else open_store(store.place)) as opened:
                ids = opened.add(_rows(3, start=3 * turn))
                assert not seen or min(ids) > max(seen)
                seen += ids
                opened.remove(ids)
                assert opened.is_empty()
        assert len(store) == 0 and list(store.rows()) == []

    def test_nothing_is_added_where_one_cannot_be(self, store: Store) -> None:
        ids = store.add(_rows(1))
        with pytest.raises(GalleryError, match=f"has an example {ids[0]} already"):
            store.add([*_rows(1, "b"), Row("c", "", {}, _feature(0), None, id=ids[0])])
        assert store.classes() == {"a": 1}

    def test_rows_of_one_store_make_the_same_store_elsewhere(self, store: Store) -> None:
        ids = store.add([*_rows(40), *_rows(1, "b"), Row("c", "", {}, _feature(5), None)])
        store.remove([ids[0], ids[30]])
        with closing(open_store(store.place + "_copy", _facts())) as other:
            other.add(list(store.rows()))
            assert other.records() == store.records()
            assert [other.original(id) for id in (ids[1], ids[40], ids[41])] == [b"picture 1", b"picture 0", None]
            assert [row.id for row in store.rows(after=ids[39])] == ids[40:]
            with pytest.raises(GalleryError, match="already"):
                other.add(list(store.rows(after=ids[39])))
            assert min(other.add(_rows(1, "d"))) > max(ids)


class TestRemoving:
    def test_examples_go_with_their_pictures(self, store: Store) -> None:
        ids = store.add([*_rows(4), *_rows(2, "b")])
        assert store.remove([ids[0], ids[0], ids[2]]) == 2
        assert store.classes() == {"a": 2, "b": 2}
        assert store.remove_class("a") == 2
        assert _ids(store) == ids[4:] and len(store) == 2
        for id in ids[:4]:
            with pytest.raises(GalleryError, match=f"has no example {id}"):
                store.original(id)

    @pytest.mark.parametrize("id", [2**63, 10**30, -(10**30), 0, -1, 999_999])
    def test_all_or_nothing(self, shared: Store, id: int) -> None:
        with pytest.raises(GalleryError, match=f"has no example {id}"):
            shared.original(id)
        with pytest.raises(GalleryError, match=f"has no example {id}: nothing was removed"):
            shared.remove([*_ids(shared), id])
        assert len(shared) == 1

    @pytest.mark.parametrize("id", ["1", 1.0, None, b"1"])
    def test_what_is_no_number_is_no_id(self, shared: Store, id: Any) -> None:
        with pytest.raises(GalleryError, match="no id"):
            shared.original(id)
        with pytest.raises(GalleryError, match="no id"):
            shared.remove([1, id])

    def test_classes_that_are_not_there(self, shared: Store) -> None:
        for change in (shared.remove_class, shared.records, lambda label: shared.rename_class(label, "new")):
            with pytest.raises(GalleryError, match="has no class 'nobody'"):
                change("nobody")
        with pytest.raises(GalleryError):
            shared.remove_class("\ud800")
        assert shared.classes() == {"other": 1}

    def test_ids_may_be_integers_of_numpy(self, store: Store) -> None:
        ids = np.array(store.add(_rows(3)))
        assert store.original(ids[0]) == b"picture 0"
        store.remove(ids[1:])
        assert _ids(store) == [ids[0]]

    def test_a_class_can_be_renamed_or_joined_to_another(self, store: Store) -> None:
        ids = store.add([*_rows(2), *_rows(1, "b", start=2)])
        before = list(store.rows())
        assert store.rename_class("a", "b") == 2
        assert store.classes() == {"b": 3} and _ids(store) == ids
        for old, new in zip(before, store.rows(), strict=True):
            assert (new.name, new.attributes, new.original, new.digest, new.added) == (
                old.name,
                old.attributes,
                old.original,
                old.digest,
                old.added,
            )
            np.testing.assert_array_equal(new.feature, old.feature)
        assert store.add(_rows(1, "b")) == ids[:1]  # known under its new label
        assert store.rename_class("b", "c") == 3 and store.classes() == {"c": 3}


class TestFacts:
    def test_they_are_written_over_and_taken_out(self, store: Store) -> None:
        store.change({"source": "elsewhere", "learned": "much", "fingerprint": ""})
        expected = {**_facts(), "source": "elsewhere", "learned": "much"}
        del expected["fingerprint"]
        assert store.facts() == expected
        with closing(open_store(store.place)) as again:
            assert again.facts() == expected
            again.change({"learned": ""}, patient=False)
        del expected["learned"]
        assert store.facts() == expected

    def test_they_may_be_long_and_of_any_letters(self, store: Store) -> None:
        facts = {'gate: "a"\\': "x" * 4096, "gate: é日本": "日本" * 100_000, "é": "\"\\\n'"}
        store.change(facts)
        assert store.facts() == {**_facts(), **facts}
        store.change(shorter := {"gate: é日本": "é" * 5000})
        with closing(open_store(store.place)) as again:
            assert again.facts() == {**_facts(), **facts, **shorter}

    def test_the_version_tells_of_every_change(self, store: Store) -> None:
        seen = [store.version()]
        with closing(open_store(store.place, _facts())) as other:
            ids: list[int] = []
            changes: list[Callable[[], Any]] = [
                lambda: ids.extend(store.add(_rows(2))),
                lambda: other.add(_rows(1, "b")),
                lambda: other.rename_class("a", "c"),
                lambda: store.remove(ids),
                lambda: other.change({"learned": "this"}),
            ]
            for change in changes:
                change()
                assert store.version() not in seen
                seen.append(store.version())
                assert store.version() == seen[-1]


class TestOpening:
    def test_what_is_not_there_is_not_made_by_accident(self, place: str) -> None:
        assert not is_there(place)
        with pytest.raises(GalleryError, match="no gallery"):
            open_store(place)
        assert not is_there(place)

    def test_a_gallery_comes_with_its_first_use(self, place: str) -> None:
        open_store(place, _facts()).close()
        assert not is_there(place)
        with closing(open_store(place, _facts())) as store:
            assert store.is_empty() and is_there(place)

    def test_who_comes_second_with_other_facts_is_told(self, place: str) -> None:
        with (
            closing(open_store(place, _facts())) as first,
            closing(open_store(place, {**_facts(), "source": "x"})) as second,
        ):
            first.add(_rows(1))
            with pytest.raises(GalleryError, match="another process"):
                second.add(_rows(1))
            assert len(first) == 1

    def test_a_closed_store_says_so(self, store: Store) -> None:
        store.add(_rows(1))
        store.close()
        store.close()
        with pytest.raises(GalleryError, match="is closed: open it again"):
            store.classes()


class TestSharing:
    def test_what_one_changes_the_other_sees_at_once(self, store: Store) -> None:
        with closing(open_store(store.place, _facts())) as other:
            one, two = store.index(card_of()), other.index(card_of())
            for turn in range(4):
                here, index = (other, one) if turn % 2 else (store, two)
                (id,) = here.add(_rows(1, f"label {turn}", start=turn))
                index.follow()
                assert len(index) == turn + 1
                (compared,) = index.compare(_feature(turn)[None], 1, CALIBRATION)
                assert (compared.labels[0], compared.examples[0][0]) == (f"label {turn}", id)
            store.remove_class("label 2")
            two.follow()
            assert "label 2" not in two.compare(_feature(2)[None], 9, CALIBRATION)[0].labels
            assert len(other) == 3

    def test_threads_that_add_get_ids_of_their_own(self, store: Store) -> None:
        with closing(open_store(store.place, _facts())) as other:
            store.add(_rows(1))
            ids: list[int] = []
            errors: list[BaseException] = []

            def work(number: int) -> None:
                try:
                    for turn in range(3):
                        opened = store if number % 2 else other
                        ids.extend(opened.add(_rows(2, start=100 * number + 10 * turn + 1)))
                except BaseException as error:
                    errors.append(error)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert errors == [] and len(set(ids)) == 24 and len(store) == 25 == len(other)


@pytest.fixture(scope="module")
def milvus_shared(milvus: str) -> Iterator[Store]:
    with closing(open_store(f"{milvus}/shared", _facts())) as opened:
        opened.add([Row("other", "", {}, -_feature(1), None)])
        yield opened


@pytest.fixture(params=["file", pytest.param("milvus", marks=pytest.mark.milvus)])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of one example, for tests that leave it as it was: Milvus takes seconds to make one."""
    if request.param == "milvus":
        yield request.getfixturevalue("milvus_shared")
        return
    with closing(open_store(str(tmp_path / "shared"), _facts())) as opened:
        opened.add([Row("other", "", {}, -_feature(1), None)])
        yield opened


# Comparing.


@pytest.mark.parametrize("compare", ["prototype", "neighbor"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_any_history_answers_as_a_loop_over_the_store_would(place: str, distance: str, compare: str) -> None:
    card, rng = card_of(distance, compare), np.random.default_rng(0)
    with closing(open_store(place, _facts(distance=distance, compare=compare))) as store:
        index = store.index(card)
        for turn in range(4):
            store.add([random_row(rng) for _ in range(rng.integers(1, 12))])
            if turn % 2:
                store.remove(rng.choice(_ids(store), rng.integers(0, len(store)), replace=False))
            if turn == 3:
                store.rename_class(next(iter(store.classes())), "class 7")
            index.follow()
            queries = rng.normal(size=(3, FEATURES)).astype(np.float32)
            for query, compared in zip(queries, index.compare(queries, 3, CALIBRATION), strict=True):
                agrees(compared, expected(store, query, card, lambda row: True))
                members = [row for row in store.rows() if row.label == compared.labels[0]]
                far = distances(query[None], np.array([row.feature for row in members]), card.distance)[0]
                near = np.argsort(far)[:5]
                assert [id for id, _ in compared.examples] == [members[i].id for i in near]
                np.testing.assert_allclose([d for _, d in compared.examples], far[near], atol=1e-5)
            for values in (["red"], ["red", "green"], ["blue", "mauve"]):
                having = lambda row: row.attributes.get("color") in values  # noqa: B023, E731
                if any(map(having, store.rows())):
                    for query, compared in zip(
                        queries, index.compare(queries, 3, CALIBRATION, where={"color": values}), strict=True
                    ):
                        agrees(compared, expected(store, query, card, having))
            assert len(index) == len(store)
        assert index.compare(queries[:0], 3, CALIBRATION) == []


@pytest.fixture
def colors(place: str) -> Iterator[Store]:
    """Four classes, of which not all say their color."""
    feature = np.eye(FEATURES, dtype=np.float32)
    with closing(open_store(place, _facts())) as store:
        store.add([
            Row("a", "", {"color": "red"}, feature[0], None),
            Row("a", "", {"color": "blue"}, feature[1], None),
            Row("b", "", {"color": "blue", "size": "2"}, feature[2], None),
            Row("c", "", {}, feature[3], None),
            Row("d", "", {"color": "mauve"}, feature[4], None),
        ])  # fmt: skip
        yield store


def test_filters_and_gates(colors: Store) -> None:
    index, queries = colors.index(card_of()), np.eye(FEATURES, dtype=np.float32)[[2, 2, 2]]
    index.follow()
    for where, message in (
        ({"color": ["green"]}, "no enrolled example has color=green; there are: red, blue, mauve"),
        ({"weight": ["1"]}, r"no enrolled example has an attribute 'weight' \(there are: color, size\)"),
        ({"": ["1"]}, "no enrolled example has an attribute ''"),
        ({"color": ["red"], "size": ["2"]}, "no enrolled example has color="),
    ):
        with pytest.raises(GalleryError, match=message):
            index.compare(queries, 1, CALIBRATION, where=where)
    # What a gate does not know it lets through: the color of c, which does not say, and of d, which it never saw.
    gate = Kept("color", ("red", "blue"), np.array([[True, False], [False, True], [False, False]]))
    one, two, none = index.compare(queries, 9, CALIBRATION, gates=[gate])
    assert sorted(one.labels) == ["a", "c", "d"] and sorted(two.labels) == ["a", "b", "c", "d"]
    assert sorted(none.labels) == ["c", "d"]
    gates = [gate, Kept("shape", ("round",), np.zeros((3, 1), bool))]
    assert [each.classes for each in index.compare(queries, 9, CALIBRATION, gates=gates)] == [3, 4, 2]
    only = Kept("color", ("red", "blue", "mauve"), np.zeros((1, 3), bool))
    left_out = index.compare(queries[:1], 9, CALIBRATION, where={"color": ["red", "blue"]}, gates=[only])[0]
    assert sorted(left_out.labels) == ["a", "b"]
    assert index.attributes("color").tolist() == ["red", "blue", "blue", "", "mauve"]
    with pytest.raises(GalleryError, match="no enrolled example has an attribute 'weight'"):
        index.attributes("weight")


def test_every_recognizer_can_compare(colors: Store) -> None:
    index = colors.index(card_of())
    index.follow()
    background = np.random.default_rng(0).normal(size=(40, FEATURES)).astype("f4"), np.repeat(np.arange(10), 4)
    for name in ("3-neighbors", "mahalanobis", "simple-shot", "logistic"):
        recognizer = recognizer_named(name, background=background)
        (compared,) = index.compare(np.eye(FEATURES, dtype=np.float32)[2:3], 4, CALIBRATION, recognizer=recognizer)
        assert compared.labels[0] == "b" and len(compared.labels) == 4, name


def test_what_is_held_is_in_order_and_a_part_of_it_spreads_over_all_classes(store: Store) -> None:
    rng = np.random.default_rng(1)
    ids = store.add([Row(f"{i // 5:03d}", "", {}, rng.normal(size=FEATURES).astype("f4"), None) for i in range(500)])
    store.remove([ids[0], ids[6], ids[498]])
    index = store.index(card_of())
    index.follow()
    held, part = index.held(), index.held(100)
    assert held.ids.tolist() == _ids(store)
    assert held.labels.tolist() == [record.label for record in store.records()]
    np.testing.assert_allclose(held.features, unit(np.array([row.feature for row in store.rows()])), atol=1e-6)
    assert 80 <= len(part.ids) <= 120 and len(set(part.labels)) in range(18, 23)
    with closing(open_store(store.place)) as other:
        same = other.index(card_of())
        same.follow()
        assert same.held(100).ids.tolist() == part.ids.tolist()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(max_size=30), key=st.text(min_size=1, max_size=10))
def test_any_attribute_is_found_again(shared: Store, value: str, key: str) -> None:
    value, key = (text.encode("utf-8", "replace").decode() for text in (value, key))
    ids = shared.add([Row("x", "", {key: value}, _feature(3), None)])
    try:
        index = shared.index(card_of())
        index.follow()
        (compared,) = index.compare(_feature(3)[None], 5, CALIBRATION, where={key: [value]})
        assert compared.examples[0][0] == ids[0] and list(compared.labels) == ["x"]
    finally:
        shared.remove(ids)


# The gallery on top.


def _drawings(seed: int, classes: int = 5, items: int = 4) -> tuple[list[Any], list[str]]:
    """Noisy copies of random 8×8 patterns, and their labels."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(classes), items)
    noisy = rng.integers(0, 256, (classes, 8, 8))[codes] + rng.normal(0, 25, (len(codes), 8, 8))
    return list(np.clip(noisy, 0, 255).astype(np.uint8)), [f"class {c}" for c in codes]


def test_a_gallery_enrolls_identifies_and_forgets(place: str, tiny_encoder: Encoder, tmp_path: Path) -> None:
    drawings, labels = _drawings(0)
    with Gallery.open(place, tiny_encoder, create=True) as gallery:
        ids = gallery.enroll(drawings[::2], labels[::2], attributes=[{"even": str(i % 2)} for i in range(10)])
        answers = gallery.identify(drawings[1::2])
        assert [answer.candidates[0].label for answer in answers] == labels[1::2]
        (filtered,) = gallery.identify(drawings[:1], where={"even": "1"})
        assert filtered.examples[0].id == ids[1]
        assert gallery.enroll(drawings[:1], labels[:1]) == ids[:1]
        with Gallery.open(place, tiny_encoder) as other:
            new = other.enroll([drawings[1]], ["class 99"])
            assert gallery.identify([drawings[1]])[0].examples[0].id in {*new, ids[0]}
            assert other.remove_class("class 0") == 2
            assert "class 0" not in {c.label for c in gallery.identify([drawings[0]], top=9)[0].candidates}
        gallery.rename_class("class 1", "class one")
        assert gallery.identify([drawings[4]])[0].candidates[0].label == "class one"
        gallery.calibrate()
        total = len(gallery)
    copied = str(tmp_path / "copied.gallery")
    assert moving.copy(place, copied) == total
    assert moving.copy(copied, place + "_back") == total
    with Gallery.open(copied, tiny_encoder) as one, Gallery.open(place + "_back", tiny_encoder) as two:
        assert one.examples() == two.examples()
        for here, there in zip(one.identify(drawings), two.identify(drawings), strict=True):
            assert here.label == there.label
            assert here.confidence == pytest.approx(there.confidence, abs=1e-3)
