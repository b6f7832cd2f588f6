"""Relation Networks against the relation module applied to concatenated maps, one pair at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lowshot.learn.method import EpisodeBatch
from lowshot.learn.methods.relation import RelationConfig, RelationNetworks


def relation(**settings: Any) -> RelationNetworks:
    """With batch statistics that are not those of the start."""
    torch.manual_seed(0)
    method = RelationNetworks(RelationConfig(filters=4, **settings))
    method.loss(EpisodeBatch(torch.rand(1, 5, 1, 1, 28, 28), torch.rand(1, 5, 3, 1, 28, 28)))
    return method.double().eval()


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(*shape, 4, 5, 5)))


@pytest.mark.parametrize("shots_as", ["sum", "mean"])
def test_scores_are_of_concatenated_maps(shots_as: Any) -> None:
    method, support, query = relation(shots_as=shots_as), maps(2, 3, 2), maps(2, 6, seed=1)
    with torch.no_grad():
        found = method.scores(support, query)
        for e in range(2):
            for m in range(6):
                for w in range(3):
                    of_class = support[e, w, 0] + support[e, w, 1]
                    pair = torch.cat([of_class if shots_as == "sum" else of_class / 2, query[e, m]])
                    expected = method.relation(method.concatenated(pair[None]))
                    assert float(found[e, m, w]) == pytest.approx(float(expected), rel=1e-6)


def test_loss_is_the_mean_squared_error_of_scores_in_0_to_1() -> None:
    method = relation().float()
    support, query = (torch.rand(1, 4, n, 1, 28, 28) for n in (2, 3))
    found = float(method.loss(EpisodeBatch(support, query)).detach())
    with torch.no_grad():
        of_support, of_query = (method.embed(each.flatten(0, 2)) for each in (support, query))
        odds = method.scores(of_support.unflatten(0, (1, 4, 2)), of_query[None])[0].numpy()
    scores = 1 / (1 + np.exp(-odds))
    errors = [(scores[m, w] - (m // 3 == w)) ** 2 for m in range(12) for w in range(4)]
    assert found == pytest.approx(np.mean(errors), rel=1e-5)


@pytest.mark.parametrize("size", [22, 28, 45])
def test_images_of_any_size_from_22_on(size: int) -> None:
    method = RelationNetworks(RelationConfig(filters=4, size=size)).eval()
    maps_NCHW = method.embed(torch.rand(5, 1, size, size))
    assert method.scores(maps_NCHW[None, :3, None], maps_NCHW[None, 3:]).shape == (1, 2, 3)
    with pytest.raises(ValueError, match="22"):
        RelationConfig(size=21)


def test_gradients() -> None:
    method = relation()
    support, query = maps(2, 1).requires_grad_(), maps(2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(method.compare, (support, query))
