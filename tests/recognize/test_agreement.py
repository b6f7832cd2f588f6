"""Wrong labels among right ones: which are found, and that few examples are safe."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize import NearestPrototype, agreement


def written_out(X: Any, y: Any, k: int) -> tuple[list[float], list[bool]]:
    """The rules of the docstring, one example at a time, for the Euclidean distance."""
    scores, flags = [], []
    for i in range(len(y)):
        asked = min(k, y.count(y[i]) - 1)
        others = sorted((j for j in range(len(y)) if j != i), key=lambda j: ((X[i] - X[j]) ** 2).sum())
        votes = [y[j] for j in others[:asked]]
        scores.append(votes.count(y[i]) / asked if asked else 1.0)
        most = max((votes.count(label) for label in set(votes) - {y[i]}), default=0)
        flags.append(most > asked / 2 and y.count(y[i]) > 2)
    flagged = [label for label, flag in zip(y, flags, strict=True) if flag]
    safe = [flag and 2 * flagged.count(label) <= y.count(label) for label, flag in zip(y, flags, strict=True)]
    return scores, safe


@given(seed=st.integers(0, 10_000), n=st.integers(1, 25), classes=st.integers(1, 5), k=st.integers(1, 8))
def test_it_is_what_it_says(seed: int, n: int, classes: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 2)), rng.integers(classes, size=n).tolist()
    found = agreement(X, y, k=k, distance="euclidean")
    scores, flags = written_out(X, y, k)
    np.testing.assert_allclose(found.scores, scores, atol=1e-6)
    assert found.flags.tolist() == flags


def noisy(seed: int, shots: int = 6, ways: int = 8) -> tuple[Any, Any, Any, Any]:
    """Examples, labels of which a fifth are wrong, which of them are, and the centers of the classes."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(ways, 16))
    y = np.repeat(np.arange(ways), shots)
    wrong = rng.random(len(y)) < 0.2
    labels = np.where(wrong, (y + rng.integers(1, ways, len(y))) % ways, y)
    return centers[y] + 0.3 * rng.normal(size=(len(y), 16)), labels, wrong, centers


def test_wrong_labels_are_found() -> None:
    flagged, wrong = (
        np.concatenate(each)
        for each in zip(*((agreement(X, y).flags, bad) for X, y, bad, _ in map(noisy, range(20))), strict=True)
    )
    assert wrong[flagged].mean() > 0.95, "nearly all that is flagged is wrong"
    assert flagged[wrong].mean() > 0.8, "most that is wrong is flagged"


def test_prototypes_without_what_is_flagged_are_better() -> None:
    def off(seed: int, kept_only: bool) -> float:
        X, y, _, centers = noisy(seed)
        kept = ~agreement(X, y).flags if kept_only else np.ones(len(y), bool)
        found = NearestPrototype().fit(X[kept], y[kept])
        return float(np.linalg.norm(found.prototypes_ - centers[found.classes_], axis=1).mean())

    before, after = (np.mean([off(seed, kept_only) for seed in range(20)]) for kept_only in (False, True))
    assert after < 0.6 * before


@given(seed=st.integers(0, 1000), shots=st.integers(1, 2))
def test_one_or_two_examples_are_never_flagged(seed: int, shots: int) -> None:
    rng = np.random.default_rng(seed)
    found = agreement(rng.normal(size=(6 * shots, 3)), np.repeat(list("abcdef"), shots))
    assert not found.flags.any()
    if shots == 1:
        assert (found.scores == 1).all()


@given(seed=st.integers(0, 1000))
def test_at_least_half_of_a_class_stays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(4, size=40)
    flags = agreement(rng.normal(size=(40, 2)), y).flags
    assert (2 * np.bincount(y[flags], minlength=4) <= np.bincount(y, minlength=4)).all()


def test_many_examples_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, *_ = noisy(0)
    whole = agreement(X, y)
    monkeypatch.setattr(sys.modules["lowshot.recognize.agreement"], "_ROWS", 7)
    parts = agreement(X, y)
    assert (whole.flags == parts.flags).all() and (whole.scores == parts.scores).all()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        agreement([1.0, 2.0, 3.0], list("abc"))
    with pytest.raises(ShapeError, match="finite"):
        agreement([[np.inf]], ["a"])
    with pytest.raises(ShapeError, match="1 examples but 2 labels"):
        agreement([[1.0]], ["a", "b"])
    with pytest.raises(ConfigError, match="k must"):
        agreement([[1.0]], ["a"], k=0)
    with pytest.raises(ConfigError, match="distance"):
        agreement([[1.0], [2.0]], ["a", "a"], distance="manhattan")  # type: ignore[arg-type]
