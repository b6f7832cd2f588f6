"""The LSTM meta-learner against its equations in NumPy, and against one episode at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lowshot.data import Examples, ImageForm
from lowshot.errors import ConfigError
from lowshot.learn.copies import Copies
from lowshot.learn.method import EpisodeBatch
from lowshot.learn.methods.meta_lstm import (
    FineTuning,
    GradientDescent,
    MetaLearner,
    MetaLSTM,
    MetaLSTMConfig,
    NearestNeighbor,
    preprocess,
)
from lowshot.learn.recipe import Recipe
from lowshot.learn.run import configure
from lowshot.learn.trainer import Validator, train


def small(**settings: Any) -> MetaLSTM:
    """A learner of a few weights, in double precision, with a meta-learner that moves them in steps of some size."""
    torch.manual_seed(0)
    config = {"channels": 1, "size": 16, "filters": 4, "ways": 3, "updates": 3, "queries": 2, "hidden": 5}
    method = MetaLSTM(MetaLSTMConfig(**{**config, "input_bias": -1.0, **settings})).double()
    assert isinstance(method.meta_learner, MetaLearner)
    for parameter in [*method.meta_learner.lstm.parameters()]:
        nn.init.uniform_(parameter, -1, 1)
    return method


def episodes(number: int = 4, ways: int = 3, shots: int = 2, queries: int = 6) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    drawn = torch.rand(number, ways * shots + queries, 1, 16, 16, dtype=torch.float64)
    return drawn[:, : ways * shots].unflatten(1, (ways, shots)), drawn[:, ways * shots :]


def numpy_preprocess(x: float, p: float = 10) -> tuple[float, float]:
    return (np.log(abs(x)) / p, np.sign(x)) if abs(x) >= np.exp(-p) else (-1.0, np.exp(p) * x)


def test_numbers_of_any_size_become_a_logarithm_and_a_sign() -> None:
    numbers = [0.0, 1.0, -1.0, 3e5, -2e-3, 1e-4, -1e-4, 1e-5, -3e-30, np.exp(-10.0)]
    expected = [numpy_preprocess(number) for number in numbers]
    np.testing.assert_allclose(preprocess(torch.tensor(numbers, dtype=torch.float64)).numpy(), expected, atol=1e-12)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_update_is_the_papers_equations() -> None:
    """Three updates of two episodes, coordinate by coordinate."""
    torch.manual_seed(0)
    learner = MetaLearner(hidden=5).double()
    for parameter in learner.parameters():
        nn.init.normal_(parameter)
    weight = {name: value.detach().numpy() for name, value in learner.named_parameters()}
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(2, 4))
    weights, state = torch.from_numpy(theta), None
    hidden, cell = np.zeros((2, 4, 5)), np.zeros((2, 4, 5))
    forget, allow = np.zeros((2, 4)), np.zeros((2, 4))
    for _ in range(3):
        losses, gradients = rng.random(2) * 3, rng.normal(size=(2, 4)) * 10.0 ** rng.integers(-7, 2, (2, 4))
        weights, state = learner(weights, torch.from_numpy(losses), torch.from_numpy(gradients), state)
        for e in range(2):
            for p in range(4):
                x = np.array([*numpy_preprocess(losses[e]), *numpy_preprocess(gradients[e, p])])
                gates = weight["lstm.weight_ih"] @ x + weight["lstm.bias_ih"]
                gates = gates + weight["lstm.weight_hh"] @ hidden[e, p] + weight["lstm.bias_hh"]
                i, f, g, o = gates.reshape(4, 5)
                cell[e, p] = sigmoid(f) * cell[e, p] + sigmoid(i) * np.tanh(g)
                hidden[e, p] = sigmoid(o) * np.tanh(cell[e, p])
                seen = [*hidden[e, p], theta[e, p]]
                forget[e, p] = weight["forget.weight"][0] @ [*seen, forget[e, p]] + weight["forget.bias"][0]
                allow[e, p] = weight["input.weight"][0] @ [*seen, allow[e, p]] + weight["input.bias"][0]
                theta[e, p] = sigmoid(forget[e, p]) * theta[e, p] + sigmoid(allow[e, p]) * -gradients[e, p]
        np.testing.assert_allclose(weights.detach().numpy(), theta, atol=1e-9)
        assert state is not None
        np.testing.assert_allclose(state.forget.detach().numpy().reshape(2, 4), forget, atol=1e-9)


def test_it_begins_as_gradient_descent() -> None:
    torch.manual_seed(0)
    weights, gradient = torch.randn(2, 1, 1000)
    after, _ = MetaLearner(hidden=20)(weights, torch.ones(1), gradient, None)
    forget, rate = np.linalg.lstsq(torch.stack([weights[0], -gradient[0]], 1), after[0].detach().numpy(), rcond=None)[0]
    assert 0.98 < forget < 0.995 and 0.006 < rate < 0.019  # sigmoid(4..5), sigmoid(-5..-4)


def one_at_a_time(method: MetaLSTM, support: Tensor, query: Tensor) -> Tensor:
    """Scores by an ordinary network, one episode after the other, its weights assigned at every update."""
    every = []
    for images, asked in zip(support.flatten(1, 2), query, strict=True):
        network = nn.Sequential(*copy.deepcopy(method.copies.layers), nn.Flatten(), nn.Linear(4, method.config.ways))
        network = network.double().train()
        for norm in (layer for layer in network if isinstance(layer, nn.BatchNorm2d)):
            norm.momentum = 1.0
        answer = torch.arange(support.shape[1]).repeat_interleave(support.shape[2])
        weights, state = method.start_P.detach()[None], None
        for _ in range(method.config.updates):
            nn.utils.vector_to_parameters(weights[0], network.parameters())
            loss = functional.cross_entropy(network(images), answer)
            gradient = nn.utils.parameters_to_vector(torch.autograd.grad(loss, list(network.parameters())))
            weights, state = method.meta_learner(weights, loss.detach()[None], gradient[None], state)
            weights = weights.detach()
        nn.utils.vector_to_parameters(weights[0], network.parameters())
        network(images)  # leaves its statistics behind
        every.append(network.eval()(asked)[:, : support.shape[1]])
    return torch.stack(every).detach()


@pytest.mark.parametrize("ways", [3, 2])
def test_many_episodes_learn_together_as_one_at_a_time(ways: int) -> None:
    method = small()
    support, query = episodes(ways=ways)
    with torch.no_grad():
        found = method.scores(support, query)
    torch.testing.assert_close(found, one_at_a_time(method, support, query), atol=1e-8, rtol=1e-8)
    assert found.argmax(-1).unique().numel() > 1


def test_fine_tuning_is_gradient_descent_from_the_same_start() -> None:
    trained = small()
    baseline = FineTuning(trained, updates=4, rate=0.3)
    support, query = episodes()
    assert isinstance(baseline.meta_learner, GradientDescent) and baseline.start_P is trained.start_P
    expected = one_at_a_time(baseline, support, query)
    torch.testing.assert_close(baseline.scores(support, query).detach(), expected, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_the_nearest_neighbor_is_found_at_the_same_start(distance: Any) -> None:
    trained = small(ways=3)
    support, query = episodes()
    with torch.no_grad():
        found = NearestNeighbor(trained, distance=distance).scores(support, query)
    for episode in range(len(support)):
        network = nn.Sequential(*copy.deepcopy(trained.copies.layers), nn.Flatten()).double()
        size = sum(parameter.numel() for parameter in network.parameters())
        nn.utils.vector_to_parameters(trained.start_P.detach()[:size], network.parameters())
        for norm in (layer for layer in network if isinstance(layer, nn.BatchNorm2d)):
            norm.momentum = 1.0
        network.train()(support[episode].flatten(0, 1))
        examples, asked = (network.eval()(each).detach() for each in (support[episode].flatten(0, 1), query[episode]))
        if distance == "cosine":
            far = 1 - functional.normalize(asked) @ functional.normalize(examples).T
        else:
            far = torch.cdist(asked, examples) ** 2
        torch.testing.assert_close(found[episode], -far.unflatten(1, (3, 2)).amin(2), atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("kind", ["meta-lstm", "fine-tuning", "nearest-neighbor"])
def test_nothing_leaks_between_episodes_nor_between_queries(kind: str) -> None:
    trained = small()
    method = {
        "meta-lstm": trained,
        "fine-tuning": FineTuning(trained, updates=2, rate=0.1),
        "nearest-neighbor": NearestNeighbor(trained),
    }[kind]
    support, query = episodes()
    with torch.no_grad():
        together = method.scores(support, query)
        alone = torch.cat([method.scores(support[[e]], query[[e]]) for e in range(len(support))])
        single = torch.cat([method.scores(support, query[:, [m]]) for m in range(query.shape[1])], dim=1)
    torch.testing.assert_close(together, alone, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(together, single, atol=1e-9, rtol=1e-9)


def test_the_loss_goes_by_the_queries_own_statistics_and_is_first_order() -> None:
    """The gradient of the initial weights, with those that the learner saw held fixed: by finite differences."""
    method = small(updates=2)
    support, query = episodes(number=2)
    batch = EpisodeBatch(support, query.unflatten(1, (3, 2)))
    seen: list[tuple[Tensor, Tensor]] = []
    measure = method._gradient

    def remember(*arguments: Any) -> tuple[Tensor, Tensor]:
        seen.append(measure(*arguments))
        return seen[-1]

    method._gradient = remember  # type: ignore[method-assign]
    method.loss(batch).backward()
    assert method.start_P.grad is not None
    direction = torch.randn_like(method.start_P)
    slope = float(direction @ method.start_P.grad)
    start, losses = method.start_P.detach().clone(), []
    for sign in (1, -1):
        left = iter(list(seen[:2]))
        method._gradient = lambda *_: next(left)  # type: ignore[method-assign]  # noqa: B023
        method.start_P.data = start + sign * 1e-6 * direction
        with torch.no_grad():
            weights = method.train_learner(support)
            *layers, matrix, bias = method._layers(weights)
            logits = method.copies(layers, query) @ matrix.mT + bias[:, None]
            answer = torch.arange(3).repeat_interleave(2).repeat(2)
            losses.append(float(functional.cross_entropy(logits.flatten(0, 1), answer)))
    assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(slope, rel=1e-4)


def test_training_reaches_every_parameter() -> None:
    method = small()
    support, query = episodes(number=2)
    method.loss(EpisodeBatch(support, query.unflatten(1, (3, 2)))).backward()
    gradients = {name: parameter.grad for name, parameter in method.named_parameters()}
    assert {"start_P", "meta_learner.forget.bias", "meta_learner.input.weight", "meta_learner.lstm.weight_hh"} <= set(
        gradients
    )
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients.values())


def test_the_papers_learner() -> None:
    method = MetaLSTM(MetaLSTMConfig())
    assert len(method.start_P) == 32_901  # four blocks of 32 filters on 84×84×3, 800 numbers, 5 ways
    assert [norm.eps for norm in method.copies.layers if isinstance(norm, nn.BatchNorm2d)] == [1e-3] * 4
    assert configure(MetaLSTM, "paper-5-shot", {})[0].updates == 8  # type: ignore[attr-defined]
    assert sum(parameter.numel() for parameter in method.meta_learner.parameters()) == 4 * 20 * (4 + 20 + 2) + 2 * 23


def test_more_ways_than_outputs_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 ways, not 4: train it with --set ways=4"):
        small().scores(*episodes(ways=4))


def test_seconds_of_training_beat_an_untrained_learner(
    characters: Callable[[ImageForm], tuple[Examples, Examples]],
) -> None:
    settings = {"steps": 60, "episodes": 4, "updates": 3, "queries": 3, "hidden": 4, "filters": 8, "lr": 1e-2}
    config, recipe = configure(MetaLSTM, "cpu", {**settings, "validations": 2, "val_episodes": 40, "distortion": {}})
    assert isinstance(config, MetaLSTMConfig) and isinstance(recipe, Recipe)
    background, held_out = characters(config.form)
    torch.manual_seed(0)
    method = MetaLSTM(config)
    before = Validator(held_out, recipe, torch.device("cpu")).accuracy(method)
    trained = train(method, background, recipe, validation=held_out)
    assert trained.accuracy is not None and trained.accuracy > before + 0.2


def test_copies_hold_no_parameters_of_their_own() -> None:
    method = small()
    assert isinstance(method.copies, Copies)
    assert set(method.state_dict()) == {name for name, _ in method.named_parameters()}
