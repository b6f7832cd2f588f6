"""Photographs of clothes, as people at home take them: Alexey Grigorev's clothing dataset, its ten largest categories.

No item is marked as the same as another: a class here is a kind of garment, not a garment.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lowshot.data.examples import Examples
from lowshot.data.files import FileSet
from lowshot.data.forms import read_items
from lowshot.data.images import ImageForm
from lowshot.data.locate import find_given
from lowshot.data.pack import packed, stamp

NATIVE = ImageForm(height=160, width=160, channels=3)

VARIANTS = {
    "train": "3068 photographs of clothes, 112 to 795 of each of ten categories",
    "validation": "341 others, 12 to 81 of each category",
    "test": "372 others, 12 to 73 of each category",
}

FILE = "clothing/clothing_small_160.zip"  # the published pictures, their longest side brought to 160 pixels
_MAKE = "pack train/, validation/ and test/ of github.com/alexeygrigorev/clothing-dataset-small (CC0) as that zip"


def load(variant: str, form: ImageForm | None = None) -> Examples:
    """The photographs of one published part; classes are the categories (``dress``, ``hat``, …).

    ``category`` is an attribute, too, for those to whom every photograph is a class of its own.

    160×160 in color, white around what is narrower, unless ``form`` asks for other pixels. Raises DataNotFound where
    the file is not there: it is not downloaded.
    """
    form = form or NATIVE
    path = find_given(FILE, _MAKE)
    return packed(f"clothing:{variant} {stamp(path)} {form.model_dump_json()}", lambda: _decode(path, variant, form))


def _decode(path: Path, part: str, form: ImageForm) -> Examples:
    files = FileSet.open(path)  # its first folders are the parts, the second ones the categories
    names = [name.removeprefix(f"{path}/") for name in files.names]
    chosen = [i for i, label in enumerate(files.labels) if label == part]
    shown = [names[i] for i in chosen]
    categories = np.array([name.split("/")[1] for name in shown])
    items = read_items([files.items[i] for i in chosen], form, shown)
    return Examples.labeled(items, categories, shown, {"category": categories})
