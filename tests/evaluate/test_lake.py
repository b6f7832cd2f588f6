"""The trials, on made-up runs; the real ones are in test_anchors.py."""

from __future__ import annotations

import numpy as np
import pytest

from lowshot.data.lake import Runs
from lowshot.encoder import Encoder
from lowshot.errors import EncoderError, ShapeError
from lowshot.evaluate import lake, lake_of
from lowshot.evaluate.baselines import modified_hausdorff
from lowshot.recognize import distances


@pytest.fixture
def runs() -> Runs:
    """Queries are their support images with noise, in another order."""
    rng = np.random.default_rng(0)
    support = rng.integers(0, 256, (20, 20, 4, 4, 1))
    answer = np.stack([rng.permutation(20) for _ in range(20)])
    query = np.take_along_axis(support, answer[:, :, None, None, None], axis=1) + rng.integers(-80, 80, support.shape)
    return Runs(support.astype(np.uint8), query.clip(0, 255).astype(np.uint8), answer)


def test_the_error_is_that_of_the_nearest(runs: Runs, pixels: Encoder) -> None:
    wrong = []
    for support, query, answer in zip(runs.support, runs.query, runs.answer, strict=True):
        differences = query[:, None].astype(float) - support[None].astype(float)
        wrong.append((differences**2).sum(axis=(2, 3, 4)).argmin(axis=1) != answer)
    result = lake_of(pixels, runs)
    assert result.error == pytest.approx(np.mean(wrong)) and 0 < result.error < 0.5
    assert result.ci95 == pytest.approx(1.96 * np.std(wrong, ddof=1) / 20)
    assert result.trials == 400
    assert 0 < result.embed_seconds < result.seconds
    assert set(result.as_dict()) >= {"error", "trials", "seconds"}
    assert "in 400 trials" in str(result)


def test_an_encoder_embeds_all_drawings_in_one_go(runs: Runs, pixels: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded: list[int] = []
    embed = pixels.embed
    monkeypatch.setattr(pixels, "embed", lambda items: (embedded.append(len(items)), embed(items))[1])
    lake_of(pixels, runs)
    assert embedded == [800]


def test_distances_that_are_all_alike_are_chance(runs: Runs) -> None:
    assert lake(lambda support, query: np.zeros((20, 20)), runs).error == pytest.approx(0.95)


def test_any_comparison_is_checked(runs: Runs) -> None:
    with pytest.raises(ShapeError, match=r"\(20, 20\), not \(20, 19\)"):
        lake(lambda support, query: np.zeros((20, 19)), runs)
    with pytest.raises(EncoderError, match="finite"):
        lake(lambda support, query: np.full((20, 20), np.nan), runs)


def test_queries_come_first_in_the_distances(runs: Runs) -> None:
    def squared(support: np.ndarray, query: np.ndarray) -> np.ndarray:
        return distances(query.reshape(20, -1), support.reshape(20, -1), "euclidean")

    right = lake(squared, runs).error
    assert right < 0.5 < lake(lambda support, query: squared(support, query).T, runs).error
    assert modified_hausdorff(runs.support[0, :3], runs.query[0, :5]).shape == (5, 3)
