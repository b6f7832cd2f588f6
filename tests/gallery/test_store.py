"""The file: what is acknowledged stays, what fails leaves nothing, and SQLite's errors come in plain words."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowshot.errors import GalleryError
from lowshot.gallery.store import Row, Store

FACTS = {"card": "{}", "fingerprint": "abc", "source": ""}


def _rows(number: int, label: str = "a", size: int = 64) -> list[Row]:
    return [Row(label, f"{i}.png", {"i": str(i)}, bytes(size), _picture(i, size)) for i in range(number)]


def _picture(i: int, size: int = 64) -> bytes:
    return f"picture {i:05d}".encode() * size  # all of one size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my.gallery"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path, FACTS)
    yield opened
    opened.close()


def test_everything_comes_back(store: Store, path: Path) -> None:
    ids = store.add([*_rows(2, "b"), Row("a", "", {}, b"\x01\x02", None)])
    assert ids == [1, 2, 3]
    again = Store(path)
    assert again.facts() == FACTS
    assert again.classes() == {"a": 1, "b": 2}
    assert [(r.id, r.label, r.name, r.attributes) for r in again.records("b")] == [
        (1, "b", "0.png", {"i": "0"}),
        (2, "b", "1.png", {"i": "1"}),
    ]
    assert [again.original(id) for id in (1, 2)] == [_picture(0), _picture(1)]
    assert again.original(3) is None
    assert again.names([1, 3, 77]) == {1: "0.png", 3: ""}
    again.close()


def test_removed_examples_take_their_pictures_along(store: Store, path: Path) -> None:
    ids = store.add(_rows(5))
    store.remove(ids[:2])
    assert store.remove_class("a") == 3
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT (SELECT count(*) FROM examples), (SELECT count(*) FROM originals)").fetchone() == (
            0,
            0,
        )
    raw.close()


def test_the_same_picture_of_the_same_label_is_there_once(store: Store) -> None:
    ids = store.add([*_rows(3), *_rows(2), *_rows(1, "b"), Row("a", "", {}, b"", None), Row("a", "", {}, b"", None)])
    assert ids == [1, 2, 3, 1, 2, 4, 5, 6]  # without a picture nothing is known to be the same
    assert store.add([*_rows(4), *_rows(1, "b")]) == [1, 2, 3, 7, 4]
    store.remove([1])
    assert store.add(_rows(1)) == [8]
    assert [record.id for record in store.records()] == [2, 3, 4, 5, 6, 7, 8]


def test_changes_are_what_a_reader_lacks(store: Store) -> None:
    ids = store.add(_rows(3))
    rows, remaining = store.changes(after=0, had=0)
    assert [(id, label, len(feature)) for id, label, feature in rows] == [(id, "a", 64) for id in ids]
    assert remaining is None
    store.remove([ids[1]])
    new = store.add(_rows(1, "b"))
    rows, remaining = store.changes(after=ids[-1], had=3)
    assert [row[0] for row in rows] == new
    assert remaining == [ids[0], ids[2], *new]
    assert store.changes(after=new[-1], had=3) == ([], None)


def test_the_version_tells_of_every_change(store: Store, path: Path) -> None:
    seen = {store.version()}
    assert store.version() in seen
    ids = store.add(_rows(2))
    assert store.version() not in seen
    seen.add(store.version())
    other = Store(path)
    other.remove(ids[:1])
    other.close()
    assert store.version() not in seen


def test_it_writes_safely(store: Store, path: Path) -> None:
    with store._use() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    store.close()
    assert path.read_bytes()[68:72] == b"lows"  # where SQLite's file format keeps the application's mark


def test_a_full_disk_leaves_nothing_half_done(store: Store) -> None:
    before = store.add(_rows(3))
    with store._use() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(GalleryError, match="disk is full"):
        store.add(_rows(2000))
    assert [r.id for r in store.records()] == before
    store.add(_rows(1))  # and the store goes on working


def test_a_read_only_file_is_refused_in_plain_words(store: Store) -> None:
    ids = store.add(_rows(2))
    with store._use() as connection:
        connection.execute("PRAGMA query_only = 1")  # as SQLite does for a file without write permission
    for change in (lambda: store.add(_rows(1)), lambda: store.remove(ids), lambda: store.remove_class("a")):
        with pytest.raises(GalleryError, match="read-only"):
            change()
    assert store.classes() == {"a": 2}


Sealed = tuple[Path, Callable[[], None]]


def test_a_read_only_folder_is_read_as_it_is(sealed: Sealed) -> None:
    folder, seal = sealed
    store = Store(path := folder / "my #1?.gallery", FACTS)
    store.add([*_rows(2), *_rows(1, "b")])
    store.close()
    seal()
    store = Store(path)
    assert store.facts() == FACTS and store.classes() == {"a": 2, "b": 1}
    assert store.original(1) == _picture(0) and len(store.changes(0, 0)[0]) == 3
    for change in (lambda: store.add(_rows(9)), lambda: store.remove([1]), lambda: store.change("source", "x")):
        with pytest.raises(GalleryError, match="read-only"):
            change()
    store.close()
    assert [each.name for each in folder.iterdir()] == [path.name]


def test_a_log_that_cannot_be_read_is_not_passed_over(sealed: Sealed) -> None:
    folder, seal = sealed
    store = Store(folder / "whole", FACTS)
    store.add(_rows(2))
    (folder / "copy").write_bytes((folder / "whole").read_bytes())
    (folder / "copy-wal").write_bytes((folder / "whole-wal").read_bytes())  # as after a crash: what was added is here
    store.close()
    seal()
    with pytest.raises(GalleryError, match="folder"):
        Store(folder / "copy")


def test_a_gallery_that_cannot_be_made_is_refused_before_the_work(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # which root is never told
    with pytest.raises(GalleryError, match="folder must exist and be writable"):
        Store(tmp_path / "g", FACTS)


def test_a_new_file_comes_with_its_first_use(path: Path) -> None:
    store = Store(path, FACTS)
    assert not path.exists()
    store.add(_rows(1))
    assert path.exists()
    store.close()
    Store(path.with_name("unused"), FACTS).close()
    assert not path.with_name("unused").exists()


def test_who_comes_second_with_other_facts_is_told(path: Path) -> None:
    first, second = Store(path, FACTS), Store(path, FACTS | {"fingerprint": "other"})
    first.add(_rows(1))
    with pytest.raises(GalleryError, match="another process"):
        second.add(_rows(1))
    assert len(first) == 1
    first.close()
    second.close()


def test_a_writer_that_does_not_stop_is_named(store: Store, path: Path) -> None:
    with store._use() as connection:
        connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GalleryError, match="another process"):
        store.add(_rows(1))
    other.close()
    store.add(_rows(1))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="folder must exist"):
        Store(tmp_path / "nowhere" / "g", FACTS)
    for facts in (None, FACTS):
        with pytest.raises(GalleryError, match="is a folder or a device: give the file"):
            Store(tmp_path, facts)


@pytest.mark.parametrize("content", [b"", b"no database, but long enough to look like one" * 30], ids=["empty", "text"])
def test_other_files_are_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(GalleryError, match="not a gallery"):
        Store(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE mine (x)")
    raw.close()
    content = path.read_bytes()
    for facts in (None, FACTS):
        with pytest.raises(GalleryError, match="not a gallery"):
            Store(path, facts)
    assert path.read_bytes() == content


def test_a_newer_format_is_refused(store: Store, path: Path) -> None:
    with store._use() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(GalleryError, match="format 99"):
        Store(path)


@pytest.mark.parametrize("damage", ["header", "middle", "cut"])
def test_damage_is_named(store: Store, path: Path, damage: str) -> None:
    store.add(_rows(300))
    store.close()
    content = bytearray(path.read_bytes())
    if damage == "header":
        content[:16] = bytes(16)
    elif damage == "middle":
        content[4096:] = bytes(255 for _ in content[4096:])
    else:
        content = content[: len(content) // 3]
    path.write_bytes(content)
    with pytest.raises(GalleryError, match=r"damaged|not a gallery"):
        broken = Store(path)
        try:
            broken.changes(0, 0)
            broken.records()
            broken.classes()
        finally:
            broken.close()


def test_an_interrupted_creation_is_finished_by_the_next(path: Path) -> None:
    path.touch()
    opened = Store(path, FACTS)
    assert opened.facts() == FACTS
    opened.change("source", "elsewhere")
    assert opened.facts() == FACTS | {"source": "elsewhere"}
    opened.close()


_WRITER = """
import sys
from pathlib import Path
from lowshot.gallery.store import Row, Store

