"""Intervals and power laws of accuracies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from lowshot.gallery.shots import Curve, Shots, extrapolated, independent, wilson


@given(number=st.integers(1, 500), share=st.floats(0, 1))
def test_the_interval_is_wilsons(number: int, share: float) -> None:
    right = round(share * number)
    theirs = binomtest(right, number).proportion_ci(0.95, "wilson")
    assert wilson(right / number, number) == pytest.approx((theirs.low, theirs.high), abs=1e-4)


def test_answers_about_alike_examples_are_worth_fewer() -> None:
    codes = np.repeat(np.arange(20), 10)
    mixed, by_class = np.arange(200) % 2 == 0, codes % 2 == 0
    every = np.arange(200)
    assert independent(mixed.astype(float), every, codes) == 200
    assert independent(by_class.astype(float), every, codes) == pytest.approx(20, abs=2)
    again = np.concatenate([every, every])
    assert independent(np.tile(mixed, 2).astype(float), again, codes) == 200, "the same example twice is one"


def test_errors_fall_by_the_law() -> None:
    last = Shots(4, 0.9, 0.85, 0.95, 9, 90, "held out")
    five, six = extrapolated(Curve((last,), np.zeros(1, np.float32), 1.0), exponent=1.0)
    assert (five.shots, six.shots) == (5, 6) and five.how == six.how == "extrapolated"
    assert five.accuracy == pytest.approx(1 - 0.1 * 4 / 5) and six.accuracy == pytest.approx(1 - 0.1 * 4 / 6)
    assert five.low == 0.85 and five.high == pytest.approx(1 - 0.05 * 4 / 5)
