"""Methods that learn from sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lowshot.data import Examples, SoundForm, load
from lowshot.data.sounds import wav
from lowshot.encoder import Encoder
from lowshot.errors import ConfigError, DataError
from lowshot.evaluate import nway, nway_of
from lowshot.learn.batches import to_device
from lowshot.learn.method import Method
from lowshot.learn.methods import METHODS
from lowshot.learn.methods.prototypical import PrototypicalConfig, PrototypicalNetworks
from lowshot.learn.run import configure, train_encoder
from lowshot.learn.saved import load_method

QUICK = {"steps": 2, "filters": 8, "ways": 4, "queries": 2, "val_episodes": 5}
SOUND = {"sound.rate": 4000, "sound.seconds": 0.25}


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """A folder of four notes, six recordings each."""
    rng = np.random.default_rng(0)
    time = np.arange(1000) / 4000
    for hertz in (200, 400, 800, 1600):
        (tmp_path / "tones" / f"{hertz} Hz").mkdir(parents=True)
        for i in range(6):
            waves = 8000 * np.sin(2 * np.pi * hertz * (1 + 0.02 * rng.normal()) * time) + 300 * rng.normal(size=1000)
            (tmp_path / "tones" / f"{hertz} Hz" / f"{i}.wav").write_bytes(wav(waves.astype(np.int16), 4000))
    return tmp_path / "tones"


def test_settings_follow_the_data() -> None:
    config, recipe = configure(PrototypicalNetworks, "cpu", {"sound.seconds": "2"}, "sound")
    assert config.form == SoundForm(seconds=2)
    assert not recipe.distortion.rotate, "a spectrogram on its side is another sound"
    pictures, usual = configure(PrototypicalNetworks, "cpu", {})
    assert pictures.form.modality == "image" and usual.distortion.rotate
    assert "sound" not in pictures.model_dump(), "settings written down before there was sound stay the same"
    again = PrototypicalConfig.model_validate(config.model_dump(mode="json"))
    assert again.sound == config.sound


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.record.name)
def test_every_method_takes_sounds(method: type[Method[Any]]) -> None:
    for preset in method.presets:
        config, _ = configure(method, preset, {}, "sound")
        assert config.form == SoundForm() and config.channels == 1


def test_what_makes_no_sense_is_said() -> None:
    with pytest.raises(ConfigError, match="spectrograms of sounds are gray"):
        configure(PrototypicalNetworks, "cpu", {"channels": 3}, "sound")
    with pytest.raises(ConfigError, match="not from texts"):
        configure(PrototypicalNetworks, "cpu", {}, "text")
    with pytest.raises(ConfigError, match=r"sound\.rate"):
        configure(PrototypicalNetworks, "cpu", {"sound.rate": 10}, "sound")


def test_an_encoder_of_sounds_draws_its_spectrograms_for_itself(tones: Path, tmp_path: Path) -> None:
    out = tmp_path / "tones.onnx"
    trained = train_encoder(str(tones), "prototypical", out, settings=QUICK | SOUND, validation="none")
    encoder = Encoder.load(out)
    card = encoder.card
    assert (card.modality, card.form, card.mean, card.std) == (
        "sound",
        SoundForm(rate=4000, seconds=0.25),
        (0,),
        (32768,),
    )
    examples = load(str(tones), card.form)
    with torch.no_grad():
        drawn = to_device(examples.items, trained.method.config, torch.device("cpu"))
        expected = trained.method.cpu().embed((255 - drawn.float()) / 255).numpy()
    found = encoder.embed(examples.items)
    assert found.shape == (24, card.features)
    assert ((found - expected) ** 2).sum(axis=1).max() < 1e-3  # but for the rounding to 256 grays
    assert (
        nway_of(encoder, examples, ways=4, queries=3, episodes=50).accuracy > 0.5
    )  # of a network that has hardly learned; chance is 0.25
    background = encoder.background()
    assert background is not None and len(background[0]) == 20


def test_a_method_of_sounds_is_kept_and_answers(tones: Path, tmp_path: Path) -> None:
    out = tmp_path / "tones.safetensors"
    settings = {"steps": 2, "filters": 8, "ways": 4, "queries": 2} | SOUND
    train_encoder(str(tones), "relation", out, settings=settings, validation="none")
    model = load_method(out)
    assert model.form == SoundForm(rate=4000, seconds=0.25)
    assert nway_of(model, load(str(tones), model.form), ways=4, queries=3, episodes=20).ways == 4


def test_validation_of_another_modality_is_refused(tones: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="digits is a set of images, but sounds are wanted"):
        train_encoder(str(tones), "prototypical", tmp_path / "x.onnx", settings=QUICK | SOUND, validation="digits")
    assert not (tmp_path / "x.onnx").exists()


@pytest.fixture(scope="module")
def spoken(data_folder: Path) -> Examples:
    if not (data_folder / "fsdd" / "fsdd.zip").is_file():
        pytest.skip("needs the spoken digits: set LOWSHOT_DATA to the folder that holds fsdd/")
    return load("fsdd?digit=0,1,2,3,4&speaker=theo,yweweler", SoundForm(rate=8000))


def test_seconds_of_training_tell_words_in_voices_that_were_never_heard(spoken: Examples, tmp_path: Path) -> None:
    """Each word is asked in another voice than it was heard in, and neither was in training; chance is 0.2."""
    out = tmp_path / "digits.onnx"
    settings = {"steps": 60, "filters": 32, "ways": 5, "queries": 5, "sound.rate": 8000, "distortion": {}}
    heard = "fsdd?digit=0,1,2,3,4&speaker=george,jackson,lucas,nicolas"
    train_encoder(heard, "prototypical", out, settings=settings, validation="none")
    asked = {"ways": 5, "shots": 1, "queries": 5, "episodes": 300}
    learned = nway_of(Encoder.load(out), spoken, **asked, apart="speaker").accuracy  # type: ignore[arg-type]
    samples = nway(
        spoken.items.astype(np.float32),
        spoken.labels,
        distance="cosine",
        compare="prototype",
        apart=spoken.values("speaker"),
        **asked,  # type: ignore[arg-type]
    ).accuracy
    assert samples < 0.3
    assert learned > samples + 0.4
