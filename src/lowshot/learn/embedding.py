"""What methods share that learn an embedding: the network, and how its features are compared.

Shape suffixes: E episodes, W ways, K shots, Q queries a class, M queries an episode, N images, D features.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lowshot.data import EpisodeSampler
from lowshot.learn.distances import distances, mahalanobis
from lowshot.learn.method import EpisodeBatch, Exported, Method, MethodConfig
from lowshot.learn.networks import ConvNet, StemNet
from lowshot.learn.regularize import mix, soft_cross_entropy


class NetworkConfig(MethodConfig):
    """Which network embeds.

    Attributes:
        network: ``conv4`` is the field's four blocks; ``stem`` is ours, see :class:`~lowshot.learn.networks.StemNet`.
        filters: of each block.
        dropout: share of the output of each block that pools, all of ``conv4``, which is dropped in training.
    """

    network: Literal["conv4", "stem"] = "conv4"
    filters: int = Field(default=64, ge=1)
    dropout: float = Field(default=0, ge=0, lt=1)


STEM: dict[str, Any] = {"network": "stem", "size": 42, "filters": 96}
"""What the ``cpu`` presets use of methods whose papers have no network for Omniglot, or one too large for two cores."""


class EmbeddingConfig(NetworkConfig):
    """How features are compared.

    A method whose formula fixes one or the other says so in its own configuration.

    Attributes:
        distance: ``euclidean`` is the squared one; ``cosine`` compares directions only, of features at unit length;
            ``mahalanobis`` compares with class means in the light of how the support set spreads, see
            :func:`~lowshot.learn.distances.mahalanobis`.
        compare: a query with each class's mean (``prototype``) or with its nearest example (``neighbor``).
    """

    distance: Literal["euclidean", "cosine", "l1", "mahalanobis"] = "euclidean"
    compare: Literal["prototype", "neighbor"] = "prototype"

    @model_validator(mode="after")
    def _means_have_spread(self) -> EmbeddingConfig:
        if self.distance == "mahalanobis" and self.compare == "neighbor":
            raise ValueError("the mahalanobis distance is one from class means: leave compare=prototype")
        return self

    @property
    def obstacle(self) -> str:
        """Only the Mahalanobis distance is none between two features."""
        return "the spread of the whole support set is part of a distance" if self.distance == "mahalanobis" else ""


EmbeddingT = TypeVar("EmbeddingT", bound=EmbeddingConfig)


def make_network(config: NetworkConfig) -> ConvNet | StemNet:
    """The network of a configuration; its ``features`` say how many it gives."""
    kind = ConvNet if config.network == "conv4" else StemNet
    return kind(channels=config.channels, size=config.size, filters=config.filters, dropout=config.dropout)


class EmbeddingMethod(Method[EmbeddingT]):
    """A network whose features are compared by a distance: what can be exported to an encoder."""

    def __init__(self, config: EmbeddingT) -> None:
        super().__init__(config)
        self.network = make_network(config)

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D); of unit length where directions are compared."""
        features_ND: Tensor = self.network(images_NCHW).float()
        return functional.normalize(features_ND, dim=1) if self.config.distance == "cosine" else features_ND

    def scores(self, support_EWKD: Tensor, query_EMD: Tensor) -> Tensor:
        """Negative distance to each class, (E, M, W)."""
        if self.config.distance == "mahalanobis":
            return -mahalanobis(query_EMD, support_EWKD)
        if self.config.compare == "prototype":
            return -distances(query_EMD, support_EWKD.mean(dim=2), self.config.distance)
        each_EMN = -distances(query_EMD, support_EWKD.flatten(1, 2), self.config.distance)
        nearest_EMW: Tensor = each_EMN.unflatten(2, support_EWKD.shape[1:3]).amax(dim=3)
        return nearest_EMW

    def exported(self) -> Exported:
        """The network itself."""
        if self.config.obstacle or self.config.distance == "mahalanobis":
            return super().exported()
        return Exported(_Embed(self), self.network.features, self.config.distance, self.config.compare)


class EpisodeConfig(EmbeddingConfig):
    """Training in episodes, one a step.

    Attributes:
        ways, shots, queries: classes an episode; support and query items a class.
        label_smoothing, mixup: see :mod:`lowshot.learn.regularize`; queries of two ways are mixed, supports never.
    """

    ways: int = Field(default=60, ge=2)
    shots: int = Field(default=1, ge=1)
    queries: int = Field(default=5, ge=1)
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    mixup: float = Field(default=0, ge=0)


