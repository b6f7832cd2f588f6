"""Spoken digits: the Free Spoken Digit Dataset, ten digits said fifty times each by six speakers.

Source: Zohar Jackson and others, github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0). Trimmed, 8 kHz.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lowshot.data.examples import Examples
from lowshot.data.files import FileSet
from lowshot.data.locate import find_given
from lowshot.data.pack import packed, stamp
from lowshot.data.sounds import SoundForm, read_sounds
from lowshot.errors import DataError

VARIANTS = {
    "": "3000 recordings of ten spoken digits, 50 of each by each of six speakers, a second at 16 kHz",
    "speakers": "the same recordings; classes are the six speakers",
}

FILE = "fsdd/fsdd.zip"
_MAKE = "put github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), as GitHub zips it, there"
_RECORDINGS = 3000
_NAME = re.compile(r"(\d)_(\w+)_\d+\.wav")  # digit, speaker


def load(variant: str, form: SoundForm | None = None) -> Examples:
    """The recordings; classes are the digits (``0`` … ``9``) or, of ``speakers``, who says them.

    ``digit`` and ``speaker`` are attributes of both: ``fsdd?speaker=jackson,theo`` and ``fsdd?speaker!=jackson,theo`` share
    no speaker. Raises DataNotFound where the file is not there, since it is not downloaded.
    """
    form = form or SoundForm()
    path = find_given(FILE, _MAKE)
    return packed(f"fsdd:{variant} {stamp(path)} {form.model_dump_json()}", lambda: _decode(path, variant, form))


def _decode(path: Path, variant: str, form: SoundForm) -> Examples:
    files = FileSet.open(path)
    names = [Path(name).name for name in files.names]
    found = [match for name in names if (match := _NAME.fullmatch(name))]
    if len(found) != len(names) or len(names) != _RECORDINGS:
        raise DataError(f"{path} holds {len(found)} spoken digits, not {_RECORDINGS}: {_MAKE}")
    digits, speakers = (np.array([match[part] for match in found]) for part in (1, 2))
    attributes = {"digit": digits, "speaker": speakers}
    labels = speakers if variant == "speakers" else digits
    return Examples.labeled(read_sounds(files.items, form, names), labels, names, attributes)
