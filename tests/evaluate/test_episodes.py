"""Batched scoring against the recognizers, one episode at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lowshot.data import Episodes, EpisodeSampler
from lowshot.errors import ConfigError, EncoderError, ShapeError
from lowshot.evaluate import episodes as room
from lowshot.evaluate import score_episodes, score_recognizer
from lowshot.recognize import Distance, LinearProbe, NearestNeighbors, NearestPrototype, recognizer_named
from lowshot.recognize.compare import Compare

LABELS = np.repeat(np.arange(30), 9)


@pytest.fixture(scope="module")
def features() -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return (rng.normal(size=(30, 12))[LABELS] + rng.normal(size=(len(LABELS), 12)) + 0.5).astype(np.float32)


def draw(shots: int = 3) -> Episodes:
    return EpisodeSampler(LABELS).draw(40, ways=6, shots=shots, queries=4, unknown_ways=6, seed=5)


@pytest.mark.parametrize(("distance", "compare"), [("euclidean", "prototype"), ("cosine", "neighbor")])
def test_a_recognizer_of_that_kind_scores_the_same(
    features: NDArray[np.float32], distance: Distance, compare: Compare
) -> None:
    recognizer = recognizer_named(compare, distance)
    one = score_recognizer(recognizer, features, draw())
    all_at_once = score_episodes(features, draw(), distance=distance, compare=compare)
    assert not hasattr(recognizer, "classes_")
    np.testing.assert_allclose(one.accuracy, all_at_once.accuracy, atol=1e-12)
    for mine, theirs in ((one.auroc, all_at_once.auroc), (one.fpr95, all_at_once.fpr95)):
        assert mine is not None and theirs is not None
        assert np.isclose(mine, theirs, atol=2e-3).mean() > 0.9  # rounding may swap neighbors among 576 pairs


def test_a_recognizer_without_unknown_queries_or_any() -> None:
    features = np.array([[0.0], [0.1], [5.0], [5.1]])
    sampler = EpisodeSampler(np.array([0, 0, 1, 1]))
    scores = score_recognizer(LinearProbe(), features - 2.5, sampler.draw(3, 2, 1, 1))
    assert (scores.accuracy.tolist(), scores.auroc, scores.fpr95) == ([1.0] * 3, None, None)
    with pytest.raises(ConfigError, match="no queries"):
        score_recognizer(LinearProbe(), features, sampler.draw(3, 2, 1, 0))


@pytest.mark.parametrize(("distance", "negative"), [("euclidean", 0), ("cosine", 0), ("l1", 0), ("l1", 5)])
@pytest.mark.parametrize("compare", ["prototype", "neighbor"])
def test_the_recognizers_give_the_same(
    features: NDArray[np.float32], distance: Distance, negative: int, compare: Compare
) -> None:
    episodes = draw()
    scores = score_episodes(features, episodes, distance=distance, compare=compare, negative=negative)
    kind = NearestPrototype if compare == "prototype" else NearestNeighbors
    accuracy, area = [], []
    for support, query, unknown in zip(episodes.support, episodes.query, episodes.unknown, strict=True):
        recognizer = kind(distance=distance, negative=negative).fit(features[support.ravel()], LABELS[support.ravel()])
        accuracy.append(recognizer.score(features[query.ravel()], LABELS[query.ravel()]))
        nearest = recognizer.distances(features[np.concatenate([query.ravel(), unknown.ravel()])]).min(axis=1)
        area.append(roc_auc_score(np.arange(len(nearest)) < query.size, -nearest))
    np.testing.assert_allclose(scores.accuracy, accuracy, atol=1e-12)
    assert scores.auroc is not None and scores.fpr95 is not None
    np.testing.assert_allclose(scores.auroc, area, atol=2e-3)  # rounding may swap neighbors among 576 pairs
    assert 0 < np.mean(accuracy) < 1


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "l1"])
@pytest.mark.parametrize("compare", ["prototype", "neighbor"])
@pytest.mark.parametrize("size", [1, 3, 64, 301])
def test_features_that_are_all_alike_are_chance(distance: Distance, compare: Compare, size: int) -> None:
    alike = np.tile(np.random.default_rng(size).normal(size=size) * 30, (len(LABELS), 1))
    scores = score_episodes(alike, draw(), distance=distance, compare=compare)
    np.testing.assert_allclose(scores.accuracy, 1 / 6)
    zeros = score_episodes(np.zeros_like(alike), draw(), distance=distance, compare=compare)
    np.testing.assert_allclose(zeros.accuracy, 1 / 6)
    assert zeros.auroc is not None and (zeros.auroc == 0.5).all()


def test_features_of_two_values_are_right_by_half_the_classes() -> None:
    scores = score_episodes(LABELS[:, None] % 2, draw(), distance="euclidean", compare="prototype")
    ways = LABELS[draw().query[..., 0]] % 2
    expected = [np.mean([1 / (parity == each).sum() for each in parity]) for parity in ways]
    np.testing.assert_allclose(scores.accuracy, expected)


def test_chunks_change_nothing(features: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    for size in (1, 10_000, 1 << 30):
        monkeypatch.setattr(room, "_CHUNK_BYTES", size)
        found.append(score_episodes(features, draw(), distance="euclidean", compare="neighbor"))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].accuracy, other.accuracy)
        np.testing.assert_allclose(found[0].auroc, other.auroc, atol=2e-3)


def test_without_unknown_queries_there_is_nothing_to_reject(features: NDArray[np.float32]) -> None:
    episodes = EpisodeSampler(LABELS).draw(3, ways=5, shots=1, queries=2)
    scores = score_episodes(features, episodes, distance="l1", compare="prototype")
    assert scores.auroc is None and scores.fpr95 is None


def test_bad_input_is_refused(features: NDArray[np.float32]) -> None:
    damaged = features.copy()
    damaged[7, 2] = np.nan
    with pytest.raises(EncoderError, match="item 7"):
        score_episodes(damaged, draw(), distance="l1", compare="prototype")
    with pytest.raises(ShapeError, match=r"\(270, 3, 4\)"):
        score_episodes(features.reshape(-1, 3, 4), draw(), distance="l1", compare="prototype")
    with pytest.raises(ConfigError, match="manhattan"):
        score_episodes(features, draw(), distance="manhattan", compare="prototype")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="median"):
        score_episodes(features, draw(), distance="l1", compare="median")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no queries"):
        score_episodes(features, EpisodeSampler(LABELS).draw(3, 5, 1, 0), distance="l1", compare="prototype")
