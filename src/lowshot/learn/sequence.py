"""What methods share that read items one after another and remember their labels (Santoro et al. 2016, section 2).

At time t a method sees (x_t, y_{t-1}): an item, and the label of the item before it. It has to say y_t. Labels are dealt
anew to the classes in every sequence, so at its first presentation a class can only be guessed.

Shape suffixes: S sequences, T times, D features of an item, I numbers of an input, L characters of a label, A letters;
E episodes, W ways, K shots, M queries an episode, N images, X any batch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from lowshot.data import EpisodeSampler, Spelling, draw_sequences
from lowshot.errors import ConfigError
from lowshot.learn.augment import LIGHT
from lowshot.learn.distances import distances
from lowshot.learn.external_memory import State
from lowshot.learn.losses import histogram
from lowshot.learn.method import Method, MethodConfig
from lowshot.learn.networks import ConvNet

PAPER: dict[str, Any] = {
    **{"steps": 100_000, "optimizer": "rmsprop", "lr": 1e-4, "momentum": 0.9, "clip": 10, "val_ways": 5},
    "distortion": {"rotate": 11.25, "shift": 10 / 105},
}
"""The paper's training; rate and momentum, of which it says nothing, are the Neural Turing Machine's."""

CPU: dict[str, Any] = {
    **{"minutes": 25, "lr": 3e-3, "schedule": "cosine", "clip": 10, "val_ways": 5},
    "distortion": LIGHT.model_dump(),
}
"""What the ``cpu`` presets share."""

FRONT: dict[str, Any] = {"front": "conv", "filters": 32, "guide": 1, "sequences": 8, "replays": 4}
"""Theirs, too: pixels alone take the paper's 100,000 steps, which is days on two cores.

