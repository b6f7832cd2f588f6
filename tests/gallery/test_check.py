"""The health check: on features whose truth is known, and on real characters with faults put in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowshot import Encoder, Gallery, load
from lowshot.data import ImageForm
from lowshot.data.examples import places_in_class
from lowshot.encoder import Card
from lowshot.encoder.named import find
from lowshot.errors import ConfigError, GalleryError
from lowshot.gallery.check import check, check_held
from lowshot.gallery.index import Held
from lowshot.recognize import NearestPrototype


def card(features: int = 8, **fields: Any) -> Card:
    form = ImageForm(height=8, width=8, channels=1)
    return Card(name="made up", form=form, mean=(0.0,), std=(1.0,), features=features, **fields)


def held(features: Any, labels: Any) -> Held:
    features = np.asarray(features, np.float32)
    return Held(np.arange(len(features)) + 1, np.asarray(labels).astype(str), features)


def clouds(seed: int, classes: int, items: int, spread: float = 0.3, features: int = 8) -> tuple[Any, Any]:
    """Directions about one center a class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), items)
    X = rng.normal(size=(classes, features))[labels] + spread * rng.normal(size=(len(labels), features))
    return X / np.linalg.norm(X, axis=1, keepdims=True), labels


class TestAccuracy:
    def test_it_is_that_of_leaving_one_out(self) -> None:
        X, y = clouds(0, 12, 2, spread=0.8)
        found = check_held(held(X, y), card()).accuracy[0]
        right = [np.argmax(X[i] @ X[1 - i % 2 :: 2].T) == y[i] for i in range(len(y))]  # the other one of each class
        assert found.shots == 1 and found.how == "held out" and found.queries == 24
        # The check draws which one of each class is learned; here all first ones are learned, or all second ones.
        assert found.accuracy == pytest.approx(np.mean(right), abs=0.15)

    def test_more_examples_are_tried_as_there_are(self) -> None:
        accuracy = check_held(held(*clouds(0, 6, 6)), card()).accuracy
        assert [each.shots for each in accuracy] == [1, 2, 3, 4, 5, 6, 7]
        assert [each.how for each in accuracy] == ["held out"] * 5 + ["extrapolated"] * 2
        assert all(0 <= each.low <= each.accuracy <= each.high <= 1 for each in accuracy)

    def test_classes_of_one_take_part_unasked(self) -> None:
        X, y = clouds(1, 9, 4)
        some = (np.arange(len(y)) % 4 == 0) | (y < 3)
        found = check_held(held(X[some], y[some]), card())
        assert {each.classes for each in found.accuracy} == {3}
        assert "6 of 9 classes have one example" in found.notes[0]

    def test_one_example_each_needs_a_stand_in(self) -> None:
        X, y = clouds(2, 30, 1)
        nothing = check_held(held(X, y), card())
        assert nothing.accuracy == () and nothing.unknowns is None and "no background" in nothing.notes[0]
        estimated = check_held(held(X, y), card(), background=as_background(*clouds(3, 30, 5)))
        assert [(each.shots, each.how) for each in estimated.accuracy] == [(1, "stand-in"), (2, "stand-in")]
        assert estimated.unknowns and estimated.unknowns.how == "stand-in"
        queries, truth = clouds(2, 30, 1)[0], y  # the same centers, other noise
        rng = np.random.default_rng(9)
        centers = np.random.default_rng(2).normal(size=(30, 8))
        queries = np.repeat(centers, 50, axis=0) + 0.3 * rng.normal(size=(1500, 8))
        right = (queries @ X.T).argmax(axis=1) == np.repeat(truth, 50)
        first = estimated.accuracy[0]
        assert first.low <= right.mean() <= first.high and first.accuracy == pytest.approx(right.mean(), abs=0.12)


def as_background(X: Any, y: Any) -> tuple[Any, Any]:
    return X.astype(np.float32), y


