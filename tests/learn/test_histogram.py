"""Histogram loss: the overlap of two histograms of similarities, filled here pair by pair."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lowshot.errors import ConfigError
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.methods.histogram import HistogramConfig, HistogramLoss
from lowshot.learn.run import configure

LABELS = [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_against_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of any length come to unit length; each similarity is shared by the two nodes beside it."""
    method = HistogramLoss(HistogramConfig(filters=4, nodes=11))
    monkeypatch.setattr(method, "network", torch.nn.Flatten())
    raw = torch.randn(9, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    unit = raw.flatten(1).double().numpy()
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    histograms = {True: np.zeros(11), False: np.zeros(11)}
    for i, j in itertools.combinations(range(9), 2):
        place = (unit[i] @ unit[j] + 1) / 0.2
        left = int(np.floor(place))
        kind = histograms[LABELS[i] == LABELS[j]]
        kind[left] += left + 1 - place
        kind[left + 1] += place - left
    positive, negative = (histograms[each] / histograms[each].sum() for each in (True, False))
    found = method.loss(ClassBatch(raw, torch.tensor(LABELS)))
    assert float(found) == pytest.approx(sum(negative[r] * positive[: r + 1].sum() for r in range(11)), rel=1e-4)


def test_the_defaults_are_the_papers() -> None:
    """Steps of 0.01 over [-1, 1]."""
    config, recipe = configure(HistogramLoss, "paper", {})
    assert isinstance(config, HistogramConfig)
    assert config.nodes == 201 and recipe.lr == 1e-4


def test_settings_that_make_no_sense() -> None:
    for setting, value in (("nodes", "1"), ("distance", "euclidean")):
        with pytest.raises(ConfigError, match=setting):
            configure(HistogramLoss, "cpu", {setting: value})
