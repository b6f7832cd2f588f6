"""Networks that turn images into features.

Shape suffixes: N images, C channels, H height, W width, D features.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class ConvNet(nn.Module):
    """Four blocks of 3×3 convolution, batch normalization, ReLU and 2×2 max-pooling (Vinyals 2016 §4.1.1; Snell 2017 §3.1).

    Images (N, C, H, W) to features (N, D). At 28×28 and 64 filters D = 64. ``dropout`` is the share of numbers that each
    block drops in training.

    The ReLU stands behind the pooling: both are monotonic, so the result is the same to the last bit, and the ReLU
    handles a quarter of the numbers.
    """

    def __init__(
        self, *, channels: int = 1, size: int = 28, filters: int = 64, blocks: int = 4, dropout: float = 0
    ) -> None:
        super().__init__()
        widths = [channels, *[filters] * blocks]
        self.blocks = nn.Sequential(*(_block(before, after, dropout) for before, after in pairwise(widths)))
        self.features = filters * (size // 2**blocks) ** 2

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D)."""
        out: Tensor = self.blocks(images_NCHW).flatten(1)
        return out


class StemNet(nn.Module):
    """Five convolutions for larger images of the same cost: a 5×5 stem of stride 2, then four of 3×3, three of them pooled.

    Ours, for the shipped character encoder. A four-block network spends most of its time on its first, full-size maps; a
    strided stem has none, so 42×42 images, on which strokes stay apart, cost what 28×28 ones cost there.
    """

    def __init__(self, *, channels: int = 1, size: int = 42, filters: int = 96, dropout: float = 0) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Sequential(nn.Conv2d(channels, 64, kernel_size=5, stride=2, padding=2), nn.BatchNorm2d(64), nn.ReLU()),
            _block(64, filters, dropout),
            _block(filters, filters, dropout),
            nn.Sequential(nn.Conv2d(filters, filters, kernel_size=3, padding=1), nn.BatchNorm2d(filters), nn.ReLU()),
            _block(filters, filters, dropout),
        )
        self.features = filters * ((size + 1) // 2 // 8) ** 2

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D)."""
        out: Tensor = self.blocks(images_NCHW).flatten(1)
        return out


def _block(before: int, after: int, dropout: float) -> nn.Sequential:
    layers = [nn.Conv2d(before, after, kernel_size=3, padding=1), nn.BatchNorm2d(after), nn.MaxPool2d(2), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))


class KochNet(nn.Module):
    """The convolutional tower of Koch et al. 2015 (§3.1, Figure 4): 105×105 images to 4096 sigmoid features.

    Weights start as in the paper (§3.2): convolutions N(0, 0.01), the fully connected layer N(0, 0.2), biases N(0.5, 0.01).
    With ``calm_start`` the fully connected layer starts at torch's default instead: N(0, 0.2) over 9216 inputs drives the
    sigmoids into saturation, where modern optimizers learn nothing.
    """

    def __init__(self, *, channels: int = 1, calm_start: bool = False) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(channels, 64, 10), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 128, 7), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(128, 128, 4), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(128, 256, 4), nn.ReLU()),
        )
        self.features = 4096
        self.connected = nn.Linear(256 * 6 * 6, self.features)
        for layer in self.convolutions:
            if isinstance(layer, nn.Conv2d):
                _start(layer, 0.01)
        if not calm_start:
            _start(self.connected, 0.2)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, 4096), each in 0–1."""
        return torch.sigmoid(self.connected(self.convolutions(images_NCHW).flatten(1)))


def _start(layer: nn.Conv2d | nn.Linear, spread: float) -> None:
    nn.init.normal_(layer.weight, 0.0, spread)
    if layer.bias is not None:
        nn.init.normal_(layer.bias, 0.5, 0.01)
