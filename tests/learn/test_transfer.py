"""Transfer learning against ordinary training of one network at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lowshot.data import Examples, ImageForm
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.methods.transfer import FromScratch, Transfer, TransferConfig
from lowshot.learn.recipe import Recipe
from lowshot.learn.run import configure
from lowshot.learn.trainer import Validator, train

WAYS, SHOTS = 3, 2
ANSWER = torch.arange(WAYS).repeat_interleave(SHOTS)


def config(**settings: Any) -> TransferConfig:
    small = {"channels": 1, "size": 16, "filters": 6, "classes": 5, "head_steps": 7, "head_rate": 0.2}
    return TransferConfig(**{**small, "tune_rate": 0.05, **settings})


def small(**settings: Any) -> Transfer:
    """Somewhat trained."""
    torch.manual_seed(0)
    method = Transfer(config(**settings))
    optimizer = torch.optim.Adam(method.parameters(), 0.01)
    for _ in range(5):
        loss = method.loss(ClassBatch(torch.rand(20, 1, 16, 16), torch.randint(0, 5, (20,))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return method.eval()


def episodes(number: int = 3, queries: int = 6) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    drawn = torch.rand(number, WAYS * SHOTS + queries, 1, 16, 16)
    return drawn[:, : WAYS * SHOTS].unflatten(1, (WAYS, SHOTS)), drawn[:, WAYS * SHOTS :]


class Head(nn.Module):
    """The new last layer of one episode."""

    def __init__(self, features: Tensor, scale: float | None) -> None:
        super().__init__()
        means = features.detach().view(WAYS, SHOTS, -1).mean(1)
        self.scale = scale
        self.weight = nn.Parameter(means if scale else means * 0)
        self.bias = nn.Parameter(means[:, 0] * 0) if scale is None else None

    def forward(self, features: Tensor) -> Tensor:
        if self.scale is None:
            return features @ self.weight.T + self.bias
        return self.scale * functional.normalize(features) @ functional.normalize(self.weight).T


def descend(optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor], steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def one_at_a_time(method: Transfer, support: Tensor, query: Tensor) -> Tensor:
    """Head first, then fine-tuning from the last block to the first, one ordinary network after the other."""
    settings = method.config
    every = []
    for images, asked in zip(support.flatten(1, 2), query, strict=True):
        network = copy.deepcopy(method.network).eval()
        scale = float(method.head.log_scale.detach().exp()) if settings.head == "cosine" else None  # type: ignore[operator, union-attr]
        head = Head(network(images), scale)
        groups: list[dict[str, Any]] = [{"params": list(head.parameters()), "weight_decay": settings.head_decay}]
        frozen = network(images).detach()
        first = torch.optim.SGD(groups, settings.head_rate, momentum=0.9)
        descend(first, lambda: functional.cross_entropy(head(frozen), ANSWER), settings.head_steps)  # noqa: B023
        groups = [{"params": list(head.parameters()), "weight_decay": settings.head_decay, "lr": settings.tune_rate}]
        then = torch.optim.SGD(groups, momentum=0.9)
        for depth, block in enumerate(reversed(list(network.blocks))):
            rate = settings.tune_rate * settings.tune_decay**depth
            then.add_param_group({"params": list(block.parameters()), "lr": rate})
            descend(then, lambda: functional.cross_entropy(head(network(images)), ANSWER), settings.tune_steps)  # noqa: B023
        every.append(head(network(asked)).detach())
    return torch.stack(every)


def embedded(method: Transfer, images: Iterable[Tensor]) -> list[Tensor]:
    """What the trainer and the evaluation hand to `scores`."""
    return [method.embed(each.flatten(0, -4)).unflatten(0, each.shape[:-3]).detach() for each in images]


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("tune_steps", [0, 2])
def test_many_episodes_adapt_together_as_one_at_a_time(head: Any, tune_steps: int) -> None:
    method = small(head=head, tune_steps=tune_steps)
    support, query = episodes()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    found = method.scores(*embedded(method, (support, query)))
    torch.testing.assert_close(found, one_at_a_time(method, support, query), atol=1e-4, rtol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


@pytest.mark.parametrize("tune_steps", [0, 2])
def test_nothing_leaks_between_episodes_nor_between_queries(tune_steps: int) -> None:
    method = small(tune_steps=tune_steps)
    for each in (method, FromScratch(config(), steps=3, rate=0.1)):
        support, query = embedded(each, episodes())
        together = each.scores(support, query)
        alone = torch.cat([each.scores(support[[e]], query[[e]]) for e in range(len(support))])
        single = torch.cat([each.scores(support, query[:, [m]]) for m in range(query.shape[1])], dim=1)
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together, single, atol=1e-4, rtol=1e-4)


def test_without_fine_tuning_features_are_computed_once() -> None:
    images = torch.rand(4, 1, 16, 16)
    assert small().embed(images).shape == (4, 6)
    assert torch.equal(small(tune_steps=1).embed(images), images)
    assert small().config.obstacle and small(tune_steps=1).config.obstacle


def test_later_blocks_move_first_and_farther(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many steps for each block, the last one has moved the most and the first one the least."""
    method, (support, query) = small(tune_steps=3, tune_decay=0.5), episodes()
    from lowshot.learn import copies

    kept: list[list[Tensor]] = []
    weights = copies.Copies.weights

    def remember(self: copies.Copies, number: int) -> list[Tensor]:
        kept.append(weights(self, number))
        return kept[-1]

    monkeypatch.setattr(copies.Copies, "weights", remember)
    method.scores(support, query)
    start = copies.Copies(method.network.blocks)
    moved = [
        float((after.detach() - before).norm() / before.norm())
        for after, before in zip(kept[0], weights(start, 3), strict=True)
    ]
    convolutions = moved[::4]
    assert convolutions[0] > 0
    assert convolutions == sorted(convolutions)


