"""Omniglot: 1623 handwritten characters of 50 alphabets, each drawn once by 20 people (Lake et al. 2015)."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np

from lowshot.data.examples import Examples
from lowshot.data.images import ImageForm, read_pictures
from lowshot.data.locate import Archive, locate
from lowshot.data.pack import packed, stamp
from lowshot.errors import DataError

NATIVE = ImageForm(height=105, width=105, channels=1)

OFFICIAL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
ARCHIVES = {
    "background": Archive(
        "omniglot/images_background.zip",
        f"{OFFICIAL}/images_background.zip",
        "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
    ),
    "evaluation": Archive(
        "omniglot/images_evaluation.zip",
        f"{OFFICIAL}/images_evaluation.zip",
        "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
    ),
}
_IMAGES = {"background": 964 * 20, "evaluation": 659 * 20}

# Five background alphabets each: the "minimal" settings of Lake's one-shot challenge.
SMALL = {
    "small1": ("Balinese", "Early_Aramaic", "Greek", "Korean", "Latin"),
    "small2": ("Greek", "Japanese_(katakana)", "Latin", "Sanskrit", "Tagalog"),
}

# The split of Vinyals et al. (2016) as published by Snell et al. (2017): 1028, 172 and 423 characters. It follows
# alphabets, except that the last four letters of Gurmukhi are test characters.
VINYALS_VAL = ("Armenian", "Bengali", "Early_Aramaic", "Hebrew", "Mkhedruli_(Georgian)")
VINYALS_TEST = (
    *("Kannada", "Keble", "Malayalam", "Manipuri", "Mongolian", "Old_Church_Slavonic_(Cyrillic)", "Oriya", "Sylheti"),
    *("Syriac_(Serto)", "Tengwar", "Tibetan", "ULOG"),
)
_GURMUKHI_TEST = tuple(f"Gurmukhi/character{number}" for number in (42, 43, 44, 45))

VARIANTS = {
    "": "all 1623 characters",
    "background": "964 characters of 30 alphabets",
    "evaluation": "659 characters of the 20 other alphabets",
    "small1": "five background alphabets",
    "small2": "five background alphabets, two of them in small1, too",
    "vinyals-train": "1028 characters × 4 rotations as classes (Vinyals/Snell)",
    "vinyals-val": "172 characters × 4 rotations",
    "vinyals-trainval": "1200 characters × 4 rotations",
    "vinyals-test": "423 characters × 4 rotations",
}


def load(variant: str, form: ImageForm | None = None) -> Examples:
    """One of :data:`VARIANTS`. Classes are named ``Alphabet/characterNN``; attributes: ``alphabet`` and ``drawer``.

    Ink is dark on white, as in the files (105×105, one channel) unless ``form`` asks for another size.
    """
    form = form or NATIVE
    if variant in ARCHIVES:
        return _half(variant, form)
    if variant in SMALL:
        return _half("background", form).where(alphabet=SMALL[variant])
    everything = _half("background", form).merge(_half("evaluation", form))
    return everything if not variant else _vinyals(everything, variant.removeprefix("vinyals-")).with_rotations()


def _vinyals(everything: Examples, part: str) -> Examples:
    alphabet = np.array([name.split("/")[0] for name in everything.classes])
    test = np.isin(alphabet, VINYALS_TEST) | np.isin(everything.classes, _GURMUKHI_TEST)
    val = np.isin(alphabet, VINYALS_VAL)
    chosen = {"train": ~test & ~val, "val": val, "trainval": ~test, "test": test}[part]
    return everything.take(chosen[everything.labels])


def _half(half: str, form: ImageForm) -> Examples:
    path = locate(ARCHIVES[half])
    return packed(f"omniglot {half} {stamp(path)} {form.model_dump_json()}", lambda: _decode(path, half, form))


def _decode(path: Path, half: str, form: ImageForm) -> Examples:
    pattern = re.compile(rf"images_{half}/([^/]+)/(character\d+)/\d+_(\d+)\.png")
    try:
        with zipfile.ZipFile(path) as archive:
            found = [match for name in sorted(archive.namelist()) if (match := pattern.fullmatch(name))]
            drawings = [archive.read(match[0]) for match in found]
    except zipfile.BadZipFile:
        found = []
    if len(found) != _IMAGES[half]:
        raise DataError(
            f"{path} is not Omniglot's images_{half}.zip ({len(found)} of {_IMAGES[half]} drawings can be read): "
            "remove it and it is fetched again"
        )
    return Examples.labeled(
        read_pictures(drawings, form),
        labels=[f"{match[1]}/{match[2]}" for match in found],
        names=[match[0] for match in found],
        attributes={
            "alphabet": np.array([match[1] for match in found]),
            "drawer": np.array([match[3] for match in found]),
        },
    )
