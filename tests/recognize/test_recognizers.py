"""Recognizers against scikit-learn's own, its estimator checks, and themselves learned in another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.neighbors import NearestNeighbors as Finder
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowshot.errors import ConfigError, LowshotError, ShapeError
from lowshot.recognize import (
    MahalanobisPrototype,
    NearestNeighbors,
    NearestPrototype,
    SimpleShot,
    WhitenedPrototype,
    Whitening,
)
from lowshot.recognize.recognizer import Recognizer

WHITENING = Whitening.of(np.random.default_rng(1).normal(size=(60, 5)) * [1, 2, 3, 4, 5], np.arange(60) % 12)

EVERY: list[Recognizer] = [
    NearestPrototype(),
    NearestPrototype(distance="cosine"),
    NearestPrototype(distance="l1", negative=1),
    NearestNeighbors(),
    NearestNeighbors(k=3, distance="cosine"),
    NearestNeighbors(k=2, distance="l1"),
    MahalanobisPrototype(),
    WhitenedPrototype(WHITENING),
    SimpleShot(center=[0.1] * 5),
]
every = pytest.mark.parametrize("recognizer", EVERY, ids=repr)


def _examples(seed: int = 0, classes: int = 6, features: int = 5) -> tuple[Any, Any]:
    """Classes of 1 to 6 examples in mixed order, labeled with words."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(classes), rng.integers(1, 7, classes)))
    return rng.normal(size=(len(codes), features)) + codes[:, None], np.array([f"class {c}" for c in codes])


def _queries(seed: int = 9) -> Any:
    return np.random.default_rng(seed).normal(2, 3, size=(40, 5))