def test_from_scratch_is_ordinary_training() -> None:
    torch.manual_seed(2)
    method = FromScratch(config(head="linear"), steps=6, rate=0.1)
    support, query = episodes()
    every = []
    for images, asked in zip(support.flatten(1, 2), query, strict=True):
        network = copy.deepcopy(method.network).train()
        for norm in (layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)):
            norm.momentum = 1.0
        head = Head(network(images), None)
        parameters = [*head.parameters(), *network.parameters()]
        optimizer = torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=method.config.head_decay)
        descend(optimizer, lambda: functional.cross_entropy(head(network(images)), ANSWER), 6)  # noqa: B023
        network(images)  # leaves its statistics behind
        every.append(head(network.eval()(asked)).detach())
    torch.testing.assert_close(method.scores(support, query), torch.stack(every), atol=1e-3, rtol=1e-3)


def test_seconds_of_background_beat_training_from_scratch(
    characters: Callable[[ImageForm], tuple[Examples, Examples]],
) -> None:
    settings = {"steps": 100, "lr": 0.01, "average": 0.9, "filters": 32, "items": 32, "val_ways": 5, "val_episodes": 40}
    chosen, recipe = configure(
        Transfer, "cpu", {**settings, "head": "linear", "validations": 1, "tune_steps": 1, "distortion": {}}
    )
    assert isinstance(chosen, TransferConfig) and isinstance(recipe, Recipe)
    background, held_out = characters(chosen.form)
    background = background.where(alphabet=["Latin"])
    torch.manual_seed(0)
    chosen = Transfer.for_background(chosen, background)
    scratch = FromScratch(chosen, steps=20, rate=0.1)
    before = Validator(held_out, recipe, torch.device("cpu")).accuracy(scratch)
    trained = train(Transfer(chosen), background, recipe, validation=held_out)
    assert trained.accuracy is not None and trained.accuracy > before + 0.15
    assert np.isfinite(before) and before > 0.25
