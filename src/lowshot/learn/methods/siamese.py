"""Siamese Networks for one-shot image recognition (Koch, Zemel & Salakhutdinov, ICML deep learning workshop 2015).

One network embeds both images of a pair; a weighted sum of the component-wise L1 distance, through a sigmoid, is the
probability that both are of one class. At test time a query gets the class of the most probable support example.

Shape suffixes: P pairs, M queries, N references, D features; E episodes, W ways, K shots.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lowshot.data import EpisodeSampler
from lowshot.learn.augment import KOCH
from lowshot.learn.distances import distances
from lowshot.learn.embedding import STEM, NetworkConfig, make_network
from lowshot.learn.method import Exported, Method, PairBatch, Record
from lowshot.learn.networks import ConvNet, KochNet, StemNet
from lowshot.learn.recipe import CPU


class SiameseConfig(NetworkConfig):
    """Defaults: the paper's (§3): 105×105 images, 128 pairs a step, half of them of one class.

    Attributes:
        network: ``koch`` is the paper's; ``conv4`` and ``stem`` are smaller, for two CPU cores.
        pairs: pairs a step.
        same: share of pairs that are of one class.
        crossed: compare every left image with every right one, so that n pairs give n² comparisons, nearly all of them of
            different classes: what telling one class from many others asks for.
        calm_start: begin where modern optimizers learn. The paper draws the weights of the distance from N(0, 0.2), of
            either sign, with a bias of 0.5, so that no pair can be called the same with confidence for thousands of
            steps. Calm, they are all against "same", and different images start about as far below even odds as equal
            ones above. For Koch's network see :class:`~lowshot.learn.networks.KochNet` too.
    """

    size: int = Field(default=105, ge=16, le=512)
    network: Literal["koch", "conv4", "stem"] = "koch"  # type: ignore[assignment]  # one more than the others have
    pairs: int = Field(default=128, ge=2)
    same: float = Field(default=0.5, gt=0, le=1)
    crossed: bool = False
    calm_start: bool = False

    @model_validator(mode="after")
    def _sizes(self) -> SiameseConfig:
        if self.network == "koch" and self.size != 105:
            raise ValueError("Koch's network takes 105×105 images: set size=105 or network=conv4")
        if self.network == "koch" and {"filters", "dropout"} & self.model_fields_set:
            raise ValueError("Koch's network has its own filters and no dropout: leave them out, or set network=conv4")
        if self.same == 1 and not self.crossed:
            raise ValueError("same=1 leaves no pair of different classes to learn from: set crossed=true")
        return self


class SiameseNetworks(Method[SiameseConfig]):
    """Cross-entropy on same or different, p = sigmoid(sum_j a_j |h1_j - h2_j| + b) (§3.1)."""

    record = Record("siamese", "Siamese Networks", "Koch et al., ICML workshop", 2015, "pairs")
    Config = SiameseConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {
            "method": {},
            "recipe": {
                **{"steps": 250_000, "optimizer": "sgd", "lr": 1e-2, "momentum": 0.9, "weight_decay": 1e-4},
                **{"schedule": "decay", "decay": 0.99, "decay_every": 1250, "distortion": KOCH.model_dump()},
            },
        },
        "cpu": {
            "method": STEM | {"pairs": 180, "same": 1.0, "crossed": True, "calm_start": True},
            "recipe": CPU,
        },
    }

    def __init__(self, config: SiameseConfig) -> None:
        super().__init__(config)
        koch = config.network == "koch"
        self.network: KochNet | ConvNet | StemNet = (
            KochNet(channels=config.channels, calm_start=config.calm_start) if koch else make_network(config)
        )
        start_D = torch.randn(self.network.features)
        self.weight_D = nn.Parameter(-start_D.abs() * 12.8 / len(start_D) if config.calm_start else start_D * 0.2)
        self.bias = nn.Parameter(torch.tensor(4.0 if config.calm_start else 0.5))

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """Pairs: (pairs, 2)."""
        return sampler.draw_pairs(self.config.pairs, same=self.config.same, seed=seed)[0]

    def batch(self, images: Tensor, labels: Tensor) -> PairBatch:
        """Left and right of each pair."""
        return PairBatch(images[:, 0], images[:, 1], labels[:, 0], labels[:, 1])

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D)."""
        features_ND: Tensor = self.network(images_NCHW).float()
        return features_ND

    def loss(self, batch: PairBatch) -> Tensor:
        """Binary cross-entropy of "same class" over the pairs."""
        left_PD, right_PD = self.embed(torch.cat([batch.left, batch.right])).chunk(2)
        if not self.config.crossed:
            same_P = (batch.left_class == batch.right_class).float()
            return functional.binary_cross_entropy_with_logits(self._logit((left_PD - right_PD).abs()), same_P)
        same_PP = (batch.left_class[:, None] == batch.right_class[None, :]).float()
        total = functional.binary_cross_entropy_with_logits(self._logits(left_PD, right_PD), same_PP, reduction="sum")
        return total / len(same_PP)

    def scores(self, support_EWKD: Tensor, query_EMD: Tensor) -> Tensor:
        """Log-odds that a query is of the same class as the most similar example of each way, (E, M, W)."""
        episodes, ways, shots, _ = support_EWKD.shape
        logits = self._logits(query_EMD, support_EWKD.flatten(1, 2))
        return logits.view(episodes, -1, ways, shots).amax(dim=-1)

    def _logit(self, difference_xD: Tensor) -> Tensor:
        return (difference_xD * self.weight_D).sum(-1) + self.bias

    def _logits(self, query_BMD: Tensor, reference_BND: Tensor) -> Tensor:
        """Log-odds of "same" for every query and reference, (B, M, N).

        |a| |h1 - h2| = | |a| h1 - |a| h2 |, so the weighted sum is the L1 distance of scaled features, once for the weights
        of either sign: no (M, N, D) block is ever made.
        """
        total: Tensor = self.bias
        for sign in (1, -1):
            weight_D = (sign * self.weight_D).clamp_min(0)
            total = total + sign * distances(query_BMD * weight_D, reference_BND * weight_D, "l1")
        return total

    def exported(self) -> Exported:
        """The network with the learned weights folded into its features, those of positive weight last."""
        order = torch.argsort((self.weight_D > 0).int(), stable=True)
        positive = int((self.weight_D > 0).sum())
        return Exported(_Weighted(self, order), self.network.features, "l1", "neighbor", negative=positive)


class _Weighted(nn.Module):
    """Features times the size of their learned weights."""

    order: Tensor
    size: Tensor

    def __init__(self, method: SiameseNetworks, order_D: Tensor) -> None:
        super().__init__()
        self.method = method
        self.register_buffer("order", order_D)
        self.register_buffer("size", method.weight_D.detach().abs()[order_D])

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.method.embed(images)[:, self.order] * self.size
        return features
