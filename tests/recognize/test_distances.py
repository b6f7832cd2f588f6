"""Distances against SciPy's, one pair at a time."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance as oracle

from lowshot.encoder import Distance as CardDistance
from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize import Distance, distances

_FEATURES = arrays(np.float32, (4, 6), elements=st.floats(-100, 100, width=32, allow_subnormal=False))


def _one(kind: Distance, a: Any, b: Any) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    if kind == "cosine" and not (np.linalg.norm(a) and np.linalg.norm(b)):
        return 1
    return {"euclidean": oracle.sqeuclidean, "cosine": oracle.cosine, "l1": oracle.cityblock}[kind](a, b)


@pytest.mark.parametrize("kind", get_args(Distance))
@given(queries=_FEATURES, references=_FEATURES)
def test_every_pair_is_as_scipy_says(kind: Distance, queries: Any, references: Any) -> None:
    got = distances(queries, references, kind)
    want = [[_one(kind, a, b) for b in references] for a in queries]
    assert got.dtype == np.float32
    # Rounding is relative to the squares that cancel, not to their difference.
    largest = 1 + max(np.square(queries).sum(1).max(), np.square(references).sum(1).max())
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 if kind == "cosine" else 1e-6 * largest)


def test_negative_features_count_against_l1() -> None:
    queries, references = np.array([[0.0, 0.0, 0.0]]), np.array([[1.0, 2.0, 4.0], [1.0, 2.0, -4.0]])
    assert distances(queries, references, "l1", negative=1).tolist() == [[-1.0, -1.0]]
    assert distances(queries, references, "l1", negative=3).tolist() == [[-7.0, -7.0]]


def test_nothing_to_compare_is_no_error() -> None:
    assert distances(np.zeros((0, 3)), np.zeros((5, 3)), "euclidean").shape == (0, 5)


def test_different_widths_are_refused_with_both_shapes() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(5, 4\)"):
        distances(np.zeros((2, 3)), np.zeros((5, 4)), "cosine")


def test_an_unknown_distance_is_refused() -> None:
    with pytest.raises(ConfigError, match="hamming"):
        distances(np.zeros((2, 3)), np.zeros((5, 3)), "hamming")  # type: ignore[arg-type]


def test_cards_and_recognizers_know_the_same_distances() -> None:
    assert get_args(CardDistance) == get_args(Distance)
