"""Same or different."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lowshot.data import EpisodeSampler, Examples
from lowshot.encoder import Encoder
from lowshot.errors import ClassTooSmall, ConfigError, ShapeError
from lowshot.evaluate import verify, verify_of
from lowshot.recognize import Distance, distances

LABELS = np.repeat(np.arange(20), 10)


def clusters(spread: float) -> np.ndarray:
    rng = np.random.default_rng(2)
    return rng.normal(size=(20, 8))[LABELS] + spread * rng.normal(size=(len(LABELS), 8))


def test_classes_far_apart_are_told_apart() -> None:
    result = verify(clusters(0.01), LABELS, distance="euclidean", pairs=1000)
    assert (result.accuracy, result.ci95, result.eer, result.auroc) == (1.0, 0.0, 0.0, 1.0)
    assert result.threshold > 0


def test_noise_is_chance() -> None:
    result = verify(clusters(1e6), LABELS, distance="cosine", pairs=20_000)
    assert abs(result.accuracy - 0.5) < 0.03
    assert abs(result.eer - 0.5) < 0.03
    assert abs(result.auroc - 0.5) < 0.03


@pytest.mark.parametrize(("distance", "negative"), [("euclidean", 0), ("cosine", 0), ("l1", 3)])
def test_the_accuracy_is_that_of_the_half_not_used_for_the_threshold(distance: Distance, negative: int) -> None:
    features = clusters(0.8).astype(np.float32)
    result = verify(features, LABELS, distance=distance, negative=negative, pairs=600, seed=7)
    indices, alike = EpisodeSampler(LABELS).draw_pairs(600, seed=7)
    apart = np.array([distances(features[[i]], features[[j]], distance, negative)[0, 0] for i, j in indices])
    right = (apart <= result.threshold) == alike
    assert result.accuracy == right[1::2].mean()
    candidates = [((apart <= limit) == alike)[::2].mean() for limit in apart]
    assert right[::2].mean() >= max(candidates)
    assert 0.5 < result.auroc < 1 and 0 < result.eer < 0.5


def test_pairs_of_one_class_come_from_two_groups() -> None:
    groups = np.tile(np.repeat([*"ab"], 5), 20)
    voice = np.eye(40)[LABELS * 2 + np.tile(np.repeat([0, 1], 5), 20)]
    assert verify(voice, LABELS, distance="euclidean", pairs=1000).auroc > 0.6
    assert verify(voice, LABELS, distance="euclidean", pairs=1000, apart=groups).auroc == pytest.approx(0.5)


@pytest.mark.parametrize("pairs", [4, 5, 6, 7])
def test_few_pairs_are_enough(pairs: int) -> None:
    result = verify(clusters(0.01), LABELS, distance="euclidean", pairs=pairs)
    assert result.pairs == pairs and result.accuracy > 0.4


def test_an_encoder_gives_the_figures_of_its_features(pixels: Encoder, drawings: Examples) -> None:
    result = verify_of(pixels, drawings, pairs=400, seed=1)
    features = drawings.items.reshape(len(drawings), -1) / 255
    given = verify(features, drawings.labels, distance="euclidean", pairs=400, seed=1)
    assert result.accuracy == given.accuracy and result.eer == pytest.approx(given.eer, abs=0.01)
    assert 0 < result.embed_seconds < result.seconds
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["pairs"] == 400
    assert "equal error rate" in str(result)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 4, not 3"):
        verify(clusters(1), LABELS, distance="l1", pairs=3)
    with pytest.raises(ShapeError, match="199 features but 200 labels"):
        verify(clusters(1)[1:], LABELS, distance="l1")
    with pytest.raises(ClassTooSmall, match="lonely"):
        verify(np.zeros((3, 2)), np.array([0, 0, 1]), distance="l1", class_names=["pair", "lonely"])
