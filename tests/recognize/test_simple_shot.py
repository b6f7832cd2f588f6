"""SimpleShot against the paper's three lines in NumPy and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowshot.errors import ShapeError
from lowshot.recognize import NearestPrototype, SimpleShot


def corner(seed: int = 0) -> tuple[Any, Any, Any, Any, Any]:
    """Background mean, five examples each of six classes, queries: all as far from the origin as behind a ReLU."""
    rng = np.random.default_rng(seed)
    background = np.abs(rng.normal(10, 3, size=(500, 16)))
    centers = np.abs(rng.normal(10, 3, size=(6, 16)))
    codes = np.repeat(np.arange(6), 5)
    X, queries = (np.abs(centers[codes] + rng.normal(0, 4, size=(30, 16))) for _ in range(2))
    return background.mean(axis=0), X, np.array([f"class {c}" for c in codes]), queries, codes


@parametrize_with_checks([SimpleShot()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("centered", [True, False])
def test_it_is_the_nearest_centroid_of_transformed_features(centered: bool) -> None:
    mean, X, y, queries, _ = corner()
    shift = mean if centered else 0
    ours = SimpleShot(center=mean if centered else None).fit(X, y)
    theirs = NearestCentroid().fit(normalize(X - shift), y)
    np.testing.assert_allclose(ours.prototypes_, theirs.centroids_, atol=1e-6)
    assert (ours.predict(queries) == theirs.predict(normalize(queries - shift))).all()
    expected = ((normalize(queries - shift)[:, None] - theirs.centroids_) ** 2).sum(axis=2)
    np.testing.assert_allclose(ours.distances(queries), expected, atol=1e-5)


def test_centering_tells_apart_what_shares_a_corner() -> None:
    accuracy = {"plain": 0.0, "centered": 0.0}
    for seed in range(20):
        mean, X, y, queries, _ = corner(seed)
        accuracy["plain"] += (NearestPrototype("cosine").fit(X, y).predict(queries) == y).mean() / 20
        accuracy["centered"] += (SimpleShot(mean).fit(X, y).predict(queries) == y).mean() / 20
    assert accuracy["centered"] >= accuracy["plain"]


def test_examples_come_and_go() -> None:
    mean, X, y, queries, _ = corner()
    without = SimpleShot(mean).fit(X[5:], y[5:]).distances(queries)
    recognizer = SimpleShot(mean).fit(X[10:], y[10:]).partial_fit(X[:10], y[:10]).forget(X[:5], y[:5])
    np.testing.assert_allclose(recognizer.distances(queries), without, atol=1e-5)


@pytest.mark.parametrize("center", [np.zeros(15), np.zeros((16, 1)), np.full(16, np.nan), 3.0])
def test_a_center_of_another_shape_is_refused(center: Any) -> None:
    _, X, y, _, _ = corner()
    with pytest.raises(ShapeError, match="16 finite numbers"):
        SimpleShot(center).fit(X, y)
