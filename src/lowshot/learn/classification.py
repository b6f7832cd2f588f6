"""What methods share that learn to name the background classes: a head on the network, dropped after training.

Shape suffixes: N images, C classes, D features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from lowshot.data import EpisodeSampler, Examples
from lowshot.errors import ConfigError
from lowshot.learn.embedding import ClassBatch, EmbeddingConfig, EmbeddingMethod


class ClassificationConfig(EmbeddingConfig):
    """Training as a classifier.

    Attributes:
        head: ``linear`` is a fully connected layer; ``cosine`` compares directions only, see :class:`CosineHead`.
        items: images a step.
        classes: outputs of the head. Training takes the number from the background set.
    """

    distance: Literal["euclidean", "cosine", "l1", "mahalanobis"] = "cosine"
    head: Literal["linear", "cosine"] = "linear"
    items: int = Field(default=128, ge=2)
    classes: int = Field(default=2, ge=2)


ClassificationT = TypeVar("ClassificationT", bound=ClassificationConfig)


class ClassificationMethod(EmbeddingMethod[ClassificationT]):
    """Learns features by naming the background classes; new classes are told apart by the features alone.

    A subclass writes :meth:`loss`, from :meth:`logits`.
    """

    def __init__(self, config: ClassificationT) -> None:
        super().__init__(config)
        self.head = make_head(config.head, self.network.features, config.classes)

    @classmethod
    def for_background(cls, config: ClassificationT, background: Examples) -> ClassificationT:
        """The configuration with an output for each background class. Raises ConfigError where others were asked for."""
        found = len(background.classes)
        if "classes" in config.model_fields_set and config.classes != found:
            raise ConfigError(f"classes={config.classes}, but the background set has {found}: leave classes out")
        return config.model_copy(update={"classes": found})

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """Items (items,), each with the same chance."""
        return np.random.default_rng(seed).integers(len(sampler.order), size=self.config.items)

    def batch(self, images: Tensor, labels: Tensor) -> Any:
        """The images and their classes."""
        return ClassBatch(images, labels)

    def logits(self, images_NCHW: Tensor) -> Tensor:
        """Scores of the background classes before the softmax, (N, C)."""
        return classify(self.network, self.head, images_NCHW)


def classify(network: nn.Module, head: nn.Module, images_NCHW: Tensor) -> Tensor:
    """Logits (N, C), the head in float32 even under autocast: bfloat16 would round what the softmax compares."""
    features_ND = network(images_NCHW).float()
    with torch.autocast(images_NCHW.device.type, enabled=False):
        logits_NC: Tensor = head(features_ND)
    return logits_NC


def make_head(kind: Literal["linear", "cosine"], features: int, classes: int) -> nn.Module:
    """The layer that names the classes."""
    return nn.Linear(features, classes) if kind == "linear" else CosineHead(features, classes)


class CosineHead(nn.Module):
    """Cosine of the features with each class's weights, times a learned scale (Chen et al. 2019, Baseline++, section 3.2).

    Without the scale a softmax over cosines, which lie in -1..1, could not become confident. Features (N, D) to logits
    (N, C).
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, features))
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, features_ND: Tensor) -> Tensor:
        """Logits (N, C)."""
        directions = functional.normalize(features_ND, dim=1), functional.normalize(self.weight, dim=1)
        return functional.linear(*directions) * self.log_scale.exp()
