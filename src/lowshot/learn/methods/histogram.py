"""Histogram loss (Ustinova & Lempitsky, NIPS 2016, arXiv 1611.00822).

A batch's similarities of positive pairs make one histogram, those of negative pairs another; the loss is the chance that a
negative pair is more similar than a positive one. It has no margin to choose.

Shape suffixes: N images, D features.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from lowshot.learn.augment import LIGHT
from lowshot.learn.distances import distances
from lowshot.learn.embedding import STEM, BalancedConfig, BalancedMethod
from lowshot.learn.losses import histogram
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU


class HistogramConfig(BalancedConfig):
    """Defaults: 256 images a step, similarities of unit-length features at steps of 0.01 (§4).

    Attributes:
        nodes: of the histograms over [-1, 1], both ends included.
    """

    distance: Literal["cosine"] = "cosine"
    nodes: int = Field(default=201, ge=2)


class HistogramLoss(BalancedMethod[HistogramConfig]):
    """The overlap of the two distributions of similarities (equation 5)."""

    record = Record("histogram", "Histogram loss", "Ustinova & Lempitsky, NIPS", 2016, "balanced batches")
    Config = HistogramConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {
            "method": {},
            "recipe": {
                **{"steps": 150_000, "lr": 1e-4, "weight_decay": 5e-4},
                **{"schedule": "decay", "decay": 0.1, "decay_every": 100_000},
            },
        },
        "cpu": {"method": STEM, "recipe": CPU | {"distortion": LIGHT.model_dump()}},
    }

    def loss_of(self, features_ND: Tensor, labels_N: Tensor) -> Tensor:
        """The chance that a negative pair is more similar than a positive one."""
        return histogram(1 - distances(features_ND, features_ND, "cosine"), labels_N, self.config.nodes)
