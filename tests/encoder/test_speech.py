"""The speech encoder: its two models as one graph, each recording for itself."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lowshot import Encoder, load
from lowshot.data import SoundForm
from lowshot.encoder import named, packaged, speech
from lowshot.errors import EncoderError

SECOND = SoundForm()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    if find_spec("openwakeword") is None or find_spec("onnx") is None:
        pytest.skip(f"needs the models: pip install 'lowshot[speech]' and pip install --no-deps {speech.PACKAGE}")
    return Encoder.load("speech")


@pytest.fixture(scope="module")
def chirps() -> NDArray[np.int16]:
    """Five sounds, one loud, one quiet, one silent."""
    time = np.arange(16_000) / 16_000
    waves = [np.sin(2 * np.pi * (200 + 400 * i * time) * time) * np.hanning(16_000) for i in range(5)]
    return (np.array([10_000, 32_000, 100, 0, 5_000])[:, None] * waves).astype(np.int16)


def by_windows(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """One recording by the package's own two models, window by window."""
    import onnxruntime

    run = {name: onnxruntime.InferenceSession(speech._model(name)) for name in speech._MODELS}
    padded = np.pad(samples, 4000)[None].astype(np.float32)
    frames = run["melspectrogram.onnx"].run(None, {"input": padded})[0][0, 0] / 10 + 2
    windows = np.stack([frames[i : i + 76, :, None] for i in range(0, len(frames) - 75, 8)])
    each = run["embedding_model.onnx"].run(None, {"input_1": windows})[0].reshape(len(windows), 96)
    parts = [part / np.linalg.norm(part) for part in (each.mean(axis=0), each.max(axis=0))]
    return np.concatenate(parts) / 2**0.5


def test_features_are_what_the_two_models_give_window_by_window(encoder: Encoder, chirps: Any) -> None:
    expected = np.stack([by_windows(samples) for samples in chirps])
    np.testing.assert_allclose(encoder.embed(chirps), expected, atol=1e-5)


def test_a_recording_does_not_depend_on_those_beside_it(encoder: Encoder, chirps: Any) -> None:
    together = encoder.embed(chirps)
    alone = np.concatenate([encoder.embed(chirps[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_the_card_names_both_licenses_and_the_file_carries_strangers(encoder: Encoder) -> None:
    assert encoder.card.form == SECOND and encoder.card.modality == "sound"
    assert "Apache-2.0" in encoder.card.license and "CC BY-NC-SA 4.0" in encoder.card.license
    background = encoder.background()
    assert background is not None and background[0].shape == (200, 192)
    assert np.bincount(background[1]).tolist() == [10] * 20


def test_background_features_are_those_of_the_words_that_are_no_digits(encoder: Encoder, data_folder: Path) -> None:
    words = load("speech_commands?word!=zero,one,two,three,four,five,six,seven,eight,nine", encoder.card.form)
    background = encoder.background()
    assert background is not None and (background[1] == words.labels).all()
    np.testing.assert_allclose(background[0], encoder.embed(words.items), atol=1e-3)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, no_data: Path) -> None:
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=r"models are not installed: pip install --no-deps openwakeword==0\.5\.1"):
        speech.export_speech(no_data / "speech.onnx")
    monkeypatch.setitem(named._MADE, "speech", "lowshot.encoder.nothing")
    with pytest.raises(EncoderError, match=r"the speech encoder could not be exported: .*No module named"):
        Encoder.load("speech")


def test_other_models_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    models = tmp_path / "resources" / "models"
    models.mkdir(parents=True)
    (models / "melspectrogram.onnx").write_bytes(b"another")
    found = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(packaged, "find_spec", lambda name: found)
    with pytest.raises(EncoderError, match=r"melspectrogram\.onnx is not the one of openwakeword==0\.5\.1"):
        speech.export_speech(tmp_path / "speech.onnx")
