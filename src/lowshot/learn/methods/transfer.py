"""Transfer learning: a new last layer, trained on the support set, then slow fine-tuning of what lies below it.

A Closer Look at Few-shot Classification (Chen et al., ICLR 2019) has the plain form: learn to name the background classes
with a linear head (*Baseline*) or a cosine head (*Baseline++*), then replace the head and train the new one on frozen
features. Fine-tuning goes on from there in the usual order: the new layer first, then the network from its last block to
its first, at lower rates (Yosinski et al. 2014; gradual unfreezing: Howard & Ruder 2018, section 3.3).

Shape suffixes: E episodes, W ways, K shots, M queries an episode, N support items, D features; x is (D,) of features or
(C, H, W) of images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from lowshot.learn.augment import LIGHT
from lowshot.learn.classification import ClassificationConfig, ClassificationMethod, CosineHead
from lowshot.learn.copies import Copies, in_parts
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU

_MOMENTUM = 0.9


class TransferConfig(ClassificationConfig):
    """Defaults: Baseline++ on miniImageNet with four blocks (Chen et al. 2019, section 4.1), 100 steps of a new head.

    Here a step sees the whole support set, the paper's four items of it; and the new cosine head begins at the class means
    and keeps the scale that the background taught, instead of beginning at random.

    Attributes:
        head_steps, head_rate, head_decay: steps, learning rate and weight decay of the new last layer, each step on the
            whole support set.
        tune_steps: steps of fine-tuning after each block that is unfrozen, from the last to the first. 0 leaves the network
            as it is: a linear probe.
        tune_rate: learning rate of the new layer and of the last block meanwhile.
        tune_decay: share of its successor's learning rate that a block gets.
    """

    channels: Literal[1, 3] = 3
    size: int = Field(default=84, ge=16, le=512)
    items: int = Field(default=16, ge=2)
    head: Literal["linear", "cosine"] = "cosine"
    distance: Literal["euclidean"] = "euclidean"
    compare: Literal["prototype"] = "prototype"
    head_steps: int = Field(default=100, ge=1)
    head_rate: float = Field(default=0.01, gt=0)
    head_decay: float = Field(default=1e-3, ge=0)
    tune_steps: int = Field(default=0, ge=0)
    tune_rate: float = Field(default=1e-3, gt=0)
    tune_decay: float = Field(default=0.5, gt=0, le=1)

    @property
    def obstacle(self) -> str:
        """A query is compared with no example."""
        return "its last layer is trained on the whole support set"


class Transfer(ClassificationMethod[TransferConfig]):
    """Cross-entropy of the background classes; of the support set's, when the last layer has been replaced."""

    record = Record("transfer", "Transfer learning", "Chen et al., ICLR", 2019, "items")
    Config = TransferConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": {"steps": 960_000, "lr": 1e-3, "val_ways": 5}},
        "cpu": {
            "method": {"channels": 1, "size": 28, "items": 128, "tune_steps": 5},
            "recipe": CPU | {"distortion": LIGHT.model_dump()},
        },
    }

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D) of a network that stays as it is; images where it does not."""
        return images_NCHW if self.config.tune_steps else self.network(images_NCHW).float()

    def loss(self, batch: ClassBatch) -> Tensor:
        """Mean negative log probability of the background classes."""
        return functional.cross_entropy(self.logits(batch.images), batch.labels)

    @torch.no_grad()
    def scores(self, support_EWKx: Tensor, query_EMx: Tensor) -> Tensor:
        """Logits of the new last layer, (E, M, W)."""
        items = max(support_EWKx.shape[1] * support_EWKx.shape[2], query_EMx.shape[1])
        maps = self.config.filters if query_EMx.ndim > 3 else 1
        with torch.autocast(query_EMx.device.type, enabled=False):
            return in_parts(self._answer, support_EWKx, query_EMx, items * query_EMx[0, 0].numel() * maps)

    def _answer(self, support_EWKx: Tensor, query_EMx: Tensor) -> Tensor:
        if not self.config.tune_steps:
            head = self._new_head(support_EWKx)
            self._train_head(head, support_EWKx)
            return self._classify(query_EMx, head)
        copies, support_ENCHW = Copies(self.network.blocks), support_EWKx.flatten(1, 2)
        weights, statistics = copies.weights(len(support_EWKx)), copies.statistics(len(support_EWKx))
        support_EWKD = copies(weights, support_ENCHW, statistics).unflatten(1, support_EWKx.shape[1:3])
        head = self._new_head(support_EWKD)
        self._train_head(head, support_EWKD)
        left = iter(weights)
        blocks = [[next(left) for _ in block.parameters()] for block in self.network.blocks]

        def loss() -> Tensor:
            return _loss(self._classify(copies(weights, support_ENCHW, statistics), head), support_EWKx)

        self._fine_tune(head, blocks, loss)
        return self._classify(copies(weights, query_EMx, statistics), head)

    def _new_head(self, support_EWKD: Tensor) -> list[Tensor]:
        """A last layer for each episode: weights (E, W, D), and biases (E, W) for a linear one.

        A linear layer begins at 0, a cosine one at the class means, which are the best directions known before training.
        """
        means_EWD = support_EWKD.mean(dim=2)
        return [means_EWD] if self.config.head == "cosine" else [means_EWD * 0, means_EWD[..., 0] * 0]

    def _train_head(self, head: list[Tensor], support_EWKD: Tensor) -> None:
        """Train a new last layer, in place, on features that stay as they are."""
        optimizer = torch.optim.SGD(head, self.config.head_rate, _MOMENTUM, weight_decay=self.config.head_decay)
        support_END = support_EWKD.flatten(1, 2)
        _descend(optimizer, lambda: _loss(self._classify(support_END, head), support_EWKD), self.config.head_steps)

    def _fine_tune(self, head: list[Tensor], blocks: list[list[Tensor]], loss: Callable[[], Tensor]) -> None:
        """Gradual unfreezing, in place: one more block at a time, the last one first."""
        rate = self.config.tune_rate
        optimizer = torch.optim.SGD(head, rate, _MOMENTUM, weight_decay=self.config.head_decay)
        for block in reversed(blocks):
            optimizer.add_param_group({"params": block, "lr": rate, "weight_decay": 0})
            _descend(optimizer, loss, self.config.tune_steps)
            rate *= self.config.tune_decay

    def _classify(self, features_END: Tensor, head: list[Tensor]) -> Tensor:
        """Logits (E, N, W) by weights (E, W, D), and for a linear head biases (E, W)."""
        if isinstance(self.head, CosineHead):
            weight_EWD = functional.normalize(head[0], dim=-1) * self.head.log_scale.exp()
            return functional.normalize(features_END, dim=-1) @ weight_EWD.mT
        weight_EWD, bias_EW = head
        return features_END @ weight_EWD.mT + bias_EW[:, None]


class FromScratch(Transfer):
    """The same network from random weights, all of it trained on the support set alone: what transfer must beat.

    Not trained on any background set. Batch normalization goes by the support set.
    """

    record = Record("scratch", "Training from scratch", "Chen et al., ICLR", 2019, "nothing")

    def __init__(self, config: TransferConfig, *, steps: int, rate: float) -> None:
        super().__init__(config)
        self.steps, self.rate = steps, rate

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """The images themselves."""
        return images_NCHW

    def _answer(self, support_EWKx: Tensor, query_EMx: Tensor) -> Tensor:
        copies, support_ENCHW = Copies(self.network.blocks), support_EWKx.flatten(1, 2)
        weights = copies.weights(len(support_EWKx))
        head = self._new_head(copies(weights, support_ENCHW).unflatten(1, support_EWKx.shape[1:3]))
        optimizer = torch.optim.SGD([*head, *weights], self.rate, _MOMENTUM, weight_decay=self.config.head_decay)
        _descend(
            optimizer, lambda: _loss(self._classify(copies(weights, support_ENCHW), head), support_EWKx), self.steps
        )
        return self._classify(copies(weights, query_EMx, copies.measure(weights, support_ENCHW)), head)


def _descend(optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor], steps: int) -> None:
    """Gradient descent on the sum of the episodes' losses, which is each episode's own on its own weights."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.requires_grad_()
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.enable_grad():
            loss().backward()
        optimizer.step()


def _loss(logits_ENW: Tensor, support_EWKx: Tensor) -> Tensor:
    """Mean cross-entropy of each episode's support set, summed over the episodes."""
    ways, shots = support_EWKx.shape[1:3]
    answer_N = torch.arange(ways, device=logits_ENW.device).repeat_interleave(shots)
    total = functional.cross_entropy(logits_ENW.flatten(0, 1), answer_N.repeat(len(logits_ENW)), reduction="sum")
    return total / len(answer_N)
