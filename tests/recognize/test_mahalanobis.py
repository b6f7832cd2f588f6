"""Mahalanobis prototypes against a plain transcription of the formula, and on classes of different shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowshot.errors import ConfigError
from lowshot.recognize import MahalanobisPrototype, NearestPrototype


def formula(query: Any, examples: Any, labels: Any, beta: float) -> list[float]:
    """Distances of one query, in the order of the sorted labels."""
    every = np.cov(examples.T)
    found = []
    for label in sorted(set(labels)):
        own = examples[labels == label]
        share = len(own) / (len(own) + 1)
        spread = np.cov(own.T) if len(own) > 1 else np.zeros_like(every)
        inverse = np.linalg.inv(share * spread + (1 - share) * every + beta * np.eye(len(query)))
        difference = query - own.mean(axis=0)
        found.append(difference @ inverse @ difference / 2)
    return found


@pytest.mark.parametrize("offset", [0, 1000])
@given(seed=st.integers(0, 1000), beta=st.sampled_from([0.01, 1.0, 30.0]), features=st.integers(2, 12))
def test_distances_are_the_formula_s(offset: float, seed: int, beta: float, features: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array(["one", "three", "three", "many", "three", "alone", *["many"] * 9])
    examples = (rng.normal(size=(len(labels), features)) * rng.uniform(0.1, 9, features) + offset).astype(np.float32)
    queries = (rng.normal(size=(4, features)) * 5 + offset).astype(np.float32)
    found = MahalanobisPrototype(beta).fit(examples, labels).distances(queries)
    expected = [formula(query.astype(float), examples.astype(float), labels, beta) for query in queries]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_single_example_is_enough() -> None:
    recognizer = MahalanobisPrototype(beta=2).fit([[1.0, 1.0]], ["only"])
    np.testing.assert_allclose(recognizer.distances([[1.0, 4.0]]), [[9 / 2 / 2]])


def test_much_of_the_identity_compares_as_squared_euclid() -> None:
    rng = np.random.default_rng(0)
    examples, labels, queries = rng.normal(size=(30, 6)), np.arange(30) % 5, rng.normal(size=(20, 6))
    ours = MahalanobisPrototype(beta=1e6).fit(examples, labels).distances(queries)
    np.testing.assert_allclose(ours * 2e6, NearestPrototype().fit(examples, labels).distances(queries), rtol=1e-3)


def test_it_knows_how_classes_spread() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.1, 6, size=(5, 8))
    middle = rng.normal(size=(5, 8))
    labels = np.arange(5).repeat(40)
    examples, queries = (rng.normal(size=(200, 8)) * spread[labels] + middle[labels] for _ in range(2))
    ours, plain = (
        kind.fit(examples, labels).score(queries, labels) for kind in (MahalanobisPrototype(), NearestPrototype())
    )
    assert ours > plain + 0.05


@pytest.mark.parametrize("beta", [0, -1, float("nan")])
def test_without_the_identity_it_is_refused(beta: float) -> None:
    with pytest.raises(ConfigError, match="beta must be above 0"):
        MahalanobisPrototype(beta).fit([[0.0]], [0])
