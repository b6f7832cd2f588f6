"""The voice encoder: its spectrogram, network and mean over parts in one graph, told again in NumPy."""

from __future__ import annotations

import io
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lowshot import Encoder, Gallery, load
from lowshot.encoder import packaged
from lowshot.errors import EncoderError
from lowshot.evaluate import nway
from lowshot.learn import voices
from lowshot.learn.voice_network import VoiceNetwork, mel_bands

Samples = NDArray[np.int16]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    if find_spec("resemblyzer") is None:
        pytest.skip(f"needs the weights: pip install --no-deps {voices.PACKAGE}")
    return Encoder.load("voices")


@pytest.fixture(scope="module")
def weights(encoder: Encoder) -> dict[str, NDArray[np.float64]]:
    file = io.BytesIO(packaged.packaged(voices.PACKAGE, "pretrained.pt", voices._WEIGHTS))
    state = torch.load(file, map_location="cpu", weights_only=True)["model_state"]
    return {name: value.double().numpy() for name, value in state.items()}


def hum(hertz: float, seconds: float, loud: float) -> NDArray[np.float64]:
    """Ten overtones that swell twice a second, with some noise."""
    time = np.arange(round(16_000 * seconds)) / 16_000
    waves = sum(np.sin(2 * np.pi * hertz * k * time + k) / k for k in range(1, 11))
    noise = np.random.default_rng(0).normal(size=len(time))
    return loud * (waves * (1.2 + np.sin(4 * np.pi * time)) + 0.02 * noise)


def placed(wave: NDArray[np.float64], start: int = 0) -> Samples:
    """A sound in silence, as the form holds it."""
    samples = np.zeros(voices.FORM.shape, np.int16)
    samples[start : start + len(wave)] = np.rint(wave)
    return samples


@pytest.fixture(scope="module")
def sounds() -> Samples:
    """Loud and long; quiet; two short ones; nothing."""
    return np.stack(
        [
            placed(hum(120, 3.2, 5000)),
            placed(hum(200, 3.2, 60)),
            placed(hum(150, 0.5, 3000), 22_000),
            placed(hum(250, 0.3, 2000), 1000),
            placed(np.zeros(1)),
        ]
    )


def mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def hertz(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def expected_bands() -> NDArray[np.float64]:
    """Slaney's filters, weight by weight."""
    corners = [hertz(mel(8000) * i / 41) for i in range(42)]
    bands = np.zeros((40, 201))
    for b, (low, middle, high) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        for f in range(201):
            if low < 40 * f <= middle:
                bands[b, f] = (40 * f - low) / (middle - low)
            elif middle < 40 * f < high:
                bands[b, f] = (high - 40 * f) / (high - middle)
        bands[b] *= 2 / (high - low)
    return bands


def lstm(frames: NDArray[np.float64], weights: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The features of one part, a moment after another."""
    for layer in range(3):
        inputs, recurrent = weights[f"lstm.weight_ih_l{layer}"], weights[f"lstm.weight_hh_l{layer}"]
        bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
        out, cell, outs = np.zeros(256), np.zeros(256), []
        for frame in frames:
            enter, forget, new, leave = np.split(inputs @ frame + recurrent @ out + bias, 4)
            cell = cell / (1 + np.exp(-forget)) + np.tanh(new) / (1 + np.exp(-enter))
            out = np.tanh(cell) / (1 + np.exp(-leave))
            outs.append(out)
        frames = np.stack(outs)
    last = np.maximum(weights["linear.weight"] @ frames[-1] + weights["linear.bias"], 0)
    return last / np.linalg.norm(last)


def expected(samples: Samples, weights: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The features of one recording."""
    padded = np.pad(samples / 32768, 200)
    windows = np.stack([padded[i : i + 400] for i in range(0, len(padded) - 399, 160)])
    power = (windows**2).mean(axis=1)
    heard = power >= power.max() / 1000
    gain = max(1.0, 10 ** (-25 / 10) / max(power[heard].mean(), 1e-10))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = gain * np.abs(np.fft.rfft(windows * hann)) ** 2 @ expected_bands().T
    parts = [slice(i, i + 160) for i in (0, 80, 160)]
    mean = sum(heard[part].mean() * lstm(frames[part], weights) for part in parts)
    return np.asarray(mean / np.linalg.norm(mean))


def test_features_are_what_the_formulas_give(encoder: Encoder, sounds: Samples, weights: Any) -> None:
    found = encoder.embed(sounds)
    np.testing.assert_allclose(found, [expected(each, weights) for each in sounds], atol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_bands_are_the_ones_the_network_learned_with() -> None:
    """Where each peaks and how high, as librosa 0.11 says: ``librosa.filters.mel(sr=16000, n_fft=400, n_mels=40)``."""
    bands = mel_bands()
    np.testing.assert_allclose(bands, expected_bands(), atol=1e-12)
    peaks = {
        0: (2, 0.0124045210),
        5: (11, 0.0133299548),
        12: (24, 0.0128183430),
        20: (44, 0.0071919174),
        39: (185, 0.0017249404),
    }
    for band, (at, height) in peaks.items():
        assert bands[band].argmax() == at and abs(bands[band].max() - height) < 1e-8
    assert abs(bands.sum() - 0.9994972) < 1e-6


def test_a_recording_does_not_depend_on_those_beside_it(encoder: Encoder, sounds: Samples) -> None:
    alone = np.concatenate([encoder.embed(sounds[i : i + 1]) for i in range(len(sounds))])
    np.testing.assert_allclose(encoder.embed(sounds), alone, atol=1e-5)


def test_how_loud_a_quiet_voice_was_recorded_does_not_matter(encoder: Encoder) -> None:
    quiet, quieter = encoder.embed(np.stack([placed(hum(120, 3.2, loud)) for loud in (800, 200)]))
    assert quiet @ quieter > 0.999


def test_silence_around_a_word_does_not_count() -> None:
    """A part without a sound weighs nothing, and one with half of it half."""
    torch.manual_seed(0)
    network = VoiceNetwork().eval()
    samples = torch.from_numpy(
        np.stack([placed(hum(150, 0.5, 3000), start) for start in (2000, 41_000)]) / 32768
    ).float()
    with torch.no_grad():
        spectrogram, heard = network.heard(samples)
        first, last = network.listened(spectrogram[0, None, :160]), network.listened(spectrogram[1, None, 160:320])
        found = network(samples)
    assert not heard[0, 80:].any() and not heard[1, :240].any()
    torch.testing.assert_close(found, torch.cat([first, last]))


def test_people_are_told_apart_by_what_they_have_not_said_before(encoder: Encoder, data_folder: Path) -> None:
    if not (data_folder / "fsdd").is_dir():
        pytest.skip("needs the digits: set LOWSHOT_DATA to the folder that holds fsdd/")
    spoken = load("fsdd:speakers", encoder.card.form)
    few = spoken.take(spoken.places % 50 == 0)
    features, digits = encoder.embed(few.items), few.values("digit")
    asked: dict[str, Any] = {"distance": "cosine", "compare": "prototype", "ways": 6, "apart": digits}
    assert nway(features, few.labels, shots=1, queries=5, **asked).accuracy > 0.5, "chance is 0.17"
    assert nway(features, few.labels, shots=5, queries=5, **asked).accuracy > 0.75


def test_a_gallery_of_voices(encoder: Encoder, tmp_path: Path) -> None:
    people = {"low": 110, "high": 240}
    with Gallery.open(tmp_path / "people.gallery", encoder, create=True) as gallery:
        gallery.enroll([placed(hum(pitch, 1, 3000)) for pitch in people.values()], list(people))
        answers = gallery.identify([placed(hum(pitch * 1.02, 0.7, 2000), 9000) for pitch in people.values()])
    assert [answer.candidates[0].label for answer in answers] == list(people)


def test_the_card_names_the_licenses_and_the_file_carries_strangers(encoder: Encoder) -> None:
    assert encoder.card.form == voices.FORM and encoder.card.modality == "sound"
    assert "Apache-2.0" in encoder.card.license and "CC BY 4.0" in encoder.card.license
    background = encoder.background()
    assert background is not None and background[0].shape == (291, 256)
    assert len(np.bincount(background[1])) == 32 and np.bincount(background[1]).min() == 2


def test_background_features_are_those_of_speakers_of_words(encoder: Encoder, data_folder: Path) -> None:
    if not (data_folder / "speech_commands").is_dir():
        pytest.skip("needs the words: set LOWSHOT_DATA to the folder that holds speech_commands/")
    spoken = load("speech_commands:speakers?least=2", encoder.card.form)
    background = encoder.background()
    assert background is not None and (background[1] == spoken.labels).all()
    np.testing.assert_allclose(background[0][::20], encoder.embed(spoken.items[::20]), atol=1e-3)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as without:
        without.setattr(packaged, "find_spec", lambda name: None)
        with pytest.raises(EncoderError, match=r"not installed: pip install --no-deps resemblyzer==0\.1\.4"):
            voices.export_voices(tmp_path / "voices.onnx")
    monkeypatch.setattr(voices, "packaged", lambda *file: b"")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EncoderError, match=r"torch is not installed: pip install 'lowshot\[voices\]'"):
        voices.export_voices(tmp_path / "voices.onnx")
    assert not (tmp_path / "voices.onnx").exists()
