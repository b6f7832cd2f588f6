"""What learned comparisons share: which pairs a step has and how they weigh, and that comparing is learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lowshot.data import EpisodeSampler, load
from lowshot.learn.batches import Batches
from lowshot.learn.comparison import ComparisonMethod
from lowshot.learn.method import EpisodeBatch
from lowshot.learn.methods.learned_distance import LearnedDistance, LearnedDistanceConfig
from lowshot.learn.methods.relation import RelationNetworks
from lowshot.learn.run import configure
from lowshot.learn.trainer import Validator, train

every = pytest.mark.parametrize("method", [LearnedDistance, RelationNetworks])


@pytest.mark.parametrize("balanced", [False, True])
def test_like_and_unlike_pairs_weigh_the_same_when_balanced(balanced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    method = LearnedDistance(LearnedDistanceConfig(filters=4, balanced=balanced)).eval()
    support, query = torch.rand(2, 4, 1, 1, 28, 28), torch.rand(2, 4, 3, 1, 28, 28)
    found = float(method.loss(EpisodeBatch(support, query)).detach())
    kinds: dict[bool, list[float]] = {True: [], False: []}
    with torch.no_grad():
        for e in range(2):
            odds = method.log_odds(method.embed(query[e].flatten(0, 1)), method.embed(support[e, :, 0])).double()
            for m in range(12):
                for w in range(4):
                    alike = m // 3 == w
                    probability = 1 / (1 + np.exp(-float(odds[m, w])))
                    kinds[alike].append(-np.log(probability if alike else 1 - probability))
    means = [np.mean(kinds[True]), np.mean(kinds[False])]
    assert found == pytest.approx(np.mean(means) if balanced else np.mean(kinds[True] + kinds[False]), rel=1e-5)


@every
def test_a_step_is_an_episode(method: type[ComparisonMethod[Any]]) -> None:
    config, _ = configure(method, "cpu", {"ways": 5, "shots": 2, "queries": 3, "filters": 4})
    chosen, labels = method(config), np.repeat(np.arange(9), 6)
    indices = chosen.draw(EpisodeSampler(labels), (0,))
    assert indices.shape == (1, 5, 5) and len(set(indices.flat)) == 25
    assert (labels[indices] == labels[indices[:, :, :1]]).all()
    batch = chosen.batch(torch.arange(25).view(1, 5, 5), torch.from_numpy(labels[indices]))
    assert batch.support.shape == (1, 5, 2) and batch.query[0, 0].tolist() == [2, 3, 4]


@every
def test_a_network_that_compares_is_no_encoder(method: type[ComparisonMethod[Any]]) -> None:
    config, _ = configure(method, "cpu", {"filters": 4})
    with pytest.raises(NotImplementedError, match="compared by a network"):
        method(config).exported()


@every
def test_gradient_reaches_every_part(method: type[ComparisonMethod[Any]]) -> None:
    torch.manual_seed(0)
    config, _ = configure(method, "cpu", {"filters": 8})
    chosen = method(config)
    chosen.loss(EpisodeBatch(torch.rand(1, 6, 2, 1, 28, 28), torch.rand(1, 6, 3, 1, 28, 28))).backward()
    for name, parameter in chosen.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0 or name.endswith("bias"), name


@every
def test_seconds_of_training_on_digits_beat_an_untrained_network(method: type[ComparisonMethod[Any]]) -> None:
    settings = {"steps": 60, "average": 0.9, "distortion": {}, "ways": 10, "filters": 16}
    config, recipe = configure(method, "cpu", {**settings, "val_ways": 10, "val_episodes": 20})
    digits = load("digits", config.form)
    odd = np.arange(len(digits)) % 2 == 1
    torch.manual_seed(0)
    chosen, other_half = method(config), Validator(digits.take(~odd), recipe, torch.device("cpu"))
    with torch.no_grad():  # batch statistics, so that the start is a fair one
        chosen.train()(Batches(digits.take(odd), chosen, recipe.distortion, torch.device("cpu")).draw(seed=0, step=0))
    before = other_half.accuracy(chosen)
    train(chosen, digits.take(odd), recipe)
    assert other_half.accuracy(chosen) > before + 0.2  # 10-way 1-shot: chance is 0.1
