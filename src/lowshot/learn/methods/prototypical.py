"""Prototypical Networks (Snell, Swersky & Zemel, NIPS 2017, arXiv 1703.05175).

A class is the mean of its embedded support examples; a query belongs to the class with the nearest mean.

Shape suffixes: E episodes, W ways, K shots, Q queries a class, M queries an episode, D features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from lowshot.data import EpisodeSampler
from lowshot.learn.augment import LIGHT
from lowshot.learn.distances import distances
from lowshot.learn.method import EpisodeBatch, Exported, Method, MethodConfig, Record
from lowshot.learn.networks import ConvNet, StemNet
from lowshot.learn.recipe import CPU


class PrototypicalConfig(MethodConfig):
    """Defaults: the paper's Omniglot setting (§3.1): 60-way training with as many shots as at test time.

    ``network="stem"`` is ours, see :class:`~lowshot.learn.networks.StemNet`; ``distance="cosine"`` compares directions only,
    with a learned scale in place of the features' length.
    """

    network: Literal["conv4", "stem"] = "conv4"
    filters: int = Field(default=64, ge=1)
    ways: int = Field(default=60, ge=2)
    shots: int = Field(default=1, ge=1)
    queries: int = Field(default=5, ge=1)
    distance: Literal["euclidean", "cosine"] = "euclidean"


class PrototypicalNetworks(Method[PrototypicalConfig]):
    """Cross-entropy over the softmax of negative distances to the prototypes (equation 2)."""

    record = Record("prototypical", "Prototypical Networks", "Snell et al., NIPS", 2017, "episodes", precomputed=True)
    Config = PrototypicalConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {
            "method": {},
            "recipe": {"steps": 40_000, "lr": 1e-3, "schedule": "halve", "halve_every": 2000},
        },
        "cpu": {
            "method": {"distance": "cosine"},
            "recipe": CPU | {"distortion": LIGHT.model_dump()},  # chosen on omniglot:vinyals-val
        },
    }

    def __init__(self, config: PrototypicalConfig) -> None:
        super().__init__(config)
        network = ConvNet if config.network == "conv4" else StemNet
        self.network = network(channels=config.channels, size=config.size, filters=config.filters)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0))) if config.distance == "cosine" else None

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """One episode: (1, ways, shots + queries)."""
        episode = sampler.draw(1, self.config.ways, self.config.shots, self.config.queries, seed=seed)
        return np.concatenate([episode.support, episode.query], axis=-1)

    def batch(self, images: Tensor, labels: Tensor) -> EpisodeBatch:
        """The first images of each way are its support."""
        return EpisodeBatch(images[:, :, : self.config.shots], images[:, :, self.config.shots :])

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D); of unit length where directions are compared."""
        features_ND = self.network(images_NCHW).float()
        return functional.normalize(features_ND, dim=1) if self.config.distance == "cosine" else features_ND

    def loss(self, batch: EpisodeBatch) -> Tensor:
        """Mean negative log probability of the queries' true classes."""
        episodes, ways, queries = batch.query.shape[:3]
        images = torch.cat([batch.support.flatten(0, 2), batch.query.flatten(0, 2)])
        support_ND, query_ND = self.embed(images).split([batch.support.shape[:3].numel(), episodes * ways * queries])
        support_EWKD = support_ND.view(*batch.support.shape[:3], -1)
        scores_EMW = self.scores(support_EWKD, query_ND.view(episodes, ways * queries, -1))
        answer_M = torch.arange(ways, device=query_ND.device).repeat_interleave(queries)
        return functional.cross_entropy(scores_EMW.flatten(0, 1), answer_M.repeat(episodes))

    def scores(self, support_EWKD: Tensor, query_EMD: Tensor) -> Tensor:
        """Negative distance to each class mean, (E, M, W)."""
        prototypes_EWD = support_EWKD.mean(dim=2)
        negative_EMW = -distances(query_EMD, prototypes_EWD, self.config.distance)
        return negative_EMW if self.log_scale is None else negative_EMW * self.log_scale.exp()

    def exported(self) -> Exported:
        """The network itself."""
        return Exported(_Embed(self), self.network.features, self.config.distance, "prototype")


class _Embed(nn.Module):
    """`embed` as a module of its own, which is what torch's exporter wants."""

    def __init__(self, method: PrototypicalNetworks) -> None:
        super().__init__()
        self.method = method

    def forward(self, images: Tensor) -> Tensor:
        return self.method.embed(images)
