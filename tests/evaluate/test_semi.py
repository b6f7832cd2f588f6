"""Labels only against labels and unlabeled items, on the same episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lowshot.data import EpisodeSampler, Examples
from lowshot.encoder import Encoder
from lowshot.errors import ClassTooSmall, ConfigError, EncoderError, ShapeError
from lowshot.evaluate import SemiResult, semi, semi_of
from lowshot.recognize import NearestPrototype, SoftKMeans

LABELS = np.repeat(np.arange(10), 20)


def clusters(spread: float = 0.8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(10, 8))[LABELS] + spread * rng.normal(size=(len(LABELS), 8))).astype(np.float32)


def run(features: np.ndarray, recognizer: Any = None, **settings: Any) -> SemiResult:
    setting = {"ways": 5, "unlabeled": 8, "episodes": 50, **settings}
    return semi(features, LABELS, recognizer or SoftKMeans(), **setting)


def test_unlabeled_items_of_good_features_help() -> None:
    result = run(clusters())
    assert result.gain_ci95 is not None and result.gain > result.gain_ci95


def test_the_figures_are_those_of_the_episodes_drawn() -> None:
    features = clusters()
    result = run(features, shots=2, queries=3, distractors=4, episodes=20, seed=7)
    drawn = EpisodeSampler(LABELS).draw(20, 5, 2, 11, unknown_ways=4, seed=7)
    right = []
    for support, rest, other in zip(drawn.support, drawn.query, drawn.unknown, strict=True):
        X, y, queries = features[support.ravel()], np.repeat(np.arange(5), 2), features[rest[:, :3].ravel()]
        unlabeled = features[np.concatenate([rest[:, 3:].ravel(), other[:, :8].ravel()])]
        known = NearestPrototype().fit(X, y), SoftKMeans().fit(X, y, unlabeled)
        right.append([(each.predict(queries) == np.repeat(np.arange(5), 3)).mean() for each in known])
    before, after = np.array(right).T
    assert result.labels_only == pytest.approx(before.mean())
    assert result.accuracy == pytest.approx(after.mean())
    assert result.gain == pytest.approx((after - before).mean())
    assert result.gain_ci95 == pytest.approx(1.96 * (after - before).std(ddof=1) / np.sqrt(20))


def test_the_interval_of_the_difference_is_narrower_than_those_of_the_accuracies() -> None:
    result = run(clusters())
    assert result.gain_ci95 is not None and result.ci95 is not None and result.labels_only_ci95 is not None
    assert result.gain_ci95 < np.hypot(result.ci95, result.labels_only_ci95)


def test_what_learns_nothing_from_unlabeled_items_gains_nothing() -> None:
    class Deaf(NearestPrototype):
        def fit(self, X: Any, y: Any, unlabeled: Any = None) -> Any:
            return super().fit(X, y)

    result = run(clusters(), Deaf())
    assert (result.gain, result.gain_ci95) == (0, 0)


def test_a_seed_gives_the_same_figures_and_another_seed_others() -> None:
    one, same, other = (run(clusters(), seed=seed).accuracy for seed in (4, 4, 5))
    assert one == same != other


def test_it_says_what_was_measured() -> None:
    shown = str(run(clusters(), distractors=2))
    assert "5-way 1-shot, 8 unlabeled a class, 2 distractor classes" in shown
    assert "from labels" in shown and "gain" in shown
    assert "distractor" not in str(run(clusters()))
    assert run(clusters()).as_dict()["unlabeled"] == 8


def test_bad_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="200 labels"):
        run(clusters()[:5])
    with pytest.raises(ConfigError, match="unlabeled"):
        run(clusters(), unlabeled=0)
    with pytest.raises(ClassTooSmall, match="20 examples"):
        run(clusters(), unlabeled=18)
    with pytest.raises(ConfigError, match="fewer ways"):
        run(clusters(), distractors=6)
    with pytest.raises(EncoderError, match="item 3"):
        run(np.where(np.arange(200)[:, None] == 3, np.nan, clusters()))


def test_an_encoder_is_asked_once_for_each_item(pixels: Encoder, drawings: Examples) -> None:
    result = semi_of(pixels, drawings, SoftKMeans(), ways=4, unlabeled=3, queries=2, episodes=30, within="alphabet")
    groups = drawings.of_classes("alphabet")
    expected = semi(
        pixels.embed(drawings.items),
        drawings.labels,
        SoftKMeans(),
        **{"ways": 4, "unlabeled": 3, "queries": 2, "episodes": 30, "within": groups},
    )
    assert (result.labels_only, result.accuracy) == (expected.labels_only, expected.accuracy)
    assert 0 < result.embed_seconds < result.seconds


def test_the_encoder_says_how_features_are_compared_where_nobody_does(pixels: Encoder, drawings: Examples) -> None:
    few = {"ways": 4, "unlabeled": 3, "queries": 2, "episodes": 30}
    chosen = semi_of(pixels, drawings, SoftKMeans(pixels.card.distance), **few)
    assert semi_of(pixels, drawings, **few).accuracy == chosen.accuracy
    masked = SoftKMeans(pixels.card.distance, mask=(0.6, 20))
    chosen = semi_of(pixels, drawings, masked, distractors=2, **few)
    assert semi_of(pixels, drawings, distractors=2, **few).accuracy == chosen.accuracy
