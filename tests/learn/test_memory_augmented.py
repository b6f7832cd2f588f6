"""Memory-augmented networks: the paper's formulas in plain NumPy, causality, and learning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lowshot.data import EpisodeSampler, Examples, ImageForm
from lowshot.errors import ConfigError
from lowshot.evaluate import sequential_of
from lowshot.learn.external_memory import ExternalMemory, LeastRecentlyUsed, NeuralTuringMachine, address
from lowshot.learn.methods.lstm import LSTMConfig, LSTMNetwork
from lowshot.learn.methods.memory_augmented import MemoryAugmentedNetwork, MemoryConfig
from lowshot.learn.recipe import Recipe
from lowshot.learn.run import configure
from lowshot.learn.saved import SavedSequenceMethod, Story
from lowshot.learn.sequence import SequenceBatch, SequenceMethod
from lowshot.learn.trainer import train

B, H, N, M, K = 3, 2, 7, 4, 5
SMALL: dict[str, Any] = {"size": 16, "ways": 3, "presentations": 4, "sequences": 6, "controller": 12}
TINY: dict[str, Any] = SMALL | {"rows": 9, "width": 6, "heads": 2}
METHODS: dict[str, Callable[..., SequenceMethod[Any]]] = {
    "lrua": lambda **more: MemoryAugmentedNetwork(MemoryConfig(**TINY | more)),
    "ntm": lambda **more: MemoryAugmentedNetwork(MemoryConfig(**TINY | {"addressing": "ntm"} | more)),
    "strings": lambda **more: MemoryAugmentedNetwork(MemoryConfig(**TINY | {"labels": "strings"} | more)),
    "lstm": lambda **more: LSTMNetwork(LSTMConfig(**SMALL | more)),
    "conv": lambda **more: LSTMNetwork(LSTMConfig(**SMALL | {"front": "conv", "filters": 4} | more)),
}
every_method = pytest.mark.parametrize("kind", METHODS)


def made(kind: str, **settings: Any) -> SequenceMethod[Any]:
    torch.manual_seed(0)
    return METHODS[kind](**settings).eval()


def some_batch(method: SequenceMethod[Any], seed: int = 0) -> SequenceBatch:
    torch.manual_seed(seed)
    times = SMALL["ways"] * SMALL["presentations"]
    classes = torch.stack([torch.randperm(times) % SMALL["ways"] for _ in range(SMALL["sequences"])])
    return method.batch(torch.rand(SMALL["sequences"], times, 1, 16, 16), 10 * classes)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(x: Any) -> Any:
    return np.exp(x) / np.exp(x).sum()


def cosine(a: Any, b: Any) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("own_vector", [False, True])
@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_a_step_of_least_recently_used_access_is_the_papers(own_vector: bool, strength: float) -> None:
    torch.manual_seed(0)
    memory = LeastRecentlyUsed(
        K, rows=N, width=M, heads=H, decay=0.9, own_vector=own_vector, strength=strength
    ).double()
    rng = np.random.default_rng(0)
    controller, before, usage = rng.normal(size=(B, K)), rng.normal(size=(B, N, M)), rng.random((B, N))
    read_before = rng.dirichlet(np.ones(N), (B, H))
    read, state = memory(*tensors(controller), tensors(before, read_before, usage))

    weight, bias = memory.interface.weight.detach().numpy(), memory.interface.bias.detach().numpy()
    for b in range(B):
        heads = (controller[b] @ weight.T + bias).reshape(H, -1)
        keys, gates = np.tanh(heads[:, :M]), sigmoid(heads[:, M])
        vectors = np.tanh(heads[:, M + 1 : 2 * M + 1]) if own_vector else keys
        strengths = np.log1p(np.exp(heads[:, -1] + strength)) if strength else np.ones(H)
        least = np.argsort(usage[b])[:H]
        rows = before[b].copy()
        rows[least] = 0
        write = np.zeros((H, N))
        for h in range(H):
            write[h] = gates[h] * read_before[b, h]
            write[h, least[h]] += 1 - gates[h]
            rows += np.outer(write[h], vectors[h])
        weights = [softmax([strengths[h] * cosine(keys[h], row) for row in rows]) for h in range(H)]
        close(state[0][b], rows)
        close(state[1][b], np.stack(weights))
        close(state[2][b], 0.9 * usage[b] + sum(weights) + write.sum(0))
        close(read[b], np.concatenate([weights[h] @ rows for h in range(H)]))


def test_a_step_of_the_turing_machine_is_its_papers() -> None:
    torch.manual_seed(0)
    memory = NeuralTuringMachine(K, rows=N, width=M, heads=H).double()
    rng = np.random.default_rng(0)
    controller, before = rng.normal(size=(B, K)), rng.normal(size=(B, N, M))
    weights_before = rng.dirichlet(np.ones(N), (B, 2 * H))
    read, state = memory(*tensors(controller), tensors(before, weights_before))

    def linear(layer: nn.Linear, x: Any) -> Any:
        return (x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()).reshape(2 * H, -1)

    for b in range(B):
        weights = []
        for h, numbers in enumerate(linear(memory.interface, controller[b])):
            key, beta, gate = np.tanh(numbers[:M]), np.log1p(np.exp(numbers[M])), sigmoid(numbers[M + 1])
            shift, gamma = softmax(numbers[M + 2 : M + 5]), 1 + np.log1p(np.exp(numbers[M + 5]))
            content = softmax([beta * cosine(key, row) for row in before[b]])
            gated = gate * content + (1 - gate) * weights_before[b, h]
            shifted = np.array([sum(gated[(i - by) % N] * shift[by + 1] for by in (-1, 0, 1)) for i in range(N)])
            weights.append(shifted**gamma / (shifted**gamma).sum())
        erase_add = linear(memory.vectors, controller[b])
        rows = before[b].copy()
        for h in range(H):
            rows *= 1 - np.outer(weights[h], sigmoid(erase_add[h]))
        for h in range(H):
            rows += np.outer(weights[h], np.tanh(erase_add[H + h]))
        close(state[0][b], rows)
        close(state[1][b], np.stack(weights), 3e-6)  # the sharpening starts from a millionth, for its gradient's sake
        close(read[b], np.concatenate([weights[h] @ rows for h in range(H, 2 * H)]), 1e-5)


def test_a_turing_machine_can_step_along_its_rows() -> None:
    """No content, all of a shift by one: what was at row i goes to row i + 1."""
    weights = torch.eye(N)[None, :H].double()
    to_the_next = torch.tensor([-50.0, -50.0, 50.0]).double().expand(1, H, 3)
    never, blunt = torch.full((1, H, 1), -50.0).double(), torch.full((1, H, 1), -50.0).double()
    rows = torch.rand(1, N, M).double()
    moved = address(weights, rows, torch.rand(1, H, M).double(), blunt, never, to_the_next, blunt)
    torch.testing.assert_close(moved, torch.eye(N)[None, 1 : H + 1].double(), atol=1e-5, rtol=0)


def tensors(*arrays: Any) -> tuple[Tensor, ...]:
    return tuple(map(torch.from_numpy, arrays))


def close(found: Tensor, expected: Any, within: float = 1e-6) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=within, rtol=0)


@pytest.mark.parametrize(
    "memory",
    [
        LeastRecentlyUsed(K, rows=N, width=M, heads=H),
        LeastRecentlyUsed(K, rows=N, width=M, heads=H, own_vector=True, strength=3),
        NeuralTuringMachine(K, rows=N, width=M, heads=H),
    ],
    ids=["lrua", "lrua with more", "ntm"],
)
def test_gradients_of_a_step(memory: ExternalMemory) -> None:
    torch.manual_seed(1)
    memory.double()
    rows = torch.randn(B, N, M, dtype=torch.double, requires_grad=True)
    heads = memory.start(B, rows)[1].shape[1]
    weights = torch.rand(B, heads, N, dtype=torch.double).softmax(2).requires_grad_()
    controller = torch.randn(B, K, dtype=torch.double, requires_grad=True)
    usage = [torch.rand(B, N, dtype=torch.double)] * isinstance(memory, LeastRecentlyUsed)

    def step(*inputs: Tensor) -> tuple[Tensor, ...]:
        read, state = memory(inputs[0], (*inputs[1:], *usage))
        return read, *state[:2]

    assert torch.autograd.gradcheck(step, (controller, rows, weights))


@pytest.mark.parametrize("kind", ["lrua", "ntm"])
def test_gradient_is_finite_from_an_empty_memory_on(kind: str) -> None:
    method = made(kind, presentations=10, sequences=2)
    torch.manual_seed(0)
    batch = method.batch(torch.rand(2, 30, 1, 16, 16), torch.arange(30).expand(2, -1) % 3)
    method.loss(batch).backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_the_controller_is_torchs_lstm() -> None:
    """With nothing to be read, the loop over times is an LSTM."""
    method = made("lrua").double()
    assert isinstance(method, MemoryAugmentedNetwork)
    size = SMALL["controller"]
    lstm = nn.LSTM(method.inputs, size, batch_first=True).double()
    order = torch.cat([torch.arange(0, 2 * size), torch.arange(3 * size, 4 * size), torch.arange(2 * size, 3 * size)])
    with torch.no_grad():
        method.from_before.weight[:, size:] = 0
        method.from_inputs.weight.copy_(lstm.weight_ih_l0[order])
        method.from_inputs.bias.copy_((lstm.bias_ih_l0 + lstm.bias_hh_l0)[order])
        method.from_before.weight[:, :size] = lstm.weight_hh_l0[order]
        method.answer.weight[:, size:] = 0
        inputs = torch.randn(4, 9, method.inputs).double()
        answers, _ = method.read(inputs, method.start(4, inputs))
        torch.testing.assert_close(answers, lstm(inputs)[0] @ method.answer.weight[:, :size].T + method.answer.bias)


@every_method
def test_a_sequence_read_in_parts_is_the_sequence(kind: str) -> None:
    """All that is remembered is in the state."""
    method = made(kind)
    inputs = torch.randn(3, 8, method.inputs)
    whole, _ = method.read(inputs, method.start(3, inputs))
    first, state = method.read(inputs[:, :5], method.start(3, inputs))
    rest, _ = method.read(inputs[:, 5:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)


@every_method
def test_the_memory_is_wiped_between_episodes(kind: str) -> None:
    method = made(kind)
    with torch.no_grad():
        before = method.loss(some_batch(method))
        method.loss(some_batch(method, seed=1))
        assert method.loss(some_batch(method)) == before
    assert not list(method.buffers()) or kind == "conv"  # batch normalization keeps means; nothing else keeps anything


@every_method
@settings(max_examples=10)
@given(time=st.integers(0, 11), seed=st.integers(0, 1000))
def test_answers_depend_on_nothing_that_comes_later(kind: str, time: int, seed: int) -> None:
    """Neither on the label of the item itself nor on any item or label after it, but on the label before it."""
    method = made(kind)
    batch = some_batch(method, seed)
    labels = batch.labels.clone()
    labels[:, time:] = (labels[:, time:] + 1) % method.config.spelling.letters
    images = batch.images.clone()
    images[:, time + 1 :] = torch.rand_like(images[:, time + 1 :])
    in_order = torch.arange(12).expand(6, -1)
    one = answers(method, replace(batch, order=in_order))
    two = answers(method, replace(batch, images=images, order=in_order, labels=labels))
    torch.testing.assert_close(one[:, : time + 1], two[:, : time + 1], atol=1e-6, rtol=0)
    assert time == 11 or not torch.allclose(one[:, time + 1 :], two[:, time + 1 :], atol=1e-6)


def answers(method: SequenceMethod[Any], batch: SequenceBatch) -> Tensor:
    """Unnormalized, (S, T, characters, letters)."""
    with torch.no_grad():
        rows = [s % len(batch.images) for s in range(len(batch.order))]
        shown = torch.stack([batch.images[row][order] for row, order in zip(rows, batch.order, strict=True)])
        features = method.embed(shown.flatten(0, 1)).unflatten(0, batch.order.shape)
        return method._answers(features, batch.labels)[0]


@every_method
def test_loss_is_the_cross_entropy_of_every_character(kind: str) -> None:
    method = made(kind)
    batch = some_batch(method)
    found = answers(method, batch).numpy()
    expected = np.zeros(batch.labels.shape[:2])
    for s, t in np.ndindex(expected.shape):
        for character, letter in enumerate(batch.labels[s, t].tolist()):
            expected[s, t] -= np.log(softmax(found[s, t, character])[letter])
    assert float(method.loss(batch).detach()) == pytest.approx(expected.mean(), rel=1e-5)


def test_a_guided_front_also_learns_from_the_classes_of_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chance that two items of different classes are more alike than two of one class, counted pair by pair."""
    method, unguided = made("conv", guide=0.5), made("conv")
    batch = some_batch(method)
    features = np.random.default_rng(0).normal(size=(len(batch.classes.flatten()), 4)).astype(np.float32)
    for each in (method, unguided):
        monkeypatch.setattr(each, "embed", lambda images: torch.from_numpy(features))
    labels, pairs = batch.classes.flatten().numpy(), np.triu_indices(len(features), 1)
    alike = np.array([cosine(features[i], features[j]) for i, j in zip(*pairs, strict=True)])
    same = labels[pairs[0]] == labels[pairs[1]]
    confused = (alike[~same][:, None] > alike[same]).mean()
    gained = float((method.loss(batch) - unguided.loss(batch)).detach())
    assert gained == pytest.approx(0.5 * confused, abs=0.01) and confused > 0.3  # about: the histogram has bins
    with pytest.raises(ValueError, match="front=conv"):
        made("lstm", guide=0.5)


