"""Triplet networks: each preset is its paper's loss, computed here triplet by triplet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lowshot.errors import ConfigError
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.methods.triplet import TripletConfig, TripletNetworks
from lowshot.learn.run import configure

LABELS = [0, 0, 0, 1, 1, 1, 2, 2, 2]
Points = NDArray[np.float64]


def chosen(preset: str, **settings: Any) -> TripletNetworks:
    config, _ = configure(TripletNetworks, preset, {"filters": 4, **settings})
    assert isinstance(config, TripletConfig)
    return TripletNetworks(config)


def lengths(x: Points) -> Points:
    return np.array([[math.dist(a, b) for b in x] for a in x])


def triplets() -> Iterator[tuple[int, int, int]]:
    for a, label in enumerate(LABELS):
        for p in range(len(LABELS)):
            for n in range(len(LABELS)):
                if a != p and label == LABELS[p] != LABELS[n]:
                    yield a, p, n


def symmetric(x: Points) -> float:
    d, hinges = lengths(x), []
    for p1, p2, n in triplets():
        if p1 < p2:
            hinges += [max(0, 0.2 + d[p1, p2] - d[p1, n]), max(0, 0.2 + d[p1, p2] - d[p2, n])]
    return sum(hinges) / sum(each > 0 for each in hinges)


def hoffer(x: Points) -> float:
    d = lengths(x)
    return float(np.mean([(np.exp(d[a, p]) / (np.exp(d[a, p]) + np.exp(d[a, n]))) ** 2 for a, p, n in triplets()]))


def facenet(x: Points) -> float:
    squares, hinges = lengths(x) ** 2, []
    for a, p in {(a, p) for a, p, _ in triplets()}:
        farther = [squares[a, n] for b, q, n in triplets() if (b, q) == (a, p) and squares[a, n] > squares[a, p]]
        if farther and squares[a, p] - min(farther) + 0.2 > 0:
            hinges.append(squares[a, p] - min(farther) + 0.2)
    return float(np.mean(hinges))


def hermans(x: Points) -> float:
    d = lengths(x)
    hardest = [
        max(d[a, p] for b, p, _ in triplets() if b == a) - min(d[a, n] for b, _, n in triplets() if b == a)
        for a in range(len(LABELS))
    ]
    return float(np.mean([math.log1p(math.exp(each)) for each in hardest]))


PAPERS = {"paper": symmetric, "hoffer": hoffer, "facenet": facenet, "hermans": hermans}


@pytest.mark.parametrize("preset", PAPERS)
def test_each_preset_is_its_papers_loss(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = chosen(preset)
    raw = torch.randn(9, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    monkeypatch.setattr(method, "network", torch.nn.Flatten())
    features = method.embed(raw.view(9, 1, 2, 3)).double()
    assert torch.allclose(features.norm(dim=1), torch.ones(9, dtype=torch.float64), atol=1e-6) == (
        preset in ("paper", "facenet")
    )
    found = float(method.loss(ClassBatch(raw.view(9, 1, 2, 3), torch.tensor(LABELS))))
    assert found == pytest.approx(PAPERS[preset](features.numpy()), rel=1e-4)


def test_a_harder_negative_is_skipped_only_by_semi_hard() -> None:
    """The anchor at 0, its positive at 1; negatives at 0.5 (closer: hard), 1.1 (semi-hard) and 9 (easy)."""
    features = torch.tensor([[0.0], [1.0], [0.5], [1.1], [9.0]])
    labels = torch.tensor([0, 0, 1, 2, 3])
    settings: dict[str, Any] = {"distance": "euclidean", "margin": "0.2"}
    semi_hard = float(chosen("paper", triplets="semi-hard", **settings).loss_of(features, labels))
    batch_hard = float(chosen("paper", triplets="batch-hard", **settings).loss_of(features, labels))
    assert semi_hard == pytest.approx(1 - 1.1 + 0.2)  # the other anchor, at 1, has no negative within reach
    assert batch_hard == pytest.approx(((1 - 0.5 + 0.2) + (1 - 0.1 + 0.2)) / 2)


def test_squared_compares_squares() -> None:
    features = torch.tensor([[0.0], [0.5], [0.6]])
    plain, squared = (
        chosen("paper", distance="euclidean", squared=each, triplets="swap").loss_of(features, torch.tensor([0, 0, 1]))
        for each in (False, True)
    )
    assert float(plain) == pytest.approx(0.5 - 0.1 + 0.2, abs=1e-4)
    assert float(squared) == pytest.approx(0.25 - 0.01 + 0.2, abs=1e-4)


@pytest.mark.parametrize("settings", [{"margin": "hard"}, {"margin": "0"}, {"triplets": "all"}, {"distance": "far"}])
def test_settings_that_make_no_sense(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        configure(TripletNetworks, "cpu", settings)


def test_gradient_reaches_every_part() -> None:
    torch.manual_seed(0)
    method = chosen("cpu")
    method.loss(ClassBatch(torch.rand(9, 1, 28, 28), torch.tensor(LABELS))).backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if not name.endswith("0.bias"):  # batch normalization takes a convolution's bias away again
            assert parameter.grad.abs().sum() > 0, name