All was chosen on validation classes, by three minutes of training each: at the tenth presentation the memory was right 62 %
of the time without a guide, 89 % with one, and 95 % with that and a lower rate for a larger controller."""

_NODES = 101  # of the histograms
_QUERIES = 2048  # queries asked at once: each takes a memory of its own


class SequenceConfig(MethodConfig):
    """Defaults: the paper's (sections 4.1 and 4.2): five classes, ten items of each, one-hot labels.

    Attributes:
        ways, presentations: classes a sequence, and items of each.
        sequences, replays: sequences drawn for a batch, and how often each is read, every time in another order and with
            other labels. More than once is ours: convolutions, which cost most, see an item once.
        labels: ``one-hot``, or ``strings`` of five characters, each one of five letters.
        controller: size of the LSTM.
        front: what sees an item first: ``none``, its pixels are the input, as in the paper; or ``conv``, four blocks of
            ``filters`` filters, which is ours.
        guide: weight of the histogram loss of what the front makes of the items (see
            :class:`~lowshot.learn.methods.histogram.HistogramLoss`), ours: the front learns what classes are from their
            items directly, long before the memory has learned to tell it. 0 for none.
    """

    size: int = Field(default=20, ge=16, le=512)
    ways: int = Field(default=5, ge=2)
    presentations: int = Field(default=10, ge=2)
    sequences: int = Field(default=16, ge=1)
    replays: int = Field(default=1, ge=1)
    labels: Literal["one-hot", "strings"] = "one-hot"
    controller: int = Field(default=200, ge=1)
    front: Literal["none", "conv"] = "none"
    filters: int = Field(default=64, ge=1)
    guide: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _something_to_guide(self) -> SequenceConfig:
        if self.guide and self.front == "none":
            raise ValueError("guide teaches the front, and there is none: set front=conv or guide=0")
        return self

    @property
    def obstacle(self) -> str:
        """What is read cannot be kept item by item."""
        return "the support examples are read one after another into a memory"

    @property
    def most_ways(self) -> int:
        """As many as there are labels."""
        return self.spelling.words

    @property
    def spelling(self) -> Spelling:
        """The labels."""
        return Spelling(5, 5) if self.labels == "strings" else Spelling(self.ways)


SequenceT = TypeVar("SequenceT", bound=SequenceConfig)


@dataclass(frozen=True)
class SequenceBatch:
    """Sequences to read, some of them of the same images.

    Attributes:
        images: (images' sequences, T, C, H, W).
        order: (S, T), which image comes when; sequence s shows the images of s modulo the images' sequences.
        labels: (S, T, L), the characters of their labels.
        classes: the class of each image, (images' sequences, T).
    """

    images: Tensor
    order: Tensor
    labels: Tensor
    classes: Tensor


class SequenceMethod(Method[SequenceT]):
    """Reads a sequence; a subclass writes :meth:`start` and :meth:`read`, and gives letters to choose from at each time."""

    def __init__(self, config: SequenceT) -> None:
        super().__init__(config)
        self.front: ConvNet | None = None
        features = config.channels * config.size**2
        if config.front == "conv":
            self.front = ConvNet(channels=config.channels, size=config.size, filters=config.filters)
            features = self.front.features
        self.answers = config.spelling.letters * config.spelling.length
        self.inputs = features + self.answers

    @abstractmethod
    def start(self, batch: int, like: Tensor) -> State:
        """The state before a sequence, wiped, on the device and in the precision of ``like``."""

    @abstractmethod
    def read(self, inputs_STI: Tensor, state: State) -> tuple[Tensor, State]:
        """Read on from a state: the answers (S, T, L·A), unnormalized, and the new state. Takes and gives float32."""

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """Items (sequences, times)."""
        config = self.config
        return draw_sequences(sampler, config.sequences, config.ways, config.presentations, seed=seed).items

    def batch(self, images: Tensor, labels: Tensor) -> SequenceBatch:
        """Each sequence as often as it is to be read, in random order. Each time the classes get other labels."""
        config = self.config
        slots_ST = _slots(labels).repeat(config.replays, 1)
        order_ST = torch.rand(slots_ST.shape).argsort(dim=1).to(labels.device)
        words = config.spelling.draw(len(slots_ST), config.ways, seed=int(torch.randint(2**62, ())))
        words_SWL = torch.from_numpy(words).to(labels.device)
        return SequenceBatch(images, order_ST, _take(words_SWL, slots_ST.gather(1, order_ST)), labels)

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Each item in a row, (N, D): its pixels, or what the convolutions make of them."""
        if self.front is None:
            return images_NCHW.flatten(1)
        features_ND: Tensor = self.front(images_NCHW).float()
        return features_ND

    def loss(self, batch: SequenceBatch) -> Tensor:
        """Mean over times of the cross-entropy, summed over the characters of a label; and what guides the front."""
        features_STD = self.embed(batch.images.flatten(0, 1)).unflatten(0, batch.images.shape[:2])
        shown_STD = _take(features_STD.repeat(len(batch.order) // len(batch.images), 1, 1), batch.order)
        answers_STLA, _ = self._answers(shown_STD, batch.labels)
        per_character = functional.cross_entropy(answers_STLA.flatten(0, 2), batch.labels.flatten())
        loss = self.config.spelling.length * per_character
        return loss + self.config.guide * self._confusion(features_STD, batch.classes) if self.config.guide else loss

    def _confusion(self, features_STD: Tensor, classes_ST: Tensor) -> Tensor:
        """How often two items of one class are farther apart than two of different classes, see ``guide``."""
        features_ND = features_STD.flatten(0, 1)
        return histogram(1 - distances(features_ND, features_ND, "cosine"), classes_ST.flatten(), _NODES)

    def present(self, features_STD: Tensor, labels_STL: Tensor) -> Tensor:
        """The likeliest label at each time, (S, T, L), given what came before."""
        return self._answers(features_STD, labels_STL)[0].argmax(dim=-1)

    def scores(self, support_EWKD: Tensor, query_EMD: Tensor) -> Tensor:
        """Log probability of each way's label, (E, M, W).

        The support set is read in a random order, the same for all episodes and always; then each query alone is what
        comes next. Raises ConfigError where there are more ways than labels.
        """
        episodes, ways, shots = support_EWKD.shape[:3]
        if ways > self.config.most_ways:
            most = self.config.most_ways
            raise ConfigError(f"it has labels for {most} classes, not {ways}: train it with --set ways={ways}")
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(ways * shots, generator=generator).to(support_EWKD.device)
        words_WL = torch.from_numpy(self.config.spelling.draw(1, ways)[0]).to(support_EWKD.device)
        labels_ETL = words_WL[order // shots].expand(episodes, -1, -1)
        _, state = self._answers(support_EWKD.flatten(1, 2)[:, order], labels_ETL)

        queries = query_EMD.shape[1]
        last_XL = labels_ETL[:, -1].repeat_interleave(queries, dim=0)
        episode_X = torch.arange(episodes, device=order.device).repeat_interleave(queries)
        answers = [
            self.read(self._inputs(query_XD, last_XL[: len(query_XD)])[:, None], tuple(part[rows] for part in state))[0]
            for query_XD, rows in zip(query_EMD.flatten(0, 1).split(_QUERIES), episode_X.split(_QUERIES), strict=True)
        ]
        log_XLA = torch.cat(answers)[:, 0].unflatten(1, (-1, self.config.spelling.letters)).log_softmax(dim=2)
        log_XLW = log_XLA.gather(2, words_WL.T.expand(len(log_XLA), -1, -1))
        scores_EMW: Tensor = log_XLW.sum(dim=1).unflatten(0, (episodes, queries))
        return scores_EMW

    def _answers(self, features_STD: Tensor, labels_STL: Tensor) -> tuple[Tensor, State]:
        """Answers (S, T, L, A) and the state at the end, from an empty state on. At no time does y_t or later matter."""
        before_STL = functional.pad(labels_STL[:, :-1], (0, 0, 1, 0))
        inputs_STI = self._inputs(features_STD, before_STL)
        inputs_STI[:, 0, -self.answers :] = 0  # no label came before the first item
        answers, state = self.read(inputs_STI, self.start(len(inputs_STI), inputs_STI))
        return answers.unflatten(2, (-1, self.config.spelling.letters)), state

    def _inputs(self, features_XD: Tensor, before_XL: Tensor) -> Tensor:
        """Items beside one-hot characters of the labels before them, (…, I)."""
        letters = functional.one_hot(before_XL, self.config.spelling.letters).flatten(-2)
        return torch.cat([features_XD.float(), letters.to(features_XD.device, torch.float32)], dim=-1)


def _slots(labels_ST: Tensor) -> Tensor:
    """The place of each class among those of its sequence, by first appearance, (S, T)."""
    first_ST = (labels_ST[:, :, None] == labels_ST[:, None]).int().argmax(dim=2)
    new_ST = first_ST == torch.arange(labels_ST.shape[1], device=labels_ST.device)
    return (new_ST.cumsum(dim=1) - 1).gather(1, first_ST)


def _take(rows_SNX: Tensor, index_ST: Tensor) -> Tensor:
    """Some rows of each sequence, (S, T, X)."""
    return rows_SNX.gather(1, index_ST[..., None].expand(-1, -1, rows_SNX.shape[2]))
