"""Zero-shot recognizers against their formulas, scikit-learn, and examples worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge

from lowshot.errors import ConfigError, DataError, ShapeError
from lowshot.recognize import ESZSL, DirectAttributePrediction, SemanticCodes, ZeroShot
from lowshot.recognize.dap import held_out_classes, platt
from lowshot.recognize.zero_shot import ridge
from lowshot.recognize.zero_shot_named import NAMES, zero_shot_named

every = pytest.mark.parametrize("recognizer", [zero_shot_named(name) for name in NAMES], ids=NAMES)


def world(
    seed: int = 0, classes: int = 12, each: int = 6, features: int = 8, attributes: int = 5
) -> tuple[Any, Any, Any]:
    """Features that a code makes, with some noise; all codes differ."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(2**attributes)[:classes]
    codes = (numbers[:, None] >> np.arange(attributes) & 1).astype(float)
    labels = np.repeat(np.arange(classes), each)
    X = codes[labels] @ rng.normal(size=(attributes, features)) + rng.normal(0, 0.1, (len(labels), features))
    return X, labels, codes


@every
def test_unseen_classes_are_told_by_their_codes(recognizer: ZeroShot) -> None:
    X, y, codes = world(classes=24)
    new = [3, 8, 20]
    out = np.isin(y, new)
    known = clone(recognizer).fit(X[~out], y[~out], codes[np.unique(y[~out])]).describe(new, codes[new])
    assert (known.predict(X[out]) == y[out]).mean() > 0.9
    assert known.classes_.tolist() == new and known.seen_classes_.tolist() == np.unique(y[~out]).tolist()


@every
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_examples_and_of_classes_makes_no_difference(recognizer: ZeroShot, seed: int) -> None:
    X, y, codes = world(3)
    order = np.random.default_rng(seed).permutation(len(y))
    one = clone(recognizer).fit(X, y, codes).scores(X)
    other = clone(recognizer).fit(X[order], y[order], codes)
    np.testing.assert_allclose(other.scores(X), one, rtol=1e-3, atol=1e-4)
    mixed = np.random.default_rng(seed).permutation(len(codes))
    other.describe(mixed, codes[mixed])
    np.testing.assert_allclose(other.scores(X), one, rtol=1e-3, atol=1e-4)


@every
def test_codes_come_one_an_example_or_one_a_class(recognizer: ZeroShot) -> None:
    X, y, codes = world()
    one, other = (clone(recognizer).fit(X, y, each).scores(X) for each in (codes, codes[y]))
    np.testing.assert_array_equal(one, other)


@every
def test_labels_are_anything(recognizer: ZeroShot) -> None:
    X, y, codes = world()
    names = np.array([f"class {i:02d}" for i in range(12)])
    known = clone(recognizer).fit(X, names[y], codes)
    assert known.predict(X).tolist() == names[clone(recognizer).fit(X, y, codes).predict(X)].tolist()


@every
def test_the_penalty_is_taken_off_seen_classes_only(recognizer: ZeroShot) -> None:
    X, y, codes = world()
    out = y >= 10
    known = clone(recognizer).fit(X[~out], y[~out], codes[:10]).describe(np.arange(12), codes)
    free = known.scores(X)
    paid = known.set_params(seen_penalty=0.5).scores(X)
    np.testing.assert_allclose(free - paid, np.where(np.arange(12) < 10, 0.5, 0) + np.zeros_like(free))
    assert (known.set_params(seen_penalty=1e6).predict(X) >= 10).all()
    assert (known.set_params(seen_penalty=-1e6).predict(X) < 10).all()


@pytest.mark.parametrize("features", [8, 200])
def test_ridge_is_that_of_scikit_learn(features: int) -> None:
    X, y, codes = world(features=features)
    weights, intercept = ridge(X, codes[y], 0.7)
    expected = Ridge(alpha=0.7).fit(X, codes[y])
    np.testing.assert_allclose(weights, expected.coef_.T, atol=1e-8)
    np.testing.assert_allclose(intercept, expected.intercept_, atol=1e-8)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_semantic_codes_are_nearest_to_what_ridge_says(distance: Any) -> None:
    X, y, codes = world(1)
    known = SemanticCodes(0.3, distance).fit(X, y, codes)
    said = Ridge(alpha=0.3).fit(X, codes[y]).predict(X)
    np.testing.assert_allclose(known.codes(X), said, atol=1e-8)
    if distance == "euclidean":
        expected = ((said[:, None] - codes) ** 2).sum(axis=2)
    else:
        length = np.maximum(np.linalg.norm(codes, axis=1), 1e-300)
        expected = 1 - said @ codes.T / np.linalg.norm(said, axis=1, keepdims=True) / length
    np.testing.assert_allclose(known.scores(X), -expected, atol=1e-4)


def test_eszsl_is_the_closed_form() -> None:
    X, y, codes = world(2)
    known = ESZSL(0.5, 2.0).fit(X, y, codes)
    x, s = (X - X.mean(axis=0)).T, codes.T  # as in the paper: a column an example, a column a class
    told = np.where(y[:, None] == np.arange(12), 1.0, -1.0)
    left, right = np.linalg.inv(x @ x.T + 0.5 * np.eye(8)), np.linalg.inv(s @ s.T + 2.0 * np.eye(5))
    np.testing.assert_allclose(known.coef_, left @ x @ told @ s.T @ right, atol=1e-8)
    np.testing.assert_allclose(known.scores(X), x.T @ known.coef_ @ s, atol=1e-8)


