"""Matching Networks against plain NumPy: attention, the bidirectional LSTM over the set, the reads of a query."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lowshot.data import load
from lowshot.learn.batches import Batches
from lowshot.learn.context import QueryContext, SupportContext
from lowshot.learn.method import EpisodeBatch
from lowshot.learn.methods.matching import MatchingConfig, MatchingNetworks
from lowshot.learn.run import configure
from lowshot.learn.trainer import Validator, train

Doubles = NDArray[np.float64]


def matching(**settings: Any) -> MatchingNetworks:
    torch.manual_seed(0)
    return MatchingNetworks(MatchingConfig(filters=4, **settings)).double().eval()


def drawn(*shape: int, seed: int = 0) -> Doubles:
    return np.random.default_rng(seed).normal(size=shape)


def log_probabilities(support: Doubles, query: Doubles, scale: float) -> Doubles:
    """Equation 1 with the attention of section 2.1.1, query by query: support (W, K, D), query (M, D) to (M, W)."""
    found = np.zeros((len(query), len(support)))
    for m, x in enumerate(query):
        power = {
            (w, k): np.exp(scale * (x @ each) / np.linalg.norm(x) / np.linalg.norm(each))
            for w, way in enumerate(support)
            for k, each in enumerate(way)
        }
        for (w, _), each in power.items():
            found[m, w] += each / sum(power.values())
    return np.log(found)


def sigmoid(x: Doubles) -> Doubles:
    return 1 / (1 + np.exp(-x))


def lstm_cell(inputs: Doubles, hidden: Doubles, memory: Doubles, weights: list[Doubles]) -> tuple[Doubles, Doubles]:
    """One step of an LSTM: gates in torch's order, input, forget, candidate, output."""
    of_input, of_hidden, bias, other_bias = weights
    i, f, g, o = np.split(of_input @ inputs + of_hidden @ hidden + bias + other_bias, 4)
    memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(memory), memory


def weights_of(module: torch.nn.Module, suffix: str = "") -> list[Doubles]:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(module, name + suffix).detach().numpy() for name in names]


def in_context(support: Doubles, module: SupportContext) -> Doubles:
    """A support set (N, D) in context, g, by appendix A.2."""
    found = support.copy()
    for order, suffix in ((range(len(support)), "_l0"), (range(len(support) - 1, -1, -1), "_l0_reverse")):
        hidden = memory = np.zeros(support.shape[1])
        for i in order:
            hidden, memory = lstm_cell(support[i], hidden, memory, weights_of(module.lstm, suffix))
            found[i] += hidden
    return found


def read(query: Doubles, context: Doubles, module: QueryContext, steps: int) -> Doubles:
    """One query (D,) in context, f, given the set in context (N, D), by appendix A.1."""
    hidden = memory = np.zeros_like(query)
    for _ in range(steps):
        power = np.exp(context @ hidden)
        attended = (power / power.sum()) @ context
        hidden, memory = lstm_cell(np.concatenate([query, attended]), hidden, memory, weights_of(module.cell))
        hidden = hidden + query
    return hidden


