from __future__ import annotations

import time
import zipfile
from collections import Counter
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from lowshot.data import Examples, ImageForm, load
from lowshot.data.omniglot import ARCHIVES, VARIANTS
from lowshot.errors import DataError, DataNotFound

SMALL = ImageForm(height=28, width=28, channels=1)


@pytest.fixture(scope="module")
def background(data_folder: Path) -> Examples:
    return load("omniglot:background", SMALL)


@pytest.mark.parametrize(
    ("variant", "items", "classes"),
    [
        ("", 32460, 1623),
        (":background", 19280, 964),
        (":evaluation", 13180, 659),
        (":small1", 2720, 136),
        (":small2", 3120, 156),
        (":vinyals-train", 82240, 4112),
        (":vinyals-val", 13760, 688),
        (":vinyals-trainval", 96000, 4800),
        (":vinyals-test", 33840, 1692),
    ],
)
def test_counts_are_the_published_ones(data_folder: Path, variant: str, items: int, classes: int) -> None:
    examples = load(f"omniglot{variant}", SMALL)
    assert examples.items.shape == (items, 28, 28, 1)
    assert len(examples.classes) == classes
    assert set(examples.counts.tolist()) == {20}


def test_every_variant_is_described() -> None:
    assert all(VARIANTS.values())


def test_alphabets_and_drawers(background: Examples) -> None:
    assert len(set(background.attributes["alphabet"])) == 30
    one = background.labels == 0
    assert sorted(background.attributes["drawer"][one]) == [f"{drawer:02d}" for drawer in range(1, 21)]
    assert Counter(background.attributes["alphabet"])["Greek"] == 24 * 20
    assert background.classes[background.labels[-1]] == "Tifinagh/character55"
    assert all(name.split("/")[1] == alphabet for name, alphabet in zip(
        background.names, background.attributes["alphabet"], strict=True
    ))  # fmt: skip


def test_the_halves_share_no_alphabet(background: Examples) -> None:
    evaluation = load("omniglot:evaluation", SMALL)
    assert not set(background.attributes["alphabet"]) & set(evaluation.attributes["alphabet"])


@pytest.mark.parametrize("part", ["train", "val", "trainval", "test"])
def test_the_vinyals_split_is_the_published_list(data_folder: Path, part: str) -> None:
    published = data_folder / "omniglot" / "splits_vinyals" / f"{part}.txt"
    if not published.is_file():
        pytest.skip("needs the published lists in omniglot/splits_vinyals")
    # A line is Alphabet/character01/rot090; the turns' sense does not matter to the classes.
    assert sorted(load(f"omniglot:vinyals-{part}", SMALL).classes) == sorted(published.read_text().split())


def test_ink_is_dark_on_white_at_every_size(background: Examples) -> None:
    native = load("omniglot:small1")
    assert native.items.shape[1:] == (105, 105, 1)
    assert set(np.unique(native.items[:100])) == {0, 255}
    assert native.items.mean() > 200
    assert background.items[:500].mean() > 200
    corner = background.items[:, 0, 0, 0]
    assert np.median(corner) == 255


def test_native_pixels_equal_pillows(data_folder: Path) -> None:
    from PIL import Image

    evaluation = load("omniglot:evaluation")
    with zipfile.ZipFile(data_folder / "omniglot" / "images_evaluation.zip") as archive:
        for i in (0, 777, 13179):
            with archive.open(evaluation.names[i]) as file, Image.open(file) as image:
                assert (np.asarray(image.convert("L")) == evaluation.items[i, ..., 0]).all()


def test_second_load_takes_no_time(background: Examples) -> None:
    start = time.perf_counter()
    load("omniglot:background", SMALL)
    assert time.perf_counter() - start < 0.5


def test_missing_files_name_the_official_address(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", _no_network)
    with pytest.raises(DataNotFound, match=r"brendenlake/omniglot/master/python/images_background\.zip"):
        load("omniglot:background")


def _no_network(*_: object, **__: object) -> None:
    raise URLError("no network")


@pytest.mark.parametrize("content", ["no zip", "another zip"])
def test_another_file_of_that_name_is_refused(no_data: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    path = no_data / ARCHIVES["background"].path
    path.parent.mkdir()
    path.write_bytes(b"PK no zip at all")
    if content == "another zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images_background/Greek/character01/0001_01.png", b"")
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data))
    with pytest.raises(DataError, match=r"images_background\.zip \(\d of 19280 drawings can be read\)"):
        load("omniglot:background")