@every_method
def test_labels_are_dealt_anew_in_every_sequence_and_every_batch(kind: str) -> None:
    method = made(kind)
    classes = torch.tensor([[40, 7, 40, 7, 9, 40, 7, 9, 9, 7, 9, 40]]).expand(200, -1)
    torch.manual_seed(0)
    one, two = (method.batch(torch.zeros(200, 12, 1, 16, 16), classes) for _ in range(2))
    assert not torch.equal(one.labels, two.labels) and not torch.equal(one.order, two.order)
    for order, labels in zip(one.order.tolist(), one.labels.tolist(), strict=True):
        assert sorted(order) == list(range(12))
        named = {(int(classes[0, i]), tuple(label)) for i, label in zip(order, labels, strict=True)}
        assert len(named) == len({c for c, _ in named}) == len({label for _, label in named}) == 3
    letters, first = method.config.spelling.letters, one.labels[:, 0]
    assert (torch.bincount(first.flatten(), minlength=letters) > 0.6 * first.numel() / letters).all()


def test_a_sequence_is_read_again_in_another_order_under_other_labels() -> None:
    method = made("lstm", replays=4)
    batch = some_batch(method)
    assert batch.images.shape[:2] == (6, 12) and batch.order.shape == (24, 12) and batch.labels.shape == (24, 12, 1)
    assert len({tuple(order) for order in batch.order.tolist()}) == 24
    assert len({tuple(labels) for labels in batch.labels.flatten(1).tolist()}) == 24
    assert method.loss(batch).isfinite()


