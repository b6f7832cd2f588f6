"""Every figure against an independent oracle: scikit-learn, SciPy, or trying everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import sem
from sklearn.metrics import auc, roc_auc_score, roc_curve

from lowshot.errors import ShapeError
from lowshot.evaluate.statistics import (
    auroc,
    auroc_ci95,
    best_threshold,
    clustered_ci95,
    equal_error_rate,
    expected_calibration_error,
    expected_right,
    fpr95,
    mean_ci95,
    oscr,
    reliability,
)

lightly = settings(max_examples=40, deadline=None)  # scikit-learn's curves take milliseconds

Pair = tuple[NDArray[Any], NDArray[Any]]


@st.composite
def batches(draw: st.DrawFn) -> Pair:
    """Known (E, N) and unknown (E, M) scores, with many ties."""
    episodes = draw(st.integers(1, 4))
    few_values = st.integers(-3, 3).map(float)
    known, unknown = (arrays(np.float32, (episodes, draw(st.integers(1, 50))), elements=few_values) for _ in range(2))
    return draw(known), draw(unknown)


def truth(known: NDArray[Any], unknown: NDArray[Any]) -> Pair:
    """What scikit-learn takes: which items are known, and all scores."""
    return np.repeat([1, 0], [len(known), len(unknown)]), np.concatenate([known, unknown])


@lightly
@given(batches())
def test_auroc_is_scikit_learns(both: Pair) -> None:
    expected = [roc_auc_score(*truth(known, unknown)) for known, unknown in zip(*both, strict=True)]
    np.testing.assert_allclose(auroc(*both), expected, atol=1e-12)


@lightly
@given(batches(), st.integers(0, 2**32))
def test_oscr_is_the_area_under_the_curve_as_the_threshold_falls(both: Pair, seed: int) -> None:
    right = np.random.default_rng(seed).random(both[0].shape) < 0.7
    for found, known, own, unknown in zip(oscr(both[0], right, both[1]), both[0], right, both[1], strict=True):
        correct, accepted = [0.0], [0.0]
        for threshold in sorted({*known, *unknown}, reverse=True):
            correct.append(sum(own[known >= threshold]) / len(known))
            accepted.append(sum(unknown >= threshold) / len(unknown))
        assert found == pytest.approx(auc(accepted, correct), abs=1e-12)


def test_oscr_of_no_right_answer_is_zero_and_never_above_accuracy_or_auroc() -> None:
    rng = np.random.default_rng(0)
    known, unknown, right = rng.normal(1, 1, (3, 50)), rng.normal(0, 1, (3, 40)), rng.random((3, 50)) < 0.6
    assert oscr(known, np.zeros((3, 50), bool), unknown).tolist() == [0, 0, 0]
    assert (oscr(known, right, unknown) <= np.minimum(right.mean(axis=1), auroc(known, unknown))).all()


@lightly
@given(batches())
def test_fpr95_is_the_first_point_of_scikit_learns_curve(both: Pair) -> None:
    for found, known, unknown in zip(fpr95(*both), *both, strict=True):
        fpr, tpr, _ = roc_curve(*truth(known, unknown), drop_intermediate=False)
        assert found == pytest.approx(fpr[tpr >= 0.95].min(), abs=1e-12)


@lightly
@given(batches())
def test_equal_error_rate_is_where_scikit_learns_curve_crosses(both: Pair) -> None:
    known, unknown = both[0][0], both[1][0]
    fpr, tpr, _ = roc_curve(*truth(known, unknown), drop_intermediate=False)
    # Along the curve, by its length: at equal error the accepted unknown are as many as the rejected known.
    along = np.arange(len(fpr))
    crossing = brentq(lambda at: np.interp(at, along, fpr) + np.interp(at, along, tpr) - 1, 0, len(fpr) - 1, xtol=1e-14)
    assert equal_error_rate(known, unknown) == pytest.approx(np.interp(crossing, along, fpr), abs=1e-9)


@lightly
@given(batches())
def test_no_threshold_is_right_more_often_than_the_best(both: Pair) -> None:
    known, unknown = both[0][0], both[1][0]

    def right(threshold: float) -> int:
        return int((known >= threshold).sum() + (unknown < threshold).sum())

    assert right(best_threshold(known, unknown)) == max(map(right, [*np.arange(-4, 5) - 0.5, -np.inf, np.inf]))


def test_the_best_threshold_lies_halfway_between_the_scores_it_parts() -> None:
    assert best_threshold(np.array([4.0, 9.0]), np.array([1.0, 2.0])) == 3.0


@lightly
@given(arrays(np.float64, st.integers(2, 30), elements=st.floats(-5, 5)))
def test_interval_is_the_standard_error_times_1_96(values: NDArray[Any]) -> None:
    mean, ci95 = mean_ci95(values)
    assert (mean, ci95) == (pytest.approx(np.mean(values)), pytest.approx(1.96 * sem(values), abs=1e-12))


def test_one_value_has_no_interval_and_none_no_mean() -> None:
    assert mean_ci95(np.array([0.5])) == (0.5, None)
    with pytest.raises(ShapeError, match="no values"):
        mean_ci95(np.array([]))


def test_a_tie_counts_by_its_odds() -> None:
    distances = np.array([[1.0, 2.0, 3.0, 0.0], [1.0, 2.0, 1.0, 0.0], [5.0, 2.0, 1.0, 0.0]])  # (references, queries)
    answer = np.array([0, 2, 0, 1])
    np.testing.assert_allclose(expected_right(distances, answer), [1 / 2, 1 / 3, 0, 1 / 3])


@lightly
@given(arrays(np.int64, (5, 40), elements=st.integers(0, 3)), st.integers(0, 2**32))
def test_expected_right_is_the_mean_of_breaking_ties_by_lot(distances: NDArray[Any], seed: int) -> None:
    answer = np.random.default_rng(seed).integers(5, size=40)
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(5), (400, 1)), axis=1)
    lots = [order[np.argmin(distances[order], axis=0)] == answer for order in orders]
    np.testing.assert_allclose(expected_right(distances, answer), np.mean(lots, axis=0), atol=0.17)


@pytest.mark.parametrize("shapes", [((2, 3), (3, 3)), ((2, 0), (2, 3)), ((6,), (6,))])
def test_scores_that_cannot_be_compared_are_refused_with_their_shapes(shapes: Any) -> None:
    with pytest.raises(ShapeError) as caught:
        auroc(*map(np.zeros, shapes))
    assert all(str(shape) in str(caught.value) for shape in shapes)


def test_the_best_threshold_is_finite_even_where_nothing_should_be_accepted() -> None:
    for scale in (0.0, 1.0, 1e30):
        known, unknown = scale * np.array([1.0, 2.0]), scale * np.array([3.0, 4.0, 5.0]) + 1e-9
        assert max(known.max(), unknown.max()) < best_threshold(known, unknown) < np.inf


answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@lightly
@given(answers, st.sampled_from([1, 10, 15]))
def test_calibration_error_is_guos(given: list[tuple[float, bool]], bins: int) -> None:
    """Transcribed bin by bin from equations 2, 3 and 5 of Guo et al. (2017)."""
    confidence, right = np.array([c for c, _ in given]), np.array([r for _, r in given])
    edges = np.linspace(0, 1, bins + 1)
    expected = 0.0
    for k in range(bins):
        members = [i for i, c in enumerate(confidence) if edges[k] < c <= edges[k + 1] or (k == 0 and c == 0)]
        if members:
            expected += len(members) / len(given) * abs(right[members].mean() - confidence[members].mean())
    found = reliability(confidence, right, bins)
    assert found.error == pytest.approx(expected, abs=1e-9)
    assert found.counts.sum() == len(given)
    assert expected_calibration_error(confidence[None], right[None], bins) == (pytest.approx(expected, abs=1e-9), None)


def test_the_interval_of_the_calibration_error_is_the_jackknifes() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random((6, 80))
    right = rng.random((6, 80)) < confidence**2
    error, ci95 = expected_calibration_error(confidence, right)
    without = [reliability(np.delete(confidence, g, 0).ravel(), np.delete(right, g, 0).ravel()).error for g in range(6)]
    variance = 5 / 6 * np.sum((np.array(without) - np.mean(without)) ** 2)
    assert error == pytest.approx(reliability(confidence.ravel(), right.ravel()).error)
    assert ci95 == pytest.approx(1.96 * np.sqrt(variance))


def test_bins_hold_what_they_say() -> None:
    bins = reliability(np.array([0.05, 0.1, 0.11, 1.0]), np.array([1, 0, 1, 1]), bins=10)
    assert bins.counts.tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert bins.accuracy[[0, 1, 9]].tolist() == [0.5, 1, 1] and bins.confidence[0] == pytest.approx(0.075)


def test_answers_without_confidence_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(1, 2\) and right answers \(1, 3\)"):
        reliability(np.zeros(2), np.zeros(3))
    with pytest.raises(ShapeError, match="not empty"):
        expected_calibration_error(np.zeros((2, 0)), np.zeros((2, 0)))


@given(arrays(np.float64, st.integers(2, 40), elements=st.floats(-5, 5)), st.integers(1, 4))
def test_values_said_again_make_no_interval_narrower(values: NDArray[Any], times: int) -> None:
    mean, interval = clustered_ci95(np.repeat(values, times), np.repeat(np.arange(len(values)), times))
    assert (mean, interval) == pytest.approx(mean_ci95(values), abs=1e-9)


def test_the_interval_of_groups_is_the_bootstrap_s() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 300)
    groups = np.repeat(np.arange(300), sizes)
    values = (rng.random(len(groups)) < rng.beta(1, 1, 300)[groups]).astype(float)  # each group has a chance of its own
    sums = np.bincount(groups, values)
    drawn = rng.integers(300, size=(4000, 300))
    spread = (sums[drawn].sum(1) / sizes[drawn].sum(1)).std()
    assert clustered_ci95(values, groups)[1] == pytest.approx(1.96 * spread, rel=0.05)


def test_one_group_has_no_interval_and_shapes_must_agree() -> None:
    assert clustered_ci95(np.array([0.0, 1.0]), np.array([3, 3])) == (0.5, None)
    with pytest.raises(ShapeError, match=r"\(2,\) values and \(3,\) groups"):
        clustered_ci95(np.zeros(2), np.arange(3))
    with pytest.raises(ShapeError):
        clustered_ci95(np.zeros(0), np.zeros(0, np.int64))


@lightly
@given(batches())
def test_auroc_with_an_interval_is_the_auroc(scores: Pair) -> None:
    known, unknown = scores[0][0], scores[1][0]
    assert auroc_ci95(known, unknown, np.arange(len(known)))[0] == pytest.approx(auroc(known[None], unknown[None])[0])


def test_the_interval_of_the_auroc_is_the_bootstrap_s() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 3)
    known, unknown = rng.normal(1, 1, 100)[groups] + rng.normal(0, 0.5, 300), rng.normal(0, 1, 200)
    areas = []
    for _ in range(1000):
        people, strangers = rng.integers(100, size=100), rng.integers(200, size=200)
        areas.append(auroc(known.reshape(100, 3)[people].reshape(1, -1), unknown[strangers][None])[0])
    assert auroc_ci95(known, unknown, groups)[1] == pytest.approx(1.96 * np.std(areas), rel=0.1)