class TestFindings:
    def test_swapped_labels(self) -> None:
        X, y = clouds(0, 10, 6, spread=0.15, features=32)
        y[0], y[30] = y[30], y[0]
        found = check_held(held(X, y), card(32))
        assert {each.id for each in found.mislabeled} == {1, 31} and found.mislabeled_in_all == 2
        first = next(each for each in found.mislabeled if each.id == 1)
        assert (first.label, first.rival) == ("5", "0") and 2 <= first.like <= 6 and not first.either

    def test_of_two_that_disagree_either_may_be_wrong(self) -> None:
        X, y = clouds(0, 10, 2, spread=0.1, features=32)
        X[10] = X[6] + 0.01  # an example of class 3 in class 5
        found = check_held(held(X, y), card(32)).mislabeled
        assert found[0].id == 11 and found[0].rival == "3" and {each.id for each in found} <= {11, 12}
        assert all(each.either for each in found)

    def test_a_class_under_two_labels_is_confused(self) -> None:
        X, y = clouds(1, 10, 8, spread=0.15)
        y[:4] = 99
        found = check_held(held(X, y), card())
        assert found.confused[0].labels == ("0", "99") and found.confused[0].asked == 8
        assert all(seen.like != seen.id for seen in found.confused[0].seen)
        assert {each.label for each in found.gains[:2]} == {"0", "99"}

    def test_duplicates(self) -> None:
        X, y = clouds(2, 5, 4)
        X = np.concatenate([X, X[3:4], X[9:10] + 1e-3])
        y = np.append(y, [4, 2])
        files = {id: bytes([id]) for id in range(1, 23)} | {21: bytes([4])}
        worse, other = check_held(held(X, y), card(), original=files.__getitem__).duplicates
        assert worse.ids == (4, 21) and worse.across and worse.exact
        assert other.ids == (10, 22) and not other.across and other.exact is False and 0 < other.distance < 0.25

    def test_without_files_nobody_knows_whether_they_are_equal(self) -> None:
        def gone(id: int) -> bytes:
            raise GalleryError(f"{id} is not kept")

        X, y = clouds(2, 5, 4)
        X[1] = X[0]
        for original in (gone, None):
            assert check_held(held(X, y), card(), original=original).duplicates[0].exact is None

    def test_unknowns_are_told_the_better_the_farther_apart_classes_are(self) -> None:
        near, far = (check_held(held(*clouds(0, 20, 4, spread=s)), card()).unknowns for s in (0.8, 0.1))
        assert near and far and near.auroc < 0.9 < far.auroc and far.fpr95 < near.fpr95
        assert far.genuine == far.impostors == 80


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "l1"])
@pytest.mark.parametrize("compare", ["prototype", "neighbor"])
@settings(max_examples=8)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=6), equal=st.booleans())
def test_any_gallery_can_be_checked(compare: Any, distance: Any, seed: int, sizes: list[int], equal: bool) -> None:
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = np.ones((len(y), 8)) if equal else np.random.default_rng(seed).normal(size=(len(y), 8))
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    negative = 3 if distance == "l1" else 0
    form = card(compare=compare, distance=distance, negative=negative)
    background = as_background(*clouds(seed, 6, 3)) if seed % 2 else None
    found, again = (check_held(held(X, y), form, background, seed=seed) for _ in range(2))
    assert found == again, "the same seed finds the same"
    json.dumps(found.as_dict(), allow_nan=False)
    assert all(0 <= each.low <= each.accuracy <= each.high <= 1 for each in found.accuracy)
    assert all(each.gain >= 0 for each in found.gains) and len(found.gains) in (0, len(sizes))
    if equal:
        assert found.duplicates_in_all == (len(y) > 1) and found.mislabeled == ()
        assert all(each.accuracy == pytest.approx(0.5, abs=0.5) for each in found.accuracy)


def test_another_way_to_compare() -> None:
    X, y = clouds(0, 12, 5, spread=0.8)
    background = as_background(*clouds(1, 20, 10, spread=0.8))
    for name in ("neighbor", "3-neighbors", "mahalanobis", "simple-shot"):
        found = check_held(held(X, y), card(), background, recognizer=name)
        assert found.recognizer == name and found.accuracy != check_held(held(X, y), card(), background).accuracy


def test_bounds_and_errors(tmp_path: Path, tiny_encoder: Encoder) -> None:
    X, y = clouds(0, 40, 3, spread=2)
    found = check_held(held(X, y), card(), most=4)
    assert len(found.confused) == len(found.gains) == 4 < found.confused_in_all
    with pytest.raises(ConfigError):
        check_held(held(X, y), card(), seed=-1)
    empty = Gallery.open(tmp_path / "my.gallery", tiny_encoder, create=True)
    with empty, pytest.raises(GalleryError, match="empty"):
        check(empty)


@pytest.fixture(scope="module")
def characters(data_folder: Path) -> tuple[Card, Any, Any, Any]:
    """Features of 120 characters the encoder never saw, 20 each, and its background."""
    if not find("characters").is_file():
        pytest.skip("the characters encoder is not in this checkout")
    encoder = Encoder.load("characters")
    examples = load("omniglot:evaluation", encoder.card.form)
    examples = examples.take(np.flatnonzero(examples.labels % 5 == 0))
    labels = np.unique(examples.labels, return_inverse=True)[1]
    return encoder.card, encoder.embed(examples.items), labels, encoder.background()