def test_eszsl_minimizes_the_papers_loss() -> None:
    """Equation 9 of the paper: no other V is better."""
    X, y, codes = world(5)
    known = ESZSL(0.5, 2.0).fit(X, y, codes)
    x, s, told = (X - X.mean(axis=0)).T, codes.T, np.where(y[:, None] == np.arange(12), 1.0, -1.0)

    def loss(v: Any) -> float:
        fit = ((x.T @ v @ s - told) ** 2).sum()
        return float(fit + 0.5 * ((v @ s) ** 2).sum() + 2.0 * ((x.T @ v) ** 2).sum() + 0.5 * 2.0 * (v**2).sum())

    rng = np.random.default_rng(0)
    best = loss(known.coef_)
    assert all(loss(known.coef_ + 0.01 * rng.normal(size=known.coef_.shape)) > best for _ in range(20))


def test_held_out_values_are_those_of_a_regression_without_the_class() -> None:
    X, y, codes = world(4, features=30)
    found = held_out_classes(X, codes[y], y, 0.4)
    for label in np.unique(y):
        out = y == label
        expected = Ridge(alpha=0.4).fit(X[~out], codes[y[~out]]).predict(X[out])
        np.testing.assert_allclose(found[out], expected, atol=1e-7)


def test_platt_is_a_logistic_regression_on_softened_targets() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(80, 2))
    true = rng.random((80, 2)) < 1 / (1 + np.exp(-2 * values + 0.5))
    slope, shift = platt(values, true)
    for column in range(2):
        positive = int(true[:, column].sum())
        high, low = (positive + 1) / (positive + 2), 1 / (80 - positive + 2)
        target = np.where(true[:, column], high, low)
        model = LogisticRegression(C=np.inf, tol=1e-10)
        model.fit(np.tile(values[:, [column]], (2, 1)), np.repeat([1, 0], 80), np.concatenate([target, 1 - target]))
        assert slope[column] == pytest.approx(model.coef_[0, 0], rel=1e-3)
        assert shift[column] == pytest.approx(model.intercept_[0], abs=1e-3)


def test_platt_stays_finite_where_values_say_nothing_or_all() -> None:
    true = np.arange(10)[:, None] < 5
    for values in (np.zeros((10, 1)), np.where(true, 1.0, -1.0), np.where(true, 1e3, -1e3)):
        assert np.isfinite(platt(values, true)).all()


def test_direct_attribute_prediction_multiplies_what_attributes_say() -> None:
    X, y, codes = world(6)
    known = DirectAttributePrediction(0.3).fit(X, y, codes)
    p = known.probabilities(X)
    prior = codes[:, known.attributes_].mean(axis=0)
    expected = np.ones((len(X), 12))
    for row, code in enumerate(codes[:, known.attributes_]):
        for m, has in enumerate(code):
            expected[:, row] *= p[:, m] / prior[m] if has else (1 - p[:, m]) / (1 - prior[m])
    np.testing.assert_allclose(known.scores(X), np.log(expected), atol=1e-6)


def test_attributes_that_cannot_be_told_from_a_class_are_left_out() -> None:
    X, y, codes = world()
    odd = np.column_stack([np.arange(12) == 3, codes, np.ones(12)])
    known = DirectAttributePrediction().fit(X, y, odd)
    np.testing.assert_allclose(known.scores(X), DirectAttributePrediction().fit(X, y, codes).scores(X))
    assert 0 not in known.attributes_ and 6 not in known.attributes_
    with pytest.raises(DataError, match="no attribute"):
        DirectAttributePrediction().fit(X, y, np.eye(12))
    with pytest.raises(ShapeError, match="0 and 1"):
        DirectAttributePrediction().fit(X, y, codes + 0.5)


@every
def test_bad_input_is_refused(recognizer: ZeroShot) -> None:
    X, y, codes = world()
    new = clone(recognizer)
    with pytest.raises(NotFittedError):
        new.describe([1], codes[:1])
    with pytest.raises(NotFittedError):
        new.predict(X)
    with pytest.raises(ShapeError, match="72 examples but 71 labels"):
        new.fit(X, y[:-1], codes)
    with pytest.raises(ShapeError, match="11 codes for 72 examples of 12 classes"):
        new.fit(X, y, codes[:-1])
    with pytest.raises(ShapeError, match="finite"):
        new.fit(X, y, np.where(codes == 1, np.nan, codes))
    with pytest.raises(ShapeError, match="several codes"):
        new.fit(X, y, np.where(np.arange(72)[:, None] == 1, 1 - codes[y], codes[y]))
    with pytest.raises(ShapeError, match="NaN"):
        new.fit(np.where(X[0] == X, np.nan, X), y, codes)
    known = new.fit(X, y, codes)
    with pytest.raises(ShapeError, match="every class once"):
        known.describe([1, 1], codes[:2])
    with pytest.raises(ShapeError, match="5 numbers"):
        known.describe([1, 2], codes[:2, :4])
    with pytest.raises(ShapeError, match="expecting 8 features"):
        known.predict(X[:, :7])
    with pytest.raises(ConfigError, match="seen_penalty"):
        clone(recognizer).set_params(seen_penalty=np.inf).fit(X, y, codes)


def test_settings_out_of_range_are_refused() -> None:
    for bad, name in (
        (SemanticCodes(0), "penalty"),
        (DirectAttributePrediction(-1), "penalty"),
        (ESZSL(gamma=0), "gamma"),
        (ESZSL(lam=np.inf), "lam"),
        (SemanticCodes(distance="manhattan"), "distance"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError, match=name):
            bad.fit(*world())
    with pytest.raises(ConfigError, match="eszsl"):
        zero_shot_named("sae")
