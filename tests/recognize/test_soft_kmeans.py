"""Soft k-means against the paper's formulas, written out, and on items that should help or should not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize import NearestPrototype, SoftKMeans


@parametrize_with_checks([SoftKMeans()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


def episode(seed: int = 0, shots: int = 1, unlabeled: int = 12, spread: float = 0.7) -> tuple[Any, ...]:
    """Four classes around centers: examples, labels, unlabeled items, queries and their labels."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(4, 6))
    around = [(centers[:, None] + spread * rng.normal(size=(4, n, 6))).reshape(-1, 6) for n in (shots, unlabeled, 20)]
    return around[0], np.repeat(list("abcd"), shots), around[1], around[2], np.repeat(list("abcd"), 20)


def written_out(
    X: Any, y: Any, unlabeled: Any, temperature: float, steps: int, mask: tuple[float, float] | None
) -> Any:
    """Equations 4 (shares), 5 (refined means) and 8 to 10 (mask), one number at a time, for the Euclidean distance."""
    classes = sorted(set(y))
    prototypes = {c: np.mean([x for x, label in zip(X, y, strict=True) if label == c], axis=0) for c in classes}
    for _ in range(steps):
        far = {c: [((u - prototypes[c]) ** 2).sum() for u in unlabeled] for c in classes}
        new = {}
        for c in classes:
            top = sum(x for x, label in zip(X, y, strict=True) if label == c)
            bottom = float(sum(label == c for label in y))
            for j, u in enumerate(unlabeled):
                share = np.exp(-far[c][j] / temperature) / sum(np.exp(-far[k][j] / temperature) for k in classes)
                if mask is not None:
                    share *= 1 / (1 + np.exp(mask[1] * (far[c][j] / np.mean(far[c]) - mask[0])))
                top, bottom = top + share * u, bottom + share
            new[c] = top / bottom
        prototypes = new
    return np.array([prototypes[c] for c in classes])


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("mask", [None, (0.5, 4.0)])
@settings(max_examples=20)
@given(seed=st.integers(0, 100), shots=st.integers(1, 3), temperature=st.floats(0.3, 5))
def test_refined_prototypes_are_the_papers(
    steps: int, mask: tuple[float, float] | None, seed: int, shots: int, temperature: float
) -> None:
    X, y, unlabeled, *_ = episode(seed, shots, unlabeled=3)
    ours = SoftKMeans(temperature=temperature, steps=steps, mask=mask).fit(X, y, unlabeled)
    np.testing.assert_allclose(
        ours.refined_, written_out(X, y, unlabeled, temperature, steps, mask), rtol=1e-3, atol=1e-4
    )


def test_without_unlabeled_items_it_is_nearest_prototype() -> None:
    X, y, _, queries, _ = episode()
    plain = NearestPrototype().fit(X, y).distances(queries)
    for none in (None, np.zeros((0, 6))):
        assert (SoftKMeans().fit(X, y, none).distances(queries) == plain).all()


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_unlabeled_items_improve_answers(distance: Any) -> None:
    gains = []
    for seed in range(40):
        X, y, unlabeled, queries, answers = episode(seed)
        recognizer = SoftKMeans(distance, temperature=1 if distance == "euclidean" else 0.1)
        before = (recognizer.fit(X, y).predict(queries) == answers).mean()
        gains.append((recognizer.fit(X, y, unlabeled).predict(queries) == answers).mean() - before)
    assert np.mean(gains) > 0.04


def test_a_mask_keeps_distractors_out() -> None:
    X, y, unlabeled, *_ = episode(spread=0.2)
    distractors = np.random.default_rng(1).normal(size=(24, 6)) + 3
    alone = SoftKMeans().fit(X, y, unlabeled).refined_
    moved = [
        np.abs(SoftKMeans(mask=mask).fit(X, y, np.concatenate([unlabeled, distractors])).refined_ - alone).max()
        for mask in (None, (0.2, 50.0))
    ]
    assert moved[0] > 1 and moved[1] < 0.2


def test_unlabeled_items_stay_while_examples_come_and_go() -> None:
    X, y, unlabeled, queries, _ = episode(shots=3)
    whole = SoftKMeans().fit(X, y, unlabeled).distances(queries)
    recognizer = SoftKMeans().fit(X[:5], y[:5], unlabeled).partial_fit(X[5:], y[5:])
    np.testing.assert_allclose(recognizer.distances(queries), whole, rtol=1e-4, atol=1e-4)
    recognizer.partial_fit(X[:2] + 1, ["e", "e"]).remove(["e"])
    np.testing.assert_allclose(recognizer.distances(queries), whole, rtol=1e-4, atol=1e-4)


def test_labels_can_be_anything() -> None:
    recognizer = SoftKMeans().fit([[0.0], [9.0]], [-1, ("a", 1)], unlabeled=[[1.0], [8.0]])
    assert recognizer.predict([[2.0], [7.0]]).tolist() == [-1, ("a", 1)]


def test_items_far_beyond_float32_exponents_do_not_overflow() -> None:
    recognizer = SoftKMeans(mask=(0.1, 1000.0)).fit([[0.0], [9.0]], "ab", unlabeled=[[1e6], [0.5]])
    assert np.isfinite(recognizer.refined_).all()


@pytest.mark.parametrize(
    ("settings", "unlabeled", "error", "needle"),
    [
        ({"steps": 0}, [[1.0]], ConfigError, "steps"),
        ({"mask": (1.0,)}, [[1.0]], ConfigError, "mask"),
        ({"mask": 3}, [[1.0]], ConfigError, "mask"),
        ({"mask": (0.0, 5.0)}, [[1.0]], ConfigError, "above 0"),
        ({}, [[1.0, 2.0]], ShapeError, r"\(1, 2\)"),
        ({}, [[np.nan]], ShapeError, "NaN"),
    ],
)
def test_bad_input_is_refused(settings: Any, unlabeled: Any, error: type[Exception], needle: str) -> None:
    with pytest.raises(error, match=needle):
        SoftKMeans(**settings).fit([[0.0], [9.0]], ["a", "b"], unlabeled)
