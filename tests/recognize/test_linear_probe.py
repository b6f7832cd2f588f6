"""Linear classifiers of directions against scikit-learn's, SciPy's, and their own definition."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowshot.errors import ConfigError, LowshotError
from lowshot.recognize import CosineClassifier, LinearProbe, NearestPrototype
from lowshot.recognize.linear_probe import _cosine_loss

every = pytest.mark.parametrize("recognizer", [LinearProbe(), CosineClassifier()], ids=repr)


def examples(seed: int = 0, classes: int = 5) -> tuple[Any, Any]:
    """Classes of 2 to 6 examples in mixed order, labeled with words."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(classes), rng.integers(2, 7, classes)))
    centers = rng.normal(size=(classes, 6))
    return centers[codes] + 0.7 * rng.normal(size=(len(codes), 6)), np.array([f"class {c}" for c in codes])


def queries(seed: int = 9) -> Any:
    return np.random.default_rng(seed).normal(size=(40, 6))


@parametrize_with_checks([LinearProbe(), CosineClassifier()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_probabilities_are_scikit_learns(classes: int) -> None:
    X, y = examples(classes=classes)
    ours = LinearProbe(C=3).fit(X, y)
    theirs = LogisticRegression(C=6 if classes == 2 else 3, class_weight="balanced", tol=1e-9).fit(normalize(X), y)
    np.testing.assert_allclose(ours.predict_proba(queries()), theirs.predict_proba(normalize(queries())), atol=1e-4)
    assert ours.coef_.shape == (classes, 6) and ours.intercept_.shape == (classes,)


def test_two_classes_are_learned_as_many_are() -> None:
    """The loss of softmax regression with the penalty on both rows, at its minimum by another optimizer."""
    from scipy.optimize import minimize

    X, y = examples(classes=2)
    directions, codes = normalize(X), (y == "class 1").astype(int)
    weight = len(y) / 2 / np.bincount(codes)[codes]

    def loss(flat: Any) -> Any:
        coef, intercept = flat[:12].reshape(2, 6), flat[12:]
        logits = directions @ coef.T + intercept
        own = logits[np.arange(len(y)), codes]
        return 0.5 * (coef**2).sum() + 10 * (weight * (np.logaddexp(*logits.T) - own)).sum()

    ours = LinearProbe(C=10).fit(X, y)
    found = minimize(loss, np.zeros(14), tol=1e-10)
    assert loss(np.append(ours.coef_.ravel(), ours.intercept_)) == pytest.approx(found.fun, rel=1e-6)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), scale=st.floats(0.5, 30))
def test_the_gradient_of_the_cosine_loss(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.permutation([0, 0, 1, 2, 2, 2])
    share = np.eye(3)[codes] / np.bincount(codes)
    weights, features = rng.normal(size=12), normalize(rng.normal(size=(6, 4)))

    def plain(flat: Any) -> float:
        directions = normalize(flat.reshape(3, 4))
        total = 0.0
        for feature, code in zip(features, codes, strict=True):
            powers = [np.exp(scale * feature @ direction) for direction in directions]
            total -= np.log(powers[code] / sum(powers)) / (codes == code).sum()
        return total

    loss, gradient = _cosine_loss(weights, features, share, scale)
    assert loss == pytest.approx(plain(weights), rel=1e-9)
    np.testing.assert_allclose(gradient, approx_fprime(weights, plain, 1e-7), atol=1e-4 * scale)


def test_a_cosine_classifier_is_trained_beyond_the_class_means() -> None:
    X, y = examples(seed=3)
    ours, means = CosineClassifier().fit(X, y), NearestPrototype("cosine").fit(X, y)
    np.testing.assert_allclose(np.linalg.norm(ours.coef_, axis=1), 10, rtol=1e-6)
    np.testing.assert_array_equal(ours.intercept_, 0)
    own = np.searchsorted(ours.classes_, y)
    trained, started = ours.predict_proba(X), NearestPrototype("cosine", temperature=0.1).fit(X, y).predict_proba(X)
    rows = np.arange(len(y))
    assert np.log(trained[rows, own]).mean() > np.log(started[rows, own]).mean() + 0.01
    assert (ours.predict(X) == y).mean() >= (means.predict(X) == y).mean()


@every
@settings(max_examples=10)
@given(seed=st.integers(0, 200))
def test_one_fit_or_several_is_the_same(recognizer: LinearProbe, seed: int) -> None:
    X, y = examples(seed)
    whole = recognizer.fit(X, y).distances(queries())
    order = np.random.default_rng(seed).permutation(len(y))
    recognizer.fit(X[order[:3]], y[order[:3]]).partial_fit(X[order[3:]], y[order[3:]])
    np.testing.assert_allclose(recognizer.distances(queries()), whole, atol=2e-3)


@every
def test_what_is_forgotten_was_never_learned(recognizer: LinearProbe) -> None:
    X, y = examples()
    gone = y == "class 2"
    without = recognizer.fit(X[~gone], y[~gone]).distances(queries())
    np.testing.assert_allclose(recognizer.fit(X, y).remove(["class 2"]).distances(queries()), without, atol=2e-3)
    np.testing.assert_allclose(recognizer.fit(X, y).forget(X[gone], y[gone]).distances(queries()), without, atol=2e-3)
    with pytest.raises(LowshotError, match="none of the 4 classes"):
        recognizer.remove(["class 2"])


@every
def test_length_says_nothing_and_one_class_is_certain(recognizer: LinearProbe) -> None:
    X, y = examples()
    recognizer.fit(X, y)
    np.testing.assert_allclose(recognizer.distances(5 * queries()), recognizer.distances(queries()), atol=1e-4)
    assert recognizer.fit(X[:2], ["only", "only"]).predict_proba(queries()).min() == 1


@every
def test_a_class_of_one_example_weighs_as_much_as_one_of_many(recognizer: LinearProbe) -> None:
    X = np.array([[1.0, 0.2]] * 50 + [[1.0, -0.2]])
    recognizer.fit(X, ["many"] * 50 + ["one"])
    assert recognizer.predict_proba([[1.0, 0.0]])[0] == pytest.approx([0.5, 0.5], abs=1e-3)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="C must be above 0"):
        LinearProbe(C=0).fit(*examples())
    with pytest.raises(ConfigError, match="scale must be above 0"):
        CosineClassifier(scale=-1).fit(*examples())
    with pytest.raises(ConfigError, match="temperature"):
        LinearProbe(temperature=0).fit(*examples())


def test_more_features_than_examples_and_one_example_a_class() -> None:
    """Solved in the span of the examples: the same weights as scikit-learn finds among all features, and no warning."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 200)), np.arange(30) % 25
    ours = LinearProbe().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = LogisticRegression(C=10, class_weight="balanced", tol=1e-8, max_iter=10_000).fit(normalize(X), y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)
