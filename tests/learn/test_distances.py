"""Distances on tensors against SciPy and against the twin that works without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from lowshot.encoder import Distance
from lowshot.learn.distances import distances, mahalanobis
from lowshot.learn.embedding import EpisodeConfig
from lowshot.learn.methods.prototypical import PrototypicalConfig, PrototypicalNetworks
from lowshot.recognize import MahalanobisPrototype
from lowshot.recognize.distances import distances as distances_without_torch

ORACLE = {"euclidean": "sqeuclidean", "cosine": "cosine", "l1": "cityblock"}


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "l1"])
def test_against_scipy(distance: Distance) -> None:
    rng = np.random.default_rng(0)
    queries, references = rng.normal(size=(3, 5, 7)), rng.normal(size=(3, 4, 7))
    found = distances(torch.from_numpy(queries), torch.from_numpy(references), distance).numpy()
    for batch in range(3):
        np.testing.assert_allclose(found[batch], cdist(queries[batch], references[batch], ORACLE[distance]), atol=1e-9)
    twin = distances_without_torch(queries[0].astype(np.float32), references[0].astype(np.float32), distance)
    np.testing.assert_allclose(twin, found[0], atol=1e-4)


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "l1"])
def test_gradients(distance: Distance) -> None:
    torch.manual_seed(0)
    query, reference = (torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda q, r: distances(q, r, distance), (query, reference))


def mahalanobis_of_one(query: Any, support: Any) -> list[float]:
    """Distances of one query (D,) to the classes of a support set (W, K, D), by the formula."""
    _, shots, features = support.shape
    every, found = np.cov(support.reshape(-1, features).T), []
    for way in support:
        own = np.cov(way.T) if shots > 1 else np.zeros((features, features))
        share = shots / (shots + 1)
        difference = query - way.mean(axis=0)
        inverse = np.linalg.inv(share * own + (1 - share) * every + np.eye(features))
        found.append(difference @ inverse @ difference / 2)
    return found


@pytest.mark.parametrize("features", [2, 20])  # fewer than there are support examples, and more
@pytest.mark.parametrize("shots", [1, 2, 4])
def test_mahalanobis_is_the_formula_and_its_twin_s(features: int, shots: int) -> None:
    rng = np.random.default_rng(0)
    support, query = rng.normal(size=(3, 4, shots, features)) * 3 + 5, rng.normal(size=(3, 6, features)) * 4 + 5
    found = mahalanobis(torch.from_numpy(query), torch.from_numpy(support)).numpy()
    expected = [[mahalanobis_of_one(q, s) for q in each] for each, s in zip(query, support, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    single = mahalanobis(torch.from_numpy(query).float(), torch.from_numpy(support).float())
    np.testing.assert_allclose(single, expected, rtol=1e-4)
    twin = MahalanobisPrototype().fit(support[0].reshape(-1, features), np.arange(4).repeat(shots))
    np.testing.assert_allclose(twin.distances(query[0]), found[0], rtol=1e-4)


@pytest.mark.parametrize("features", [2, 20])
@pytest.mark.parametrize("shots", [1, 2])
def test_gradients_of_mahalanobis(features: int, shots: int) -> None:
    torch.manual_seed(0)
    shapes = (1, 2, features), (1, 3, shots, features)
    assert torch.autograd.gradcheck(
        mahalanobis, tuple(torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes)
    )


def test_prototypes_are_compared_by_mahalanobis_too() -> None:
    config = PrototypicalConfig(distance="mahalanobis", filters=4)
    method, support, query = PrototypicalNetworks(config), torch.randn(1, 3, 2, 4), torch.randn(1, 5, 4)
    torch.testing.assert_close(method.scores(support, query), -mahalanobis(query, support))
    with pytest.raises(NotImplementedError, match="spread of the whole support set"):
        method.exported()
    with pytest.raises(ValueError, match="compare=prototype"):
        EpisodeConfig(distance="mahalanobis", compare="neighbor")
