from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowshot.data import Examples, ImageForm, lfw, load
from lowshot.errors import DataError, DataNotFound

SMALL = ImageForm(height=25, width=19, channels=1)


@pytest.fixture(scope="module")
def faces(data_folder: Path) -> Examples:
    if not (data_folder / lfw.CROPPED).is_file():
        pytest.skip("needs the faces: set LOWSHOT_DATA to the folder that holds lfw/")
    return load("lfw", SMALL)


def test_counts_are_the_published_ones(faces: Examples) -> None:
    assert faces.items.shape == (13233, 25, 19, 1)
    assert len(faces.classes) == 5749
    assert (faces.counts == 1).sum() == 4069
    most = int(faces.counts.argmax())
    assert (faces.classes[most], faces.counts[most]) == ("George W Bush", 530)


def test_least_leaves_single_photographs_out(faces: Examples) -> None:
    several = load("lfw?least=2", SMALL)
    assert len(several.classes) == 5749 - 4069 and several.counts.min() == 2


def test_the_official_archive_is_cut_as_scikit_learn_cuts_it(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two photographs in an archive of the official form, against scikit-learn's slice and mean of the channels."""
    rng = np.random.default_rng(0)
    photos = {
        name: np.asarray(Image.fromarray(rng.integers(0, 255, (25, 25, 3), np.uint8)).resize((250, 250)))
        for name in ("Zoe_Ball/Zoe_Ball_0001", "Aaron_Tippin/Aaron_Tippin_0001")
    }
    (no_data / "lfw").mkdir()
    with tarfile.open(no_data / lfw.FUNNELED.path, "w:gz") as archive:
        for name, pixels in photos.items():
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "jpeg", quality=100, subsampling=0)
            member = tarfile.TarInfo(f"lfw_funneled/{name}.jpg")
            member.size = buffer.tell()
            buffer.seek(0)
            archive.addfile(member, buffer)
        archive.addfile(tarfile.TarInfo("lfw_funneled/pairs_01.txt"))
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data))
    monkeypatch.setattr(lfw, "_FACES", 2)
    examples = load("lfw")
    assert examples.classes == ("Aaron Tippin", "Zoe Ball")
    for pixels, item in zip(reversed(photos.values()), examples.items, strict=True):
        luma = pixels[70:195, 78:172] @ [0.299, 0.587, 0.114]
        assert np.abs(item[..., 0] - luma).mean() < 2


def test_a_file_that_is_not_lfw_is_refused(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data))
    path = no_data / lfw.CROPPED
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lfw/Ada_Lovelace/Ada_Lovelace_0001.jpg", b"")
    with pytest.raises(DataError, match="holds 1 faces, not LFW's 13233"):
        load("lfw")
    path.write_bytes(b"no zip")
    with pytest.raises(DataError, match="cannot be read"):
        load("lfw")
    path.unlink()
    (no_data / lfw.FUNNELED.path).write_bytes(b"no tar")
    with pytest.raises(DataError, match="cannot be read"):
        load("lfw")


def test_missing_names_the_official_file(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(DataNotFound, match=r"lfw/lfw-funneled\.tgz is neither"):
        load("lfw")