def drawn(labels: Any, shots: int, seed: int) -> tuple[Any, Any]:
    """Rows to enroll, ``shots`` of each class, and all others."""
    order = places_in_class(labels, np.random.default_rng(seed))
    return np.flatnonzero(order < shots), np.flatnonzero(order >= shots)


class TestCharacters:
    @pytest.mark.parametrize("shots", [1, 2, 5])
    def test_the_interval_holds_the_accuracy(self, characters: Any, shots: int) -> None:
        form, X, y, background = characters
        hits = []
        for seed in range(6):
            support, queries = drawn(y, shots, seed)
            found = check_held(held(X[support], y[support]), form, background, seed=seed)
            truth = (NearestPrototype("cosine").fit(X[support], y[support]).predict(X[queries]) == y[queries]).mean()
            now = next(each for each in found.accuracy if each.shots == shots)
            assert now.accuracy == pytest.approx(truth, abs=0.06)
            hits.append(now.low <= truth <= now.high)
        assert np.mean(hits) >= 0.6, "six galleries: nearly all"

    def test_wrong_labels_are_found(self, characters: Any) -> None:
        form, X, y, _ = characters
        listed, right, put_in = 0, 0, 0
        for seed in range(4):
            support, _queries = drawn(y, 5, seed)
            labels, rng = y[support].copy(), np.random.default_rng(seed)
            some = rng.choice(len(labels), 20, replace=False)
            labels[some] = np.roll(labels[some], 1)
            wrong = set((np.flatnonzero(labels != y[support]) + 1).tolist())
            found = check_held(held(X[support], labels), form, seed=seed, most=1000)
            listed += len(found.mislabeled)
            right += len(wrong & {each.id for each in found.mislabeled})
            put_in += len(wrong)
        assert right / put_in >= 0.85 and right / listed >= 0.6

    def test_copies_are_found_and_drawings_of_one_character_are_not(self, characters: Any) -> None:
        form, X, y, _ = characters
        twice = np.concatenate([X, X[:50]])
        found = check_held(held(twice, np.append(y, np.roll(y, 20)[:50])), form, most=1000)
        groups = {each.ids for each in found.duplicates}
        assert len(groups & {(i + 1, len(X) + i + 1) for i in range(50)}) == 50
        assert len(groups) <= 55

    def test_a_character_under_two_labels_is_the_most_confused(self, characters: Any) -> None:
        form, X, y, _ = characters
        labels = np.where((y == 7) & (np.arange(len(y)) % 2 == 0), 500, y)
        found = check_held(held(X, labels), form)
        assert set(found.confused[0].labels) == {"7", "500"} and found.confused[0].share > 0.25

    def test_examples_help_more_where_they_are_asked_for(self, characters: Any) -> None:
        form, X, y, background = characters
        asked, random = [], []
        for seed in range(8):
            support, queries = drawn(y, 2, seed)
            new, queries = queries[places_in_class(y[queries], np.random.default_rng(seed)) == 0], queries
            queries = np.setdiff1d(queries, new)
            found = check_held(held(X[support], y[support]), form, background, seed=seed, most=25)
            before = accuracy(X, y, support, queries)
            for gains, classes in (
                (asked, [int(each.label) for each in found.gains]),
                (random, np.random.default_rng(seed).choice(y.max() + 1, 25, replace=False)),
            ):
                more = np.append(support, new[np.isin(y[new], classes)])
                gains.append(accuracy(X, y, more, queries) - before)
        assert np.mean(asked) > 2 * np.mean(random) and np.mean(asked) > 0.003


def accuracy(X: Any, y: Any, support: Any, queries: Any) -> float:
    return float((NearestPrototype("cosine").fit(X[support], y[support]).predict(X[queries]) == y[queries]).mean())


def test_a_slow_recognizer_is_not_taken_unasked(tmp_path: Path, tiny_encoder: Encoder) -> None:
    drawings = np.random.default_rng(0).integers(0, 256, (12, 8, 8)).astype(np.uint8)
    with Gallery.open(tmp_path / "g", tiny_encoder, create=True) as gallery:
        gallery.enroll(list(drawings), [*"aaabbbcccddd"])
        gallery.calibrate(recognizer="logistic")
        found = check(gallery)
        assert found.recognizer == "prototype" and "logistic regression" in found.notes[-1]
        assert check(gallery, recognizer="logistic").recognizer == "logistic"
        gallery.calibrate(recognizer="neighbor")
        assert check(gallery).recognizer == "neighbor"
