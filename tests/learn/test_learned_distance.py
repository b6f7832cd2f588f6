"""Learned distance against the layers applied to one concatenated pair at a time, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lowshot.errors import ConfigError
from lowshot.learn.methods.learned_distance import LearnedDistance, LearnedDistanceConfig
from lowshot.learn.run import configure

Doubles = NDArray[np.float64]
both = pytest.mark.parametrize("pair", ["both orders", "differences"])


def learned(pair: Any) -> LearnedDistance:
    torch.manual_seed(0)
    return LearnedDistance(LearnedDistanceConfig(filters=3, hidden=5, pair=pair)).double()


def drawn(*shape: int, seed: int = 0) -> Doubles:
    return np.random.default_rng(seed).normal(size=shape)


def log_odds(method: LearnedDistance, u: Doubles, v: Doubles) -> float:
    """Of one pair: fully connected, ReLU, fully connected, ReLU, fully connected."""

    def layers(x: Doubles) -> float:
        first, second, last = (layer for layer in method.layers if isinstance(layer, torch.nn.Linear))
        for layer in (first, second):
            x = np.maximum(0, layer.weight.detach().numpy() @ x + layer.bias.detach().numpy())
        return float(last.weight.detach().numpy()[0] @ x + last.bias.detach().numpy()[0])

    if method.config.pair == "differences":
        return layers(np.concatenate([np.abs(u - v), u * v]))
    return (layers(np.concatenate([u, v])) + layers(np.concatenate([v, u]))) / 2


@both
@pytest.mark.parametrize("shots", [1, 3])
def test_the_odds_of_a_way_are_the_sum_of_its_examples(pair: str, shots: int) -> None:
    method, support, query = learned(pair), drawn(2, 4, shots, 3), drawn(2, 5, 3, seed=1)
    found = method.scores(torch.from_numpy(support), torch.from_numpy(query)).detach().numpy()
    for e in range(2):
        for m in range(5):
            for w in range(4):
                odds = sum(np.exp(log_odds(method, query[e, m], each)) for each in support[e, w])
                assert found[e, m, w] == pytest.approx(np.log(odds), rel=1e-6)


@both
@given(seed=st.integers(0, 1000))
def test_which_of_two_is_the_query_does_not_matter(pair: str, seed: int) -> None:
    one, other = (torch.from_numpy(drawn(n, 3, seed=seed + n)) for n in (4, 6))
    method = learned(pair)
    torch.testing.assert_close(method.log_odds(one, other), method.log_odds(other, one).T)


@both
def test_gradients(pair: str) -> None:
    one, other = (torch.from_numpy(drawn(n, 3, seed=n)).requires_grad_() for n in (3, 2))
    assert torch.autograd.gradcheck(learned(pair).log_odds, (one, other))


def test_differences_are_of_features_of_one_length() -> None:
    features = learned("differences").eval().embed(torch.rand(6, 1, 28, 28, dtype=torch.float64))
    torch.testing.assert_close(features.norm(dim=1), torch.full((6,), 3**0.5))


def test_precision_is_kept_under_autocast() -> None:
    method = learned("differences").float()
    one, other = torch.randn(20, 3), torch.randn(30, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = method.log_odds(one, other)
    torch.testing.assert_close(found, method.log_odds(one, other))


def test_settings_that_make_no_sense_are_refused() -> None:
    for settings in ({"pair": "one order"}, {"hidden": 0}, {"distance": "cosine"}):
        with pytest.raises(ConfigError, match=next(iter(settings))):
            configure(LearnedDistance, "cpu", settings)
