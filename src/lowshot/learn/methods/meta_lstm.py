"""Optimization as a model for few-shot learning (Ravi & Larochelle, ICLR 2017): a learner trained by an LSTM.

Gradient descent, θ ← θ - α∇, is what the cell of an LSTM does when its state is θ, its forget gate 1, its input gate α and
its candidate -∇. So the meta-learner is such a cell, run for a few updates on the support set. From many episodes it
learns how far to follow the gradient, how much to forget, and at which θ to begin.

Shape suffixes: E episodes, P weights of the learner, R = E·P coordinates, H hidden numbers of a coordinate; W ways, K shots,
Q queries a class, M queries an episode, N images, C, H, W channels, height, width of images, D features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

from lowshot.data import EpisodeSampler
from lowshot.encoder import Distance
from lowshot.errors import ConfigError
from lowshot.learn.augment import LIGHT
from lowshot.learn.copies import Copies, Statistics, in_parts
from lowshot.learn.distances import distances
from lowshot.learn.method import EpisodeBatch, Method, MethodConfig, Record
from lowshot.learn.networks import ConvNet

_RECIPE: dict[str, Any] = {
    **{"lr": 1e-3, "clip": 0.25, "precision": "float32"},  # gradients are inputs here: rounding them would be noise
    **{"val_ways": 5, "val_episodes": 100},
}


class MetaLSTMConfig(MethodConfig):
    """Defaults: the paper's setting for 5-way 1-shot on miniImageNet (section 5.1).

    Attributes:
        ways: outputs of the learner. Its last layer has learned initial weights, too: an episode cannot have more.
        shots, queries: support and query items a class, in training.
        filters: of each of the learner's four blocks.
        updates: of the learner, each on the whole support set.
        hidden: numbers in the state of the first LSTM.
        input_bias: b_I begins within 0.5 of it. The paper's -4.5 begins as gradient descent with a rate of about 0.01.
        episodes: a training step.
    """

    channels: Literal[1, 3] = 3
    size: int = Field(default=84, ge=16, le=512)
    ways: int = Field(default=5, ge=2)
    shots: int = Field(default=1, ge=1)
    queries: int = Field(default=15, ge=1)
    filters: int = Field(default=32, ge=1)
    updates: int = Field(default=12, ge=1)
    hidden: int = Field(default=20, ge=1)
    input_bias: float = -4.5
    episodes: int = Field(default=1, ge=1)

    @property
    def obstacle(self) -> str:
        """Features depend on the support set."""
        return "every support set trains the network anew"

    @property
    def most_ways(self) -> int:
        """The learner's outputs."""
        return self.ways


