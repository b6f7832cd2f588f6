"""Pseudo-Label: the simple and efficient semi-supervised learning method (Lee, ICML workshop 2013).

Few items of every background class have a label. The network predicts the class of the others and learns from its own
predictions as if they were true, with a weight that grows from 0 as the predictions become worth learning from.

Shape suffixes: N labeled images of a batch, U unlabeled ones, C classes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lowshot.data import EpisodeSampler
from lowshot.errors import ConfigError
from lowshot.learn.classification import ClassificationConfig, ClassificationMethod, classify
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU

Ints = NDArray[np.int64]


class PseudoLabelsConfig(ClassificationConfig):
    """Defaults: the paper's (section 4.1): 10 labels a class, 32 labeled and 256 unlabeled images a step.

    Attributes:
        labeled: items of each background class, the first ones, whose label is known.
        items, unlabeled: labeled and unlabeled images a step.
        alpha: the largest weight of the predictions. 0 is the baseline: the same images pass through the network, and its
            batch normalization, but only the labels are learned. ``unlabeled=0`` leaves the others out altogether.
        start, full: steps at which the weight begins to grow and is ``alpha``: T1 and T2.
        confidence: predictions less probable than this do not count (FixMatch, Sohn et al. 2020). The paper takes all.
        teacher: who predicts: 0 is the network itself, as in the paper; otherwise a running average of it, of which this
            share is kept at every step (Tarvainen & Valpola 2017).
        round: steps of a round. In each the network of the round's beginning predicts: train, predict, train on both,
            predict again. 0 for no rounds: whoever predicts is up to date at every step.
    """

    items: int = Field(default=32, ge=2)
    unlabeled: int = Field(default=256, ge=0)
    labeled: int = Field(default=10, ge=1)
    alpha: float = Field(default=3, ge=0)
    start: int = Field(default=100, ge=0)
    full: int = Field(default=600, ge=1)
    confidence: float = Field(default=0, ge=0, lt=1)
    teacher: float = Field(default=0, ge=0, lt=1)
    round: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> PseudoLabelsConfig:
        if self.full <= self.start:
            raise ValueError("the weight of the predictions grows from step start to step full: set full above start")
        if self.teacher and self.round:
            raise ValueError("a running average or rounds: set one of teacher and round to 0")
        return self


class PseudoLabels(ClassificationMethod[PseudoLabelsConfig]):
    """Cross-entropy of the labels + α(t) × cross-entropy of the predictions (equation 15)."""

    record = Record("pseudo-labels", "Pseudo-Label", "Lee, ICML workshop", 2013, "labeled and unlabeled items")
    Config = PseudoLabelsConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": {"steps": 40_000}},
        "cpu": {
            # Of thousands of classes most predictions are wrong for long; the confidence was chosen on omniglot:small2.
            "method": {"items": 128, "unlabeled": 64, "confidence": 0.5},
            "recipe": CPU,
        },
    }

    step: Tensor  # t of the paper; in the checkpoint with the weights

    def __init__(self, config: PseudoLabelsConfig) -> None:
        super().__init__(config)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.teacher: nn.ModuleList | None = None
        if config.teacher or config.round:
            self.teacher = copy.deepcopy(nn.ModuleList([self.network, self.head])).requires_grad_(False)

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> Ints:
        """Labeled items, then unlabeled ones: (items + unlabeled,)."""
        rng = np.random.default_rng(seed)
        known_C = np.minimum(sampler.counts_C, self.config.labeled)
        hidden_C = sampler.counts_C - known_C
        if self.config.unlabeled and not hidden_C.any():
            raise ConfigError(
                f"labeled={self.config.labeled} leaves no item unlabeled, of {sampler.counts_C.max()} in the largest class: "
                "set it lower, or unlabeled=0"
            )
        labeled = _some(rng, sampler.first_C, known_C, self.config.items)
        unlabeled = _some(rng, sampler.first_C + known_C, hidden_C, self.config.unlabeled)
        drawn: Ints = sampler.order[np.concatenate([labeled, unlabeled])]
        return drawn

    def batch(self, images: Tensor, labels: Tensor) -> ClassBatch:
        """All images, the labeled ones first, and the classes of those alone."""
        return ClassBatch(images, labels[: self.config.items])

    def loss(self, batch: ClassBatch) -> Tensor:
        """Equation 15; one pass through the network for both kinds of images."""
        logits_NC, logits_UC = self.logits(batch.images).tensor_split([len(batch.labels)])
        loss = functional.cross_entropy(logits_NC, batch.labels)
        if not self.config.unlabeled:
            return loss
        if self.training and self.teacher is not None:
            self._follow(self.teacher)
        with torch.no_grad():
            unlabeled = batch.images[len(batch.labels) :]
            predicted_UC = logits_UC if self.teacher is None else classify(self.teacher[0], self.teacher[1], unlabeled)
            confidence_U, pseudo_U = predicted_UC.softmax(dim=1).max(dim=1)
        each_U = functional.cross_entropy(logits_UC, pseudo_U, reduction="none")
        loss = loss + self.weight() * (each_U * (confidence_U >= self.config.confidence)).mean()
        if self.training:
            self.step += 1
        return loss

    def weight(self) -> Tensor:
        """α(t), a scalar (equation 16): 0 until step ``start``, then growing to ``alpha`` at step ``full``."""
        start, full = self.config.start, self.config.full
        return self.config.alpha * ((self.step - start) / (full - start)).clamp(0, 1)

    def train(self, mode: bool = True) -> PseudoLabels:
        """Switch between training and use, but for the teacher, who only ever predicts."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    @torch.no_grad()
    def _follow(self, teacher: nn.ModuleList) -> None:
        """Move the teacher to the network: by a share at every step, or all the way where a round begins."""
        share = (self.step % self.config.round == 0).float() if self.config.round else 1 - self.config.teacher
        network = nn.ModuleList([self.network, self.head])
        for taught, learned in zip(teacher.state_dict().values(), network.state_dict().values(), strict=True):
            if taught.is_floating_point():
                taught.lerp_(learned, share)
            else:  # counters
                taught.copy_(learned)


def _some(rng: np.random.Generator, start_C: Ints, size_C: Ints, number: int) -> Ints:
    """``number`` places drawn from the union of the runs start .. start + size, each place with the same chance."""
    end_C = np.cumsum(size_C)
    drawn = rng.integers(max(end_C[-1], 1), size=number)
    run = np.searchsorted(end_C, drawn, side="right")
    places: Ints = start_C[run] + drawn - (end_C - size_C)[run]
    return places
