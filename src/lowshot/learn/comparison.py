"""What methods share that learn the comparison itself: a network looks at a query and a support example together.

Shape suffixes: E episodes, W ways, K shots, Q queries a class, M queries an episode, N images;
F the axes of what a network gives of one image: features (D,) or maps (C, H, W).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from lowshot.data import EpisodeSampler
from lowshot.learn.embedding import NetworkConfig
from lowshot.learn.method import EpisodeBatch, Method


class ComparisonConfig(NetworkConfig):
    """Training in episodes, one a step.

    Attributes:
        ways, shots, queries: classes an episode; support and query items a class.
        balanced: let like and unlike pairs weigh the same in all; there are ways - 1 times more of the latter.
    """

    ways: int = Field(default=20, ge=2)
    shots: int = Field(default=1, ge=1)
    queries: int = Field(default=10, ge=1)
    balanced: bool = False

    @property
    def obstacle(self) -> str:
        """No distance between features stands for a network."""
        return "a query and a support example are compared by a network, not by a distance between features"


ComparisonT = TypeVar("ComparisonT", bound=ComparisonConfig)


class ComparisonMethod(Method[ComparisonT]):
    """Learns which query and class of an episode are alike; a subclass writes ``embed``, ``compare`` and ``losses``."""

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """One episode: (1, ways, shots + queries)."""
        episode = sampler.draw(1, self.config.ways, self.config.shots, self.config.queries, seed=seed)
        return np.concatenate([episode.support, episode.query], axis=-1)

    def batch(self, images: Tensor, labels: Tensor) -> EpisodeBatch:
        """The first images of each way are its support."""
        return EpisodeBatch(images[:, :, : self.config.shots], images[:, :, self.config.shots :])

    def loss(self, batch: EpisodeBatch) -> Tensor:
        """Mean of :meth:`losses` over every query with every way of its episode."""
        support_shape, (episodes, ways, queries) = batch.support.shape[:3], batch.query.shape[:3]
        images = torch.cat([batch.support.flatten(0, 2), batch.query.flatten(0, 2)])
        support, query = self.embed(images).split([support_shape.numel(), episodes * ways * queries])
        scores_EMW = self.scores(support.unflatten(0, support_shape), query.unflatten(0, (episodes, ways * queries)))
        alike_MW = torch.eye(ways, device=query.device).repeat_interleave(queries, dim=0)
        losses_EMW = self.losses(scores_EMW, alike_MW.expand_as(scores_EMW))
        if self.config.balanced:
            losses_EMW = losses_EMW * torch.where(alike_MW > 0, ways / 2, ways / (2 * ways - 2))
        return losses_EMW.mean()

    def scores(self, support_EWKF: Tensor, query_EMF: Tensor) -> Tensor:
        """Log-odds that a query is of a way, (E, M, W); an episode at a time, whose pairs fill memory as it is."""
        return torch.stack([self.compare(*each) for each in zip(support_EWKF, query_EMF, strict=True)])

    @abstractmethod
    def compare(self, support_WKF: Tensor, query_MF: Tensor) -> Tensor:
        """Log-odds that a query is of a way, (M, W), in one episode."""

    @abstractmethod
    def losses(self, scores_EMW: Tensor, alike_EMW: Tensor) -> Tensor:
        """The loss of each log-odds, (E, M, W), where ``alike`` is 1 for a query and its own way, else 0."""
