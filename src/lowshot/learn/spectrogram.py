"""A sound as a picture: what a network for pictures needs to learn from sounds.

Shape suffixes: N sounds, S samples of a sound, W samples of a window, F frequencies, B bands, T times.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowshot.data import SoundForm

_LOWEST = 60.0  # Hz: below is hum
_FINE = 4  # frequencies a band
_RANGE = 60.0  # decibels from the loudest to what is left white
_QUIETEST = -60.0  # decibels below the loudest sine that a file can hold; what stays below is not amplified any further


class Spectrogram(nn.Module):
    """Log-mel spectrograms, square and drawn as ink on paper, from samples between -1 and 1.

    A row is a band of the mel scale (2595 log10(1 + f / 700), O'Shaughnessy 1987), the lowest first; a column is a moment,
    seen through a Hann window of twice the step to the next. The loudest point of a sound is 1, so that it does not matter
    how loud it was recorded, and what lies 60 dB below is 0. All of it is fixed matrices, which go into an encoder file with
    the network.

    Args:
        form: of the sounds.
        size: rows and columns.
    """

    def __init__(self, form: SoundForm, size: int) -> None:
        super().__init__()
        self.size, self.step = size, form.shape[0] // size
        window = 2 * self.step
        mel_F = torch.linspace(_mel(_LOWEST), _mel(form.rate / 2), _FINE * (size + 1) + 1, dtype=torch.float64)
        hertz_F = 700 * (10 ** (mel_F / 2595) - 1)
        angle_FW = 2 * math.pi / form.rate * hertz_F[:, None] * torch.arange(window)
        hann_W = torch.hann_window(window, dtype=torch.float64)
        waves_FW = torch.cat([angle_FW.cos(), angle_FW.sin()]) * hann_W * (2 / hann_W.sum())
        away_BF = torch.arange(len(mel_F)) - _FINE * torch.arange(1, size + 1)[:, None]
        triangles_BF = (1 - away_BF.abs() / _FINE).clamp_min(0) / _FINE
        self.register_buffer("waves", waves_FW[:, None].float(), persistent=False)
        self.register_buffer("bands", triangles_BF, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """From (N, S) to (N, 1, size, size)."""
        spare = self.step * (self.size + 1) - samples.shape[1]  # the first and the last window lie half outside
        padded_N1S = functional.pad(samples[:, None], (spare // 2, spare - spare // 2))
        parts_NFT = functional.conv1d(padded_N1S, self.get_buffer("waves"), stride=self.step)
        real_NFT, imaginary_NFT = parts_NFT.chunk(2, dim=1)
        power_NBT = self.get_buffer("bands") @ (real_NFT.square() + imaginary_NFT.square())
        decibels_NBT = 10 * power_NBT.clamp_min(1e-12).log10()
        loudest_N = decibels_NBT.amax(dim=(1, 2), keepdim=True).clamp_min(_QUIETEST)
        return (1 + (decibels_NBT - loudest_N) / _RANGE).clamp(0, 1)[:, None]


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)