@parametrize_with_checks([NearestPrototype(), NearestNeighbors(), NearestNeighbors(k=3), MahalanobisPrototype()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


def test_prototypes_answer_as_nearest_centroid() -> None:
    X, y = _examples()
    ours, theirs = NearestPrototype().fit(X, y), NearestCentroid().fit(X, y)
    np.testing.assert_allclose(ours.prototypes_, theirs.centroids_, rtol=1e-5)
    assert (ours.predict(_queries()) == theirs.predict(_queries())).all()


def test_one_neighbor_answers_as_k_neighbors() -> None:
    X, y = _examples()
    theirs = KNeighborsClassifier(1).fit(X, y)
    assert (NearestNeighbors().fit(X, y).predict(_queries()) == theirs.predict(_queries())).all()


@pytest.mark.parametrize("k", [2, 3, 10])
def test_the_distance_to_a_class_is_the_mean_of_its_k_nearest(k: int) -> None:
    X, y = _examples()
    ours = NearestNeighbors(k=k).fit(X, y)
    for column, label in enumerate(ours.classes_):
        finder = Finder(n_neighbors=min(k, (y == label).sum())).fit(X[y == label])
        far = finder.kneighbors(_queries())[0] ** 2
        np.testing.assert_allclose(ours.distances(_queries())[:, column], far.mean(axis=1), rtol=1e-4)


@every
def test_probabilities_are_a_softmax_of_the_distances(recognizer: Recognizer) -> None:
    X, y = _examples()
    recognizer.fit(X, y)
    probabilities = recognizer.predict_proba(_queries())
    powers = np.exp(-recognizer.distances(_queries()).astype(np.float64))
    np.testing.assert_allclose(probabilities, powers / powers.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_a_higher_temperature_is_less_sure() -> None:
    X, y = _examples()
    sure, unsure = (NearestPrototype(temperature=t).fit(X, y).predict_proba(_queries()).max(axis=1) for t in (1, 50))
    assert (sure >= unsure).all()
    assert sure.mean() > unsure.mean() + 0.1


@every
@given(seed=st.integers(0, 1000), parts=st.integers(2, 5))
def test_one_fit_or_many_in_any_order_is_the_same(recognizer: Recognizer, seed: int, parts: int) -> None:
    X, y = _examples(seed)
    whole = recognizer.fit(X, y).distances(_queries())
    counts = recognizer.counts_
    order = np.random.default_rng(seed).permutation(len(y))
    first, *others = np.array_split(order, parts)
    recognizer.fit(X[first], y[first])
    for part in others:
        if len(part):
            recognizer.partial_fit(X[part], y[part])
    assert recognizer.classes_.tolist() == sorted(set(y))
    assert (recognizer.counts_ == counts).all()
    np.testing.assert_allclose(recognizer.distances(_queries()), whole, rtol=1e-5, atol=1e-5)


@every
@given(seed=st.integers(0, 1000))
def test_forgetting_is_as_if_never_learned(recognizer: Recognizer, seed: int) -> None:
    X, y = _examples(seed)
    X[-1], y[-1] = X[0], y[0]  # a duplicate: only one of the two goes
    gone = np.arange(len(y)) % 2 == 0
    without = recognizer.fit(X[~gone], y[~gone]).distances(_queries())
    classes = recognizer.classes_.tolist()
    recognizer.fit(X, y).forget(X[gone], y[gone])
    assert recognizer.classes_.tolist() == classes
    np.testing.assert_allclose(recognizer.distances(_queries()), without, rtol=1e-5, atol=1e-5)


@every
def test_removing_a_class_is_as_if_it_never_was(recognizer: Recognizer) -> None:
    X, y = _examples()
    gone = np.isin(y, ["class 1", "class 4"])
    without = recognizer.fit(X[~gone], y[~gone]).distances(_queries())
    recognizer.fit(X, y).remove(["class 4", "class 1"])
    np.testing.assert_allclose(recognizer.distances(_queries()), without, rtol=1e-5, atol=1e-5)
    recognizer.partial_fit(X[gone], y[gone])
    assert recognizer.classes_.tolist() == sorted(set(y))


@every
def test_without_any_class_it_is_not_fitted_but_can_learn_again(recognizer: Recognizer) -> None:
    X, y = _examples()
    recognizer.fit(X, y).remove(set(y))
    with pytest.raises(NotFittedError):
        recognizer.predict(X)
    assert (recognizer.partial_fit(X[:1], y[:1]).predict(X) == y[0]).all()


@pytest.mark.parametrize(
    "labels",
    [
        ["b", "a", "b"],
        [7, -2, 7],
        [("x", 1), ("x", 2), ("x", 1)],
        [None, "a", None],
        [1, "1", 1],
        [True, False, True],
        [frozenset({1}), frozenset({2}), frozenset({1})],
    ],
    ids=repr,
)
def test_labels_are_anything_and_come_back_as_they_are(labels: list[Any]) -> None:
    X = np.array([[0.0], [10.0], [1.0]])
    recognizer = NearestPrototype().fit(X, labels)
    assert len(recognizer.classes_) == 2
    assert recognizer.predict([[0.4], [9.0]]).tolist() == labels[:2]
    assert recognizer.remove([labels[0]]).predict([[0.4]]).tolist() == [labels[1]]


def test_new_labels_may_be_of_another_kind() -> None:
    recognizer = NearestNeighbors().fit([[0.0]], [1]).partial_fit([[5.0]], ["one"])
    assert recognizer.predict([[0.0], [5.0]]).tolist() == [1, "one"]


@every
def test_unfitted_recognizers_refuse(recognizer: Recognizer) -> None:
    new = type(recognizer)()
    for call in (lambda: new.predict([[1.0]]), lambda: new.remove(["a"]), lambda: new.forget([[1.0]], ["a"])):
        with pytest.raises(NotFittedError):
            call()


@every
def test_bad_features_are_refused_with_their_shape(recognizer: Recognizer) -> None:
    X, y = _examples()
    recognizer.fit(X, y)
    with pytest.raises(ShapeError, match=r"\(40, 4\).*expecting 5 features"):
        recognizer.predict(_queries()[:, :4])
    with pytest.raises(ShapeError, match=r"\(1, 5\).*NaN"):
        recognizer.predict([[0, 1, 2, 3, np.nan]])
    with pytest.raises(ShapeError, match=f"{len(y)} examples but {len(y) - 1} labels"):
        recognizer.fit(X, y[:-1])
    with pytest.raises(ShapeError, match=r"\(0, 5\)"):
        recognizer.fit(X[:0], y[:0])


@every
def test_what_cannot_be_forgotten_changes_nothing(recognizer: Recognizer) -> None:
    X, y = _examples()
    before = recognizer.fit(X, y).distances(_queries())
    with pytest.raises(LowshotError, match="none of the 6 classes"):
        recognizer.remove(["class 1", "nobody"])
    with pytest.raises(LowshotError, match="cannot be forgotten"):
        recognizer.forget(np.repeat(X[:1], 7, axis=0), np.repeat(y[:1], 7))
    np.testing.assert_array_equal(recognizer.distances(_queries()), before)


def test_neighbors_do_not_forget_what_they_never_learned() -> None:
    X, y = _examples()
    recognizer = NearestNeighbors().fit(X, y)
    with pytest.raises(LowshotError, match="never learned"):
        recognizer.forget(X[:1] + 1, y[:1])
    assert recognizer.counts_.sum() == len(recognizer.features_) == len(y)


@pytest.mark.parametrize(
    "bad", [{"distance": "manhattan"}, {"temperature": 0}, {"negative": 6}, {"negative": -1}], ids=str
)
def test_settings_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    for kind in (NearestPrototype, NearestNeighbors):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            kind(**bad).fit(*_examples())
    with pytest.raises(ConfigError, match="k must be"):
        NearestNeighbors(k=0).fit(*_examples())