class MetaLSTM(Method[MetaLSTMConfig]):
    """The loss of the trained learner on the query set teaches the meta-learner how to train it (algorithm 1)."""

    record = Record("meta-lstm", "LSTM meta-learner", "Ravi & Larochelle, ICLR", 2017, "episodes")
    Config = MetaLSTMConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": {"steps": 75_000, **_RECIPE}},
        "paper-5-shot": {
            "method": {"shots": 5, "updates": 8},
            "recipe": {"steps": 50_000, **_RECIPE, "val_shots": 5},
        },
        "cpu": {
            "method": {"channels": 1, "size": 28, "filters": 16, "updates": 5, "queries": 5},
            "recipe": {**_RECIPE, "minutes": 15, "distortion": LIGHT.model_dump()},
        },
    }

    def __init__(self, config: MetaLSTMConfig) -> None:
        super().__init__(config)
        network = ConvNet(channels=config.channels, size=config.size, filters=config.filters)
        for norm in (layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)):
            norm.eps = 1e-3
        weights = [*network.parameters(), *nn.Linear(network.features, config.ways).parameters()]
        self.copies = Copies(network.blocks)
        self.shapes = [weight.shape for weight in weights]
        self.start_P = nn.Parameter(parameters_to_vector(weights).detach())  # c_0, the cell's first state
        self.meta_learner: nn.Module = MetaLearner(config.hidden, config.input_bias)

    def draw(self, sampler: EpisodeSampler, seed: Sequence[int]) -> NDArray[np.int64]:
        """Episodes: (episodes, ways, shots + queries)."""
        config = self.config
        drawn = sampler.draw(config.episodes, config.ways, config.shots, config.queries, seed=seed)
        return np.concatenate([drawn.support, drawn.query], axis=-1)

    def batch(self, images: Tensor, labels: Tensor) -> EpisodeBatch:
        """The first images of each way are its support."""
        return EpisodeBatch(images[:, :, : self.config.shots], images[:, :, self.config.shots :])

    def loss(self, batch: EpisodeBatch) -> Tensor:
        """Cross-entropy of the queries, which are normalized by their own statistics, as the support set is in training."""
        logits_EMW = self.logits(self.train_learner(batch.support), batch.query.flatten(1, 2))
        return _cross_entropy(logits_EMW, _answers(batch.query)).mean()

    def scores(self, support_EWKCHW: Tensor, query_EMCHW: Tensor) -> Tensor:
        """Logits of the trained learner, (E, M, W). No query and no other episode has a part in the answer to a query.

        Raises ConfigError where an episode has more ways than the learner.
        """
        ways = support_EWKCHW.shape[1]
        if ways > self.config.ways:
            raise ConfigError(f"the learner has {self.config.ways} ways, not {ways}: train it with --set ways={ways}")
        images = max(ways * support_EWKCHW.shape[2], query_EMCHW.shape[1])
        maps = images * query_EMCHW[0, 0, 0].numel() * self.config.filters
        gates = 8 * self.config.hidden * len(self.start_P)
        return in_parts(self._answer, support_EWKCHW, query_EMCHW, max(maps, gates))

    def _answer(self, support_EWKCHW: Tensor, query_EMCHW: Tensor) -> Tensor:
        """Scores, queries being normalized by the statistics of the support set, which the trained learner ends with."""
        weights_EP = self.train_learner(support_EWKCHW)
        statistics = self.copies.measure(self._layers(weights_EP), support_EWKCHW.flatten(1, 2))
        return self.logits(weights_EP, query_EMCHW, statistics)[..., : support_EWKCHW.shape[1]]

    def train_learner(self, support_EWKCHW: Tensor) -> Tensor:
        """The learner's weights after its updates on the support set, (E, P)."""
        support_ENCHW, answer_EN = support_EWKCHW.flatten(1, 2), _answers(support_EWKCHW)
        weights_EP, state = self.start_P.expand(len(support_ENCHW), -1), None
        for _ in range(self.config.updates):
            loss_E, gradient_EP = self._gradient(weights_EP, support_ENCHW, answer_EN)
            weights_EP, state = self.meta_learner(weights_EP, loss_E, gradient_EP, state)
        return weights_EP

    def logits(self, weights_EP: Tensor, images_ENCHW: Tensor, statistics: Statistics | None = None) -> Tensor:
        """The learner's answers (E, N, W), normalized by ``statistics`` or by those of each episode's images."""
        *layers, matrix_EWD, bias_EW = self._layers(weights_EP)
        features_END = self.copies(layers, images_ENCHW, statistics)
        return features_END @ matrix_EWD.mT + bias_EW[:, None]

    def _gradient(self, weights_EP: Tensor, images_ENCHW: Tensor, answer_EN: Tensor) -> tuple[Tensor, Tensor]:
        """Each episode's loss (E,) and gradient (E, P), themselves without a gradient ("gradient independence")."""
        weights_EP = weights_EP.detach().requires_grad_()
        with torch.enable_grad():
            loss_E = _cross_entropy(self.logits(weights_EP, images_ENCHW), answer_EN)
            (gradient_EP,) = torch.autograd.grad(loss_E.sum(), weights_EP)
        return loss_E.detach(), gradient_EP

    def _layers(self, weights_EP: Tensor) -> list[Tensor]:
        """The weights in the shapes of the learner's layers."""
        parts = weights_EP.split([shape.numel() for shape in self.shapes], dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]


class State(NamedTuple):
    """What the meta-learner remembers of every coordinate.

    Attributes:
        hidden, cell: of the first LSTM, (R, H).
        forget, input: the last gates **before** their sigmoid, (R, 1): so the authors' code passes them on.
    """

    hidden: Tensor
    cell: Tensor
    forget: Tensor
    input: Tensor


