"""What is learned about unknowns, on Gaussian classes whose truth is known."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import gamma

from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize import NearestNeighbors, NearestPrototype
from lowshot.recognize.unknown import Calibration, Trials, calibrate, fit

SPREAD = 0.35


def _world(seed: int, classes: int, items: int, features: int = 8) -> tuple[Any, Any]:
    """Items (classes * items, features) around class centers, and their classes."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(classes, features))
    labels = np.repeat(np.arange(classes), items)
    return (centers[labels] + SPREAD * rng.normal(size=(len(labels), features))).astype(np.float32), labels


def _split(seed: int, ways: int, shots: int, features: int = 8) -> tuple[Any, Any, Any, Any]:
    """A gallery's features and labels, known queries, and as many unknown ones."""
    X, y = _world(seed, 2 * ways, shots + 10, features)
    place = np.arange(len(y)) % (shots + 10)
    known = y < ways
    return (
        X[known & (place < shots)],
        y[known & (place < shots)],
        X[known & (place >= shots)],
        X[~known & (place >= shots)],
    )


def _right(learned: Calibration, recognizer: Any, known: Any, unknown: Any) -> float:
    accepted = learned.known(recognizer.distances(known)) >= 0.5
    refused = learned.known(recognizer.distances(unknown)) < 0.5
    return (accepted.mean() + refused.mean()) / 2


@pytest.mark.parametrize("kind", [NearestPrototype, NearestNeighbors])
@pytest.mark.parametrize(("shots", "background"), [(1, True), (3, True), (3, False), (1, False)])
def test_most_decisions_are_right(kind: Any, shots: int, background: bool) -> None:
    right = []
    for seed in range(5):
        X, y, known, unknown = _split(seed, ways=10, shots=shots)
        learned = calibrate(kind(), X, y, _world(100 + seed, 60, 5) if background else None)
        right.append(_right(learned, kind().fit(X, y), known, unknown))
    assert np.mean(right) > (0.85 if background or shots > 1 else 0.7)


