"""Copies of a network against the network itself, run once for each."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowshot.learn.copies import Copies, in_parts
from lowshot.learn.networks import ConvNet, StemNet

NETWORKS: dict[str, Any] = {"conv4": ConvNet(size=16, filters=4), "stem": StemNet(size=16, filters=4)}


@pytest.fixture(params=NETWORKS)
def networks(request: pytest.FixtureRequest) -> list[nn.Module]:
    """Three networks of one kind with different weights and running statistics, in double precision."""
    torch.manual_seed(0)
    made = [copy.deepcopy(NETWORKS[request.param]).double() for _ in range(3)]
    for network in made:
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.1)
    return made


def stacked(networks: list[nn.Module]) -> list[Tensor]:
    """The weights of all, with gradients."""
    every = zip(*(network.parameters() for network in networks), strict=True)
    return [torch.stack(list(weights)).detach().requires_grad_() for weights in every]


@pytest.mark.parametrize("training", [True, False])
def test_each_copy_is_the_network_with_its_own_weights(networks: list[Any], training: bool) -> None:
    images = torch.rand(3, 5, 1, 16, 16, dtype=torch.float64)
    copies, weights = Copies(networks[0].blocks), stacked(networks)
    statistics = None
    if not training:
        each = [Copies(network.blocks).statistics(1) for network in networks]
        statistics = [
            (torch.cat([m for m, _ in one]), torch.cat([v for _, v in one])) for one in zip(*each, strict=True)
        ]
    found = copies(weights, images, statistics)
    gradients = torch.autograd.grad(found.square().sum(), weights)
    for number, network in enumerate(networks):
        expected = network.train(training)(images[number])
        torch.testing.assert_close(found[number], expected)
        own = torch.autograd.grad(expected.square().sum(), list(network.parameters()))
        for ours, theirs in zip(gradients, own, strict=True):
            torch.testing.assert_close(ours[number], theirs)


def test_measured_statistics_are_what_torch_would_keep(networks: list[Any]) -> None:
    images = torch.rand(3, 5, 1, 16, 16, dtype=torch.float64)
    measured = Copies(networks[0].blocks).measure(stacked(networks), images)
    for number, network in enumerate(networks):
        norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        network.train()(images[number])
        for norm, (mean, variance) in zip(norms, measured, strict=True):
            torch.testing.assert_close(mean.chunk(3)[number], norm.running_mean)
            torch.testing.assert_close(variance.chunk(3)[number], norm.running_var)


def test_copies_start_with_the_networks_weights_and_leave_them_alone() -> None:
    network = ConvNet(size=16, filters=4)
    copies = Copies(network.blocks)
    weights = copies.weights(2)
    for weight, own in zip(weights, network.parameters(), strict=True):
        assert not weight.requires_grad and torch.equal(weight, torch.stack([own, own]).detach())
        weight += 1
        assert not torch.equal(weight[0], own)
    before = [norm.clone() for norm in network.buffers()]
    copies.measure(copies.weights(2), torch.rand(2, 3, 1, 16, 16))
    assert all(map(torch.equal, before, network.buffers()))


def test_parts_are_as_large_as_memory_allows() -> None:
    sizes = []

    def answer(support: Tensor, query: Tensor) -> Tensor:
        sizes.append(len(support))
        return query * support

    support, query = torch.rand(2, 7, 1)
    assert torch.equal(in_parts(answer, support, query, 1 << 24), support * query)
    assert sizes == [2, 2, 2, 1]
    assert torch.equal(in_parts(answer, support, query, 1 << 40), support * query)
    assert sizes[4:] == [1] * 7
