"""Defects of hot-rolled steel, photographed on the strip: the NEU surface defect database.

Source: Song & Yan, Applied Surface Science 285, 2013. Several pictures may show one strip of steel.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lowshot.data.examples import Examples
from lowshot.data.files import FileSet
from lowshot.data.images import ImageForm
from lowshot.data.locate import find_given
from lowshot.data.pack import packed, stamp

NATIVE = ImageForm(height=200, width=200, channels=1)

VARIANTS = {"": "1800 photographs of steel surfaces, 300 of each of six defects, gray, 200×200"}

FILE = "neu_cls/neu_cls_200.zip"
_MAKE = "pack the 1800 pictures of the NEU-CLS database (Northeastern University) in one folder a defect as that zip"


def load(variant: str, form: ImageForm | None = None) -> Examples:
    """The photographs; classes are the defects (``crazing``, ``inclusion``, ``patches``, …).

    200×200 with one channel unless ``form`` asks for other pixels. Raises DataNotFound where the file is not there: it
    is not downloaded.
    """
    form = form or NATIVE
    path = find_given(FILE, _MAKE)
    return packed(f"neu_cls {stamp(path)} {form.model_dump_json()}", lambda: _decode(path, form))


def _decode(path: Path, form: ImageForm) -> Examples:
    examples = FileSet.open(path).examples(form)
    return replace(examples, names=tuple(name.removeprefix(f"{path}/") for name in examples.names))
