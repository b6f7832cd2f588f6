"""Random distortions of images, whole batches at a time, on the images' own device.

Shape suffixes: N images, C channels, H height, W width.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from torch import Tensor
from torch.nn import functional


class Distortion(BaseModel):
    """How far images are distorted in training; every amount is drawn anew for each image. All zero: not at all.

    Attributes:
        rotate: at most so many degrees either way.
        scale: size changed by at most this share either way, each axis for itself.
        shear: at most this much either way, each axis for itself.
        shift: moved by at most this share of the image's size.
        elastic: displacement of a coarse grid, standard deviation as a share of the image's size.
        grid: points of that grid along each axis.
        flip: chance that left and right change places.
        bands: a band of rows and one of columns are painted over with paper, each of at most this share of them (Park et
            al. 2019, section 2, for spectrograms).
        noise: standard deviation of what is added to every pixel.
        chance: each of rotate, shear, scale and shift is applied with this chance (Koch 2015 §3.3: one half).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotate: float = Field(default=0, ge=0, le=180)
    scale: float = Field(default=0, ge=0, lt=1)
    shear: float = Field(default=0, ge=0, le=1)
    shift: float = Field(default=0, ge=0, le=1)
    elastic: float = Field(default=0, ge=0, le=1)
    grid: int = Field(default=5, ge=2, le=32)
    flip: float = Field(default=0, ge=0, le=1)
    bands: float = Field(default=0, ge=0, le=1)
    noise: float = Field(default=0, ge=0, le=1)
    chance: float = Field(default=1, gt=0, le=1)

    @property
    def idle(self) -> bool:
        """Whether it changes nothing."""
        return not (self.moves or self.bands or self.noise)

    @property
    def moves(self) -> bool:
        """Whether pixels change their places."""
        return bool(self.rotate or self.scale or self.shear or self.shift or self.elastic or self.flip)

    @model_serializer(mode="wrap")
    def _without_idle(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What came later only where it is asked for: settings that were written down before there was it stay the same."""
        return {key: value for key, value in dump(self).items() if key not in ("flip", "bands", "noise") or value}


KOCH = Distortion(rotate=10, scale=0.2, shear=0.3, shift=2 / 105, chance=0.5)
"""The affine distortions of Koch et al. 2015 (§3.3), their 2 pixels of 105 as a share."""

HANDWRITING = Distortion(rotate=15, scale=0.15, shear=0.25, shift=0.12, elastic=0.045)
"""As one hand differs from another: affine, and a smooth displacement of about a pixel in twenty."""

LIGHT = Distortion(rotate=10, scale=0.1, shear=0.15, shift=0.08, elastic=0.02)
"""Half as far, for networks too small to learn more in minutes."""

SPEECH = Distortion(scale=0.15, shift=0.1, bands=0.3, noise=0.1)
"""As one speaker differs from another, of spectrograms: faster or slower, sooner or later, higher or lower; bands and noise
so that no single place decides. Chosen on words of ``speech_commands`` after learning from five spoken digits."""


def distort(images_NCHW: Tensor, how: Distortion, generator: torch.Generator) -> Tensor:
    """Each image distorted in its own way; what comes in from outside is 0 (paper, for ink drawn as 1).

    The generator must live on the CPU: the same seed then distorts alike on every device.
    """
    out = _moved(images_NCHW, how, generator) if how.moves else images_NCHW
    if how.bands:
        out = out * _left(out.shape, how.bands, generator).to(out.device)
    if how.noise:
        out = out + how.noise * torch.randn(out.shape, generator=generator).to(out.device)
    return out


def _moved(images_NCHW: Tensor, how: Distortion, generator: torch.Generator) -> Tensor:
    number, _, height, width = images_NCHW.shape
    grid = functional.affine_grid(
        _affine(number, how, generator).to(images_NCHW.device), [number, 1, height, width], False
    )
    if how.elastic:
        coarse = 2 * how.elastic * torch.randn(number, 2, how.grid, how.grid, generator=generator)
        fine = functional.interpolate(coarse.to(grid.device), (height, width), mode="bicubic", align_corners=True)
        grid = grid + fine.permute(0, 2, 3, 1)
    return functional.grid_sample(images_NCHW, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _left(shape: torch.Size, most: float, generator: torch.Generator) -> Tensor:
    """Ones, and zeros where the bands of each image are, (N, 1, H, W)."""
    number, _, *sides = shape
    rows_NH, columns_NW = (_outside(number, side, most, generator) for side in sides)
    return rows_NH[:, None, :, None] * columns_NW[:, None, None, :]


def _outside(number: int, side: int, most: float, generator: torch.Generator) -> Tensor:
    """Along one axis, (N, side): 0 within a band of a random width at a random place, 1 outside."""
    width_N1 = most * torch.rand(number, 1, generator=generator)
    start_N1 = (1 - width_N1) * torch.rand(number, 1, generator=generator)
    where = (torch.arange(side) + 0.5) / side
    return ((where < start_N1) | (where >= start_N1 + width_N1)).float()


def _affine(number: int, how: Distortion, generator: torch.Generator) -> Tensor:
    """Random maps (N, 2, 3) from output to input coordinates, which run from -1 to 1."""

    def spread(amount: float) -> Tensor:
        drawn = (2 * torch.rand(number, generator=generator) - 1) * amount
        kept = torch.rand(number, generator=generator) < how.chance
        return drawn * kept

    angle = spread(math.radians(how.rotate))
    wide, high = 1 + spread(how.scale), 1 + spread(how.scale)
    across, along = spread(how.shear), spread(how.shear)
    move = torch.stack([spread(2 * how.shift), spread(2 * how.shift)], dim=1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
    slant = torch.stack([wide, across, along, high], dim=1).view(-1, 2, 2)
    maps = torch.cat([turn @ slant, move[:, :, None]], dim=2)
    if how.flip:  # drawn last, so that the other amounts do not depend on it
        maps[:, 0] *= 1 - 2 * (torch.rand(number, 1, generator=generator) < how.flip).float()
    return maps
