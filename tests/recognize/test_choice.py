"""Names and the choice between them: right where the world leaves no doubt, the default where it does, never by luck."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize import (
    LinearProbe,
    NearestNeighbors,
    NearestPrototype,
    SimpleShot,
    WhitenedPrototype,
    Whitening,
    choose,
    recognizer_named,
)
from lowshot.recognize.choice import NAMES
from lowshot.recognize.unknown import calibrate


def world(seed: int, classes: int, shots: int, features: int = 12) -> tuple[Any, Any]:
    """Round classes in which the mean is all there is to know."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(classes), shots)
    X = rng.normal(size=(classes, features))[codes] + rng.normal(size=(len(codes), features))
    return X.astype(np.float32), codes


def two_places(seed: int, classes: int, shots: int) -> tuple[Any, Any]:
    """Classes at two places each, so that their means say nothing: neighbors must be asked."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(classes), shots)
    places = 5 * rng.normal(size=(classes, 8))[codes] * rng.choice([-1, 1], len(codes))[:, None]
    return (places + rng.normal(size=(len(codes), 8))).astype(np.float32), codes


def stretched(seed: int, classes: int, shots: int) -> tuple[Any, Any]:
    """Classes that spread in six features and differ in six others."""
    X, codes = world(seed, classes, shots)
    noise = 5 * np.random.default_rng(seed + 1).normal(size=(len(codes), 6))
    return np.hstack([2 * X[:, :6], noise]).astype(np.float32), codes


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("prototype", NearestPrototype),
        ("neighbor", NearestNeighbors),
        ("3-neighbors", NearestNeighbors),
        ("mahalanobis", WhitenedPrototype),
        ("logistic", LinearProbe),
        ("simple-shot", SimpleShot),
    ],
)
def test_a_name_is_a_recognizer(name: str, kind: type) -> None:
    background = world(9, 20, 5)
    recognizer = recognizer_named(name, "euclidean", background=background)
    assert type(recognizer) is kind
    X, y = world(0, 4, 3)
    assert recognizer.fit(X, y).distances(X).shape == (12, 4)
    assert name in NAMES


def test_names_carry_the_card_s_comparison_and_the_background() -> None:
    background = world(9, 20, 5)
    assert recognizer_named("prototype", "l1", 2).get_params() == NearestPrototype("l1", 2).get_params()
    assert recognizer_named("neighbor", "cosine").get_params() == NearestNeighbors(1, "cosine").get_params()
    np.testing.assert_allclose(
        recognizer_named("simple-shot", background=background).center, background[0].mean(axis=0), rtol=1e-5
    )
    np.testing.assert_array_equal(
        recognizer_named("mahalanobis", background=background).whitening.matrix, Whitening.of(*background).matrix
    )


def test_a_name_that_is_none_or_lacks_a_background_is_refused() -> None:
    with pytest.raises(ConfigError, match="'nearest': choose one of prototype, neighbor"):
        recognizer_named("nearest")
    for name in ("mahalanobis", "simple-shot"):
        with pytest.raises(ConfigError, match=f"{name!r} needs background"):
            recognizer_named(name)
        with pytest.raises(ConfigError, match=f"{name!r} needs background"):
            choose(*world(0, 4, 3), name)
    with pytest.raises(ConfigError, match="'nearest'"):
        choose(*world(0, 4, 3), candidates=["nearest"])


@pytest.mark.parametrize("seed", range(5))
def test_neighbors_are_chosen_where_means_say_nothing(seed: int) -> None:
    found = choose(*two_places(seed, 8, 10), distance="euclidean")
    assert "neighbor" in found.name
    assert found.accuracy[found.name] > found.accuracy["prototype"] + 0.2


@pytest.mark.parametrize("seed", range(5))
def test_the_background_s_metric_is_chosen_where_it_fits(seed: int) -> None:
    X, y = stretched(seed, 10, 6)
    found = choose(X, y, distance="euclidean", background=stretched(100, 60, 5))
    assert found.name == "mahalanobis"
    assert found.held_out == 60
    assert set(found.accuracy) == set(found.loss) == set(NAMES)
    assert found.loss["mahalanobis"] == min(found.loss.values())


def test_without_a_background_what_needs_one_is_not_asked() -> None:
    found = choose(*stretched(0, 10, 6), distance="euclidean")
    assert set(found.accuracy) == {"prototype", "neighbor", "3-neighbors", "logistic"}


@pytest.mark.parametrize("shots", [2, 5, 20])
def test_where_means_are_all_there_is_to_know_the_choice_does_not_lose(shots: int) -> None:
    lost = []
    for seed in range(10):
        X, y = world(seed, 8, shots + 10)
        support = np.arange(len(y)) % (shots + 10) < shots
        X_s, y_s = X[support], y[support]
        name = choose(X_s, y_s, distance="euclidean", background=world(100, 60, 5), seed=seed).name
        recognizers = [recognizer_named(each, "euclidean", 0, world(100, 60, 5)) for each in ("prototype", name)]
        plain, chosen = (each.fit(X_s, y_s).score(X[~support], y[~support]) for each in recognizers)
        lost.append(plain - chosen)
    assert np.mean(lost) < 0.02


@pytest.mark.parametrize(
    ("shots", "classes", "why"),
    [(1, 30, "one example each"), (2, 9, "eighteen examples"), (12, 1, "one class"), (21, 100, "more than 2000")],
    ids=str,
)
def test_the_default_stays_where_nothing_can_be_told(shots: int, classes: int, why: str) -> None:
    found = choose(*world(0, classes, shots), "neighbor", distance="euclidean")
    assert (found.name, found.default, found.held_out, found.accuracy) == ("neighbor", "neighbor", 0, {}), why
    assert str(found) == "neighbor, not compared with others"


def test_the_default_stays_where_it_makes_no_mistake() -> None:
    X, y = world(0, 6, 6)
    found = choose(X / 50 + 9 * np.eye(12, dtype=np.float32)[y], y, distance="euclidean")
    assert found.accuracy["prototype"] == 1
    assert found.name == "prototype"


def test_an_example_alone_in_its_class_is_never_held_out_but_can_be_mistaken_for() -> None:
    X, y = world(0, 10, 3)
    lonely = np.concatenate([X, X[:10] + 0.01]), np.append(y, np.arange(90, 100))  # each copies an enrolled one
    assert choose(*lonely, distance="euclidean").held_out == 30
    before, after = (choose(*each, distance="euclidean").accuracy["neighbor"] for each in ((X, y), lonely))
    assert after < before


def test_every_example_is_asked_once() -> None:
    """With two examples a class, each is asked once of those of the other turn: accuracies are those of a plain loop."""
    X, y = world(3, 12, 2)
    found = choose(X, y, candidates=["neighbor"], distance="euclidean")
    recognizer = NearestNeighbors(1)
    # With two a class the turn takes one of each class away, so the order does not matter only for neighbors of one's own.
    assert found.held_out == 24
    turns = [np.flatnonzero(np.isin(np.arange(24), each)) for each in _halves(y)]
    right = [clone(recognizer).fit(np.delete(X, out, 0), np.delete(y, out)).predict(X[out]) == y[out] for out in turns]
    assert found.accuracy["neighbor"] == pytest.approx(np.concatenate(right).mean())


def _halves(y: Any, seed: int = 0) -> list[Any]:
    """The same turns, drawn in another way: the smaller random number of a class comes first."""
    drawn = np.random.default_rng(seed).random(len(y)).reshape(-1, 2)
    first = np.arange(0, len(y), 2) + drawn.argmin(axis=1)
    return [first, np.setdiff1d(np.arange(len(y)), first)]


def test_large_classes_are_sampled() -> None:
    found = choose(*world(0, 2, 900), candidates=["neighbor"], distance="euclidean")
    assert found.held_out == 500


def test_logistic_regression_of_many_examples_and_classes_is_not_tried() -> None:
    assert "logistic" not in choose(*world(0, 110, 2), distance="euclidean").accuracy
    assert "logistic" in choose(*world(0, 90, 2), distance="euclidean").accuracy


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), order=st.integers(0, 1000))
def test_the_same_examples_make_the_same_choice_whatever_their_labels(seed: int, order: int) -> None:
    X, y = world(seed, 7, 3)
    found = choose(X, y, candidates=["neighbor"], distance="euclidean")
    assert found == choose(X, [f"class {label}" for label in y], candidates=["neighbor"], distance="euclidean")
    shuffled = np.random.default_rng(order).permutation(len(y))
    assert choose(X[shuffled], y[shuffled], candidates=["neighbor"], distance="euclidean").held_out == found.held_out


def test_bad_examples_are_refused() -> None:
    X, y = world(0, 6, 3)
    with pytest.raises(ShapeError, match="18 examples but 17 labels"):
        choose(X, y[:-1])
    with pytest.raises(ShapeError, match="NaN"):
        choose(np.where(X > 2, np.nan, X), y)


@pytest.mark.parametrize("name", NAMES)
def test_what_any_of_them_says_can_be_calibrated(name: str) -> None:
    background = world(9, 60, 5)
    recognizer = recognizer_named(name, "euclidean", background=background)
    X, y = world(0, 10, 4)
    X = X / 4 + 3 * np.eye(12, dtype=np.float32)[y]
    learned = calibrate(recognizer, X[::2], y[::2], background)
    distances = recognizer.fit(X[::2], y[::2]).distances(X[1::2])
    assert np.isfinite(learned.probabilities(distances)).all()
    assert (learned.probabilities(distances).argmax(axis=1) == y[1::2]).mean() > 0.9


def test_validation_alphabets_choose_the_background_s_metric(data_folder: Path) -> None:
    """Real drawings, five of each of 60 characters: enough to see that directions are worth more whitened."""
    from lowshot import Encoder
    from lowshot.data import load

    encoder = Encoder.load("characters")
    drawings = load("omniglot:background?alphabet=Bengali,Hebrew", encoder.card.form)
    chosen = drawings.take((drawings.labels < 60) & (np.arange(len(drawings)) % 20 < 5))
    found = choose(encoder.embed(chosen.items), chosen.labels, background=encoder.background())
    assert found.name == "mahalanobis"
