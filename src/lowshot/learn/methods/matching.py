"""Matching Networks (Vinyals, Blundell, Lillicrap, Kavukcuoglu & Wierstra, NIPS 2016, arXiv 1606.04080).

A query attends to the support set, and its label is the sum of their labels weighted by that attention (equation 1):
P(y | x, S) = sum_i a(x, x_i) y_i, where a is the softmax over the set of the cosines between f(x) and g(x_i) (§2.1.1).
Training sees tasks like those of the test: so many ways, so many shots (§2.2).

Shape suffixes: E episodes, W ways, K shots, N = W·K support examples, M queries an episode, D features.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lowshot.learn.augment import LIGHT
from lowshot.learn.context import QueryContext, SupportContext
from lowshot.learn.distances import distances
from lowshot.learn.embedding import EpisodeConfig, EpisodeMethod
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU


class MatchingConfig(EpisodeConfig):
    """Defaults: the paper's Omniglot setting (§4.1.1), 20-way 1-shot, without full-context embeddings.

    Attributes:
        distance: of the attention, a softmax over 1 - distance: the paper's cosine, or another.
        fce: full-context embeddings (§2.1.2): f and g see the whole support set, see :mod:`lowshot.learn.context`.
        read_steps: how often f reads the support set; only with ``fce``.
        scale: start of a learned number by which the cosines are multiplied before the softmax; 0 for none, as in the
            paper. Without it the attention to one of n examples cannot rise above e² / (e² + n - 1): 28 % of 20.
    """

    distance: Literal["cosine", "euclidean", "l1"] = "cosine"
    compare: Literal["prototype"] = "prototype"
    ways: int = Field(default=20, ge=2)
    fce: bool = False
    read_steps: int = Field(default=3, ge=1)
    scale: float = Field(default=0, ge=0)

    @property
    def obstacle(self) -> str:
        """Full-context embeddings cannot be kept."""
        return "each support example is embedded in the context of the whole set" if self.fce else ""

    @property
    def approximation(self) -> str:
        """An encoder file compares a query with class means."""
        return "" if self.fce else "of more than one shot by class means instead of attention"


class MatchingNetworks(EpisodeMethod[MatchingConfig]):
    """Negative log probability of the true label under attention over the support set."""

    record = Record("matching", "Matching Networks", "Vinyals et al., NIPS", 2016, "episodes")
    Config = MatchingConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": {"steps": 75_000, "lr": 1e-3}},
        "cpu": {
            "method": {"ways": 60, "scale": 10},
            "recipe": CPU | {"distortion": LIGHT.model_dump()},
        },
        "fce": {
            "method": {
                "ways": 20,
                "queries": 10,
                "scale": 10,
                "fce": True,
            },  # a context is learned for tasks of its size
            "recipe": CPU | {"distortion": LIGHT.model_dump()},
        },
    }

    def __init__(self, config: MatchingConfig) -> None:
        super().__init__(config)
        self.log_scale = nn.Parameter(torch.tensor(math.log(config.scale))) if config.scale else None
        if config.fce:
            self.support_context = SupportContext(self.network.features)
            self.query_context = QueryContext(self.network.features, config.read_steps)

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D) of each image alone, f' = g'; of unit length where they are all there is."""
        features_ND: Tensor = self.network(images_NCHW).float() if self.config.fce else super().embed(images_NCHW)
        return features_ND

    def scores(self, support_EWKD: Tensor, query_EMD: Tensor) -> Tensor:
        """Log of the attention to each class, log sum_i exp(cos(f(x), g(x_i))) over its examples: (E, M, W).

        The attention to all is not yet divided out: the loss does so, its softmax over these is P(y | x, S), and queries
        that fit no class are told by it.
        """
        support_END = support_EWKD.flatten(1, 2)
        if self.config.fce:
            support_END = self.support_context(support_END)
            query_EMD = self.query_context(query_EMD, support_END)
        alike_EMN = 1 - distances(query_EMD, support_END, self.config.distance)
        if self.log_scale is not None:
            alike_EMN = alike_EMN * self.log_scale.exp()
        attention_EMW: Tensor = alike_EMN.unflatten(-1, support_EWKD.shape[1:3]).logsumexp(dim=-1)
        return attention_EMW
