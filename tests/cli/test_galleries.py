"""``enroll``, ``identify`` and ``gallery``, where something is not as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowshot import Encoder, Gallery
from lowshot.errors import DataError

Run = Callable[..., Any]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of class folders: three pictures each of a and b."""
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 256, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / label / f"{i}.png")
    return tmp_path / "pictures"


@pytest.fixture
def encoder(tmp_path: Path, tiny_model: Callable[..., bytes]) -> Path:
    (tmp_path / "encoder").mkdir()
    (file := tmp_path / "encoder" / "tiny.onnx").write_bytes(tiny_model())
    return file


@pytest.fixture
def gallery(lowshot: Run, pictures: Path, encoder: Path, tmp_path: Path) -> Path:
    assert lowshot("enroll", tmp_path / "my.gallery", pictures, "--encoder", encoder).status == 0
    return tmp_path / "my.gallery"


def test_enrolling_again_adds_only_what_is_new(lowshot: Run, pictures: Path, gallery: Path) -> None:
    again = lowshot("enroll", gallery, pictures)
    assert again.out == (f"enrolled 0 examples (6 more were there already); {gallery} now holds 6 of 2 classes\n")
    Image.new("L", (8, 8)).save(pictures / "b" / "new.png")
    assert "enrolled 1 examples (6 more were there already)" in lowshot("enroll", gallery, pictures).out


def test_an_encoder_that_moved(
    lowshot: Run, fails: Callable[..., str], pictures: Path, gallery: Path, encoder: Path, tmp_path: Path
) -> None:
    moved = encoder.rename(tmp_path / "moved.onnx")
    query = pictures / "a" / "1.png"
    said = fails("identify", gallery, query)
    assert str(encoder) in said and "--encoder FILE" in said
    assert json.loads(lowshot("gallery", "list", gallery, "--json").out) == {"a": 3, "b": 3}
    assert json.loads(lowshot("gallery", "show", gallery, "--json").out)["encoder"] == "tiny"
    assert lowshot("gallery", "remove", gallery, "--id", 6).status == 0
    asked = lowshot("identify", gallery, query, "--encoder", moved, "--json")
    assert json.loads(asked.out)[0]["candidates"][0]["label"] == "a"
    assert lowshot("identify", gallery, query).status == 0
    assert "belongs to the encoder 'tiny'" in fails("identify", gallery, query, "--encoder", "characters")


def test_listing_loads_neither_encoder_nor_classifier(gallery: Path) -> None:
    code = (
        "import sys; from lowshot.cli import main; sys.argv = ['lowshot', 'gallery', 'show', sys.argv[1]]\n"
        "try: main()\nexcept SystemExit as ended: assert not ended.code\n"
        "assert not {'onnxruntime', 'sklearn', 'scipy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(gallery)], check=True, stdout=subprocess.DEVNULL)


def test_removing_counts_each_once_and_speaks_json(lowshot: Run, gallery: Path) -> None:
    removed = lowshot("gallery", "remove", gallery, "--id", 1, "--id", 1, "--json")
    assert json.loads(removed.out) == {"removed": 1, "examples": 5, "classes": 2}
    removed = lowshot("gallery", "remove", gallery, "--label", "b", "--json")
    assert json.loads(removed.out) == {"removed": 3, "examples": 2, "classes": 1}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gallery", "show", "my.gallery", "--label", "nope"], "no class 'nope'"),
        (["gallery", "remove", "my.gallery", "--id", str(10**30)], f"no example {10**30}"),
        (["gallery", "list", "pictures"], "pictures is a folder or a device: give the file of a gallery"),
        (["identify", "pictures", "x.png"], "is a folder"),
        (["enroll", "pictures", "pictures"], "is a folder"),
        (["enroll", "my.gallery", "labels.csv"], "labels cannot be used (pictures/a/0.png: the label"),
        (["enroll", "new.gallery", "labels.csv", "--encoder", "encoder/tiny.onnx"], "pictures/b/0.png: the label"),
    ],
)
def test_what_the_user_got_wrong(
    gallery: Path, arguments: list[str], says: str, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(gallery.parent)
    Path("labels.csv").write_text("path,label\npictures/a/0.png," + 300 * "x" + "\npictures/b/0.png,\x01\n")
    assert says in fails(*arguments)
    assert not Path("new.gallery").exists()


def test_names_cannot_command_the_terminal(lowshot: Run, pictures: Path, encoder: Path, tmp_path: Path) -> None:
    (pictures / "a").rename(pictures / "red \u202ea")
    assert lowshot("enroll", tmp_path / "g", pictures, "--encoder", encoder).status == 0
    answer = lowshot("identify", tmp_path / "g", pictures / "red \u202ea" / "0.png").out
    assert r"red \u202ea" in answer and "\u202e" not in answer


def test_stopping_leaves_no_new_gallery(
    lowshot: Run, pictures: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Encoder, "embed", stop)
    assert lowshot("enroll", tmp_path / "new.gallery", pictures, "--encoder", encoder).status == 130
    assert not list(tmp_path.glob("new.gallery*"))


def test_a_failure_leaves_alone_what_others_enrolled_meanwhile(
    fails: Callable[..., str], pictures: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.gallery"

    def fail(*_: object) -> None:
        with Gallery.open(path, encoder, create=True) as other:
            other.enroll([np.zeros((8, 8), np.uint8)], ["theirs"])
        raise DataError("ours failed")

    monkeypatch.setattr(Gallery, "enroll_files", fail)
    assert "ours failed" in fails("enroll", path, pictures, "--encoder", encoder)
    with Gallery.open(path) as left:
        assert left.classes() == {"theirs": 1}


def test_only_a_new_gallery_is_one_of_float16(
    lowshot: Run, fails: Callable[..., str], pictures: Path, gallery: Path, encoder: Path, tmp_path: Path
) -> None:
    assert "only a new gallery" in fails("enroll", gallery, pictures, "--float16")
    small = tmp_path / "small.gallery"
    assert lowshot("enroll", small, pictures, "--encoder", encoder, "--float16").status == 0
    assert lowshot("enroll", small, pictures, "--float16").status == 0
    query = pictures / "a" / "1.png"
    one, other = (json.loads(lowshot("identify", each, query, "--json").out)[0] for each in (gallery, small))
    assert one["label"] == other["label"] and abs(one["confidence"] - other["confidence"]) < 0.02


def test_no_slip_writes_over_a_gallery_or_a_picture(
    fails: Callable[..., str], gallery: Path, pictures: Path, tmp_path: Path
) -> None:
    before = gallery.read_bytes()
    assert "name it" in fails("gallery", "check", gallery, "--html", gallery)
    assert "name it" in fails("gallery", "check", gallery, "--html", pictures / "a" / "1.png")
    gallery.rename(twin := tmp_path / "twin.parquet")
    assert "no Parquet file" in fails("gallery", "export", twin, twin)
    assert twin.read_bytes() == before


def test_a_recall_without_a_gate_means_nothing(fails: Callable[..., str], gallery: Path, pictures: Path) -> None:
    assert "goes with --gate" in fails("identify", gallery, pictures / "a" / "1.png", "--gate-recall", 0.9)
    assert "recall" in fails("gallery", "check", gallery, "--gate-recall", 7)