EpisodeT = TypeVar("EpisodeT", bound=EpisodeConfig)


class EpisodeMethod(EmbeddingMethod[EpisodeT]):
    """Learns as it is tested: cross-entropy of ``scores`` over the queries of an episode.

    With the cosine distance, scores are multiplied by a learned number in training, since no softmax over cosines could
    become confident; the order of the answers does not depend on it.
    """

    def __init__(self, config: EpisodeT) -> None:
        super().__init__(config)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0))) if config.distance == "cosine" else None

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """One episode: (1, ways, shots + queries)."""
        episode = sampler.draw(1, self.config.ways, self.config.shots, self.config.queries, seed=seed)
        return np.concatenate([episode.support, episode.query], axis=-1)

    def batch(self, images: Tensor, labels: Tensor) -> EpisodeBatch:
        """The first images of each way are its support."""
        return EpisodeBatch(images[:, :, : self.config.shots], images[:, :, self.config.shots :])

    def loss(self, batch: EpisodeBatch) -> Tensor:
        """Mean negative log probability of the queries' true classes."""
        query, share = batch.query, 1.0
        if self.config.mixup:
            query, share = mix(query, self.config.mixup, axis=1)
        episodes, ways, queries = query.shape[:3]
        support_shape = batch.support.shape[:3]
        images = torch.cat([batch.support.flatten(0, 2), query.flatten(0, 2)])
        support_ND, query_ND = self.embed(images).split([support_shape.numel(), episodes * ways * queries])
        scores_EMW = self.scores(
            support_ND.unflatten(0, support_shape), query_ND.unflatten(0, (episodes, ways * queries))
        )
        answer_EM = torch.arange(ways, device=query.device).repeat_interleave(queries).repeat(episodes)
        other_EM = (answer_EM - 1) % ways
        return soft_cross_entropy(scores_EMW.flatten(0, 1), answer_EM, other_EM, share, self.config.label_smoothing)

    def scores(self, support_EWKD: Tensor, query_EMD: Tensor) -> Tensor:
        """Negative distance to each class, scaled, (E, M, W)."""
        scores_EMW = super().scores(support_EWKD, query_EMD)
        return scores_EMW if self.log_scale is None else scores_EMW * self.log_scale.exp()


@dataclass(frozen=True)
class ClassBatch:
    """Images (N, C, H, W) and what is known of them: classes (N,), of the first ones alone, or several tags each."""

    images: Tensor
    labels: Tensor


class BalancedConfig(EmbeddingConfig):
    """Training in batches of some classes with equally many items each.

    Attributes:
        distance: by which items of a batch are compared, and queries with classes; a ``mahalanobis`` distance needs means,
            so items are compared by the Euclidean one.
        ways, items: classes a batch, and items of each.
    """

    distance: Literal["euclidean", "cosine", "l1", "mahalanobis"] = "cosine"
    ways: int = Field(default=64, ge=2)
    items: int = Field(default=4, ge=2)


BalancedT = TypeVar("BalancedT", bound=BalancedConfig)


class BalancedMethod(EmbeddingMethod[BalancedT]):
    """Learns from the distances between all images of a batch; a subclass writes :meth:`loss_of`."""

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """Items (ways, items)."""
        items: NDArray[np.int64] = sampler.draw(1, self.config.ways, self.config.items, 0, seed=seed).support[0]
        return items

    def batch(self, images: Tensor, labels: Tensor) -> ClassBatch:
        """All images of the batch in a row."""
        return ClassBatch(images.flatten(0, 1), labels.flatten())

    def loss(self, batch: ClassBatch) -> Tensor:
        """:meth:`loss_of` the features."""
        return self.loss_of(self.embed(batch.images), batch.labels)

    def squares(self, features_ND: Tensor) -> Tensor:
        """Squared distances between all items of a batch, (N, N): L1, or Euclidean, of directions or of the features."""
        if self.config.distance == "l1":
            return distances(features_ND, features_ND, "l1").square()
        return distances(features_ND, features_ND, "euclidean")

    @abstractmethod
    def loss_of(self, features_ND: Tensor, labels_N: Tensor) -> Tensor:
        """The loss of features and their classes, (N,); a scalar."""


class _Embed(nn.Module):
    """`embed` as a module of its own, which is what torch's exporter wants."""

    def __init__(self, method: EmbeddingMethod[EmbeddingT]) -> None:
        super().__init__()
        self.method = method

    def forward(self, images: Tensor) -> Tensor:
        return self.method.embed(images)
