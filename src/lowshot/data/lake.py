"""Lake's one-shot runs: the 400 fixed trials on which people, and every later model, were compared.

Source: Lake, Salakhutdinov & Tenenbaum, "Human-level concept learning through probabilistic program induction",
Science 350, 2015. Twenty runs, two for each of ten evaluation alphabets; a run has 20 characters of one alphabet, one
drawing of each as support, and 20 queries by another drawer, one of each character. Chance is an error of 95 %.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowshot.data.forms import Form
from lowshot.data.images import ImageForm, read_pictures
from lowshot.data.locate import Archive, locate
from lowshot.data.omniglot import NATIVE, OFFICIAL
from lowshot.errors import DataError

ARCHIVE = Archive(
    "omniglot/all_runs.zip",
    f"{OFFICIAL}/one-shot-classification/all_runs.zip",
    "437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325",
)

_RUNS = _WAYS = 20


@dataclass(frozen=True, eq=False)
class Runs:
    """The trials as packed ``uint8`` images, dark ink on white.

    Attributes:
        support: (20 runs, 20 classes, height, width, channels).
        query: (20 runs, 20 queries, height, width, channels).
        answer: the right class of each query, as a position in its run's support: ``int64`` (20, 20).
    """

    support: NDArray[np.uint8]
    query: NDArray[np.uint8]
    answer: NDArray[np.int64]


def load_runs(form: Form | None = None) -> Runs:
    """The 20 runs, 105×105 with one channel unless ``form`` asks for other pixels.

    Raises:
        DataNotFound: ``omniglot/all_runs.zip`` is in none of the places searched.
        DataError: the file found is not Lake's.

    Example:
        >>> from lowshot.data.lake import load_runs
        >>> load_runs().query.shape
        (20, 20, 105, 105, 1)
    """
    path = locate(ARCHIVE)
    form = form or NATIVE
    if not isinstance(form, ImageForm):
        raise DataError(f"Lake's runs are images, but {form.modality}s are wanted")
    try:
        with zipfile.ZipFile(path) as archive:
            tables = [archive.read(f"run{run:02d}/class_labels.txt").decode().split() for run in range(1, _RUNS + 1)]
            # A table has 20 lines "run01/test/item01.png run01/training/class19.png": a query and its class.
            pairs = np.array(tables).reshape(_RUNS, _WAYS, 2)
            support = np.sort(pairs[..., 1], axis=1)
            drawings = [archive.read(name) for name in [*support.flat, *pairs[..., 0].flat]]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(f"{path} is not Lake's all_runs.zip ({error}): remove it and it is fetched again") from error
    images = read_pictures(drawings, form).reshape(2, _RUNS, _WAYS, *form.shape)
    return Runs(images[0], images[1], answer=np.argmax(pairs[..., 1, None] == support[:, None], axis=2))
