"""Items of every modality are brought to a form by one function, and what is of another is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowshot.data import Form, ImageForm, SoundForm, TextForm, load, read_items
from lowshot.data.forms import blank, check_packed, check_several
from lowshot.data.sounds import wav
from lowshot.errors import BadFiles, DataError, ShapeError

IMAGE, SOUND, TEXT = ImageForm(height=4, width=3, channels=1), SoundForm(rate=4000, seconds=0.01), TextForm(tokens=8)
PACKED: list[tuple[Form, Any]] = [
    (IMAGE, np.zeros((2, 4, 3, 1), np.uint8)),
    (SOUND, np.ones((2, 40), np.int16)),
    (TEXT, np.array(["pay the bill", "ä"])),
]


@pytest.mark.parametrize(("form", "packed"), PACKED)
def test_packed_items_are_read_as_they_are(form: Form, packed: Any) -> None:
    read = read_items(list(packed), form)
    assert read.shape == packed.shape == (2, *form.shape)
    assert (read == packed).all()
    check_packed(read, form, "it")
    check_packed(blank(form), form, "it")


@pytest.mark.parametrize(("form", "_packed"), PACKED)
def test_packed_items_of_another_form_are_refused(form: Form, _packed: Any) -> None:
    for other, packed in PACKED:
        if other is not form:
            with pytest.raises(ShapeError, match=rf"the encoder takes {form.modality}s as .*, not {packed.dtype}"):
                check_packed(packed, form, "the encoder")


@pytest.mark.parametrize(("form", "packed"), PACKED)
def test_one_item_is_no_list(form: Form, packed: Any) -> None:
    check_several(packed, form)
    for one in ("ab", b"ab", Path("ab"), None, packed[0]):
        with pytest.raises(ShapeError, match="list"):
            check_several(one, form)


def test_bytes_of_files_are_told_apart_by_the_form() -> None:
    sound = wav(np.full(40, 7, np.int16), 4000)
    assert read_items([sound], SOUND)[0].tolist() == [7] * 40
    for form in (IMAGE, TEXT):
        with pytest.raises(BadFiles, match="1 of 1"):
            read_items([sound], form)


def test_a_set_of_another_modality_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "intents.csv"
    table.write_text("text,label\nwhat is my balance,balance\n")
    with pytest.raises(DataError, match=r"line 2 and the others are texts, but images are wanted"):
        load(table, IMAGE)
    with pytest.raises(DataError, match="digits is a set of images, but texts are wanted"):
        load("digits", TEXT)


def test_pictures_and_sounds_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("1.png", "2.wav"):
        (tmp_path / "a" / name).touch()
    with pytest.raises(DataError, match="1 pictures and 1 sounds"):
        load(tmp_path)
