"""``gallery copy``, ``export``, ``import``, ``migrate`` and ``enroll --bulk``, as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowshot import Gallery

Run = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Here: three pictures each of a and b, a table of them, two encoders."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = ["path,label,kind"]
    for label in "ab":
        Path("pictures", label).mkdir(parents=True)
        for i in range(3):
            file = Path("pictures", label, f"{i}.png")
            Image.fromarray(rng.integers(0, 256, (8, 8)).astype(np.uint8)).save(file)
            rows.append(f"{file},{label},{i}")
    Path("table.csv").write_text("\n".join(rows))
    Path("tiny.onnx").write_bytes(tiny_model())
    Path("newer.onnx").write_bytes(tiny_model(seed=1, size=6, features=9, name="newer"))
    return tmp_path


@pytest.fixture
def gallery(lowshot: Run, folder: Path) -> str:
    assert lowshot("enroll", "my.gallery", "table.csv", "--encoder", "tiny.onnx").status == 0
    return "my.gallery"


def test_a_gallery_travels(lowshot: Run, gallery: str) -> None:
    for command, says in (
        ("copy my.gallery copied.gallery", "copied 6 examples to copied.gallery\n"),
        ("export copied.gallery file.parquet", "exported 6 examples to file.parquet\n"),
        ("import file.parquet back.gallery --encoder tiny.onnx", "imported 6 examples to back.gallery\n"),
        ("migrate back.gallery new.gallery --encoder newer.onnx", "migrated 6 examples to new.gallery\n"),
    ):
        ran = lowshot("gallery", *command.split())
        assert (ran.status, ran.out, ran.err) == (0, says, "")
    shown = [json.loads(lowshot("gallery", "show", each, "--json").out) for each in (gallery, "new.gallery")]
    assert shown[0]["examples"] == shown[1]["examples"] and shown[0]["examples"][4]["attributes"] == {"kind": "1"}
    assert [each["encoder"] for each in shown] == ["tiny", "newer"]
    assert lowshot("identify", "new.gallery", "pictures/a/0.png").status == 0
    assert lowshot("gallery", "copy", gallery, "other.gallery", "--json").out == '{"copied": 6}\n'


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("gallery copy my.gallery my.gallery", "my.gallery is a gallery already: give another place for the copy of"),
        ("gallery copy nowhere.gallery new.gallery", "no gallery 'nowhere.gallery'"),
        ("gallery export my.gallery my.gallery", "name it my.parquet"),
        ("gallery import pictures/a/0.png new.gallery", "cannot be read as Parquet"),
        ("gallery migrate my.gallery new.gallery --encoder nothing", "no encoder 'nothing'"),
        ("enroll my.gallery pictures --no-images", "only a new gallery can do without (--no-images)"),
        ("enroll my.gallery pictures --workers 2", "--workers goes with --bulk"),
        ("enroll my.gallery digits --bulk", "--bulk takes a folder, a zip or a CSV table, not digits"),
    ],
)
def test_what_the_user_got_wrong(command: str, says: str, gallery: str, fails: Callable[..., str]) -> None:
    before = Path(gallery).read_bytes()
    assert says in fails(*command.split())
    assert Path(gallery).read_bytes() == before and not Path("new.gallery").exists()


def test_features_only(lowshot: Run, fails: Callable[..., str], folder: Path) -> None:
    enroll = "enroll", "bare.gallery", "pictures", "--encoder", "tiny.onnx"
    assert lowshot(*enroll, "--no-images").status == 0
    assert "enrolled 0 examples (6 more were there already)" in lowshot(*enroll).out
    assert "keeps features only (--no-images)" in fails(
        "gallery", "migrate", "bare.gallery", "new.gallery", "--encoder", "newer.onnx"
    )
    assert not any(file.read_bytes() in Path("bare.gallery").read_bytes() for file in Path("pictures").rglob("*.png"))


def test_enrolling_in_bulk(lowshot: Run, folder: Path) -> None:
    Path("pictures/b/bad.png").write_text("no picture")
    enroll = "enroll", "my.gallery", "pictures", "--encoder", "tiny.onnx", "--bulk", "--workers", 0
    ran = lowshot(*enroll)
    assert ran.status == 1
    assert ran.out == "enrolled 6 examples, 1 files cannot be used; my.gallery now holds 6 of 2 classes\n"
    assert ran.err.startswith("lowshot: pictures/b/bad.png: it is no picture of a format read here")
    again = lowshot(*enroll, "--json")
    found = json.loads(again.out)
    assert again.status == 1 and found.pop("bad")[0]["file"] == "pictures/b/bad.png"
    assert found == {"enrolled": 0, "there": 6, "examples": 6, "classes": 2}
    Path("pictures/b/bad.png").unlink()
    ran = lowshot(*enroll)
    assert (ran.status, ran.err) == (0, "")
    with Gallery.open("my.gallery") as gallery:
        assert gallery.classes() == {"a": 3, "b": 3}


def test_very_many_files_are_better_enrolled_in_bulk(
    lowshot: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowshot.cli.galleries._MANY", 5)
    ran = lowshot("enroll", "my.gallery", "table.csv", "--encoder", "tiny.onnx")
    assert (
        ran.status == 0
        and ran.err == "lowshot: 6 files, in memory and all or none: --bulk enrolls them batch by batch\n"
    )
    assert lowshot("enroll", "my.gallery", "table.csv", "--bulk", "--workers", 0).err == ""


def test_enrolling_speaks_json(lowshot: Run, folder: Path) -> None:
    ran = lowshot("enroll", "my.gallery", "table.csv", "--encoder", "tiny.onnx", "--json")
    assert json.loads(ran.out) == {"enrolled": 6, "there": 0, "bad": [], "examples": 6, "classes": 2}
