"""Self-training against scikit-learn's own, and whether predictions help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize import SelfTraining


@parametrize_with_checks([SelfTraining()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


def episode(seed: int = 0, shots: int = 3, unlabeled: int = 20) -> tuple[Any, ...]:
    """Three classes of directions: examples, labels, unlabeled items, queries and their labels."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(3, 8))
    around = [(centers[:, None] + rng.normal(size=(3, n, 8))).reshape(-1, 8) for n in (shots, unlabeled, 30)]
    return (
        around[0],
        np.repeat(["ant", "bee", "cat"], shots),
        around[1],
        around[2],
        np.repeat(["ant", "bee", "cat"], 30),
    )


def test_it_answers_as_scikit_learn() -> None:
    X, y, unlabeled, queries, _ = episode()
    ours = SelfTraining(confidence=0.6, rounds=4, C=5).fit(X, y, unlabeled)
    model = LogisticRegression(C=5, fit_intercept=False, class_weight="balanced")
    theirs = SelfTrainingClassifier(model, threshold=0.6, max_iter=4).fit(
        normalize(np.concatenate([X, unlabeled])).astype(np.float32),
        np.concatenate([np.repeat(np.arange(3), 3), np.full(len(unlabeled), -1)]),
    )
    expected = theirs.predict_proba(normalize(queries).astype(np.float32))
    np.testing.assert_allclose(ours.predict_proba(queries), expected, atol=1e-4)
    assert (ours.predict(queries) == np.array(["ant", "bee", "cat"])[expected.argmax(axis=1)]).all()


def test_predictions_improve_answers() -> None:
    gains = []
    for seed in range(20):
        X, y, unlabeled, queries, answers = episode(seed)
        before, after = (
            (SelfTraining().fit(X, y, known).predict(queries) == answers).mean() for known in (None, unlabeled)
        )
        gains.append(after - before)
    assert np.mean(gains) > 0.015


def test_no_prediction_is_sure_enough() -> None:
    X, y, unlabeled, queries, _ = episode()
    alone = SelfTraining().fit(X, y).predict_proba(queries)
    unsure = SelfTraining(confidence=0.999).fit(X, y, unlabeled).predict_proba(queries)
    np.testing.assert_allclose(unsure, alone, atol=1e-5)


def test_lengths_do_not_matter_and_labels_can_be_anything() -> None:
    X, y, unlabeled, queries, _ = episode()
    labels = [{"ant": -1, "bee": ("b", 2), "cat": None}[name] for name in y]
    one = SelfTraining().fit(X, y, unlabeled)
    other = SelfTraining().fit(3 * X, labels, unlabeled / 7)
    asked = [{"ant": -1, "bee": ("b", 2), "cat": None}[name] for name in one.predict(queries)]
    assert other.predict(9 * queries).tolist() == asked


@pytest.mark.parametrize("confidence", [-0.1, 1.0])
def test_settings_outside_their_range_are_refused(confidence: float) -> None:
    for setting in ({"confidence": confidence}, {"rounds": 0}, {"C": 0}):
        with pytest.raises(ConfigError, match=str(next(iter(setting)))):
            SelfTraining(**setting).fit([[0.0], [1.0]], ["a", "b"])


def test_bad_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="one class"):
        SelfTraining().fit([[0.0], [1.0]], ["a", "a"])
    with pytest.raises(ShapeError, match="2 examples but 3 labels"):
        SelfTraining().fit([[0.0], [1.0]], ["a", "b", "a"])
    with pytest.raises(ShapeError, match=r"\(1, 2\)"):
        SelfTraining().fit([[0.0], [1.0]], ["a", "b"], unlabeled=[[1.0, 2.0]])
    with pytest.raises(NotFittedError):
        SelfTraining().predict([[1.0]])
