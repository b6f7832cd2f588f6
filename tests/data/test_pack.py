from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lowshot.data import Examples, cache_folder
from lowshot.data.pack import packed, stamp

pytestmark = pytest.mark.usefixtures("no_data")


def make(**attributes: list[str]) -> Examples:
    return Examples(
        items=np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4, 1),
        labels=np.array([1, 0, 1]),
        classes=("α", "β/γ"),
        names=("one", "two", "drei ß"),
        attributes={key: np.array(values) for key, values in attributes.items()},
    )


def no_build() -> Examples:
    raise AssertionError("it was packed before")


def packed_folder() -> Path:
    (folder,) = (cache_folder() / "packed").iterdir()  # and nothing half-made beside it
    return folder


def assert_equal(one: Examples, other: Examples) -> None:
    assert one.fingerprint == other.fingerprint
    assert one.names == other.names and one.classes == other.classes
    assert one.labels.dtype == np.int64
    assert list(one.attributes) == list(other.attributes)
    assert all((one.attributes[key] == other.attributes[key]).all() for key in one.attributes)


def test_comes_back_equal_as_a_read_only_map() -> None:
    examples = make(alphabet=["Greek", "", "Ελληνικά"], file=["a", "b", "c"], labels=["x", "y", "z"])
    for back in (packed("key", lambda: examples), packed("key", no_build)):
        assert_equal(back, examples)
        assert isinstance(back.items, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            back.items[0] = 0


def test_another_key_is_another_set() -> None:
    packed("a", make)
    with pytest.raises(AssertionError):
        packed("b", no_build)


def test_a_failed_build_leaves_nothing() -> None:
    with pytest.raises(AssertionError):
        packed("key", no_build)
    assert not (cache_folder() / "packed").exists()


@pytest.mark.parametrize("file", ["items.npy", "arrays.npz", "facts.json"])
@pytest.mark.parametrize("damage", ["removed", "emptied", "cut", "garbled"])
def test_a_damaged_copy_is_made_again(file: str, damage: str) -> None:
    packed("key", make)
    path = packed_folder() / file
    content = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes({"emptied": b"", "cut": content[: len(content) // 2], "garbled": b"\x93" * 99}[damage])
    assert_equal(packed("key", make), make())
    assert_equal(packed("key", no_build), make())


def test_an_attribute_is_never_unpickled() -> None:
    objects = Examples(np.zeros((1, 2, 2, 1), np.uint8), np.array([0]), ("a",), attributes={"o": np.array([{}])})
    with pytest.raises(ValueError, match="allow_pickle"):
        packed("key", lambda: objects)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_cannot_be_written_says_so(no_data: Path) -> None:
    no_data.chmod(0o500)
    with pytest.warns(UserWarning, match="LOWSHOT_CACHE"):
        assert_equal(packed("key", make), make())


def test_a_cache_that_is_a_file_says_so_and_blocks_nothing(no_data: Path) -> None:
    (no_data / "cache").write_text("not a folder")
    with pytest.warns(UserWarning, match="LOWSHOT_CACHE") as warned:
        assert_equal(packed("key", make), make())
    assert len(warned) == 1 and "\n" not in str(warned[0].message)


def test_a_full_disk_blocks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.warns(UserWarning, match="No space left"):
        assert_equal(packed("key", make), make())
    assert list((cache_folder() / "packed").iterdir()) == []


_PACK = """
import numpy as np
from lowshot.data import Examples
from lowshot.data.pack import packed
print(packed("key", lambda: Examples(np.zeros((3, 4, 4, 1), np.uint8), np.array([0, 1, 1]), ("a", "b"))).fingerprint)
"""


def test_several_processes_pack_at_once() -> None:
    command = [sys.executable, "-c", _PACK]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = [process.communicate(timeout=60)[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    assert len(set(printed)) == 1 and packed_folder().is_dir()


def test_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = stamp(path)
    assert stamp(path) == before
    path.write_bytes(b"three")
    assert stamp(path) != before
