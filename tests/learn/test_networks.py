"""The networks are those of their papers."""

from __future__ import annotations

import torch
from torch import nn

from lowshot.learn.networks import ConvNet, KochNet, StemNet


def parameters(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


def test_four_blocks_give_64_features_at_28_pixels() -> None:
    network = ConvNet()
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 64)
    # Snell's four blocks: a first convolution from one channel, three from 64, each with batch normalization
    assert parameters(network) == (9 + 1 + 2) * 64 + 3 * (9 * 64 + 1 + 2) * 64


def test_relu_behind_the_pooling_changes_nothing() -> None:
    torch.manual_seed(0)
    network = ConvNet(size=32).train()
    textbook = nn.Sequential(
        *(
            nn.Sequential(conv, norm, relu, pool)
            for conv, norm, pool, relu in (block.children() for block in network.blocks)
        )
    )
    images = torch.rand(8, 1, 32, 32)
    assert torch.equal(network(images), textbook(images).flatten(1))


def test_koch_layers_and_size() -> None:
    network = KochNet()
    # 6464 + 401536 + 262272 + 524544 convolutional, 37752832 fully connected: worked out by hand from Figure 4
    assert parameters(network) == 38_947_648
    features = network(torch.rand(1, 1, 105, 105))
    assert features.shape == (1, 4096)
    assert ((features >= 0) & (features <= 1)).all()


def test_koch_start() -> None:
    torch.manual_seed(0)
    network = KochNet()
    first = network.convolutions[0]
    assert isinstance(first, nn.Conv2d)
    assert abs(float(first.weight.detach().std()) - 0.01) < 0.001
    assert abs(float(first.bias.detach().mean()) - 0.5) < 0.01
    assert abs(float(network.connected.weight.detach().std()) - 0.2) < 0.001
    assert float(KochNet(calm_start=True).connected.weight.detach().std()) < 0.01


def test_stem_features_fit_every_size() -> None:
    for size in (28, 35, 42, 43, 56):
        network = StemNet(size=size, filters=8)
        assert network(torch.rand(2, 1, size, size)).shape == (2, network.features)
