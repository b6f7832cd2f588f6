"""The map of a gallery: near where the features are near, in a square, the same every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lowshot.gallery.index import Held
from lowshot.gallery.map import layout


@dataclass
class Galleried:
    """Stands for a gallery."""

    features: np.ndarray

    def held(self) -> Held:
        number = len(self.features)
        return Held(
            np.arange(1, number + 1), np.array([f"{i}" for i in range(number)]), self.features.astype(np.float32)
        )


def places(features: np.ndarray, **how: int) -> np.ndarray:
    return np.array([(point.x, point.y) for point in layout(Galleried(features), **how).points])


@pytest.mark.parametrize("number", [1, 2, 3, 5, 9, 10, 11, 40])
@pytest.mark.parametrize("kind", ["random", "equal", "on a line"])
def test_every_gallery_has_a_map_in_the_unit_square(number: int, kind: str) -> None:
    rng = np.random.default_rng(number)
    features = {
        "random": rng.normal(size=(number, 6)),
        "equal": np.ones((number, 6)),
        "on a line": np.arange(number)[:, None] * np.ones(6),
    }[kind]
    found = places(features)
    assert found.shape == (number, 2) and np.isfinite(found).all()
    assert found.min() >= 0 and found.max() <= 1
    np.testing.assert_array_equal(found, places(features))
    if kind == "random" and number > 1:
        assert np.ptp(found, axis=0).max() == pytest.approx(1, abs=1e-3)


def test_few_examples_lie_as_their_principal_components_say() -> None:
    features = np.zeros((4, 5))
    features[:, 1] = [0, 1, 2, 6]
    features[:, 3] = [0, 0.5, 0, 0]
    found = places(features)
    across = found - found[0]
    distances = np.linalg.norm(features - features[0], axis=1)
    np.testing.assert_allclose(np.linalg.norm(across, axis=1), distances / 6, atol=0.02)


def test_clusters_stay_together() -> None:
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(6), 20)
    features = 8 * rng.normal(size=(6, 32))[of] + rng.normal(size=(120, 32))
    found = places(features)
    near = np.linalg.norm(found[:, None] - found, axis=-1) + np.eye(120) * 9
    assert (of[near.argmin(axis=1)] == of).mean() > 0.98


def test_of_a_large_gallery_a_part_is_shown() -> None:
    features = np.random.default_rng(0).normal(size=(300, 8))
    shown = layout(Galleried(features), most=50)
    assert (shown.shown, shown.of, len(shown.points), shown.how) == (50, 300, 50, "t-SNE")
    ids = [point.id for point in shown.points]
    assert ids == sorted(set(ids)) and all(point.label == str(point.id - 1) for point in shown.points)
    assert ids != [point.id for point in layout(Galleried(features), most=50, seed=1).points]
