"""Losses against loops over every pair, triplet and quadruplet in NumPy, and against pytorch-metric-learning."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pytorch_metric_learning import losses as peer
from pytorch_metric_learning import miners, reducers
from pytorch_metric_learning.distances import LpDistance
from torch import Tensor
from torch.nn import functional

from lowshot.data import load
from lowshot.learn import losses
from lowshot.learn.batches import Batches
from lowshot.learn.distances import distances
from lowshot.learn.embedding import BalancedMethod
from lowshot.learn.methods.contrastive import ContrastiveLoss
from lowshot.learn.methods.histogram import HistogramLoss
from lowshot.learn.methods.quadruplet import QuadrupletLoss
from lowshot.learn.methods.triplet import TripletNetworks
from lowshot.learn.run import configure
from lowshot.learn.trainer import Validator, train

Floats = NDArray[np.float64]
Loss = Callable[[Tensor, Tensor], Tensor]

UNEVEN = [0, 0, 0, 1, 1, 2, 3, 3, 3, 3]  # a class of one has no positive pair, and is a negative of the others
MARGIN = 0.3


def points(labels: list[int], seed: int = 0) -> Tensor:
    """Random unit features, (B, 3), in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(len(labels), 3, generator=generator, dtype=torch.float64), dim=1)


def apart(features: Tensor) -> Tensor:
    return losses.root(distances(features, features, "euclidean"))


def far(features: Tensor) -> Floats:
    """Euclidean distances, (B, B), the long way."""
    x = features.detach().numpy()
    return np.array([[math.sqrt(((a - b) ** 2).sum()) for b in x] for a in x])


def triplets(labels: list[int]) -> Iterator[tuple[int, int, int]]:
    """Every ordered anchor, positive, negative."""
    for a, p, n in itertools.permutations(range(len(labels)), 3):
        if labels[a] == labels[p] != labels[n]:
            yield a, p, n


def mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def excess_in_loops(kind: str, d: Floats, labels: list[int]) -> list[float]:
    """X of every triplet that counts."""
    every = list(triplets(labels))
    match kind:
        case "symmetric":
            return [d[a, p] - d[a, n] for a, p, n in every]
        case "swapped":
            return [d[a, p] - min(d[a, n], d[p, n]) for a, p, n in every if a < p]
        case "averaged":
            return [d[a, p] - (d[a, n] + d[p, n]) / 2 for a, p, n in every if a < p]
        case "semi_hard":
            nearest: dict[tuple[int, int], float] = {}
            for a, p, n in every:
                if d[a, n] > d[a, p]:
                    nearest[a, p] = min(d[a, n], nearest.get((a, p), np.inf))
            return [d[pair] - negative for pair, negative in nearest.items()]
        case "batch_hard":
            anchors = {a for a, _, _ in every}
            return [
                max(d[a, p] for b, p, _ in every if b == a) - min(d[a, n] for b, _, n in every if b == a)
                for a in anchors
            ]
    raise AssertionError(kind)


def penalty_in_loops(kind: str, excess: list[float]) -> float:
    match kind:
        case "hinge":
            return mean([MARGIN + x for x in excess if MARGIN + x > 0])
        case "soft_margin":
            return mean([math.log1p(math.exp(x)) for x in excess])
        case "softmax_ratio":
            return mean([(math.exp(x) / (math.exp(x) + 1)) ** 2 for x in excess])
    raise AssertionError(kind)


PENALTY: dict[str, Callable[[Tensor], Tensor]] = {
    "hinge": lambda excess: losses.hinge(excess, MARGIN),
    "soft_margin": losses.soft_margin,
    "softmax_ratio": losses.softmax_ratio,
}
EXCESS: dict[str, Loss] = {
    name: getattr(losses, name) for name in ("symmetric", "swapped", "averaged", "semi_hard", "batch_hard")
}


@pytest.mark.parametrize("penalty", PENALTY)
@pytest.mark.parametrize("kind", EXCESS)
@pytest.mark.parametrize("labels", [UNEVEN, [0, 1] * 4, [0, 0, 0, 1]], ids=str)
def test_triplets_against_loops(labels: list[int], kind: str, penalty: str) -> None:
    features = points(labels)
    found = PENALTY[penalty](EXCESS[kind](apart(features), torch.tensor(labels)))
    assert float(found) == pytest.approx(penalty_in_loops(penalty, excess_in_loops(kind, far(features), labels)))


