"""What works against overfitting does what it says, and nothing when it is off."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lowshot.data import Examples, load
from lowshot.errors import ConfigError
from lowshot.learn.methods.prototypical import PrototypicalConfig, PrototypicalNetworks
from lowshot.learn.networks import ConvNet, StemNet
from lowshot.learn.recipe import Recipe
from lowshot.learn.regularize import feature_length, mix, soft_cross_entropy, watch
from lowshot.learn.trainer import train

SMALL = {"filters": 8, "ways": 4, "queries": 2}


@pytest.fixture(scope="module")
def digits() -> Examples:
    return load("digits", PrototypicalConfig().form)


def test_soft_cross_entropy_against_numpy() -> None:
    rng = np.random.default_rng(0)
    scores, answer, other = rng.normal(size=(7, 5)), rng.integers(0, 5, 7), rng.integers(0, 5, 7)
    share, smoothing = 0.7, 0.1
    truth = share * np.eye(5)[answer] + (1 - share) * np.eye(5)[other]
    target = (1 - smoothing) * truth + smoothing / 5
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    found = soft_cross_entropy(*map(torch.from_numpy, (scores, answer, other)), share, smoothing)
    assert float(found) == pytest.approx(-(target * log_p).sum(axis=1).mean(), abs=1e-12)


def test_mixing_is_between_neighbors_and_shares_sum_to_one() -> None:
    torch.manual_seed(3)
    ways = torch.arange(4.0)[None, :, None].expand(1, 4, 2)
    mixed, share = mix(ways, 0.4, axis=1)
    assert 0 <= share <= 1
    torch.testing.assert_close(mixed[0, :, 0], share * torch.arange(4.0) + (1 - share) * torch.tensor([3.0, 0, 1, 2]))


@pytest.mark.parametrize("network", [ConvNet, StemNet])
def test_dropout_works_in_training_only(network: type[ConvNet] | type[StemNet]) -> None:
    torch.manual_seed(0)
    built = network(size=28, filters=8, dropout=0.5)
    images = torch.rand(4, 1, 28, 28)
    built.eval()
    assert torch.equal(built(images), built(images))
    for layer in built.modules():
        layer.training = isinstance(layer, torch.nn.Dropout)
    assert not torch.equal(built(images), built(images))
    assert network(size=28, filters=8).state_dict().keys() == built.state_dict().keys()


def test_feature_length_is_what_the_network_gave() -> None:
    network = torch.nn.Identity()
    with watch(network) as seen:
        network(torch.full((4, 3), 2.0))
    network(torch.ones(4, 3))
    assert float(feature_length(seen)) == 4.0 and len(seen) == 1


@pytest.mark.parametrize("option", ["label_smoothing", "mixup", "dropout", "embedding_norm", "weight_decay"])
def test_every_option_changes_what_is_learned(option: str, digits: Examples) -> None:
    def weights(**settings: float) -> torch.Tensor:
        torch.manual_seed(0)
        of_method = {key: value for key, value in settings.items() if key in PrototypicalConfig.model_fields}
        of_recipe = {key: value for key, value in settings.items() if key not in of_method}
        method = PrototypicalNetworks(PrototypicalConfig.model_validate(SMALL | of_method))
        trained = train(method, digits, Recipe.model_validate({"steps": 3, **of_recipe}))
        return torch.cat([value.detach().flatten() for value in trained.method.parameters()])

    assert torch.equal(weights(), weights(**{option: 0.0}))
    assert torch.equal(weights(**{option: 0.3}), weights(**{option: 0.3})), "the seed decides"
    assert not torch.equal(weights(), weights(**{option: 0.3}))


def test_embedding_norm_makes_features_short(digits: Examples) -> None:
    def length(weight: float) -> float:
        torch.manual_seed(0)
        method = PrototypicalNetworks(PrototypicalConfig.model_validate(SMALL))
        train(method, digits, Recipe(steps=30, embedding_norm=weight))
        with torch.no_grad():
            return float(method.embed(torch.rand(8, 1, 28, 28)).square().mean())

    assert length(10.0) < 0.5 * length(0)


def test_what_has_no_features_cannot_have_short_ones(digits: Examples) -> None:
    method = PrototypicalNetworks(PrototypicalConfig.model_validate(SMALL))
    del method.network
    with pytest.raises(ConfigError, match="embedding_norm"):
        train(method, digits, Recipe(steps=1, embedding_norm=1))
