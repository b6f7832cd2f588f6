"""The user's own pictures: a folder, a zip and a table of the same pictures are the same examples."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowshot.data import Examples, ImageForm, files
from lowshot.data.files import FileSet
from lowshot.errors import BadFiles, DataError

FORM = ImageForm(height=6, width=6, channels=1)


def picture(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (6, 6), value).save(file, "PNG")
    return file.getvalue()


CONTENT = {"cat/1.png": 10, "cat/deeper/2.PNG": 20, "dog/1.png": 30, "eel café/x.png": 40}
LABELS = ["cat", "cat", "dog", "eel café"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, value in CONTENT.items():
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(value))
    return tmp_path / "pets"


def zip_of(path: Path, members: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[arg-type]
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def table_of(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def check(examples: Examples) -> None:
    assert examples.classes == ("cat", "dog", "eel café")
    assert [examples.classes[label] for label in examples.labels] == LABELS
    assert (examples.items == np.reshape([*CONTENT.values()], (4, 1, 1, 1))).all()
    assert examples.labels.dtype == np.int64


# --- folders ----------------------------------------------------------------------------------------------------------


def test_folder(folder: Path) -> None:
    examples = files.load(folder, FORM)
    check(examples)
    assert examples.names == tuple(str(folder / name) for name in CONTENT)


def test_default_form_is_for_photos(folder: Path) -> None:
    assert files.load(str(folder)).items.shape == (4, 84, 84, 3)


def test_what_is_no_picture_is_left_out(folder: Path) -> None:
    for name in ("cat/.DS_Store", "cat/notes.txt", "README.md", ".git/x.png", "cat/._1.png", "cat/.hidden/1.png"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no picture")
    (folder / "nothing here").mkdir()
    check(files.load(folder, FORM))


def test_all_bad_files_are_listed_once(folder: Path) -> None:
    bad = ["cat/empty.png", "dog/cut.png", "dog/text.jpg", "eel café/phone.heic"]
    for name, content in zip(bad, (b"", picture(0)[:40], b"text", b"ftypheic"), strict=True):
        (folder / name).write_bytes(content)
    with pytest.raises(BadFiles) as caught:
        files.load(folder, FORM)
    assert [name for name, _ in caught.value.problems] == [str(folder / name) for name in bad]
    assert str(caught.value).count("cut.png") == 1
    assert "4 of 8 files" in str(caught.value)


def test_folder_without_classes_shows_the_layout(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no pictures or sounds in class folders.*cat/1\.png"):
        FileSet.open(tmp_path)
    (tmp_path / "1.png").write_bytes(picture(0))
    with pytest.raises(DataError, match=r"outside any class folder, such as 1\.png.*cat/1\.png"):
        FileSet.open(tmp_path)


def test_links_to_classes_are_followed_and_circles_are_not(folder: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("cat", "dog", "eel café"):
        (linked / name).symlink_to(folder / name, target_is_directory=True)
    (folder / "dog" / "back").symlink_to(linked, target_is_directory=True)
    check(files.load(linked, FORM))


@pytest.mark.parametrize("name", ["pipe", "pipe.csv", "pipe.zip"])
def test_what_might_never_end_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="device or a pipe: give a folder"):
        FileSet.open(tmp_path / name)
    if Path("/dev/zero").exists():
        (tmp_path / "zero.csv").symlink_to("/dev/zero")
        for path in ("/dev/zero", tmp_path / "zero.csv"):
            with pytest.raises(DataError, match="device"):
                files.load(path)


def test_unreadable_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        FileSet.open(folder)


# --- zips -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", ["", "pets/", "./pets/", "/pets/"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_equals_the_folder(tmp_path: Path, folder: Path, top: str, compression: int) -> None:
    members = {top + name: picture(value) for name, value in CONTENT.items()}
    extra = {"__MACOSX/pets/cat/._1.png": b"", f"{top}cat/.DS_Store": b"", f"{top}readme.txt": b""}
    path = zip_of(tmp_path / "pets.zip", extra | members, compression=compression)
    before = sorted(tmp_path.rglob("*"))
    examples = files.load(path, FORM)
    check(examples)
    assert examples.fingerprint == files.load(folder, FORM).fingerprint
    assert examples.names[0].startswith(f"{path}/")
    assert sorted(tmp_path.rglob("*")) == before, "nothing is extracted"


def test_zip_of_one_class_keeps_it(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "one.zip", {"cat/1.png": picture(1), "cat/2.png": picture(2)})
    assert files.load(path, FORM).classes == ("cat",)


def test_names_inside_a_zip_are_only_labels(tmp_path: Path) -> None:
    members = {"../../cat/1.png": picture(1), "..\\dog\\1.png": picture(2), "C:/eel/1.png": picture(3)}
    examples = files.load(zip_of(tmp_path / "odd.zip", members), FORM)
    assert set(examples.classes) == {"cat", "dog", "C:"}


def test_bad_members_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = {f"cat/{name}.png": picture(7) for name in ("damaged", "encrypted", "good", "liar")}
    path = zip_of(tmp_path / "bad.zip", members | {"dog/large.png": bytes(5000)}, compression=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 6] ^= 0xFF  # of the first member: its checksum no longer fits
    directory = content.index(b"PK\x01\x02")
    entry = content.index(b"cat/encrypted.png", directory) - 46
    content[entry + 8] |= 1
    entry = content.index(b"cat/liar.png", directory) - 46
    content[entry + 24 : entry + 28] = (20).to_bytes(4, "little")  # declares fewer bytes than it has
    path.write_bytes(content)
    monkeypatch.setattr(files, "MAX_BYTES", 4000)
    with pytest.raises(BadFiles) as caught:
        files.load(path, FORM)
    reasons = {name.removeprefix(f"{path}/"): why for name, why in caught.value.problems}
    assert reasons.keys() == {"cat/damaged.png", "cat/encrypted.png", "cat/liar.png", "dog/large.png"}
    assert "damaged" in reasons["cat/damaged.png"]
    assert "encrypted" in reasons["cat/encrypted.png"]
    assert "5,000 bytes" in reasons["dog/large.png"]


def test_empty_and_broken_zips(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pictures"):
        FileSet.open(zip_of(tmp_path / "empty.zip", {}))
    with pytest.raises(DataError, match=r"outside any class folder, such as 1\.png"):
        FileSet.open(zip_of(tmp_path / "loose.zip", {"pets/1.png": picture(1), "pets/cat/1.png": picture(1)}))
    whole = zip_of(tmp_path / "whole.zip", {"cat/1.png": picture(1)}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-30])
    with pytest.raises(DataError, match=r"cut\.zip is no folder"):
        FileSet.open(tmp_path / "cut.zip")


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_table_equals_the_folder(folder: Path, encoding: str, newline: str) -> None:
    lines = [
        "label,path,color",
        *(f"{label},{name},c{i}" for i, (label, name) in enumerate(zip(LABELS, CONTENT, strict=True))),
    ]
    examples = files.load(table_of(folder / "pets.csv", newline.join(lines) + newline + newline, encoding), FORM)
    check(examples)
    assert examples.fingerprint == files.load(folder, FORM).fingerprint
    assert examples.names == tuple(str(folder / name) for name in CONTENT)
    assert examples.attributes["color"].tolist() == ["c0", "c1", "c2", "c3"]
    assert len(examples.where(color="c2")) == 1


def test_table_with_quotes_spaces_blank_rows_and_absolute_paths(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    text = f'path , label, note\n{folder}/cat/1.png, "Cat, gray",\n\n,,\n../pets/dog/1.png,Dog,"two\nlines"\n'
    listed = FileSet.open(table_of(elsewhere / "t.CSV", text))
    assert list(listed.labels) == ["Cat, gray", "Dog"]
    assert listed.attributes["note"].tolist() == ["", "two\nlines"]
    assert listed.examples(FORM).items[:, 0, 0, 0].tolist() == [10, 30]


def test_missing_files_of_a_table_are_listed_together(folder: Path) -> None:
    rows = "gone1.png,a\ncat/1.png,a\ngone2.png,b\ngone1.png,b\n"
    with pytest.raises(BadFiles) as caught:
        files.load(table_of(folder / "t.csv", "path,label\n" + rows), FORM)
    assert caught.value.problems == tuple((str(folder / f"gone{i}.png"), "no such file") for i in (1, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("path,label\n", "has no rows"),
        ("path,class\nx.png,a\n", "line 1: no column 'label'"),
        ("path;label\nx.png;a\n", "line 1: no column 'path' in 'path;label'.*commas"),
        ("Text,Label\nhi,a\n", "no column 'path' in 'Text,Label'.*small letters"),
        ("path,label,color,color\nx.png,a,b,c\n", "line 1: every column needs a name of its own"),
        ("path,label,\nx.png,a,b\n", "line 1: every column needs a name of its own"),
        ("path,label\nx.png,a\n\ny.png\n", "line 4: 1 cells but 2 columns"),
        ("path,label\nx.png,a,b\n", "line 2: 3 cells but 2 columns"),
        ("path,label\nx.png,a\ny.png, \n", "line 3: no label"),
        ("path,label\n,a\n", "line 2: no path"),
        ('path,label\n"x.png,a\n', "line 2: unexpected end"),
    ],
)
def test_bad_tables_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        FileSet.open(table_of(tmp_path / "t.csv", text))


def test_all_bad_rows_are_listed(tmp_path: Path) -> None:
    text = "path,label\nx.png,a\n,b\ny.png,\nz.png\n" + 10 * "w.png,\n"
    with pytest.raises(DataError) as raised:
        FileSet.open(table_of(tmp_path / "t.csv", text))
    message = str(raised.value)
    assert (
        f"13 of 14 rows of {tmp_path / 't.csv'} cannot be used (line 3: no path; line 4: no label; line 5:" in message
    )
    assert message.count("line") == 10 and "and 3 more" in message


def test_table_in_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not UTF-8"):
        FileSet.open(table_of(tmp_path / "t.csv", "path,label\nx.png,café\n", "latin-1"))


# --- any of them ------------------------------------------------------------------------------------------------------


def test_original_bytes(folder: Path, tmp_path: Path) -> None:
    members = {name: picture(value) for name, value in CONTENT.items()}
    rows = "".join(f"pets/{name},{label}\n" for name, label in zip(CONTENT, LABELS, strict=True))
    table = table_of(tmp_path / "t.csv", "path,label\n" + rows)
    for path in (folder, zip_of(tmp_path / "pets.zip", members), table):
        listed = FileSet.open(path)
        assert len(listed) == 4
        assert [each.read_bytes() for each in listed.items] == [*members.values()]
        assert list(listed.labels) == LABELS


def test_something_else(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        FileSet.open(tmp_path / "gone")
    with pytest.raises(DataError, match=r"text\.txt is no folder, no CSV table and no whole zip"):
        FileSet.open(table_of(tmp_path / "text.txt", "path,label\n"))


@pytest.mark.parametrize("kind", ["folder", "zip", "table"])
def test_large_sets_are_packed_until_they_change(
    folder: Path, no_data: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(files, "_DIRECT", 3)
    members = {name: picture(value) for name, value in CONTENT.items()}
    rows = "".join(f"pets/{name},{label}\n" for name, label in zip(CONTENT, LABELS, strict=True))
    make: dict[str, Callable[[], Path]] = {
        "folder": lambda: folder,
        "zip": lambda: zip_of(no_data / "pets.zip", members),
        "table": lambda: table_of(no_data / "t.csv", "path,label\n" + rows),
    }
    path = make[kind]()
    check(files.load(path, FORM))
    again = files.load(path, FORM)
    check(again)
    assert isinstance(again.items, np.memmap)
    assert files.load(path).items.shape == (4, 84, 84, 3)
    changed = picture(99)
    if kind == "zip":
        zip_of(path, members | {"dog/1.png": changed})
    else:
        (folder / "dog" / "1.png").write_bytes(changed)
    os.utime(path if kind == "zip" else folder / "dog" / "1.png", ns=(1, 1))
    assert files.load(path, FORM).items[:, 0, 0, 0].tolist() == [10, 20, 99, 40]


def test_small_sets_leave_no_copy(folder: Path, no_data: Path) -> None:
    files.load(folder, FORM)
    assert not (no_data / "cache").exists()


def test_bad_files_of_a_large_set_leave_no_copy(folder: Path, no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_DIRECT", 0)
    table = table_of(folder / "t.csv", "path,label\ngone.png,a\n")
    with pytest.raises(BadFiles, match="no such file"):
        files.load(table, FORM)
    assert not list(no_data.rglob("*.npy"))


def test_real_zip_by_alphabets(data_folder: Path) -> None:
    listed = FileSet.open(data_folder / "omniglot" / "images_evaluation.zip")
    assert len(listed) == 13_180
    assert len(set(listed.labels)) == 20
    assert "Tengwar" in listed.labels
