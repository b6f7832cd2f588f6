"""Quadruplet loss (Chen, Chen, Zhang & Huang, "Beyond triplet loss", CVPR 2017, arXiv 1704.01719).

A triplet loss, and a second, weaker push: a positive pair must also be closer than any pair of two other classes. The paper
compares two images by a network; here the distance is the squared Euclidean one of features of unit length, so that features
can be kept.

Shape suffixes: N images, D features.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator
from torch import Tensor

from lowshot.learn.augment import LIGHT
from lowshot.learn.embedding import STEM, BalancedConfig, BalancedMethod
from lowshot.learn.losses import hinge, quadruplets, spread, symmetric
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU


class QuadrupletConfig(BalancedConfig):
    """Defaults: the paper's margin-based mining of hard quadruplets (§3.3).

    Attributes:
        margin, second_margin: of the triplets, and of the pairs of two other classes; the first is the larger.
        adaptive: margins are shares of how much farther apart the batch's negative pairs are on average than its positive
            ones, so that about as many quadruplets count early as late.
    """

    ways: int = Field(default=64, ge=3)
    margin: float = Field(default=1, gt=0)
    second_margin: float = Field(default=0.5, gt=0)
    adaptive: bool = True

    @model_validator(mode="after")
    def _first_is_larger(self) -> QuadrupletConfig:
        if self.second_margin >= self.margin:
            raise ValueError(
                f"second_margin must be below margin, which is {self.margin:g}: its push is the weaker one"
            )
        return self


class QuadrupletLoss(BalancedMethod[QuadrupletConfig]):
    """[d(i, j) - d(i, k) + margin]₊ and [d(i, j) - d(l, k) + second margin]₊ over the hard quadruplets (§3.2)."""

    record = Record("quadruplet", "Quadruplet loss", "Chen et al., CVPR", 2017, "quadruplets of balanced batches")
    Config = QuadrupletConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": {"steps": 25_000, "lr": 1e-3}},
        "cpu": {
            "method": STEM | {"margin": 0.1, "second_margin": 0.05, "adaptive": False},  # adaptive ones shrink
            "recipe": CPU | {"distortion": LIGHT.model_dump()},
        },
    }

    def loss_of(self, features_ND: Tensor, labels_N: Tensor) -> Tensor:
        """Mean hinge of the triplets and mean hinge of the quadruplets, each over those above zero."""
        distances_NN = self.squares(features_ND)
        unit = spread(distances_NN, labels_N).clamp_min(0) if self.config.adaptive else 1.0
        first = hinge(symmetric(distances_NN, labels_N), self.config.margin * unit)
        return first + quadruplets(distances_NN, labels_N, self.config.second_margin * unit)