def test_the_default_is_the_symmetric_loss_of_each_pair_and_negative() -> None:
    """Σ [m + d(p1, p2) - d(p1, n)]₊ + [m + d(p1, p2) - d(p2, n)]₊, and swap has the larger of the two hinges."""
    features, labels = points(UNEVEN), torch.tensor(UNEVEN)
    d = far(features)
    hinges = [
        (max(0, MARGIN + d[p1, p2] - d[p1, n]), max(0, MARGIN + d[p1, p2] - d[p2, n]))
        for p1, p2, n in triplets(UNEVEN)
        if p1 < p2
    ]
    total = (losses.symmetric(apart(features), labels) + MARGIN).clamp_min(0).sum()
    assert float(total) == pytest.approx(sum(first + second for first, second in hinges))
    swapped = (losses.swapped(apart(features), labels) + MARGIN).clamp_min(0)
    assert sorted(swapped[swapped > 0].tolist()) == pytest.approx(sorted(max(two) for two in hinges if max(two) > 0))
    averaged = (losses.averaged(apart(features), labels) + MARGIN).clamp_min(0)
    assert averaged.sum() <= swapped.sum() <= total


some_labels = st.lists(st.integers(0, 4), min_size=1, max_size=9)


@given(some_labels, st.integers(0, 99), st.floats(0.01, 3))
def test_quadruplets_against_loops(labels: list[int], seed: int, margin: float) -> None:
    features = points(labels, seed)
    d = far(features)
    expected = [
        margin + d[i, j] - d[k, m]
        for i, j, k, m in itertools.permutations(range(len(labels)), 4)
        if labels[i] == labels[j] and len({labels[i], labels[k], labels[m]}) == 3 and margin + d[i, j] > d[k, m]
    ]
    found = losses.quadruplets(apart(features), torch.tensor(labels), margin)
    assert float(found) == pytest.approx(mean(expected), abs=1e-9)


@given(some_labels, st.integers(0, 99))
def test_contrastive_and_spread_against_loops(labels: list[int], seed: int) -> None:
    features = points(labels, seed)
    d = far(features)
    pairs = list(itertools.combinations(range(len(labels)), 2))
    same = [d[i, j] for i, j in pairs if labels[i] == labels[j]]
    other = [d[i, j] for i, j in pairs if labels[i] != labels[j]]
    found = losses.contrastive(apart(features), torch.tensor(labels), 1.2)
    expected = (mean([x**2 for x in same]) + mean([(1.2 - x) ** 2 for x in other if x < 1.2])) / 2
    assert float(found) == pytest.approx(expected, abs=1e-9)
    assert float(losses.spread(apart(features), torch.tensor(labels))) == pytest.approx(
        mean(other) - mean(same), abs=1e-9
    )


def histogram_in_loops(similarities: list[float], nodes: int) -> list[float]:
    """Equations 1 and 2: node r gets (s - t_{r-1}) / Δ from the left of it, (t_{r+1} - s) / Δ from the right."""
    step = 2 / (nodes - 1)
    filled = [0.0] * nodes
    for s in similarities:
        for r in range(nodes):
            filled[r] += max(0.0, 1 - abs(s - (-1 + r * step)) / step)
    if similarities:
        assert sum(filled) == pytest.approx(len(similarities))
    return [each / max(1, len(similarities)) for each in filled]


@given(some_labels, st.integers(0, 99), st.integers(2, 60))
def test_histogram_against_loops(labels: list[int], seed: int, nodes: int) -> None:
    features = points(labels, seed)
    cosine = (features @ features.T).numpy()
    pairs = list(itertools.combinations(range(len(labels)), 2))
    positive = histogram_in_loops([cosine[i, j] for i, j in pairs if labels[i] == labels[j]], nodes)
    negative = histogram_in_loops([cosine[i, j] for i, j in pairs if labels[i] != labels[j]], nodes)
    expected = sum(negative[r] * sum(positive[: r + 1]) for r in range(nodes))
    found = losses.histogram(features @ features.T, torch.tensor(labels), nodes)
    assert float(found) == pytest.approx(expected, abs=1e-9)


def test_histogram_is_the_chance_of_a_wrong_order() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    apart_well = torch.tensor(
        [[1.0, 0.9, -0.5, -0.5], [0.9, 1, -0.5, -0.5], [-0.5, -0.5, 1, 0.9], [-0.5, -0.5, 0.9, 1]]
    )
    assert float(losses.histogram(apart_well, labels, 101)) == 0
    assert float(losses.histogram(-apart_well, labels, 101)) == pytest.approx(1)
    many = torch.randint(0, 8, (120,), generator=torch.Generator().manual_seed(0))
    features = points(many.tolist())
    similarities = features @ features.T
    same = (many[:, None] == many).triu(1)
    wrong = similarities[(many[:, None] != many).triu(1)][:, None] > similarities[same][None]
    assert float(losses.histogram(similarities, many, 2001)) == pytest.approx(float(wrong.double().mean()), abs=2e-3)


def test_histogram_takes_what_rounding_puts_beyond_one() -> None:
    similarities = torch.tensor([[1.0, 1 + 1e-6, -1 - 1e-6]] * 3)
    assert float(losses.histogram(similarities, torch.tensor([0, 0, 1]), 11)) == pytest.approx(0, abs=1e-4)


