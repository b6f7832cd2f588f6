"""Accuracy at the k-th presentation, of any function that answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from lowshot.data import EpisodeSampler, Examples, ImageForm, Spelling, draw_sequences, load
from lowshot.encoder import Encoder
from lowshot.errors import ClassTooSmall, ConfigError, ShapeError
from lowshot.evaluate.sequences import nearest_neighbor, sequential, sequential_of

LABELS = np.repeat(np.arange(12), 10)
NOISE = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)


def remembers(items: Any, index_ST: Any, labels_STL: Any) -> np.ndarray:
    """Knows every class that was presented before, and says 0 to a new one."""
    answers = np.zeros_like(labels_STL)
    for s, index in enumerate(index_ST):
        seen: dict[int, Any] = {}
        for t, item in enumerate(index):
            answers[s, t] = seen.get(LABELS[item], 0)
            seen[LABELS[item]] = labels_STL[s, t]
    return answers


def test_a_perfect_memory_guesses_once_and_then_knows() -> None:
    result = sequential(remembers, NOISE, LABELS, sequences=500)
    assert len(result.accuracy) == len(result.ci95) == 10
    assert result.accuracy[1:] == (1.0,) * 9 and result.ci95[1:] == (0.0,) * 9
    # Exactly one of the five classes is called 0, so exactly one of five first presentations is right.
    assert result.accuracy[0] == pytest.approx(1 / 5) and result.ci95[0] == pytest.approx(0, abs=1e-9)


def test_figures_are_means_over_sequences_of_the_shares_at_each_presentation() -> None:
    def coin(items: Any, index: Any, labels: np.ndarray) -> np.ndarray:
        """Right wherever a coin, made of time and item, falls on its head."""
        return np.where(((index + np.arange(index.shape[1])) % 3 == 0)[..., None], labels, -1)

    result = sequential(coin, NOISE, LABELS, ways=3, presentations=4, sequences=50, seed=8)
    drawn = draw_sequences(EpisodeSampler(LABELS), 50, 3, 4, seed=8)
    shares = np.zeros((50, 4))
    for s in range(50):
        seen = np.zeros(3, int)
        for t in range(12):
            slot = drawn.slots[s, t]
            shares[s, seen[slot]] += ((drawn.items[s, t] + t) % 3 == 0) / 3
            seen[slot] += 1
    assert result.accuracy == pytest.approx(shares.mean(0))
    assert result.ci95 == pytest.approx(1.96 * shares.std(0, ddof=1) / np.sqrt(50))


def test_a_string_is_right_only_as_a_whole() -> None:
    def all_but_the_last(items: Any, index: Any, labels: np.ndarray) -> np.ndarray:
        return labels * [1, 1, 1, 1, 0]

    result = sequential(all_but_the_last, NOISE, LABELS, ways=10, sequences=400, spelling=Spelling(5, 5))
    assert all(abs(share - 1 / 5) < 0.03 for share in result.accuracy)


def test_nearest_neighbor_is_scikit_learns() -> None:
    drawn = draw_sequences(EpisodeSampler(LABELS), 5, 3, 10, seed=1)
    labels = np.take_along_axis(Spelling(5, 5).draw(5, 3, seed=2), drawn.slots[..., None], axis=1)
    for distance, metric in (("euclidean", "euclidean"), ("cosine", "cosine"), ("l1", "manhattan")):
        answers = nearest_neighbor(NOISE, drawn.items, labels, distance=distance)  # type: ignore[arg-type]
        assert (answers[:, 0] == 0).all()
        for s in range(5):
            features = NOISE[drawn.items[s]]
            for t in range(1, 30):
                seen = NearestNeighbors(n_neighbors=1, metric=metric).fit(features[:t])
                nearest = seen.kneighbors(features[t : t + 1], return_distance=False)[0, 0]
                assert answers[s, t].tolist() == labels[s, nearest].tolist()


def test_nearest_neighbor_on_perfect_features_is_right_once_in_the_square_of_the_ways_at_first() -> None:
    result = sequential(nearest_neighbor, np.eye(12)[LABELS], LABELS, sequences=3000)
    assert result.accuracy[1:] == (1.0,) * 9
    assert result.ci95[0] is not None and abs(result.accuracy[0] - 1 / 25) < 1.5 * result.ci95[0]


def test_a_seed_gives_the_same_figures_and_another_seed_others() -> None:
    one, same, other = (sequential(nearest_neighbor, NOISE, LABELS, sequences=50, seed=seed) for seed in (4, 4, 5))
    assert one.accuracy == same.accuracy != other.accuracy


def test_pixels_tell_digits_from_the_second_presentation_on() -> None:
    digits = load("digits")
    result = sequential(nearest_neighbor, digits.items.reshape(len(digits), -1), digits.labels, sequences=200)
    assert result.accuracy[0] < 0.1 < 0.65 < result.accuracy[1] < result.accuracy[4] < result.accuracy[9]
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["ways"] == 5
    shown = str(result)
    assert shown.startswith("5-way, at presentation 1: ") and "10: 9" in shown and "over 200 sequences" in shown


def test_an_encoder_is_the_nearest_neighbor_on_its_features(pixels: Encoder, drawings: Examples) -> None:
    result = sequential_of(pixels, drawings, presentations=6, sequences=30, seed=3)
    flat = drawings.items.reshape(len(drawings), -1) / 255
    alone = sequential(nearest_neighbor, flat, drawings.labels, presentations=6, sequences=30, seed=3)
    assert result.accuracy == pytest.approx(alone.accuracy)
    assert 0 < result.embed_seconds < result.seconds


def test_a_model_that_presents_is_asked_itself(drawings: Examples) -> None:
    @dataclass
    class Parrot:
        """Says the label of the item before."""

        form = ImageForm(height=4, width=4, channels=1)
        spelling = Spelling(3, 2)

        def present(self, items: Any, index_ST: np.ndarray, labels_STL: np.ndarray) -> np.ndarray:
            assert items.shape == (72, 4, 4, 1) and items.dtype == np.uint8
            assert index_ST.shape == (200, 18) and labels_STL.shape == (200, 18, 2) and labels_STL.max() == 2
            return np.roll(labels_STL, 1, axis=1)

    result = sequential_of(Parrot(), drawings, ways=3, presentations=6, sequences=200)
    # Of 17 items with one before them, 5 / 17 follow one of their own class, and none of those comes for the first time.
    assert np.mean(result.accuracy[1:]) == pytest.approx(5 / 15, abs=0.02)
    # Only the very first, one of three, may be of the class of the very last.
    assert result.accuracy[0] == pytest.approx(5 / 17 / 3, abs=0.05)


def test_one_presentation_of_many() -> None:
    items, labels = np.eye(4)[np.repeat(np.arange(4), 6)], np.repeat(np.arange(4), 6)
    result = sequential(nearest_neighbor, items, labels, ways=3, presentations=5, sequences=40, seed=2)
    for presentation in (1, 5):
        found = result.at(presentation)
        assert found.accuracy == result.accuracy[presentation - 1] and found.ci95 == result.ci95[presentation - 1]
        assert (found.presentation, found.ways, found.sequences, found.seed) == (presentation, 3, 40, 2)
        assert f"presentation {presentation}" in str(found)
    for presentation in (0, 6):
        with pytest.raises(ConfigError, match="presentations are 1 to 5"):
            result.at(presentation)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="119 items but 120 labels"):
        sequential(nearest_neighbor, NOISE[1:], LABELS)
    with pytest.raises(ShapeError, match=r"answers must be .* = \(9, 50, 1\), not \(9, 50\)"):
        sequential(lambda items, index, labels: labels[..., 0], NOISE, LABELS, sequences=9)
    with pytest.raises(ClassTooSmall, match="letter 0"):
        sequential(
            nearest_neighbor, NOISE, LABELS, presentations=11, class_names=tuple(f"letter {c}" for c in range(12))
        )
    with pytest.raises(ConfigError, match="13"):
        sequential(nearest_neighbor, NOISE, LABELS, ways=13)
    with pytest.raises(ConfigError, match="cannot be told apart"):
        sequential(nearest_neighbor, NOISE, LABELS, ways=5, spelling=Spelling(4))