@pytest.mark.parametrize("ways", [5, 100])
def test_probabilities_are_as_often_right_as_they_say(ways: int) -> None:
    """Expected calibration error over 10 bins, unknown queries included, in small and large galleries."""
    answers = []
    for seed in range(100 // ways + 2):
        X, y, known, unknown = _split(seed, ways, shots=1)
        recognizer = NearestPrototype().fit(X, y)
        learned = calibrate(recognizer, X, y, _world(100 + seed, 80, 5))
        answers.append(_answers(learned, recognizer, known, unknown))
    assert _calibration_error(*map(np.concatenate, zip(*answers, strict=True))) < 0.07


def _answers(learned: Calibration, recognizer: Any, known: Any, unknown: Any) -> tuple[Any, Any]:
    """How sure each answer is, and whether it is right."""
    ways = len(recognizer.classes_)
    truth = np.append(np.repeat(np.arange(ways), len(known) // ways), np.full(len(unknown), -1))
    distances = recognizer.distances(np.concatenate([known, unknown]))
    scores = learned.probabilities(distances)
    answer = np.where(learned.known(distances) >= 0.5, scores.argmax(axis=1), -1)
    return np.where(answer < 0, 1 - scores.sum(axis=1), scores.max(axis=1)), answer == truth


def _calibration_error(confidence: Any, right: Any) -> float:
    bins = np.minimum((confidence * 10).astype(int), 9)
    return sum(
        np.mean(bins == b) * abs(confidence[bins == b].mean() - right[bins == b].mean()) for b in np.unique(bins)
    )


@pytest.mark.parametrize(("features", "right"), [(6, 0.57), (8, 0.65), (16, 0.9)])
def test_a_gallery_of_many_more_classes_than_the_background(features: int, right: float) -> None:
    """One example of each of 600 classes, a tenth as many in the background: strangers are refused where they can be.

    The fewer the features, the more strangers lie as near to one of 600 classes as its own items.
    """
    X, y, known, unknown = _split(0, 600, 1, features)
    recognizer = NearestPrototype().fit(X, y)
    learned = calibrate(recognizer, X, y, _world(100, 60, 5, features))
    assert learned.sharpness > 0
    assert _calibration_error(*_answers(learned, recognizer, known, unknown)) < 0.07
    assert _right(learned, recognizer, known, unknown) > right


@pytest.mark.parametrize("shots", [1, 3])
def test_a_gallery_may_grow_without_learning_anew(shots: int) -> None:
    """Learned with 20 classes, asked with 20, 100 and 400."""
    background = _world(100, 60, 5)
    for ways in (20, 100, 400):
        answers = []
        for seed in range(400 // ways):
            X, y, known, unknown = _split(seed, ways, shots)
            first = y < 20
            learned = calibrate(NearestPrototype(), X[first], y[first], background)
            answers.append(_answers(learned, NearestPrototype().fit(X, y), known, unknown))
        assert _calibration_error(*map(np.concatenate, zip(*answers, strict=True))) < 0.07


def test_the_more_classes_the_less_a_distance_means() -> None:
    learned = calibrate(NearestPrototype(), *_world(0, 20, 1), _world(7, 60, 5))
    known = [learned.known(np.array([[1.0]], np.float32), classes).item() for classes in (1, 20, 400, 1_000_000)]
    assert known == sorted(known, reverse=True)
    assert known[0] > 0.9 and known[-1] == pytest.approx(0.5, abs=0.05)  # among so many, some stranger is as near


@pytest.mark.parametrize("classes", [1, 2, 30, 1000])
def test_the_odds_are_bayes_rule_for_the_nearest_distance(classes: int) -> None:
    """Against the exact posterior where distances are independent gammas of one shape, far below most impostors."""
    own, other = gamma(6, scale=1 / 12), gamma(6, scale=1 / 2)
    evidence, sharpness = 6 * np.log(12 / 2), 12 - 2
    spread = own.std() * np.sqrt(3) / np.pi
    learned = Calibration(evidence, sharpness, sharpness, own.mean(), spread, 1, 1)
    d = np.linspace(0.05, other.ppf(0.2), 50)
    rest = other.sf(d) ** (classes - 1)
    is_own = own.pdf(d) * rest
    is_other = (classes - 1) * other.pdf(d) * rest / other.sf(d) * own.sf(d)
    unknown = classes * other.pdf(d) * rest
    exact = (is_own + is_other) / (is_own + is_other + unknown)
    np.testing.assert_allclose(learned.known(d[:, None].astype(np.float32), classes), exact, atol=0.06)


distance = st.floats(-5, 5, width=32)


@given(own=arrays(np.float32, 12, elements=distance), others=arrays(np.float32, (12, 3), elements=distance))
def test_a_larger_distance_is_never_more_likely_known(own: Any, others: Any) -> None:
    learned = fit(Trials(own, others))
    known = learned.known(np.linspace(-10, 10, 50, dtype=np.float32)[:, None])
    assert (np.diff(known) <= 0).all()
    assert np.isfinite(known).all()
    assert Calibration.from_dict(json.loads(json.dumps(learned.as_dict(), allow_nan=False))) == learned
    scores = learned.probabilities(np.abs(others))
    np.testing.assert_allclose(scores.sum(axis=1), learned.known(np.abs(others)), rtol=1e-4, atol=1e-6)


def test_the_ratio_of_two_bells_is_found() -> None:
    """For normal distributions at 0 and 4, the logarithm of the ratio of their densities is 8 - 4 d."""
    rng = np.random.default_rng(0)
    own, others = rng.normal(0, 1, 5000).astype(np.float32), rng.normal(4, 1, (5000, 1)).astype(np.float32)
    learned = fit(Trials(own, others))
    assert (learned.evidence, learned.sharpness) == (pytest.approx(8, rel=0.15), pytest.approx(4, rel=0.15))
    assert (learned.typical, learned.spread * np.pi / np.sqrt(3)) == (
        pytest.approx(0, abs=0.05),
        pytest.approx(1, rel=0.05),
    )


def test_impostors_nearer_than_the_genuine_tell_nothing() -> None:
    learned = fit(Trials(np.array([5, 6, 7], np.float32), np.array([[1], [2], [3]], np.float32)))
    assert learned.known(np.array([[0.0], [100.0]], np.float32)).tolist() == [0.5, 0.5]
    assert learned.known(np.array([[0.0]], np.float32), classes=1000).tolist() == [0.5]


def test_one_example_a_class_and_no_background_takes_items_to_be_nearer_their_class_than_others() -> None:
    X, y = _world(0, 40, 1)
    learned = calibrate(NearestPrototype(), X, y)
    between = np.square(X[:, None] - X[None]).sum(-1)[~np.eye(len(X), dtype=bool)]
    assert learned.typical == pytest.approx(between.mean() / 2, rel=0.02)
    assert learned.spread * np.pi / np.sqrt(3) == pytest.approx(between.mean() / np.sqrt(12), rel=0.05)
    known = learned.known(np.array([[0], [between.mean()]], np.float32), classes=40)
    assert known[0] > 0.8 and known[1] < 0.2


def test_one_class_and_no_background_takes_strangers_to_be_twice_as_far() -> None:
    X, _ = _world(0, 1, 12)
    learned = calibrate(NearestPrototype(), X, ["only"] * 12)
    recognizer = NearestPrototype().fit(X, ["only"] * 12)
    assert (learned.known(recognizer.distances(X)) >= 0.5).mean() > 0.8
    assert learned.known(recognizer.distances(X + 9)).max() < 0.01


def test_one_example_in_all_leaves_it_open() -> None:
    learned = calibrate(NearestPrototype(), np.array([[1.0, 2.0]], np.float32), ["only"])
    scores = learned.probabilities(np.array([[0.0], [99.0]], np.float32))
    assert scores.tolist() == [[0.5], [0.5]]


@pytest.mark.parametrize("recognizer", [NearestPrototype(), NearestNeighbors(k=2), NearestPrototype(distance="cosine")])
def test_equal_examples_are_no_error(recognizer: Any) -> None:
    X, y = np.ones((6, 3), np.float32), ["a", "a", "a", "b", "b", "c"]
    learned = calibrate(recognizer, X, y, (np.ones((4, 3), np.float32), np.array([0, 0, 1, 2])))
    assert np.isfinite(learned.probabilities(np.zeros((1, 3), np.float32))).all()


def test_background_classes_of_one_item_are_impostors_only() -> None:
    X, y = _world(0, 5, 1)
    learned = calibrate(NearestPrototype(), X, y, (_world(1, 30, 1)[0], np.arange(30)))
    assert learned.impostors == 5 + 30
    assert learned.sharpness > 0


def test_labels_of_any_kind_and_unequal_shots() -> None:
    X, y = _world(0, 4, 3)
    few = np.array([0, 3, 4, 6, 7, 8, 9])
    labels = np.array(["d", "c", "b", "a"], object)[y[few]]
    by_word = calibrate(NearestPrototype(), X[few], labels)
    by_number = calibrate(NearestPrototype(), X[few], 3 - y[few])
    assert by_word == by_number
    assert by_word.sharpness > 0


def test_what_the_recognizer_learned_is_left_alone() -> None:
    recognizer = NearestPrototype().fit([[0.0] * 8, [1.0] * 8], ["x", "y"])
    calibrate(recognizer, *_world(0, 4, 3))
    assert recognizer.classes_.tolist() == ["x", "y"]


def test_twenty_classes_take_milliseconds() -> None:
    X, y = _world(0, 20, 3, features=64)
    background = _world(1, 100, 5, features=64)
    calibrate(NearestPrototype(), X, y, background)  # imports
    start = time.thread_time()
    calibrate(NearestPrototype(), X, y, background)
    assert time.thread_time() - start < 0.05


@pytest.mark.parametrize("size", [0.2, 5.0])
def test_a_gallery_whose_classes_huddle_or_scatter_is_understood(size: float) -> None:
    """One example a class, in a world of another size than the background's: absolute distances would mislead."""
    right = []
    for seed in range(5):
        X, y, known, unknown = (array * size if array.dtype.kind == "f" else array for array in _split(seed, 20, 1))
        learned = calibrate(NearestPrototype(), X, y, _world(100 + seed, 60, 5))
        right.append(_right(learned, NearestPrototype().fit(X, y), known, unknown))
    assert np.mean(right) > 0.8


@pytest.mark.parametrize("unknown_label", [None, "gone", -1])
def test_labeled_queries_correct_what_enrolled_examples_made_believe(unknown_label: Any) -> None:
    """Queries are taken under worse conditions than what was enrolled: all are called unknown, until a few are named."""
    right = []
    for seed in range(5):
        X, y, known, unknown = _split(seed, ways=10, shots=3)
        rng = np.random.default_rng(seed)
        known, unknown = (
            each + np.float32(0.6) * rng.normal(size=each.shape).astype(np.float32) for each in (known, unknown)
        )
        named = [*(f"class {i // 10}" for i in range(0, 100, 5)), *[unknown_label] * 20]
        queries = np.concatenate([known[::5], unknown[::5]]), named
        labels = [f"class {label}" for label in y]
        recognizer = NearestPrototype().fit(X, labels)
        right.append(
            [
                _right(calibrate(NearestPrototype(), X, labels, None, each), recognizer, known, unknown)
                for each in (None, queries)
            ]
        )
    before, after = np.mean(right, axis=0)
    assert after > before + 0.05


def test_queries_without_labels_are_refused_and_none_at_all_change_nothing() -> None:
    X, y = _world(0, 4, 3)
    with pytest.raises(ShapeError, match="2 queries but 1 labels"):
        calibrate(NearestPrototype(), X, y, queries=(X[:2], [0]))
    assert calibrate(NearestPrototype(), X, y, queries=(X[:0], [])) == calibrate(NearestPrototype(), X, y)


def test_the_nearest_few_are_enough() -> None:
    X, y, known, unknown = _split(0, 300, 1, 16)
    learned = calibrate(NearestPrototype(), X, y, _world(100, 60, 5, 16))
    every = np.sort(NearestPrototype().fit(X, y).distances(np.concatenate([known, unknown])), axis=1)
    np.testing.assert_array_equal(learned.known(every[:, :10], classes=300), learned.known(every))
    np.testing.assert_allclose(
        learned.probabilities(every[:, :10], 300), learned.probabilities(every)[:, :10], atol=0.05
    )


@pytest.mark.parametrize("kind", [NearestPrototype, NearestNeighbors])
@pytest.mark.parametrize("classes", [3, 20_000])
def test_a_large_gallery_is_sampled(kind: Any, classes: int) -> None:
    largest = []

    class Watched(kind):  # type: ignore[misc]
        def _distances(self, queries_QD: Any) -> Any:
            found = super()._distances(queries_QD)
            largest.append((found.shape, self.counts_.sum()))
            return found

    X = np.random.default_rng(0).normal(size=(20_000, 4)).astype(np.float32)
    assert calibrate(Watched(), X, np.arange(20_000) % classes).impostors == 200
    assert max(shape[0] for shape, _ in largest) <= 200
    assert max(shape[1] for shape, _ in largest) <= 256
    assert max(count for _, count in largest) <= 4096


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sharpness": float("nan")}, "sharpness must be a finite number"),
        ({"width": 1.0}, "not .*width"),
        ({"spread": "1"}, "spread"),
    ],
)
def test_numbers_that_are_no_calibration_are_refused(change: Any, says: str) -> None:
    numbers: Any = Calibration(1.0, 2.0, 3.0, 4.0, 5.0, 6, 7).as_dict()
    with pytest.raises(ConfigError, match=says):
        Calibration.from_dict(numbers | change)


def test_distances_below_zero_are_understood() -> None:
    """With features that count against the distance, as learned by Koch's networks."""
    X, y, known, unknown = _split(0, 20, 3, features=16)
    learned = calibrate(NearestPrototype("l1", negative=6), X, y, _world(100, 60, 5, 16))
    distances = NearestPrototype("l1", negative=6).fit(X, y).distances(np.concatenate([known, unknown]))
    assert distances.min() < 0
    scores = learned.probabilities(distances)
    assert np.isfinite(scores).all() and (scores >= 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), learned.known(distances), rtol=1e-4)


def test_classes_are_told_apart_even_where_strangers_are_not() -> None:
    """Strangers stand exactly where the classes do: nothing tells them, but which class is likelier is as clear as ever."""
    own, others = np.full(50, 1, np.float32), np.full((50, 3), 9, np.float32)
    others[:, 0] = np.linspace(0, 0.5, 50)  # always some class nearer than the own one
    learned = fit(Trials(own, others))
    scores = learned.probabilities(np.array([[1, 9, 9, 9]], np.float32))
    assert learned.known(np.array([[0.0], [0.5]], np.float32), classes=4) == pytest.approx(0.5, abs=0.1)
    assert scores[0, 0] > 2 * scores[0, 1]
