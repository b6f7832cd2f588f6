"""Spoken words: a sample of the Speech Commands data set, thirty English words by many speakers.

Source: Warden, Speech Commands, version 0.01, 2017 (arXiv 1804.03209; CC BY 4.0). About a second each, 16 kHz, as people
recorded themselves at home.
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
    "": "300 recordings of thirty spoken words, ten of each, all ten by others; a second at 16 kHz",
    "speakers": "the same recordings; classes are the 41 speakers, who said 1 to 21 words, none twice",
}

FILE = "speech_commands/speech_commands_sample.zip"
_MAKE = "pack recordings of version 0.01 (CC BY 4.0) in one folder a word as that zip"
_NAME = re.compile(r"([0-9a-f]+)_nohash_\d+\.wav")  # the speaker


def load(variant: str, form: SoundForm | None = None) -> Examples:
    """The recordings; classes are the words (``bed``, ``bird``, …) or, of ``speakers``, who says them.

    ``word`` and ``speaker``, eight hexadecimal digits, are attributes of both. Raises DataNotFound where the file is not
    there, since it is not downloaded.
    """
    form = form or SoundForm()
    path = find_given(FILE, _MAKE)
    return packed(
        f"speech_commands:{variant} {stamp(path)} {form.model_dump_json()}", lambda: _decode(path, variant, form)
    )


def _decode(path: Path, variant: str, form: SoundForm) -> Examples:
    files = FileSet.open(path)
    speakers = [match[1] for name in files.names if (match := _NAME.fullmatch(Path(name).name))]
    if len(speakers) != len(files):
        raise DataError(f"{path} holds {len(files) - len(speakers)} sounds that are not of Speech Commands: {_MAKE}")
    names = tuple(name.removeprefix(f"{path}/") for name in files.names)
    attributes = {"word": np.array(files.labels), "speaker": np.array(speakers)}
    labels = attributes["speaker" if variant == "speakers" else "word"]
    return Examples.labeled(read_sounds(files.items, form, files.names), labels, names, attributes)