WHOLE: dict[str, Loss] = {
    **{
        f"{kind} {penalty}": lambda x, y, kind=kind, penalty=penalty: PENALTY[penalty](EXCESS[kind](apart(x), y))
        for kind in EXCESS
        for penalty in PENALTY
    },
    "quadruplets": lambda x, y: losses.quadruplets(apart(x), y, MARGIN),
    "contrastive": lambda x, y: losses.contrastive(apart(x), y, 1.2),
    "histogram": lambda x, y: losses.histogram(1 - distances(x, x, "cosine"), y, 21),
}
every_loss = pytest.mark.parametrize("name", WHOLE)


@every_loss
def test_gradients(name: str) -> None:
    features = points(UNEVEN, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: WHOLE[name](x, torch.tensor(UNEVEN)), features)


@every_loss
def test_the_order_of_a_batch_does_not_matter(name: str) -> None:
    features, labels = points(UNEVEN), torch.tensor(UNEVEN)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(WHOLE[name](features[order], labels[order]), WHOLE[name](features, labels))


@every_loss
@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]], ids=["one class", "no two of a class"])
def test_a_batch_without_a_triplet_has_no_slope_but_what_its_pairs_give(name: str, labels: list[int]) -> None:
    features = points(labels).requires_grad_()
    loss = WHOLE[name](features, torch.tensor(labels))
    loss.backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None and features.grad.isfinite().all()
    if name != "contrastive":
        assert float(loss.detach()) == 0 and not features.grad.any()


@every_loss
def test_equal_items_leave_gradients_finite(name: str) -> None:
    features = points([0])[[0] * 6].requires_grad_()
    WHOLE[name](features, torch.tensor([0, 0, 1, 1, 2, 2])).backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None and features.grad.isfinite().all()


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    """A training batch: 24 classes of 4, features of any length."""
    return torch.randn(96, 8, generator=torch.Generator().manual_seed(0)), torch.arange(24).repeat_interleave(4)


def with_gradient(loss: Loss, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = features.clone().requires_grad_()
    value = loss(leaf, labels)
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def mined(miner: Any, loss: Any) -> Loss:
    return lambda x, y: loss(x, y, miner(x, y))


PEERS: dict[str, tuple[Loss, Loss]] = {
    "sum": (WHOLE["symmetric hinge"], peer.TripletMarginLoss(margin=MARGIN)),
    "swap": (WHOLE["swapped hinge"], peer.TripletMarginLoss(margin=MARGIN, swap=True)),
    "soft": (
        WHOLE["symmetric soft_margin"],
        peer.TripletMarginLoss(margin=0, smooth_loss=True, reducer=reducers.MeanReducer()),
    ),
    "batch hard": (
        WHOLE["batch_hard soft_margin"],
        mined(
            miners.BatchHardMiner(distance=LpDistance()),
            peer.TripletMarginLoss(margin=0, smooth_loss=True, reducer=reducers.MeanReducer()),
        ),
    ),
    "histogram": (
        lambda x, y: losses.histogram(1 - distances(x, x, "cosine"), y, 101),
        peer.HistogramLoss(n_bins=100),
    ),
}


@pytest.mark.parametrize("name", PEERS)
def test_against_pytorch_metric_learning(name: str, batch: tuple[Tensor, Tensor]) -> None:
    ours, theirs = PEERS[name]
    features, labels = batch
    if name != "histogram":  # in single precision, some of thousands of hinges fall on the other side of their corner
        features = features.double()
    value, gradient = with_gradient(lambda x, y: ours(functional.normalize(x, dim=1), y), features, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its indexing is deprecated
        expected, slope = with_gradient(theirs, features, labels)
    torch.testing.assert_close(value, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient, slope, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", [TripletNetworks, QuadrupletLoss, HistogramLoss, ContrastiveLoss])
def test_a_second_of_training_on_digits_beats_an_untrained_network(method: type[BalancedMethod[Any]]) -> None:
    settings = {"steps": 40, "average": 0.9, "distortion": {}, "ways": 10, "items": 6, "filters": 16}
    config, recipe = configure(method, "cpu", {**settings, "val_ways": 10, "val_episodes": 100})
    digits = load("digits", config.form)
    odd = np.arange(len(digits)) % 2 == 1
    torch.manual_seed(0)
    chosen, other_half = method(config), Validator(digits.take(~odd), recipe, torch.device("cpu"))
    with torch.no_grad():  # batch statistics, so that the start is a fair one
        chosen.train()(Batches(digits.take(odd), chosen, recipe.distortion, torch.device("cpu")).draw(seed=0, step=0))
    before = other_half.accuracy(chosen)
    train(chosen, digits.take(odd), recipe)
    assert 1 - other_half.accuracy(chosen) < (1 - before) / 2  # 10-way 1-shot: chance is 0.1
