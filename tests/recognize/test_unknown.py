"""What is learned about unknowns, on Gaussian classes whose truth is known."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lowshot.recognize import NearestNeighbors, NearestPrototype
from lowshot.recognize.unknown import Calibration, calibrate, fit

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
    assert np.isfinite(learned.width)
    assert _calibration_error(*_answers(learned, recognizer, known, unknown)) < 0.07
    assert _right(learned, recognizer, known, unknown) > right


def test_the_threshold_falls_as_the_gallery_grows() -> None:
    """More classes stand nearer to any stranger: the same distance means less."""
    background = _world(7, 60, 5)
    thresholds = [calibrate(NearestPrototype(), *_world(0, ways, 1), background).threshold for ways in (2, 20, 400)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > 1.2 * thresholds[-1]


@given(
    own=arrays(np.float32, 12, elements=st.floats(-5, 5, width=32)),
    others=arrays(np.float32, (12, 3), elements=st.floats(-5, 5, width=32)),
    impostors=arrays(np.float32, 9, elements=st.floats(-5, 5, width=32)),
)
def test_a_larger_distance_is_never_more_likely_known(own: Any, others: Any, impostors: Any) -> None:
    learned = fit(own, others, impostors)
    known = learned.known(np.linspace(-10, 10, 50, dtype=np.float32)[:, None])
    assert (np.diff(known) <= 0).all()
    assert np.isfinite(known).all()
    assert learned.temperature > 0
    scores = learned.probabilities(np.abs(others))
    np.testing.assert_allclose(scores.sum(axis=1), learned.known(np.abs(others)), rtol=1e-4, atol=1e-6)


def test_the_logistic_finds_where_two_bells_cross() -> None:
    """For normal distributions at 0 and 4 the true threshold is their middle, the true width variance / difference."""
    rng = np.random.default_rng(0)
    own, impostors = rng.normal(0, 1, 5000).astype(np.float32), rng.normal(4, 1, 20000).astype(np.float32)
    learned = fit(own, np.full((5000, 1), np.inf, np.float32), impostors)
    assert learned.threshold == pytest.approx(2, abs=0.05)
    assert learned.width == pytest.approx(0.25, rel=0.1)


def test_impostors_nearer_than_the_genuine_tell_nothing() -> None:
    learned = fit(np.array([5, 6, 7], np.float32), np.full((3, 1), np.inf, np.float32), np.array([1, 2, 3], np.float32))
    assert learned.known(np.array([[0.0], [100.0]], np.float32)).tolist() == [0.5, 0.5]


def test_one_example_a_class_and_no_background_uses_the_quantile_of_the_impostors() -> None:
    X, y = _world(0, 40, 1)
    learned = calibrate(NearestPrototype(), X, y)
    far = np.square(X[:, None] - X[None]).sum(-1) + np.where(np.eye(len(X)), np.inf, 0)
    assert learned.threshold == pytest.approx(np.quantile(far.min(axis=1), 0.05), rel=1e-3)
    assert (learned.genuine, learned.impostors) == (0, 40)
    at = learned.known(np.array([[0], [learned.threshold], [2 * learned.threshold]], np.float32))
    np.testing.assert_allclose(at, [0.95, 0.5, 0.05], atol=1e-3)


def test_one_class_and_no_background_uses_the_quantile_of_the_genuine() -> None:
    X, _ = _world(0, 1, 12)
    learned = calibrate(NearestPrototype(), X, ["only"] * 12)
    recognizer = NearestPrototype().fit(X, ["only"] * 12)
    assert (learned.known(recognizer.distances(X)) >= 0.5).mean() > 0.8
    assert learned.known(recognizer.distances(X + 9)).max() < 0.01
    assert learned.impostors == 0


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
    assert (learned.genuine, learned.impostors) == (0, 5 + 25)


def test_labels_of_any_kind_and_unequal_shots() -> None:
    X, y = _world(0, 4, 3)
    few = np.array([0, 3, 4, 6, 7, 8, 9])
    labels = np.array(["d", "c", "b", "a"], object)[y[few]]
    by_word = calibrate(NearestPrototype(), X[few], labels)
    by_number = calibrate(NearestPrototype(), X[few], 3 - y[few])
    assert by_word == by_number
    assert by_word.genuine == 5


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
