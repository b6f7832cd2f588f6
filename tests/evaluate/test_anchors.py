"""Two published numbers that need no training: if they come out, the trials and their scoring are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from lowshot.data.lake import Runs, load_runs
from lowshot.errors import DataError
from lowshot.evaluate import lake
from lowshot.evaluate.baselines import modified_hausdorff, pixel_cosine


@pytest.fixture(scope="module")
def runs(data_folder: Path) -> Runs:
    if not (data_folder / "omniglot" / "all_runs.zip").is_file():
        pytest.skip("needs omniglot/all_runs.zip in LOWSHOT_DATA")
    return load_runs()


def test_modified_hausdorff_gives_the_published_error(runs: Runs) -> None:
    # Lake et al. 2015 (their demo prints 38.8): 155 of 400.
    result = lake(modified_hausdorff, runs)
    assert (result.error, result.trials) == (0.3875, 400)


def test_pixel_cosine_gives_the_published_error(runs: Runs) -> None:
    # Koch 2015, Table 2: the nearest neighbor is right in 21.7 %; 313 of 400 are wrong.
    assert lake(pixel_cosine, runs).error == 0.7825


def test_modified_hausdorff_is_the_larger_mean_of_nearest_distances() -> None:
    rng = np.random.default_rng(0)
    support, query = (np.where(rng.random((n, 9, 11, 1)) < 0.2, 0, 255).astype(np.uint8) for n in (3, 4))
    expected = np.empty((4, 3))
    for i, q in enumerate(query):
        for j, s in enumerate(support):
            one, other = (np.argwhere(image[..., 0] == 0) for image in (q, s))
            apart = cdist(one - one.mean(axis=0), other - other.mean(axis=0))
            expected[i, j] = max(apart.min(axis=0).mean(), apart.min(axis=1).mean())
    np.testing.assert_allclose(modified_hausdorff(support, query), expected)


def test_a_drawing_without_ink_is_named() -> None:
    drawings = np.full((2, 5, 5, 1), 255, np.uint8)
    drawings[0, 2, 2] = 0
    with pytest.raises(DataError, match="image 1 has no ink"):
        modified_hausdorff(drawings[:1], drawings)
