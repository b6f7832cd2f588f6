"""What every learning method is: a configuration, a record, and two verbs.

Shape suffixes: E episodes, W ways, K shots, Q queries a class, M queries an episode, P pairs, D features,
C, H, W channels, height, width of images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import Tensor, nn

from lowshot.data import EpisodeSampler, Examples, ImageForm, SoundForm
from lowshot.encoder import Distance


@dataclass(frozen=True)
class Record:
    """What a method is known for.

    Attributes:
        name: as written on the command line.
        title, paper, year: how the field knows it.
        samples: what it learns from at every step, in a word.
    """

    name: str
    title: str
    paper: str
    year: int
    samples: str


@dataclass(frozen=True)
class EpisodeBatch:
    """Episodes: support images (E, W, K, C, H, W) and query images (E, W, Q, C, H, W); way w's queries at [:, w]."""

    support: Tensor
    query: Tensor


@dataclass(frozen=True)
class PairBatch:
    """Pairs: images (P, C, H, W) on the left and right, and their classes (P,)."""

    left: Tensor
    right: Tensor
    left_class: Tensor
    right_class: Tensor


class MethodConfig(BaseModel):
    """Settings every method has; the defaults of each method are its paper's.

    Attributes:
        channels: 1 for gray pictures, 3 for colored ones.
        size: pixels along each side of the picture that the network takes.
        sound: of those that learn from sounds, ``rate`` and ``seconds`` of these; what the network takes is then their
            spectrogram, see :class:`~lowshot.learn.spectrogram.Spectrogram`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Literal[1, 3] = 1
    size: int = Field(default=28, ge=16, le=512)
    sound: SoundForm | None = None

    @model_validator(mode="after")
    def _gray_spectrograms(self) -> Self:
        if self.sound and self.channels != 1:
            raise ValueError("spectrograms of sounds are gray: leave channels=1")
        return self

    @model_serializer(mode="wrap")
    def _without_idle_sound(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """``sound`` only where there is one: settings that were written down before there was stay the same."""
        return {key: value for key, value in dump(self).items() if key != "sound" or value}

    @property
    def form(self) -> ImageForm | SoundForm:
        """The items it learns from."""
        return self.sound or ImageForm(height=self.size, width=self.size, channels=self.channels, fit="pad")

    @property
    def obstacle(self) -> str:
        """Why support features cannot be computed once and kept, in a clause; empty where they can, and so be exported."""
        return ""

    @property
    def approximation(self) -> str:
        """How an encoder file answers otherwise than :meth:`Method.scores`, in a clause; empty where it does not."""
        return ""

    @property
    def most_ways(self) -> int | None:
        """Classes that can be told apart in one episode at most; None for any number."""
        return None


ConfigT = TypeVar("ConfigT", bound=MethodConfig)


class Method(nn.Module, ABC, Generic[ConfigT]):
    """A way to learn from a background set.

    A subclass sets ``record``, ``Config`` (defaults: the paper's) and ``presets`` (settings of method and recipe by name),
    and writes :meth:`draw` and :meth:`batch` (what it learns from), :meth:`embed` where something can be computed of each
    image alone, and the two verbs :meth:`loss` and :meth:`scores`.
    """

    record: ClassVar[Record]
    Config: ClassVar[type[MethodConfig]]
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]]

    def __init__(self, config: ConfigT) -> None:
        super().__init__()
        self.config = config

    @classmethod
    def for_background(cls, config: ConfigT, background: Examples) -> ConfigT:
        """The configuration, completed with what depends on the background set, such as its number of classes."""
        return config

    @abstractmethod
    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """Indices of the items of one step, in any shape; the same for the same seed."""

    def shown(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the items drawn whose images are needed, here all; of the others only the labels are."""
        return items

    @abstractmethod
    def batch(self, images: Tensor, labels: Tensor) -> Any:
        """What :meth:`loss` takes, from images (*shape, C, H, W) in the shape that is shown, and labels (*shape,) of all."""

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D) of images, each for itself; here the images themselves: nothing is computed of one alone."""
        return images_NCHW

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """The loss of one batch of what the method samples; a scalar."""

    @abstractmethod
    def scores(self, support_EWKD: Tensor, query_EMD: Tensor) -> Tensor:
        """How well each query fits each way, (E, M, W), higher is better, from what :meth:`embed` gives of each image.

        Called without gradients; a method that learns from the support set turns them on for itself.
        """

    def forward(self, batch: Any) -> Tensor:
        """The loss; torch's data-parallel wrapper goes through here."""
        return self.loss(batch)

    def exported(self) -> Exported:
        """What an encoder file needs. Only for configurations without an :attr:`~MethodConfig.obstacle`."""
        raise NotImplementedError(self.config.obstacle)


@dataclass(frozen=True)
class Exported:
    """A network that gives features, and how they are compared; see :class:`lowshot.encoder.Card`."""

    network: nn.Module
    features: int
    distance: Distance
    compare: Literal["prototype", "neighbor"]
    negative: int = 0
