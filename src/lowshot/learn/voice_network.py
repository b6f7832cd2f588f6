"""Who speaks: a network over mel spectrograms, with what draws them and weighs what is heard.

Source: Wan, Wang, Papir & Lopez Moreno, Generalized end-to-end loss for speaker verification, ICASSP 2018
(arXiv 1710.10467), as Resemblyzer trained it.

Shape suffixes: N sounds, S samples of a sound, W samples of a window, F frequencies, B bands, T moments, P parts.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

_RATE = 16_000
_WINDOW, _STEP = 400, 160  # samples: 25 ms, every 10 ms
_BANDS = 40
_PART = 160  # moments that the network listens to at once
_HIDDEN, _LAYERS = 256, 3
_HEARD = 1e-3  # 30 dB below the loudest moment; what is quieter counts as silence
_LOUD = 10**-2.5  # 25 dB below full scale; quieter voices are brought there
_FAINT = 1e-10  # less than a sample that differs by one from silence: it keeps zeros from being divided by


class VoiceNetwork(nn.Module):
    """Features (N, 256) of unit length, none below 0, from samples (N, S) between -1 and 1 at 16 kHz.

    The network listens to parts of 1.6 s, each overlapping the next by half; the features are the mean over parts, each
    weighing as much as there is to hear in it. So a short word counts where it lies whole, and silence does not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BANDS, _HIDDEN, _LAYERS, batch_first=True)
        self.linear = nn.Linear(_HIDDEN, _HIDDEN)
        hann_W = torch.hann_window(_WINDOW, dtype=torch.float64)
        frequencies_F = torch.arange(_WINDOW // 2 + 1, dtype=torch.float64)
        angle_FW = 2 * math.pi / _WINDOW * frequencies_F[:, None] * torch.arange(_WINDOW)
        waves_FW = torch.cat([angle_FW.cos(), angle_FW.sin()]) * hann_W
        self.register_buffer("waves", waves_FW[:, None].float(), persistent=False)
        self.register_buffer("bands", torch.from_numpy(mel_bands()).float(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """From (N, S) to (N, 256)."""
        mel_NTB, heard_NT = self.heard(samples)
        starts = range(0, mel_NTB.shape[1] - _PART + 1, _PART // 2)
        parts_NPTB = torch.stack([mel_NTB[:, start : start + _PART] for start in starts], dim=1)
        weights_NP = torch.stack([heard_NT[:, start : start + _PART].mean(dim=1) for start in starts], dim=1)
        each_NPD = self.listened(parts_NPTB.flatten(0, 1)).unflatten(0, (-1, len(starts)))
        return functional.normalize((weights_NP[:, :, None] * each_NPD).sum(dim=1), dim=1)

    def heard(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """The mel spectrogram (N, T, B), of a quiet voice as if it were louder, and which moments are heard (N, T), 0 or 1.

        It is a spectrogram of power, not of decibels, so how loud a voice is does matter to the network.
        """
        power_NT = functional.avg_pool1d(samples.square()[:, None], _WINDOW, _STEP, _WINDOW // 2)[:, 0]
        heard_NT = (power_NT >= _HEARD * power_NT.amax(dim=1, keepdim=True)).float()
        loudness_N1 = (power_NT * heard_NT).sum(dim=1, keepdim=True) / heard_NT.sum(dim=1, keepdim=True)
        gain_N1 = (_LOUD / loudness_N1.clamp_min(_FAINT)).clamp_min(1)
        padded_N1S = functional.pad(samples[:, None], (_WINDOW // 2, _WINDOW // 2))
        real_NFT, imaginary_NFT = functional.conv1d(padded_N1S, self.get_buffer("waves"), stride=_STEP).chunk(2, dim=1)
        mel_NBT = self.get_buffer("bands") @ (real_NFT.square() + imaginary_NFT.square())
        return gain_N1[:, :, None] * mel_NBT.transpose(1, 2), heard_NT

    def listened(self, mel: Tensor) -> Tensor:
        """Features (N, 256) of unit length of parts (N, T, B) of spectrograms."""
        _, (last_LND, _) = self.lstm(mel)
        return functional.normalize(functional.relu(self.linear(last_LND[-1])), dim=1)


def mel_bands() -> NDArray[np.float64]:
    """Weights (B, F): triangles of equal area, whose corners are at equal distances on Slaney's mel scale, to 8 kHz.

    That scale is linear up to 1 kHz and logarithmic above (Slaney, Auditory Toolbox, Interval Research report 1998-010).
    """
    linear, octaves = 15.0, 27 / math.log(6.4)  # mels to 1 kHz, and mels as the frequency grows by a factor of e
    mel = np.linspace(0, linear + octaves * math.log(_RATE / 2 / 1000), _BANDS + 2)
    corners = np.where(mel < linear, mel * 1000 / linear, 1000 * np.exp((mel - linear) / octaves))
    low, middle, high = (corners[i : i + _BANDS, None] for i in range(3))
    hertz_F = np.linspace(0, _RATE / 2, _WINDOW // 2 + 1)
    triangles_BF = np.minimum((hertz_F - low) / (middle - low), (high - hertz_F) / (high - middle)).clip(0)
    weights_BF: NDArray[np.float64] = triangles_BF * 2 / (high - low)
    return weights_BF
