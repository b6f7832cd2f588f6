"""Near pairs, against all distances."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from lowshot.gallery.duplicates import near_pairs


def test_near_pairs_are_found_and_no_others() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 24)).astype(np.float32)
    X[1000:1200] = X[:200] + rng.normal(size=(200, 24)).astype(np.float32) * 0.05
    pairs, far = near_pairs(X, 0.5)
    apart = cdist(X, X)
    truth = {tuple(pair) for pair in np.argwhere(np.triu(apart <= 0.5, 1)).tolist()}
    found = {tuple(sorted(pair)) for pair in pairs.tolist()}
    assert found <= truth and len(found) >= 0.98 * len(truth) >= 190
    np.testing.assert_allclose(far, apart[tuple(pairs.T)], atol=1e-3)


def test_equal_features_are_a_chain() -> None:
    pairs, far = near_pairs(np.zeros((500, 3), np.float32), 0.0)
    assert len(pairs) == 499 and not far.any()


def test_one_feature_has_no_pair() -> None:
    assert near_pairs(np.ones((1, 3), np.float32), 1.0)[0].shape == (0, 2)
