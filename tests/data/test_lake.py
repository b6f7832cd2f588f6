from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from lowshot.data import ImageForm
from lowshot.data.lake import ARCHIVE, Runs, load_runs
from lowshot.errors import DataError


@pytest.fixture(scope="module")
def runs(data_folder: Path) -> Runs:
    return load_runs()


def test_shapes(runs: Runs) -> None:
    assert runs.support.shape == runs.query.shape == (20, 20, 105, 105, 1)
    assert runs.support.dtype == runs.query.dtype == np.uint8
    assert runs.answer.shape == (20, 20) and runs.answer.dtype == np.int64
    assert load_runs(ImageForm(height=28, width=28, channels=1)).query.shape == (20, 20, 28, 28, 1)


def test_each_query_is_of_another_class(runs: Runs) -> None:
    assert (np.sort(runs.answer, axis=1) == np.arange(20)).all()


def test_answers_are_the_table_in_the_file(runs: Runs, data_folder: Path) -> None:
    with zipfile.ZipFile(data_folder / "omniglot" / "all_runs.zip") as archive:
        lines = archive.read("run07/class_labels.txt").decode().strip().splitlines()
    wanted = {}
    for line in lines:
        item, character = line.split()
        wanted[int(item[-6:-4]) - 1] = int(character[-6:-4]) - 1
    assert runs.answer[6].tolist() == [wanted[item] for item in range(20)]


def test_pixels_alone_make_the_published_error(runs: Runs) -> None:
    """Nearest neighbor by the cosine of raw ink: 78.25 % error, as in Koch (2015), Table 2 (21.7 % accuracy)."""
    ink = [255.0 - images.reshape(20, 20, -1) for images in (runs.query, runs.support)]
    query, support = (each / np.linalg.norm(each, axis=2, keepdims=True) for each in ink)
    guess = (query @ support.transpose(0, 2, 1)).argmax(axis=2)
    assert (guess != runs.answer).mean() == 0.7825


def test_ink_is_dark_on_white(runs: Runs) -> None:
    assert runs.support.mean() > 200 and runs.query.mean() > 200


@pytest.mark.parametrize("content", [b"no zip", None])
def test_another_file_of_that_name_is_refused(
    no_data: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    path = no_data / ARCHIVE.path
    path.parent.mkdir()
    if content:
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("run01/class_labels.txt", "a b\n")
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data))
    with pytest.raises(DataError, match=r"not Lake's all_runs\.zip"):
        load_runs()
