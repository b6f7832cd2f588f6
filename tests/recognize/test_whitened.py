"""The shared metric against scikit-learn's Ledoit-Wolf and discriminants, at one example and with many features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowshot.errors import ShapeError
from lowshot.recognize import NearestPrototype, WhitenedPrototype, Whitening


def world(seed: int, classes: int, shots: int, features: int = 12) -> tuple[Any, Any]:
    """Classes whose items differ tenfold more in the first half of the features, where the classes do not."""
    rng = np.random.default_rng(seed)
    spread = np.where(np.arange(features) < features / 2, 5.0, 0.5)
    codes = np.repeat(np.arange(classes), shots)
    return 3 + rng.normal(size=(classes, features))[codes] + spread * rng.normal(size=(len(codes), features)), codes


@parametrize_with_checks([WhitenedPrototype()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


@given(seed=st.integers(0, 1000), shots=st.integers(2, 6), features=st.integers(1, 60))
def test_the_matrix_is_the_inverse_root_of_ledoit_and_wolf_s_covariance(seed: int, shots: int, features: int) -> None:
    X, y = world(seed, 8, shots, features)
    apart = (X - X.reshape(8, shots, -1).mean(axis=1)[y]) * np.sqrt(shots / (shots - 1))
    theirs = LedoitWolf(assume_centered=True).fit(apart)
    learned = Whitening.of(X, y)
    np.testing.assert_allclose(learned.center, X.mean(axis=0), rtol=1e-4, atol=1e-5)
    if theirs.shrinkage_ > learned.shrinkage - 1e-9:
        np.testing.assert_allclose(learned.matrix, np.linalg.inv(sqrtm(theirs.covariance_)), rtol=1e-2, atol=1e-3)


def test_whitened_items_of_a_class_spread_alike_in_every_direction() -> None:
    X, y = world(0, 400, 10)
    white = Whitening.of(X, y)(X.astype(np.float32)).reshape(400, 10, -1)
    within = np.mean([np.cov(each.T) for each in white], axis=0)
    np.testing.assert_allclose(within, np.eye(12), atol=0.2)


def test_a_class_of_one_item_tells_nothing_of_spread() -> None:
    X, y = world(0, 20, 4)
    alone = np.concatenate([X, [[1e3] * 12]]), np.append(y, 99)
    np.testing.assert_allclose(Whitening.of(*alone).matrix, Whitening.of(X, y).matrix, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shots", [1, 5])
def test_knowing_the_background_s_spread_helps_from_one_example_on(shots: int) -> None:
    whitening = Whitening.of(*world(100, 60, 5))
    right = {"white": 0.0, "plain": 0.0}
    for seed in range(5):
        X, y = world(seed, 10, shots + 10)
        support = np.arange(len(y)) % (shots + 10) < shots
        for name, recognizer in {"white": WhitenedPrototype(whitening), "plain": NearestPrototype()}.items():
            right[name] += recognizer.fit(X[support], y[support]).score(X[~support], y[~support]) / 5
    assert right["white"] > right["plain"] + 0.2


def test_with_much_background_it_agrees_with_linear_discriminant_analysis() -> None:
    """Before the step to unit length: nearest means in the whitened space are the discriminants' answers."""
    X, y = world(0, 6, 200)
    queries, _ = world(1, 6, 20)
    whitening = Whitening.of(X, y)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", priors=np.full(6, 1 / 6)).fit(X, y)
    ours = NearestPrototype().fit(whitening(X.astype(np.float32)), y)
    assert (ours.predict(whitening(queries.astype(np.float32))) == theirs.predict(queries)).mean() > 0.95


def test_many_more_features_than_items() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(10, 1280)).astype(np.float32), np.repeat(np.arange(5), 2)
    whitening = Whitening.of(X, y)
    assert np.isfinite(whitening.matrix).all()
    assert 1 / 6 <= whitening.shrinkage <= 1
    recognizer = WhitenedPrototype(whitening).fit(X[::2], y[::2])
    assert recognizer.predict(X[::2]).tolist() == y[::2].tolist()


def test_two_items_do_not_make_a_direction_certain() -> None:
    """Ledoit and Wolf's estimate for a single pair is no shrinkage at all: a singular matrix."""
    whitening = Whitening.of([[-1.0, 2.0], [1.0, 2.0]], ["a", "a"])
    assert whitening.shrinkage == pytest.approx(0.5)
    assert whitening.matrix[1, 1] / whitening.matrix[0, 0] == pytest.approx(np.sqrt(3))


def test_a_copy_answers_alike_and_a_class_costs_one_row() -> None:
    recognizer = WhitenedPrototype(Whitening.of(*world(100, 60, 5)))
    X, y = world(0, 9, 3)
    twin = clone(recognizer).fit(X, y)
    np.testing.assert_array_equal(twin.distances(X), recognizer.fit(X, y).distances(X))
    assert recognizer.prototypes_.shape == (9, 12)
    assert recognizer.distances(X).max() <= 4 + 1e-5


@pytest.mark.parametrize(
    ("X", "y", "problem"),
    [
        (np.ones((4, 3)), [0, 0, 1, 1], "two different items"),
        (np.eye(3), [0, 1, 2], "two different items"),
        (np.eye(3), [0, 1], r"\(3, 3\)"),
        (np.full((2, 3), np.nan), [0, 0], "finite"),
        (np.ones(3), [0, 0, 0], r"\(3,\)"),
    ],
    ids=str,
)
def test_a_background_that_tells_nothing_is_refused(X: Any, y: Any, problem: str) -> None:
    with pytest.raises(ShapeError, match=problem):
        Whitening.of(X, y)


def test_a_metric_of_other_features_is_refused() -> None:
    X, y = world(0, 4, 2, features=7)
    with pytest.raises(ShapeError, match="12 features, the examples have 7"):
        WhitenedPrototype(Whitening.of(*world(1, 20, 3))).fit(X, y)
