"""Contrastive loss (Hadsell, Chopra & LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR 2006).

Pairs of one class are pulled together, pairs of two classes pushed apart until they are a margin away.

Shape suffixes: N images, D features.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from lowshot.learn.augment import LIGHT
from lowshot.learn.embedding import STEM, BalancedConfig, BalancedMethod
from lowshot.learn.losses import contrastive, root
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU


class ContrastiveConfig(BalancedConfig):
    """Defaults: the paper's squared hinge, over all pairs of a balanced batch, on features of unit length.

    Attributes:
        margin: distance from which on a pair of two classes is left alone; features of unit length are at most 2 apart.
    """

    margin: float = Field(default=1, gt=0)


class ContrastiveLoss(BalancedMethod[ContrastiveConfig]):
    """½ d² of positive pairs and ½ ([margin - d]₊)² of negative ones (equation 4)."""

    record = Record("contrastive", "Contrastive loss", "Hadsell et al., CVPR", 2006, "pairs of balanced batches")
    Config = ContrastiveConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": {"steps": 25_000, "lr": 1e-3}},
        "cpu": {"method": STEM, "recipe": CPU | {"distortion": LIGHT.model_dump()}},
    }

    def loss_of(self, features_ND: Tensor, labels_N: Tensor) -> Tensor:
        """The loss over all pairs."""
        return contrastive(root(self.squares(features_ND)), labels_N, self.config.margin)
