"""Weakly supervised pre-training: Exploring the limits of weakly supervised pretraining (Mahajan et al., ECCV 2018).

Images come with several noisy tags instead of a checked label. The network learns to predict them: softmax cross-entropy
with a target of 1/K on each of the K tags of an image. Frequent tags are drawn less often than they occur, with the square
root of their frequency, so that they do not crowd out the rare ones.

The tags are made from true labels, by a construction that is stated in :func:`noisy_tags`; only they reach the loss.

Shape suffixes: N images of the background set, B images of a batch, C classes, K tags an image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from lowshot.data import EpisodeSampler
from lowshot.learn.classification import ClassificationConfig, ClassificationMethod
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU
from lowshot.learn.robust import generalized_cross_entropy, symmetric_cross_entropy, tag_cross_entropy


class WeakLabelsConfig(ClassificationConfig):
    """Defaults: the paper's loss, and its square root of a tag's frequency, on tags of which 30 % are wrong.

    Attributes:
        tags: tags an image.
        noise, zipf, noise_seed: how the tags are made, see :func:`noisy_tags`.
        targets: learn from all ``tags`` of an image, or from its first one alone as a ``hard`` label.
        resample: draw tags with the square root of their frequency; otherwise every image has the same chance.
        loss: ``softmax`` cross-entropy is the paper's; for the others see :mod:`lowshot.learn.robust`.
    """

    tags: int = Field(default=3, ge=1)
    noise: float = Field(default=0.3, ge=0, le=1)
    zipf: float = Field(default=1.0, ge=0)
    noise_seed: int = Field(default=0, ge=0)
    targets: Literal["tags", "hard"] = "tags"
    resample: bool = True
    loss: Literal["softmax", "smoothed", "generalized", "symmetric"] = "softmax"


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "softmax": tag_cross_entropy,
    "smoothed": partial(tag_cross_entropy, smoothing=0.1),
    "generalized": generalized_cross_entropy,
    "symmetric": symmetric_cross_entropy,
}


class WeakLabels(ClassificationMethod[WeakLabelsConfig]):
    """Cross-entropy against 1/K on each tag, the tags drawn with the square root of their frequency."""

    record = Record("weak-labels", "Weak labels", "Mahajan et al., ECCV", 2018, "tagged items")
    Config = WeakLabelsConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {
            "method": {},
            "recipe": {"steps": 40_000, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4},
        },
        "cpu": {"method": {}, "recipe": CPU},
    }

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """Images and their tags, (items, 1 + tags): a tag is told by some item of the class that it names.

        Only the classes of items reach :meth:`batch`, which would otherwise see the true one.
        """
        background = _tagged(sampler, self.config)
        chance_B = np.random.default_rng(seed).random(self.config.items)
        items_B = np.searchsorted(background.chances, chance_B, side="right")
        named_BK = sampler.order[sampler.first_C[background.tags[items_B]]]
        return np.concatenate([items_B[:, None], named_BK], axis=1)

    def shown(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """The images, which stand first in each row."""
        return items[:, 0]

    def batch(self, images: Tensor, labels: Tensor) -> ClassBatch:
        """The images and the tags of each."""
        return ClassBatch(images, labels[:, 1:])

    def loss(self, batch: ClassBatch) -> Tensor:
        """The chosen loss of the tags."""
        return LOSSES[self.config.loss](self.logits(batch.images), batch.labels)


def noisy_tags(
    labels_N: NDArray[np.integer], classes: int, *, tags: int, noise: float, zipf: float = 1.0, seed: int = 0
) -> NDArray[np.int64]:
    """Tags of each item, (N, tags), as several careless people would give them.

    Each tag, for itself, names the true class; or, with chance ``noise``, a class drawn from Zipf's law whatever the image
    shows, as "#love" is found on everything: the class of rank r, the ranks in random order, with a chance in proportion
    to 1 / r^zipf. ``zipf=0`` makes all classes alike. The same seed and labels give the same tags.

    Example:
        >>> noisy_tags(np.array([0, 1, 1]), 2, tags=2, noise=0).tolist()
        [[0, 0], [1, 1], [1, 1]]
    """
    rng = np.random.default_rng(seed)
    chance_C = rng.permutation(np.arange(1.0, classes + 1) ** -zipf)
    anything_NK = rng.choice(classes, size=(len(labels_N), tags), p=chance_C / chance_C.sum())
    wrong_NK = rng.random((len(labels_N), tags)) < noise
    return np.where(wrong_NK, anything_NK, np.asarray(labels_N, np.int64)[:, None])


def draw_chances(tags_NK: NDArray[np.integer]) -> NDArray[np.float64]:
    """Chance of each image, (N,), when a tag is drawn with the square root of its frequency f and then one of its images.

    A tag's images share its √f, so an image gets 1 / √f of each of its tags.

    Example:
        >>> draw_chances(np.array([[0], [0], [0], [0], [1]])).round(3).tolist()  # √4 : √1 for the two tags
        [0.167, 0.167, 0.167, 0.167, 0.333]
    """
    weight_N = (np.bincount(tags_NK.ravel())[tags_NK] ** -0.5).sum(axis=1)
    chances_N: NDArray[np.float64] = weight_N / weight_N.sum()
    return chances_N


@dataclass(frozen=True)
class _Tagged:
    """The tags of a background set (N, K), and the cumulative chances of its images (N,)."""

    tags: NDArray[np.int64]
    chances: NDArray[np.float64]


@lru_cache(maxsize=1)  # one background set is drawn from at a time, thousands of times
def _tagged(sampler: EpisodeSampler, config: WeakLabelsConfig) -> _Tagged:
    labels_N = np.empty(len(sampler.order), np.int64)
    labels_N[sampler.order] = np.repeat(np.arange(len(sampler.counts_C)), sampler.counts_C)
    tags_NK = noisy_tags(
        labels_N,
        len(sampler.counts_C),
        tags=config.tags,
        noise=config.noise,
        zipf=config.zipf,
        seed=config.noise_seed,
    )[:, : 1 if config.targets == "hard" else None]
    chances_N = draw_chances(tags_NK) if config.resample else np.full(len(tags_NK), 1 / len(tags_NK))
    cumulative_N = np.cumsum(chances_N)
    return _Tagged(tags_NK, cumulative_N / cumulative_N[-1])