store = Store(Path(sys.argv[1]), {"card": ""})
for line in sys.stdin:
    print(*store.add([Row(line.strip(), "", {}, bytes(64), None)]), flush=True)
"""


def test_what_one_process_commits_another_sees_at_once(path: Path) -> None:
    """Two processes also create the file at the same time, and one of them wins."""
    command = [sys.executable, "-c", _WRITER, str(path)]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    reader = None
    for turn in range(6):
        stdin, stdout = writers[turn % 2].stdin, writers[turn % 2].stdout
        assert stdin and stdout
        print(f"label {turn}", file=stdin, flush=True)
        assert stdout.readline().split() == [str(turn + 1)]
        reader = reader or Store(path)
        version = reader.version()
        assert reader.changes(after=turn, had=turn) == ([(turn + 1, f"label {turn}", bytes(64))], None)
        assert reader.version() == version
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert reader
    reader.close()


def test_ids_may_be_integers_of_numpy(store: Store) -> None:
    ids = np.array(store.add(_rows(3)))
    assert store.original(ids[0]) == _picture(0)
    store.remove(ids[1:])
    assert [record.id for record in store.records()] == [ids[0]]


@pytest.mark.parametrize("id", [2**63, 10**30, -(10**30), 0, -1])
def test_no_id_is_too_large_to_be_unknown(store: Store, id: int) -> None:
    store.add(_rows(1))
    with pytest.raises(GalleryError, match=f"has no example {id}"):
        store.original(id)
    with pytest.raises(GalleryError, match=f"has no example {id}: nothing was removed"):
        store.remove([1, id])
    assert len(store) == 1


def test_each_example_is_removed_and_counted_once(store: Store) -> None:
    ids = store.add(_rows(3))
    assert store.remove([ids[0], ids[0], ids[2]]) == 2
    with pytest.raises(GalleryError, match="has no class 'nobody'"):
        store.records("nobody")


@pytest.mark.parametrize("id", ["1", 1.0, None, b"1"])
def test_what_is_no_number_is_no_id(store: Store, id: Any) -> None:
    store.add(_rows(1))
    with pytest.raises(GalleryError, match="no id"):
        store.original(id)
    with pytest.raises(GalleryError, match="no id"):
        store.remove([1, id])
    assert len(store) == 1


def test_classes_come_in_order(store: Store) -> None:
    store.add([*_rows(1, "é"), *_rows(1, "b"), *_rows(2, "a"), *_rows(1, "B")])
    assert list(store.classes().items()) == [("B", 1), ("a", 2), ("b", 1), ("é", 1)]


def test_only_a_closed_store_is_called_closed(store: Store) -> None:
    with pytest.raises(GalleryError, match="cannot be used"):
        store.remove_class(["a"])  # type: ignore[arg-type]
    store.close()
    store.close()
    with pytest.raises(GalleryError, match="is closed: open it again"):
        store.classes()
