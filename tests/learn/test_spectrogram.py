"""Sounds drawn as pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lowshot.data import SoundForm
from lowshot.learn.batches import INK, WAVE, to_device, to_network
from lowshot.learn.methods.prototypical import PrototypicalConfig
from lowshot.learn.spectrogram import Spectrogram

FORM = SoundForm(rate=8000, seconds=0.8)
TIME = np.arange(6400) / 8000


def tone(hertz: float, loud: float = 0.5) -> torch.Tensor:
    return torch.from_numpy(loud * np.sin(2 * np.pi * hertz * TIME)).float()


def center(row: int, size: int, rate: int = 8000) -> float:
    """Frequency in the middle of a band, by the mel scale's formula."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (60, rate / 2))
    return float(700 * (10 ** ((low + (high - low) * (row + 1) / (size + 1)) / 2595) - 1))


def test_it_is_the_formula_in_numpy() -> None:
    """A Hann window of two steps, the power at four frequencies a band, a triangle over them, decibels below the loudest."""
    size, step = 20, 320
    samples = np.random.default_rng(0).normal(size=6400) * np.linspace(0.01, 0.3, 6400)
    (found,) = Spectrogram(FORM, size)(torch.from_numpy(samples).float()[None]).numpy()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2 * step) / (2 * step))
    padded = np.pad(samples, step // 2)
    bands = np.empty((size, size))
    for t in range(size):
        window = padded[t * step : (t + 2) * step] * hann
        for b in range(size):
            hertz = [center(b + quarter / 4, size) for quarter in range(-3, 4)]
            power = [
                abs(window @ np.exp(-2j * np.pi * f / 8000 * np.arange(2 * step)) * 2 / hann.sum()) ** 2 for f in hertz
            ]
            bands[b, t] = np.dot([1, 2, 3, 4, 3, 2, 1], power) / 16
    decibels = 10 * np.log10(bands)
    np.testing.assert_allclose(found[0], np.clip(1 + (decibels - decibels.max()) / 60, 0, 1), atol=1e-4)


@pytest.mark.parametrize("size", [16, 28, 42, 64, 105])
@pytest.mark.parametrize("row", [0.3, 0.6])
def test_a_tone_is_a_line_at_its_height(size: int, row: float) -> None:
    at = round(row * size)
    (picture,) = Spectrogram(FORM, size)(tone(center(at, size))[None])
    assert picture.shape == (1, size, size)
    middle = picture[0, :, 2:-2]
    assert (middle.argmax(dim=0) == at).all() and middle.amax(dim=0).min() > 0.9


def test_a_click_is_a_line_at_its_time() -> None:
    samples = torch.zeros(1, 6400)
    samples[0, 3200 + 80] = 0.5  # the middle of the 21st of 40 steps
    picture = Spectrogram(FORM, 40)(samples)[0, 0]
    assert (picture.argmax(dim=1) == 20).all() and (picture[:, :18] == 0).all() and (picture[:, 23:] == 0).all()


def test_loudness_does_not_matter_but_silence_stays_white() -> None:
    look = Spectrogram(FORM, 28)
    loud, quiet = look(torch.stack([tone(700, 0.9), tone(700, 0.01)]))
    torch.testing.assert_close(loud, quiet, atol=0.05, rtol=0)
    hiss = 1e-6 * torch.randn(1, 6400)
    assert (look(torch.cat([torch.zeros(1, 6400), hiss])) == 0).all()


def test_sounds_reach_a_network_as_pictures_of_themselves() -> None:
    items = (32767 * torch.stack([tone(500), tone(900)])).numpy().astype(np.int16)
    pictures = to_device(items, PrototypicalConfig(sound=FORM), torch.device("cpu"))
    assert pictures.dtype == torch.uint8 and pictures.shape == (2, 1, 28, 28)
    exact = Spectrogram(FORM, 28)(torch.from_numpy(items).float() / WAVE[1])
    torch.testing.assert_close(to_network(pictures), exact, atol=0.51 / INK[0], rtol=0)