@every_method
def test_a_step_draws_whole_sequences(kind: str) -> None:
    method = made(kind)
    labels = np.repeat(np.arange(8), 5)
    items = method.draw(EpisodeSampler(labels), (1, 2))
    assert items.shape == (6, 12)
    assert all((np.unique(row, return_counts=True)[1] == 4).all() for row in labels[items])
    assert (items == method.draw(EpisodeSampler(labels), (1, 2))).all()


@every_method
def test_scores_are_what_would_come_next(kind: str) -> None:
    """Against the sequence itself: the support set in any order that was seen to be used, then one query."""
    method = made(kind, ways=3)
    images = torch.rand(2, 3 * 2 + 4, 1, 16, 16)
    features = method.embed(images.flatten(0, 1)).unflatten(0, (2, 10))
    with torch.no_grad():
        scores = method.scores(features[:, :6].unflatten(1, (3, 2)), features[:, 6:])
        assert scores.shape == (2, 4, 3)
        order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
        words = torch.from_numpy(method.config.spelling.draw(1, 3)[0])
        for query in range(4):
            row = torch.cat([features[:, order], features[:, 6 + query : 7 + query]], dim=1)
            labels = torch.cat([words[order // 2], words[:1]]).expand(2, -1, -1)  # the last one is never seen
            last = method._answers(row, labels)[0][:, -1].log_softmax(-1)
            for way in range(3):
                expected = sum(last[:, place, letter] for place, letter in enumerate(words[way].tolist()))
                torch.testing.assert_close(scores[:, query, way], expected, atol=1e-5, rtol=0)


def test_many_queries_are_asked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    method = made("lrua")
    support, query = torch.rand(3, 3, 2, 256), torch.rand(3, 7, 256)
    with torch.no_grad():
        at_once = method.scores(support, query)
        monkeypatch.setattr("lowshot.learn.sequence._QUERIES", 4)
        torch.testing.assert_close(method.scores(support, query), at_once)


def test_more_ways_than_labels_are_refused() -> None:
    with pytest.raises(ConfigError, match="labels for 3 classes, not 4: train it with --set ways=4"):
        made("lstm").scores(torch.rand(1, 4, 1, 256), torch.rand(1, 2, 256))
    assert made("strings").scores(torch.rand(1, 4, 1, 256), torch.rand(1, 2, 256)).shape == (1, 2, 4)


def test_more_heads_than_rows_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 heads need as many rows"):
        configure(MemoryAugmentedNetwork, "cpu", {"heads": 3, "rows": 2})


def test_nothing_is_exported() -> None:
    assert "one after another" in MemoryConfig().obstacle
    with pytest.raises(NotImplementedError, match="one after another"):
        made("lrua").exported()


def test_the_paper_is_the_default() -> None:
    config, _ = configure(MemoryAugmentedNetwork, "paper", {})
    method = MemoryAugmentedNetwork(config)
    assert method.draw(EpisodeSampler(np.repeat(np.arange(5), 10)), (0,)).shape == (16, 50)
    assert method.inputs == 400 + 5
    assert [tuple(part.shape) for part in method.start(1, torch.zeros(1))[2:]] == [(1, 128, 40), (1, 4, 128), (1, 128)]
    assert MemoryAugmentedNetwork(MemoryConfig(labels="strings")).inputs == 400 + 25


@pytest.mark.parametrize("kind", ["lrua", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("ntm", "lstm"))])
def test_seconds_of_training_beat_an_untrained_network(
    kind: str, characters: Callable[[ImageForm], tuple[Examples, Examples]]
) -> None:
    """Two classes, so that seconds are enough: from the second presentation on, what was seen is remembered."""
    few: dict[str, Any] = {"ways": 2, "presentations": 5, "front": "conv", "filters": 32, "controller": 64}
    memory: dict[str, Any] = {} if kind == "lstm" else {"rows": 16, "width": 20}
    own: dict[str, Any] = {"own_vector": True, "strength": 10.0} if kind == "lrua" else {}
    method = made(kind, **few, **memory, **own, sequences=32, replays=4 if kind == "lstm" else 2)
    background, held_out = characters(method.config.form)

    def at_fifth() -> float:
        model = SavedSequenceMethod(method.eval(), Story(name=kind, method=kind, config={}))
        return sequential_of(model, held_out, ways=2, presentations=5, sequences=200).accuracy[4]

    before = at_fifth()
    train(method, background, Recipe(steps=300, lr=1e-2, schedule="cosine", clip=10))
    assert at_fifth() > before + 0.2  # chance is 0.5
