"""Robust losses against their formulas, written out for one example and tag at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lowshot.learn.robust import generalized_cross_entropy, symmetric_cross_entropy, tag_cross_entropy

EVERY: list[Callable[[Tensor, Tensor], Tensor]] = [
    tag_cross_entropy,
    generalized_cross_entropy,
    symmetric_cross_entropy,
]
every = pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.__name__)


def batch(tags: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(7, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (7, tags), generator=generator)


def mean_over_tags(logits: Tensor, tags: Tensor, of: Callable[[np.ndarray, np.ndarray], float]) -> float:
    """The mean of a formula of (probabilities, one-hot target) over every tag of every image."""
    powers = np.exp(logits.numpy())
    probabilities = powers / powers.sum(1, keepdims=True)
    return float(np.mean([of(p, np.eye(5)[tag]) for p, row in zip(probabilities, tags, strict=True) for tag in row]))


def test_the_target_is_one_kth_on_each_tag() -> None:
    logits, tags = batch()
    target = torch.zeros(7, 5, dtype=torch.float64)
    for image, row in enumerate(tags):
        for tag in row:
            target[image, tag] += 1 / 3
    torch.testing.assert_close(tag_cross_entropy(logits, tags), functional.cross_entropy(logits, target))


def test_one_tag_is_a_label() -> None:
    logits, labels = batch(tags=1)
    for smoothing in (0.0, 0.2):
        expected = functional.cross_entropy(logits, labels[:, 0], label_smoothing=smoothing)
        torch.testing.assert_close(tag_cross_entropy(logits, labels, smoothing=smoothing), expected)


@pytest.mark.parametrize("q", [0.3, 0.7, 1.0])
def test_generalized_cross_entropy(q: float) -> None:
    logits, tags = batch()
    expected = mean_over_tags(logits, tags, lambda p, t: (1 - (p @ t) ** q) / q)
    assert float(generalized_cross_entropy(logits, tags, q=q)) == pytest.approx(expected)


def test_generalized_cross_entropy_goes_over_into_cross_entropy() -> None:
    logits, tags = batch()
    torch.testing.assert_close(
        generalized_cross_entropy(logits, tags, q=1e-6), tag_cross_entropy(logits, tags), rtol=1e-4, atol=0
    )


def test_symmetric_cross_entropy() -> None:
    def both(p: np.ndarray, t: np.ndarray) -> float:
        log_target = np.where(t > 0, 0.0, -4.0)
        return float(0.5 * -(t @ np.log(p)) + 2 * -(p @ log_target))

    logits, tags = batch()
    found = symmetric_cross_entropy(logits, tags, alpha=0.5, beta=2, log_zero=-4)
    assert float(found) == pytest.approx(mean_over_tags(logits, tags, both))


@every
def test_gradients_are_right(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    logits, tags = batch()
    assert torch.autograd.gradcheck(lambda z: loss(z, tags), logits.requires_grad_())


@every
def test_it_stays_finite_where_a_tag_is_impossible(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    value = loss(logits, torch.tensor([[1]]))
    value.backward()
    assert value.isfinite() and logits.grad is not None and logits.grad.isfinite().all()


def test_a_wrong_label_pulls_less_than_on_cross_entropy() -> None:
    """What makes them robust: a label that everything speaks against hardly moves the network."""

    def pull(loss: Callable[[Tensor, Tensor], Tensor]) -> float:
        logits = torch.tensor([[8.0, 0.0]], requires_grad=True)
        loss(logits, torch.tensor([[1]])).backward()
        assert logits.grad is not None
        return float(logits.grad.abs().max())

    plain, generalized, symmetric = map(pull, EVERY)
    assert plain > 0.99
    assert generalized < 0.01 * plain
    assert symmetric < 0.15 * plain