class MetaLearner(nn.Module):
    """Two LSTMs, one above the other, each run over all coordinates with the same weights.

    The first is an ordinary one, which sees loss and gradient, see :func:`preprocess`. The second has the learner's weights
    for its cell state c (equation 2)::

        f_t = sigmoid(W_F [h_t, c_t-1, f_t-1] + b_F)
        i_t = sigmoid(W_I [h_t, c_t-1, i_t-1] + b_I)
        c_t = f_t c_t-1 - i_t gradient_t

    It begins as gradient descent: f near 1, i small ("Initialization of meta-learner LSTM").
    """

    def __init__(self, hidden: int, input_bias: float = -4.5) -> None:
        super().__init__()
        self.lstm = nn.LSTMCell(4, hidden)
        self.forget = nn.Linear(hidden + 2, 1)
        self.input = nn.Linear(hidden + 2, 1)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.01, 0.01)
        nn.init.uniform_(self.forget.bias, 4, 5)
        nn.init.uniform_(self.input.bias, input_bias - 0.5, input_bias + 0.5)

    def forward(
        self, weights_EP: Tensor, loss_E: Tensor, gradient_EP: Tensor, state: State | None
    ) -> tuple[Tensor, State]:
        """The learner's next weights (E, P), and the state to pass on; None at the first update."""
        with torch.autocast(weights_EP.device.type, enabled=False):
            inputs_EP4 = torch.cat(
                [preprocess(loss_E)[:, None].expand(*gradient_EP.shape, 2), preprocess(gradient_EP)], dim=-1
            )
            weights_R1 = weights_EP.reshape(-1, 1)
            before = state or self._start(weights_R1)
            hidden, cell = self.lstm(inputs_EP4.flatten(0, 1), (before.hidden, before.cell))
            forget = self.forget(torch.cat([hidden, weights_R1, before.forget], dim=1))
            input_ = self.input(torch.cat([hidden, weights_R1, before.input], dim=1))
            after_R1 = forget.sigmoid() * weights_R1 - input_.sigmoid() * gradient_EP.reshape(-1, 1)
        return after_R1.view_as(weights_EP), State(hidden, cell, forget, input_)

    def _start(self, weights_R1: Tensor) -> State:
        wide, narrow = weights_R1.new_zeros(len(weights_R1), self.lstm.hidden_size), torch.zeros_like(weights_R1)
        return State(wide, wide, narrow, narrow)


def preprocess(numbers: Tensor, p: float = 10) -> Tensor:
    """Size and sign of numbers of any magnitude, (..., 2): (ln|x| / p, sign x), or (-1, eᵖ x) where |x| < e⁻ᵖ.

    As in Andrychowicz et al. 2016, appendix A.
    """
    size = numbers.abs()
    logarithm = size.clamp_min(math.exp(-p)).log() / p  # -1 for those that are small
    return torch.stack([logarithm, torch.where(size < math.exp(-p), math.exp(p) * numbers, numbers.sign())], dim=-1)


class FineTuning(MetaLSTM):
    """Plain gradient descent in the place of a trained meta-learner, from the same initial weights: what it must beat.

    Choose updates and rate on the validation classes, as the paper does for its fine-tuned baseline.
    """

    record = Record("fine-tuning", "Fine-tuning from the meta-learner's start", "Ravi & Larochelle, ICLR", 2017, "")

    def __init__(self, trained: MetaLSTM, *, updates: int, rate: float) -> None:
        super().__init__(trained.config.model_copy(update={"updates": updates}))
        self.start_P = trained.start_P
        self.meta_learner = GradientDescent(rate)


class GradientDescent(nn.Module):
    """The meta-learner that has learned nothing: f = 1, i = ``rate``."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, weights_EP: Tensor, loss_E: Tensor, gradient_EP: Tensor, state: None) -> tuple[Tensor, None]:
        """The learner's next weights."""
        return weights_EP - self.rate * gradient_EP, None


class NearestNeighbor(MetaLSTM):
    """Nearest neighbors by the features of a trained meta-learner's initial weights: what it must beat, too."""

    record = Record(
        "nearest-neighbor", "Nearest neighbor at the meta-learner's start", "Ravi & Larochelle, ICLR", 2017, ""
    )

    def __init__(self, trained: MetaLSTM, *, distance: Distance = "cosine") -> None:
        super().__init__(trained.config)
        self.start_P, self.distance = trained.start_P, distance

    def _answer(self, support_EWKCHW: Tensor, query_EMCHW: Tensor) -> Tensor:
        """Negative distance to the nearest example of each way, all normalized by the statistics of the support set."""
        support_ENCHW = support_EWKCHW.flatten(1, 2)
        layers = self._layers(self.start_P.expand(len(support_ENCHW), -1))[:-2]
        statistics = self.copies.measure(layers, support_ENCHW)
        support_END, query_EMD = (self.copies(layers, each, statistics) for each in (support_ENCHW, query_EMCHW))
        far_EMN = distances(query_EMD, support_END, self.distance)
        nearest_EMW: Tensor = far_EMN.unflatten(2, support_EWKCHW.shape[1:3]).amin(dim=3)
        return -nearest_EMW


def _answers(images_EWKCHW: Tensor) -> Tensor:
    """The way of each image, (E, N)."""
    episodes, ways, items = images_EWKCHW.shape[:3]
    answer_N = torch.arange(ways, device=images_EWKCHW.device).repeat_interleave(items)
    return answer_N.expand(episodes, -1)


def _cross_entropy(logits_ENW: Tensor, answer_EN: Tensor) -> Tensor:
    """Mean cross-entropy of each episode, (E,)."""
    return functional.cross_entropy(logits_ENW.transpose(1, 2), answer_EN, reduction="none").mean(dim=1)
