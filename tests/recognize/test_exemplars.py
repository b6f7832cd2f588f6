"""Prototypes predicted from attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import OneHotEncoder

from lowshot.errors import ConfigError, DataError, ShapeError
from lowshot.recognize.exemplars import Exemplars, PredictedExemplars

COLORS, SIZES = ("red", "green", "blue", "gray"), ("s", "m", "l")


def _grid(seed: int = 0, features: int = 6) -> tuple[Any, list[dict[str, str]]]:
    """One item of each color and size, whose feature is the sum of what both add, and a little noise."""
    rng = np.random.default_rng(seed)
    color, size = rng.normal(size=(len(COLORS), features)), rng.normal(size=(len(SIZES), features))
    sums = color[:, None] + size[None] + rng.normal(0, 0.01, (len(COLORS), len(SIZES), features))
    return sums.reshape(-1, features), [{"color": each, "size": other} for each in COLORS for other in SIZES]


@given(left_out=st.integers(0, 11), seed=st.integers(0, 20))
def test_a_class_that_was_left_out_is_predicted_nearest_itself(left_out: int, seed: int) -> None:
    features, said = _grid(seed)
    seen = [i for i in range(len(said)) if i != left_out]
    predicted = PredictedExemplars().fit(features[seen], [said[i] for i in seen]).predict(said)
    assert np.linalg.norm(features - predicted[left_out], axis=1).argmin() == left_out


def test_it_is_ridge_regression_of_class_means() -> None:
    features, said = _grid()
    noisy = np.concatenate([features + 1, features - 1])
    model = PredictedExemplars().fit(noisy, said * 2)
    codes = OneHotEncoder(sparse_output=False).fit_transform([[each["color"], each["size"]] for each in said])
    oracle = RidgeCV(alphas=10.0 ** np.arange(-3, 4)).fit(codes, features, sample_weight=np.full(12, 2**0.5))
    assert_allclose(model.predict(said), oracle.predict(codes), atol=1e-5)
    assert model.values_.shape == (7,) and model.n_features_in_ == 6


def test_the_nearest_exemplar_answers_for_described_classes() -> None:
    features, said = _grid()
    codes = OneHotEncoder(sparse_output=False).fit_transform([[*each.values()] for each in said])
    seen, new = np.arange(12) % 4 > 0, np.flatnonzero(np.arange(12) % 4 == 0)
    known = Exemplars().fit(features[seen], np.flatnonzero(seen), codes[seen]).describe(new, codes[new])
    oracle = RidgeCV(alphas=10.0 ** np.arange(-3, 4)).fit(codes[seen], features[seen])
    assert_allclose(known.exemplars(codes), oracle.predict(codes), atol=1e-5)
    far = ((features[:, None] - oracle.predict(codes[new])[None]) ** 2).sum(axis=2)
    assert_allclose(known.scores(features), -far, atol=1e-4)
    assert known.predict(features[new]).tolist() == new.tolist()
    together = known.describe([*new, 1, 7], codes[[*new, 1, 7]])
    own = ((features[:, None] - features[[1, 7]]) ** 2).sum(axis=2)
    assert_allclose(together.scores(features)[:, np.isin(together.classes_, [1, 7])], -own, atol=1e-4)
    with pytest.raises(DataError, match="one class cannot tell"):
        Exemplars().fit(features[:1], [0], codes[:1])
    with pytest.raises(ConfigError, match="no distance"):
        Exemplars("far").fit(features, range(12), codes)  # type: ignore[arg-type]


def test_what_is_left_open_is_left_open_and_what_was_never_seen_is_refused() -> None:
    features, said = _grid()
    model = PredictedExemplars().fit(features, said)
    (open_,) = model.predict([{"color": "red"}])
    (red,) = [model.predict([{"color": "red", "size": size} for size in SIZES]).mean(axis=0)]
    assert_allclose(open_, red, atol=0.05)  # of all sizes as many were seen
    for said in ({"size": "huge"}, {"color": "red", "size": "huge"}):  # it may be misspelled
        with pytest.raises(DataError, match=r"says size=huge; there are: color=blue, "):
            model.predict([said])
    with pytest.raises(DataError, match="says nothing"):
        model.predict([{}])


def test_nothing_is_learned_of_what_an_item_does_not_say() -> None:
    features, said = _grid()
    with_empty = [{**each, "shape": ""} for each in said] + [{"color": ""}, {}]
    model = PredictedExemplars().fit([*features, features[0] + 99, features[1] - 99], with_empty)
    oracle = PredictedExemplars().fit(features, said)
    assert model.values_.tolist() == oracle.values_.tolist()
    assert_allclose(model.predict(said), oracle.predict(said))


def test_bad_input_is_refused() -> None:
    features, said = _grid()
    with pytest.raises(DataError, match="fewer than two different descriptions"):
        PredictedExemplars().fit(features[:2], [{"color": "red"}] * 2)
    with pytest.raises(ShapeError, match="not 11 in all"):
        PredictedExemplars().fit(features, said[1:])
    with pytest.raises(ShapeError, match="must be finite"):
        PredictedExemplars().fit(features * np.nan, said)
