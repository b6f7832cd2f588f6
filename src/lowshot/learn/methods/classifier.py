"""SimpleShot: a classifier of the background classes, and nearest class means on its features (Wang et al. 2019).

arXiv 1911.04623. The network learns as any classifier does; of few-shot learning it hears nothing. New classes are told
apart by what comes out below the head, once the mean of the background has been subtracted and the length divided out.

Shape suffixes: N images, C classes, D features.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from lowshot.learn.augment import LIGHT
from lowshot.learn.classification import ClassificationConfig, ClassificationMethod
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU
from lowshot.learn.regularize import mix, soft_cross_entropy, watch

_FORGET = 0.1  # share of the running mean that each batch replaces, as in batch normalization


class ClassifierConfig(ClassificationConfig):
    """Defaults: the paper's setting with four blocks on miniImageNet (section 4.1).

    Attributes:
        transform: of the features, in the paper's names: ``UN`` none, ``L2N`` to unit length, ``CL2N`` minus the mean of the
            background's features, then to unit length.
        label_smoothing, mixup: see :mod:`lowshot.learn.regularize`.
    """

    channels: Literal[1, 3] = 3
    size: int = Field(default=84, ge=16, le=512)
    items: int = Field(default=256, ge=2)
    distance: Literal["euclidean", "cosine", "l1", "mahalanobis"] = "euclidean"
    transform: Literal["UN", "L2N", "CL2N"] = "CL2N"
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    mixup: float = Field(default=0, ge=0)


class BackgroundClassifier(ClassificationMethod[ClassifierConfig]):
    """Cross-entropy of the background classes (equation 1)."""

    record = Record("classifier", "SimpleShot", "Wang et al., arXiv", 2019, "items")
    Config = ClassifierConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {
            "method": {},
            "recipe": {
                **{"steps": 13_500, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4},
                **{"schedule": "decay", "decay": 0.1, "decay_every": 6750, "val_ways": 5},
            },
        },
        "cpu": {
            "method": {"channels": 1, "size": 28, "items": 128},
            "recipe": CPU | {"distortion": LIGHT.model_dump()},
        },
    }

    mean: Tensor

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        self.register_buffer("mean", torch.zeros(self.network.features))

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Transformed features (N, D)."""
        features_ND: Tensor = self.network(images_NCHW).float()
        if self.config.transform == "CL2N":
            features_ND = features_ND - self.mean
        plain = self.config.transform == "UN" and self.config.distance != "cosine"
        return features_ND if plain else functional.normalize(features_ND, dim=1)

    def loss(self, batch: ClassBatch) -> Tensor:
        """Mean negative log probability of the classes. Keeps a running mean of the features."""
        images, share = batch.images, 1.0
        if self.config.mixup:
            images, share = mix(images, self.config.mixup, axis=0)
        with watch(self.network) as features:
            logits_NC = self.logits(images)
        if self.training:
            self.mean.lerp_(features[0].detach().float().mean(dim=0), _FORGET)
        return soft_cross_entropy(logits_NC, batch.labels, batch.labels.roll(1), share, self.config.label_smoothing)
