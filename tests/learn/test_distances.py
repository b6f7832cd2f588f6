"""Distances on tensors against SciPy and against the twin that works without torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from lowshot.encoder import Distance
from lowshot.learn.distances import distances
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
