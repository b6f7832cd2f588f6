"""Settings, held-out classes, and the encoder file at the end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lowshot.data import Examples, load
from lowshot.encoder import Card, Encoder
from lowshot.errors import ConfigError, DataError, TrainingError
from lowshot.learn.export import check_same, export, to_onnx
from lowshot.learn.methods import METHODS
from lowshot.learn.methods.prototypical import PrototypicalConfig, PrototypicalNetworks
from lowshot.learn.recipe import Recipe
from lowshot.learn.run import card_of, checkpoint_of, configure, describe, hold_out, load_split, train_encoder
from lowshot.learn.trainer import Trained
from lowshot.recognize.distances import distances

QUICK = {"steps": 2, "filters": 8, "ways": 4, "queries": 2, "val_episodes": 5}


def made_card(method: Any, background: Examples) -> Card:
    return card_of(method, describe(Trained(method, 0, 0.0, None, ()), Recipe(), "x", "digits", background, ""))


def test_settings_reach_method_recipe_and_distortion() -> None:
    settings = {"ways": "7", "lr": "0.5", "distortion.shear": "0.4", "steps": "9"}
    config, recipe = configure(PrototypicalNetworks, "cpu", settings)
    assert (config.ways, recipe.lr, recipe.steps, recipe.minutes) == (7, 0.5, 9, None)  # type: ignore[attr-defined]
    assert (recipe.distortion.shear, recipe.distortion.rotate) == (0.4, 10)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"wais": "3"}, "no setting 'wais'; there are .*ways"),
        ({"ways": "many"}, "ways"),
        ({"ways": "1"}, "ways"),
        ({"distortion.wobble": "1"}, "wobble"),
        ({"lr.foo": "1"}, "lr has no parts"),
        ({"steps": 1, "minutes": 1}, "not both"),
        ({"schedule": "sometimes"}, "schedule"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        configure(PrototypicalNetworks, "cpu", settings)


def test_there_is_no_such_preset() -> None:
    with pytest.raises(ConfigError, match="paper, cpu"):
        configure(PrototypicalNetworks, "gpu", {})


def test_rotations_of_a_character_stay_on_one_side() -> None:
    background, validation = hold_out(load("digits?rotations=4"), 0.3)
    sides = [{name.split("/")[0] for name in part.classes} for part in (background, validation)]
    assert len(sides[0]) == 7 and len(sides[1]) == 3 and not sides[0] & sides[1]
    assert len(background.classes) == 28


def test_too_few_classes_to_hold_some_out() -> None:
    with pytest.raises(DataError, match="--val"):
        hold_out(load("digits?classes=0:0.2"), 0.1)


def test_validation_can_be_named_or_left_out() -> None:
    config = PrototypicalConfig()
    assert load_split("digits?classes=0:0.5", "digits?classes=0.5:1", config)[1] is not None
    assert load_split("digits", "none", config)[1] is None


def obstacle(method: type[Any]) -> str | None:
    found: str | None = configure(method, "cpu", {})[0].obstacle
    return found


@pytest.mark.parametrize(
    "method", [each for each in METHODS if not obstacle(each)], ids=lambda method: method.record.name
)
def test_onnx_runtime_gives_torch_features(method: type[Any], tmp_path: Path) -> None:
    config, _ = configure(method, "cpu", {})
    torch.manual_seed(0)
    chosen = method(config.model_copy(update={"filters": 8})).eval()
    digits = load("digits", config.form)
    card = made_card(chosen, digits)
    export(chosen, card, tmp_path / "x.onnx", sample=digits)
    encoder = Encoder.load(tmp_path / "x.onnx")
    assert encoder.card == card and card.background_fingerprint == digits.fingerprint
    assert check_same(encoder, chosen.exported().network, digits.items[:50]) < 1e-5
    # the distance on the card ranks as the method's own scores do
    pixels = (torch.from_numpy(np.array(digits.items[:12])).permute(0, 3, 1, 2).float() - 255) / -255
    with torch.no_grad():
        features = chosen.embed(pixels)
        scores = chosen.scores(features[None, :8, None], features[None, 8:])[0].numpy()
    embedded = encoder.embed(digits.items[:12])
    found = -distances(embedded[8:], embedded[:8], card.distance, card.negative)
    slope = np.polyfit(found.ravel(), scores.ravel(), 1)
    assert slope[0] > 0
    np.testing.assert_allclose(np.polyval(slope, found), scores, atol=1e-3 * np.abs(scores).max())


@pytest.mark.parametrize("method", [each for each in METHODS if obstacle(each)], ids=lambda method: method.record.name)
def test_a_method_that_is_no_encoder_says_why(method: type[Any]) -> None:
    config, _ = configure(method, "cpu", {"filters": 8})
    with pytest.raises(NotImplementedError, match=re.escape(str(config.obstacle))):
        method(config).exported()


def test_another_network_is_not_passed_off_as_the_trained_one(tmp_path: Path) -> None:
    digits = load("digits", PrototypicalConfig().form)
    one, other = (PrototypicalNetworks(PrototypicalConfig(filters=8)).eval() for _ in range(2))
    export(one, made_card(one, digits), tmp_path / "x.onnx", sample=digits)
    with pytest.raises(TrainingError, match="differ"):
        check_same(Encoder.load(tmp_path / "x.onnx"), other.exported().network, digits.items[:5])


def test_exported_files_name_no_source_file() -> None:
    model = to_onnx(PrototypicalNetworks(PrototypicalConfig(filters=8)).exported().network, PrototypicalConfig().form)
    assert b".py" not in model and b"stack_trace" not in model


def test_a_run_carries_strangers_and_its_story(tmp_path: Path) -> None:
    out = tmp_path / "x.onnx"
    trained = train_encoder(
        "digits?classes=0:0.5", "prototypical", out, settings=QUICK, validation="digits?classes=0.5:1"
    )
    card = Encoder.load(out).card
    assert trained.steps == 2 and card.config["steps"] == 2 and "validation" in card.config
    found = Encoder.load(out).background()
    assert found is not None
    features, labels = found
    assert features.shape == (25, card.features) and np.bincount(labels).tolist() == [5] * 5
    assert not list(tmp_path.glob("*checkpoint*"))


def test_nowhere_to_write_is_known_before_training(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        train_encoder("digits", "prototypical", tmp_path / "none" / "x.onnx")


def test_the_checkpoint_outlives_a_failed_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lowshot.learn import run

    def broken(*_args: object, **_more: object) -> None:
        raise TrainingError("no")

    out = tmp_path / "x.onnx"
    with monkeypatch.context() as patch:
        patch.setattr(run, "export", broken)
        with pytest.raises(TrainingError):
            train_encoder("digits", "prototypical", out, settings=QUICK | {"checkpoint_every": 1e-9}, validation="none")
    assert checkpoint_of(out).is_file()
    train_encoder("digits", "prototypical", out, settings=QUICK, validation="none", resume=True)
    assert out.is_file() and not checkpoint_of(out).exists()


@pytest.mark.slow
def test_two_minutes_of_training_recognize_new_alphabets(tmp_path: Path, data_folder: Path) -> None:
    alphabets = "Greek,Korean,Bengali"
    trained = train_encoder(
        f"omniglot:background?alphabet!={alphabets}&rotations=4",
        "prototypical",
        tmp_path / "x.onnx",
        settings={"minutes": 2},
        validation=f"omniglot:background?alphabet={alphabets}",
    )
    assert trained.accuracy is not None and trained.accuracy > 0.85
