from __future__ import annotations

from pathlib import Path

import pytest

from lowshot.data import ImageForm, load, neu_cls
from lowshot.errors import DataNotFound


def test_counts_are_the_published_ones(data_folder: Path) -> None:
    if not (data_folder / neu_cls.FILE).is_file():
        pytest.skip("needs the steel: set LOWSHOT_DATA to the folder that holds neu_cls/")
    steel = load("neu_cls", ImageForm(height=25, width=25, channels=1))
    assert steel.items.shape == (1800, 25, 25, 1)
    assert steel.classes == ("crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches")
    assert steel.counts.tolist() == [300] * 6


def test_without_the_file_it_says_how_to_make_it(no_data: Path) -> None:
    with pytest.raises(DataNotFound, match=r"neu_cls_200\.zip is neither in .* not downloaded: pack the 1800 pictures"):
        load("neu_cls")
