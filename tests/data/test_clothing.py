from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lowshot.data import ImageForm, clothing, load
from lowshot.errors import DataError, DataNotFound

SMALL = ImageForm(height=16, width=16, channels=3)
CATEGORIES = ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt")


@pytest.fixture(scope="module")
def clothes(data_folder: Path) -> None:
    if not (data_folder / clothing.FILE).is_file():
        pytest.skip("needs the clothes: set LOWSHOT_DATA to the folder that holds clothing/")


@pytest.mark.parametrize(("part", "total", "fewest", "most"), [("validation", 341, 12, 81), ("test", 372, 12, 73)])
def test_counts_are_as_promised(clothes: None, part: str, total: int, fewest: int, most: int) -> None:
    examples = load(f"clothing:{part}", SMALL)
    assert examples.items.shape == (total, 16, 16, 3)
    assert examples.classes == CATEGORIES
    assert (examples.counts.min(), examples.counts.max()) == (fewest, most)
    assert all(str(number) in clothing.VARIANTS[part] for number in (total, fewest, most))


def test_every_picture_is_of_its_part_and_category(clothes: None) -> None:
    examples = load("clothing:test", SMALL)
    folders = [name.split("/")[:2] for name in examples.names]
    assert folders == [["test", examples.classes[label]] for label in examples.labels]
    assert examples.of_classes("category") == list(examples.classes)


def test_no_picture_is_in_two_parts(clothes: None) -> None:
    parts = [load(f"clothing:{part}", SMALL) for part in ("validation", "test")]
    files = np.concatenate([[name.split("/")[-1] for name in part.names] for part in parts])
    assert len(np.unique(files)) == len(files)


def test_a_part_must_be_named(no_data: Path) -> None:
    with pytest.raises(DataError, match="clothing:train, clothing:validation, clothing:test"):
        load("clothing")


def test_without_the_file_it_says_how_to_make_it(no_data: Path) -> None:
    with pytest.raises(DataNotFound, match=r"clothing_small_160\.zip is neither in .* not downloaded: pack train"):
        load("clothing:test")
