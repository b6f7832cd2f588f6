from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from lowshot.data import SoundForm, load, speech_commands
from lowshot.data.sounds import wav
from lowshot.errors import DataError, DataNotFound

FORM = SoundForm(rate=8000)


def test_counts(data_folder: Path) -> None:
    if not (data_folder / speech_commands.FILE).is_file():
        pytest.skip("needs the words: set LOWSHOT_DATA to the folder that holds speech_commands/")
    words = load("speech_commands", FORM)
    assert words.items.shape == (300, 8000)
    assert len(words.classes) == 30 and words.counts.tolist() == [10] * 30
    assert [words.classes[label] for label in words.labels] == words.values("word").tolist()
    assert len(set(words.values("speaker").tolist())) == 41
    pairs = set(zip(words.labels.tolist(), words.values("speaker").tolist(), strict=True))
    assert len(pairs) == 300, "nobody says a word twice"
    assert words.names[0] == f"speech_commands_v0.01/bed/{words.values('speaker')[0]}_nohash_0.wav"
    assert len(load("speech_commands?word!=zero,one,two", FORM).classes) == 27


def test_speakers_are_the_classes_of_the_same_recordings(data_folder: Path) -> None:
    if not (data_folder / speech_commands.FILE).is_file():
        pytest.skip("needs the words: set LOWSHOT_DATA to the folder that holds speech_commands/")
    words, speakers = load("speech_commands", FORM), load("speech_commands:speakers", FORM)
    np.testing.assert_array_equal(words.items, speakers.items)
    assert words.names == speakers.names and len(speakers.classes) == 41
    assert [speakers.classes[label] for label in speakers.labels] == words.values("speaker").tolist()
    assert len(load("speech_commands:speakers?least=6", FORM).classes) == 19


def test_without_the_file_it_says_how_to_make_it(no_data: Path) -> None:
    with pytest.raises(DataNotFound, match=r"speech_commands_sample\.zip is neither in .* not downloaded: pack"):
        load("speech_commands")


def test_another_zip_is_refused(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data))
    (no_data / speech_commands.FILE).parent.mkdir()
    with zipfile.ZipFile(no_data / speech_commands.FILE, "w") as archive:
        archive.writestr("yes/1.wav", wav(np.ones(9, np.int16), 8000))
    with pytest.raises(DataError, match="holds 1 sounds that are not of Speech Commands"):
        load("speech_commands")
