"""From indices to batches of distorted images, on the training device.

Sounds are images from here on: their spectrograms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowshot.data import EpisodeSampler, Examples
from lowshot.learn.augment import Distortion, distort
from lowshot.learn.method import Method, MethodConfig
from lowshot.learn.spectrogram import Spectrogram

INK = (255.0, -255.0)
"""Mean and standard deviation by which pixels are scaled for every network here: ink is 1, paper is 0."""
WAVE = (0.0, 32768.0)
"""The same of samples, which then lie between -1 and 1."""

_SPECTROGRAMS = 256  # drawn at once


class Batches:
    """Draws the batch of any step, in any order: a batch depends on (seed, step, rank) and on nothing before it.

    So does all that the method then draws from torch's global generator, which is seeded with each batch.

    The whole set lives on the device as ``uint8``; indices are all that travels.
    """

    def __init__(self, examples: Examples, method: Method[Any], distortion: Distortion, device: torch.device) -> None:
        self.items = to_device(examples.items, method.config, device)
        self.labels = torch.from_numpy(np.array(examples.labels)).to(device)
        self.sampler = EpisodeSampler(examples.labels, class_names=examples.classes)
        self.method, self.distortion = method, distortion

    def draw(self, seed: int, step: int, rank: int = 0) -> Any:
        """The batch of one step, as the method takes it."""
        where = (seed, step, rank)
        seeds = np.random.SeedSequence(where).generate_state(2)
        generator = torch.Generator().manual_seed(int(seeds[0]))
        torch.manual_seed(int(seeds[1]))  # of what the method draws: dropout, mixup, labels of an episode
        drawn = self.method.draw(self.sampler, where)
        shown, indices = (torch.from_numpy(each).to(self.labels.device) for each in (self.method.shown(drawn), drawn))
        images_NCHW = distort(to_network(self.items[shown.flatten()]), self.distortion, generator)
        return self.method.batch(images_NCHW.view(*shown.shape, *images_NCHW.shape[1:]), self.labels[indices])


def to_device(items: NDArray[Any], config: MethodConfig, device: torch.device) -> Tensor:
    """Packed items in a method's form as one ``uint8`` tensor (n, C, H, W) on the device: pictures, or spectrograms."""
    packed = torch.from_numpy(np.array(items)).to(device)  # a copy: maps are read-only
    if config.sound is None:
        return packed.permute(0, 3, 1, 2)
    look = Spectrogram(config.sound, config.size).to(device)
    return torch.cat([from_network(look(scaled(samples, WAVE))) for samples in packed.split(_SPECTROGRAMS)])


def to_network(items_NCHW: Tensor) -> Tensor:
    """``uint8`` pixels scaled as every network here expects."""
    return scaled(items_NCHW, INK)


def from_network(images_NCHW: Tensor) -> Tensor:
    """The inverse of :func:`to_network`, rounded."""
    return (images_NCHW * INK[1] + INK[0]).round().to(torch.uint8)


def scaled(items: Tensor, by: tuple[float, float]) -> Tensor:
    """Less a mean, over a standard deviation."""
    return (items.float() - by[0]) / by[1]
