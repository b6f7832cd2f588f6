"""Trained methods on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lowshot.data import EpisodeSampler, Examples, load
from lowshot.errors import ConfigError, EncoderError
from lowshot.evaluate import lake_of, nway_of, score_answers, score_episodes
from lowshot.learn.methods import METHODS
from lowshot.learn.methods.prototypical import PrototypicalConfig, PrototypicalNetworks
from lowshot.learn.run import train_encoder
from lowshot.learn.saved import Story, load_method, save_method

QUICK = {"steps": 2, "filters": 8, "ways": 4, "queries": 2}


@pytest.fixture(scope="module")
def digits() -> Examples:
    return load("digits", PrototypicalConfig().form)


def test_a_method_is_kept_whole(tmp_path: Path, digits: Examples) -> None:
    file = tmp_path / "proto.safetensors"
    trained = train_encoder("digits", "prototypical", file, settings=QUICK, validation="none", command="c")
    found = load_method(file)
    assert (found.card.command, found.card.config["steps"]) == ("c", 2)
    weights = trained.method.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in found.method.state_dict().items())


def test_answers_and_features_agree(tmp_path: Path, digits: Examples) -> None:
    torch.manual_seed(0)
    method = PrototypicalNetworks(PrototypicalConfig(filters=8)).eval()
    file = tmp_path / "proto.safetensors"
    save_method(file, method, Story(name="x", method="prototypical", config={"method": {"filters": 8}}))
    model = load_method(file)
    episodes = EpisodeSampler(digits.labels).draw(150, 4, 2, 3, unknown_ways=4, seed=1)
    with torch.no_grad():
        features = method.embed(torch.from_numpy((255 - digits.items[:].astype(np.float32)) / 255).permute(0, 3, 1, 2))
    by_features = score_episodes(features.numpy(), episodes, distance="euclidean", compare="prototype")
    by_answers = score_answers(model, digits.items, episodes)
    np.testing.assert_allclose(by_answers.accuracy, by_features.accuracy, atol=0.1)
    assert abs(by_answers.accuracy.mean() - by_features.accuracy.mean()) < 1e-3
    assert by_answers.auroc is not None and by_features.auroc is not None
    assert abs(by_answers.auroc.mean() - by_features.auroc.mean()) < 1e-3
    assert nway_of(model, digits, ways=5, episodes=50).ways == 5


def test_lakes_trials_take_a_method(tmp_path: Path, data_folder: Path) -> None:
    file = tmp_path / "proto.safetensors"
    save_method(
        file,
        PrototypicalNetworks(PrototypicalConfig(filters=8)).eval(),
        Story(name="x", method="prototypical", config={"method": {"filters": 8}}),
    )
    assert 0.2 < lake_of(load_method(file)).error < 0.95


@pytest.mark.parametrize("content", [b"", b"no tensors", None])
def test_what_holds_no_method_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EncoderError, match=r"x\.safetensors"):
        load_method(file)


def test_a_method_that_keeps_nothing_is_no_encoder(tmp_path: Path) -> None:
    whole = [each for each in METHODS if each.Config().obstacle]
    for method in whole:
        with pytest.raises(ConfigError, match="safetensors"):
            train_encoder("digits", method.record.name, tmp_path / "x.onnx", settings={"steps": 1}, validation="none")
    assert not list(tmp_path.iterdir())
