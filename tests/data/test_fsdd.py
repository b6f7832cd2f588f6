from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from lowshot.data import SoundForm, fsdd, load
from lowshot.data.sounds import wav
from lowshot.errors import DataError, DataNotFound

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
NATIVE = SoundForm(rate=8000)


def test_counts_are_the_published_ones(data_folder: Path) -> None:
    if not (data_folder / fsdd.FILE).is_file():
        pytest.skip("needs the spoken digits: set LOWSHOT_DATA to the folder that holds fsdd/")
    digits, speakers = load("fsdd", NATIVE), load("fsdd:speakers", NATIVE)
    assert digits.items.shape == (3000, 8000) and digits.items.dtype == np.int16
    assert digits.classes == tuple("0123456789") and digits.counts.tolist() == [300] * 10
    assert speakers.classes == SPEAKERS and speakers.counts.tolist() == [500] * 6
    assert (digits.items == speakers.items).all()
    for each in (digits, speakers):
        found = {key: values.tolist() for key, values in each.attributes.items()}
        assert found == {key: [name.split("_")[i] for name in each.names] for i, key in enumerate(("digit", "speaker"))}
    assert (np.abs(digits.items).max(axis=1) > 300).all(), "somebody says something in each"
    few, others = (load(f"fsdd?speaker{equals}jackson,theo", NATIVE) for equals in ("=", "!="))
    assert len(few) == 1000 and not set(few.values("speaker")) & set(others.values("speaker"))


def test_without_the_file_it_says_how_to_come_by_it(no_data: Path) -> None:
    with pytest.raises(DataNotFound, match=r"fsdd\.zip is neither in .* not downloaded: put github\.com/Jakobovski"):
        load("fsdd")


def test_another_zip_is_refused(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data))
    (no_data / fsdd.FILE).parent.mkdir()
    with zipfile.ZipFile(no_data / fsdd.FILE, "w") as archive:
        archive.writestr("recordings/7_theo_0.wav", wav(np.ones(9, np.int16), 8000))
        archive.writestr("recordings/seven.wav", wav(np.ones(9, np.int16), 8000))
    with pytest.raises(DataError, match="holds 1 spoken digits, not 3000"):
        load("fsdd")