@pytest.mark.parametrize("scale", [0, 7.5])
@pytest.mark.parametrize("shots", [1, 3])
def test_loss_is_the_negative_log_of_attention(scale: float, shots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    method = matching(scale=scale)
    monkeypatch.setattr(method, "embed", lambda images: images.flatten(1))
    support, query = drawn(2, 4, shots, 1, 2, 3), drawn(2, 4, 5, 1, 2, 3, seed=1)
    found = method.loss(EpisodeBatch(torch.from_numpy(support), torch.from_numpy(query)))
    expected = [
        -log_probabilities(support[e].reshape(4, shots, 6), query[e].reshape(20, 6), scale or 1)[5 * w + q, w]
        for e in range(2)
        for w in range(4)
        for q in range(5)
    ]
    assert float(found.detach()) == pytest.approx(np.mean(expected), rel=1e-6)


@pytest.mark.parametrize("steps", [1, 4])
def test_full_context_embeddings_are_the_appendix_s(steps: int) -> None:
    method = matching(fce=True, read_steps=steps, scale=5)
    support, query = drawn(2, 3, 2, 4), drawn(2, 5, 4, seed=1)
    with torch.no_grad():
        found = method.scores(torch.from_numpy(support), torch.from_numpy(query)).log_softmax(-1).numpy()
    for e in range(2):
        context = in_context(support[e].reshape(6, 4), method.support_context)
        reads = np.stack([read(each, context, method.query_context, steps) for each in query[e]])
        np.testing.assert_allclose(found[e], log_probabilities(context.reshape(3, 2, 4), reads, 5), rtol=1e-6)


def test_gradients_of_full_context_embeddings() -> None:
    torch.manual_seed(0)
    support_context, query_context = SupportContext(3).double(), QueryContext(3, steps=2).double()
    support, query = (torch.from_numpy(drawn(2, n, 3)).requires_grad_() for n in (4, 2))
    assert torch.autograd.gradcheck(support_context, support)
    assert torch.autograd.gradcheck(query_context, (query, support))


def test_gradient_reaches_every_part() -> None:
    method = matching(fce=True, scale=10).float().train()
    method.loss(EpisodeBatch(torch.rand(1, 5, 1, 1, 28, 28), torch.rand(1, 5, 2, 1, 28, 28))).backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if not name.endswith("0.bias"):  # batch normalization takes a convolution's bias away again
            assert parameter.grad.abs().sum() > 0, name


@given(order=st.permutations(range(5)), shots=st.integers(1, 3))
def test_the_order_of_the_classes_does_not_matter(order: list[int], shots: int) -> None:
    method = matching(scale=10)  # with full-context embeddings the set is read in an order
    support, query = torch.from_numpy(drawn(1, 5, shots, 4)), torch.from_numpy(drawn(1, 6, 4, seed=1))
    with torch.no_grad():
        torch.testing.assert_close(method.scores(support[:, order], query), method.scores(support, query)[..., order])


@pytest.mark.parametrize("fce", [False, True])
def test_only_full_context_sees_the_whole_set(fce: bool) -> None:
    method = matching(fce=fce)
    support, query = torch.from_numpy(drawn(1, 4, 1, 4)), torch.from_numpy(drawn(1, 6, 4, seed=1))
    changed = support.clone()
    changed[:, 3] = torch.from_numpy(drawn(1, 1, 4, seed=2))
    with torch.no_grad():
        before, after = (method.scores(each, query)[..., :3] for each in (support, changed))
    assert torch.allclose(before, after) != fce


def test_without_a_scale_attention_cannot_be_sure() -> None:
    examples = torch.eye(20, dtype=torch.float64)
    support, query = torch.cat([examples[:1], -examples[:1].expand(19, -1)])[None, :, None], examples[None, :1]
    unsure, sure = (matching(scale=each).scores(support, query).detach().softmax(-1)[0, 0, 0] for each in (0, 10))
    assert float(unsure) == pytest.approx(0.28, abs=0.01)
    assert float(sure) > 0.99


def test_only_features_without_context_are_exported() -> None:
    assert "context of the whole set" in MatchingConfig(fce=True).obstacle
    with pytest.raises(NotImplementedError, match="context of the whole set"):
        matching(fce=True).exported()
    method, images = matching().float(), torch.rand(9, 1, 28, 28)
    exported = method.exported()
    assert (exported.distance, exported.compare, method.config.obstacle) == ("cosine", "prototype", "")
    with torch.no_grad():
        features, kept = method.embed(images), exported.network(images)
        scores = method.scores(features[None, :4, None], features[None, 4:])[0]
    cosines = kept[4:] @ kept[:4].T
    assert scores.argsort(dim=1).tolist() == cosines.argsort(dim=1).tolist()


@pytest.mark.parametrize("preset", ["cpu", "fce"])
def test_seconds_of_training_on_digits_beat_an_untrained_network(preset: str) -> None:
    settings = {"steps": 40, "average": 0.9, "distortion": {}, "ways": 10, "filters": 16}
    config, recipe = configure(MatchingNetworks, preset, {**settings, "val_ways": 10, "val_episodes": 100})
    digits = load("digits", config.form)
    odd = np.arange(len(digits)) % 2 == 1
    torch.manual_seed(0)
    method, other_half = MatchingNetworks(config), Validator(digits.take(~odd), recipe, torch.device("cpu"))
    with torch.no_grad():  # batch statistics, so that the start is a fair one
        method.train()(Batches(digits.take(odd), method, recipe.distortion, torch.device("cpu")).draw(seed=0, step=0))
    before = other_half.accuracy(method)
    train(method, digits.take(odd), recipe)
    assert other_half.accuracy(method) > before + 0.2  # 10-way 1-shot: chance is 0.1
