"""Contrastive loss, computed here pair by pair."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from lowshot.errors import ConfigError
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.methods.contrastive import ContrastiveConfig, ContrastiveLoss
from lowshot.learn.run import configure

LABELS = [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_against_loops(distance: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    method = ContrastiveLoss(ContrastiveConfig(filters=4, distance=distance, margin=1.3))
    monkeypatch.setattr(method, "network", torch.nn.Flatten())
    raw = torch.randn(9, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    points = raw.flatten(1).double().numpy()
    if distance == "cosine":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    same, other = [], []
    for i, j in itertools.combinations(range(9), 2):
        d = math.dist(points[i], points[j])
        if LABELS[i] == LABELS[j]:
            same.append(d**2 / 2)
        elif d < 1.3:
            other.append((1.3 - d) ** 2 / 2)
    found = method.loss(ClassBatch(raw, torch.tensor(LABELS)))
    assert float(found) == pytest.approx(np.mean(same) + np.mean(other), rel=1e-4)


def test_pairs_beyond_the_margin_are_left_alone() -> None:
    method = ContrastiveLoss(ContrastiveConfig(filters=4, distance="euclidean", margin=1))
    features = torch.tensor([[0.0], [0.1], [5.0], [5.1]], requires_grad=True)
    method.loss_of(features, torch.tensor([0, 0, 1, 1])).backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    pull = features.grad[:, 0]
    assert pull[0] < 0 < pull[1] and pull[2] < 0 < pull[3], "each pair is drawn together"
    torch.testing.assert_close(pull[:2], pull[2:], rtol=1e-3, atol=0)


def test_a_margin_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="margin"):
        configure(ContrastiveLoss, "cpu", {"margin": "0"})
