"""Quadruplet loss: both hinges and both kinds of margin, computed here quadruplet by quadruplet."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from lowshot.errors import ConfigError
from lowshot.learn.methods.quadruplet import QuadrupletConfig, QuadrupletLoss
from lowshot.learn.run import configure

LABELS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]


def method(**settings: Any) -> QuadrupletLoss:
    return QuadrupletLoss(QuadrupletConfig(filters=4, **settings))


def features(scale: float = 1) -> torch.Tensor:
    """Unit features around a place of their own for each class, near enough to each other that some pairs are hard."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(len(LABELS), 4, generator=generator, dtype=torch.float64)
    return scale * torch.nn.functional.normalize(torch.eye(4, dtype=torch.float64)[LABELS] + 0.5 * drawn, dim=1)


@pytest.mark.parametrize("adaptive", [True, False])
def test_against_loops(adaptive: bool) -> None:
    x = features().numpy()
    squares = ((x[:, None] - x[None]) ** 2).sum(-1)
    pairs = list(itertools.combinations(range(len(LABELS)), 2))
    same = [squares[i, j] for i, j in pairs if LABELS[i] == LABELS[j]]
    other = [squares[i, j] for i, j in pairs if LABELS[i] != LABELS[j]]
    unit = np.mean(other) - np.mean(same) if adaptive else 1.0
    assert unit > 0
    first, second = [], []
    for i, j in itertools.permutations(range(len(LABELS)), 2):
        if LABELS[i] != LABELS[j]:
            continue
        negatives = [k for k, label in enumerate(LABELS) if label != LABELS[i]]
        first += [squares[i, j] - squares[i, k] + 0.8 * unit for k in negatives]
        others = [(k, m) for k, m in itertools.combinations(negatives, 2) if LABELS[k] != LABELS[m]]
        second += [squares[i, j] - squares[k, m] + 0.3 * unit for k, m in others]
    expected = sum(np.mean([x for x in each if x > 0]) for each in (first, second))
    found = method(margin=0.8, second_margin=0.3, adaptive=adaptive).loss_of(features(), torch.tensor(LABELS))
    assert float(found) == pytest.approx(expected)


def test_adaptive_margins_grow_with_the_features() -> None:
    labels = torch.tensor(LABELS)
    small, large = (float(method().loss_of(features(scale), labels)) for scale in (1, 3))
    assert large == pytest.approx(9 * small)


def test_classes_that_are_told_apart_cost_nothing_but_the_mean() -> None:
    """Two points of each class at one place, the places equally far apart: every pair is a margin away, none is hard."""
    places = torch.eye(4, dtype=torch.float64).repeat_interleave(2, 0)
    found = method(margin=1.0).loss_of(places, torch.arange(4).repeat_interleave(2))
    assert float(found) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "says"), [({"second_margin": "2"}, "second_margin must be below margin"), ({"ways": "2"}, "ways")]
)
def test_settings_that_make_no_sense(settings: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        configure(QuadrupletLoss, "cpu", settings)
