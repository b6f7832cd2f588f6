"""The file: what is acknowledged stays, what fails leaves nothing, and SQLite's errors come in plain words."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowshot.errors import GalleryError
from lowshot.gallery.sqlite import Mark, SqliteStore
from lowshot.gallery.store import Row

FEATURE = np.arange(16, dtype=np.float32)
FACTS = {"card": "{}", "fingerprint": "abc", "source": ""}


def _rows(number: int, label: str = "a", size: int = 64) -> list[Row]:
    return [Row(label, f"{i}.png", {"i": str(i)}, FEATURE, _picture(i, size)) for i in range(number)]


def _picture(i: int, size: int = 64) -> bytes:
    return f"picture {i:05d}".encode() * size  # all of one size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my.gallery"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path, FACTS)
    yield opened
    opened.close()


def test_everything_comes_back(store: SqliteStore, path: Path) -> None:
    ids = store.add([*_rows(2, "b"), Row("a", "", {}, FEATURE, None)])
    assert ids == [1, 2, 3]
    again = SqliteStore(path)
    assert again.facts() == FACTS
    assert again.classes() == {"a": 1, "b": 2}
    assert [(r.id, r.label, r.name, r.attributes) for r in again.records("b")] == [
        (1, "b", "0.png", {"i": "0"}),
        (2, "b", "1.png", {"i": "1"}),
    ]
    assert [again.original(id) for id in (1, 2)] == [_picture(0), _picture(1)]
    assert again.original(3) is None
    assert {id: found.name for id, found in again.some([1, 3, 77]).items()} == {1: "0.png", 3: ""}
    again.close()


def test_removed_examples_take_their_pictures_along(store: SqliteStore, path: Path) -> None:
    ids = store.add(_rows(5))
    store.remove(ids[:2])
    assert store.remove_class("a") == 3
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT (SELECT count(*) FROM examples), (SELECT count(*) FROM originals)").fetchone() == (
            0,
            0,
        )
    raw.close()


def test_the_same_picture_of_the_same_label_is_there_once(store: SqliteStore) -> None:
    ids = store.add(
        [*_rows(3), *_rows(2), *_rows(1, "b"), Row("a", "", {}, FEATURE, None), Row("a", "", {}, FEATURE, None)]
    )
    assert ids == [1, 2, 3, 1, 2, 4, 5, 6]  # without a picture nothing is known to be the same
    assert store.add([*_rows(4), *_rows(1, "b")]) == [1, 2, 3, 7, 4]
    store.remove([1])
    assert store.add(_rows(1)) == [8]
    assert [record.id for record in store.records()] == [2, 3, 4, 5, 6, 7, 8]


def test_changes_are_what_a_reader_lacks(store: SqliteStore) -> None:
    ids = store.add(_rows(3))
    first = store.changes(Mark())
    assert (list(first.ids), list(first.labels), list(first.gone)) == (ids, ["a"] * 3, [])
    assert [json.loads(text) for text in first.attributes] == [{"i": str(i)} for i in range(3)]
    assert np.array_equal(first.features, [FEATURE] * 3) and first.complete
    store.remove([ids[1]])
    new = store.add(_rows(1, "b"))
    store.remove(new)
    later = store.add(_rows(1, "c"))
    second = store.changes(first.mark)
    assert (list(second.ids), list(second.gone)) == (later, [ids[1]])  # what came and went meanwhile is no matter
    store.rename_class("a", "z")
    third = store.changes(second.mark)
    assert list(third.gone) == list(third.ids) == [ids[0], ids[2]] and set(third.labels) == {"z"}
    assert not len(store.changes(third.mark).ids)


def test_changes_come_in_pages(store: SqliteStore) -> None:
    ids = store.add(_rows(5))
    seen: list[int] = []
    changes = store.changes(Mark(), most=2)
    while not changes.complete:
        seen += changes.ids
        store.remove([ids[0], ids[4]]) if len(store) == 5 else None
        changes = store.changes(changes.mark, most=2)
    assert seen + list(changes.ids) == ids[:4] and store.changes(changes.mark).complete


def test_a_class_can_be_renamed_or_joined_to_another(store: SqliteStore) -> None:
    store.add([*_rows(2), *_rows(1, "b")])
    assert store.rename_class("a", "b") == 2
    assert store.classes() == {"b": 3}
    with pytest.raises(GalleryError, match="no class 'a'"):
        store.rename_class("a", "c")


def test_float16_takes_half_the_space(path: Path) -> None:
    store = SqliteStore(path, FACTS | {"precision": "float16"})
    store.add([Row("a", "", {}, (feature := np.linspace(-1, 1, 64, dtype=np.float32)), None)])
    with pytest.raises(GalleryError, match="too large for float16"):
        store.add([Row("a", "", {}, 1e6 * feature, None)])
    again = SqliteStore(path)
    assert len(again) == 1
    np.testing.assert_allclose(again.changes(Mark()).features[0], feature, atol=5e-4)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT length(feature) FROM examples").fetchone() == (128,)
    raw.close()
    store.close()
    again.close()


def test_rows_of_one_store_make_the_same_store_elsewhere(store: SqliteStore, tmp_path: Path) -> None:
    store.add([*_rows(600, size=1), *_rows(1, "b"), Row("c", "", {}, FEATURE, None)])
    store.remove([1, 300])
    other = SqliteStore(tmp_path / "other", FACTS)
    other.add(list(store.rows()))
    assert other.records() == store.records()
    assert [other.original(id) for id in (2, 601, 602)] == [store.original(id) for id in (2, 601, 602)]
    assert [row.id for row in store.rows(after=599)] == [600, 601, 602]
    assert all(row.original is None for row in store.rows(originals=False))
    with pytest.raises(GalleryError, match="has an example 601 already"):
        other.add(list(store.rows(after=600)))
    assert other.add(_rows(1, "d")) == [603]
    other.close()


def test_a_gallery_of_format_1_is_brought_up_to_date(store: SqliteStore, path: Path) -> None:
    ids = store.add(_rows(3))
    with store._use() as connection:
        for table in ("journal", "digests"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 1")
    store.close()
    opened = SqliteStore(path)
    assert opened.add(_rows(3)) == ids  # its pictures are known
    mark = opened.changes(Mark()).mark
    opened.remove(ids[:1])
    assert list(opened.changes(mark).gone) == ids[:1]
    opened.close()


def test_the_version_tells_of_every_change(store: SqliteStore, path: Path) -> None:
    seen = {store.version()}
    assert store.version() in seen
    ids = store.add(_rows(2))
    assert store.version() not in seen
    seen.add(store.version())
    other = SqliteStore(path)
    other.remove(ids[:1])
    other.close()
    assert store.version() not in seen


def test_it_writes_safely(store: SqliteStore, path: Path) -> None:
    with store._use() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    store.close()
    assert path.read_bytes()[68:72] == b"lows"  # where SQLite's file format keeps the application's mark


def test_a_full_disk_leaves_nothing_half_done(store: SqliteStore) -> None:
    before = store.add(_rows(3))
    with store._use() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(GalleryError, match="disk is full"):
        store.add(_rows(2000))
    assert [r.id for r in store.records()] == before
    store.add(_rows(1))  # and the store goes on working


def test_a_read_only_file_is_refused_in_plain_words(store: SqliteStore) -> None:
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
    store = SqliteStore(path := folder / "my #1?.gallery", FACTS)
    store.add([*_rows(2), *_rows(1, "b")])
    store.close()
    seal()
    store = SqliteStore(path)
    assert store.facts() == FACTS and store.classes() == {"a": 2, "b": 1}
    assert store.original(1) == _picture(0) and len(store.changes(Mark()).ids) == 3
    for change in (lambda: store.add(_rows(9)), lambda: store.remove([1]), lambda: store.change({"source": "x"})):
        with pytest.raises(GalleryError, match="read-only"):
            change()
    store.close()
    assert [each.name for each in folder.iterdir()] == [path.name]


def test_a_log_that_cannot_be_read_is_not_passed_over(sealed: Sealed) -> None:
    folder, seal = sealed
    store = SqliteStore(folder / "whole", FACTS)
    store.add(_rows(2))
    (folder / "copy").write_bytes((folder / "whole").read_bytes())
    (folder / "copy-wal").write_bytes((folder / "whole-wal").read_bytes())  # as after a crash: what was added is here
    store.close()
    seal()
    with pytest.raises(GalleryError, match="folder"):
        SqliteStore(folder / "copy")


def test_a_gallery_that_cannot_be_made_is_refused_before_the_work(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # which root is never told
    with pytest.raises(GalleryError, match="folder must exist and be writable"):
        SqliteStore(tmp_path / "g", FACTS)


def test_a_new_file_comes_with_its_first_use(path: Path) -> None:
    store = SqliteStore(path, FACTS)
    assert not path.exists()
    store.add(_rows(1))
    assert path.exists()
    store.close()
    SqliteStore(path.with_name("unused"), FACTS).close()
    assert not path.with_name("unused").exists()


def test_who_comes_second_with_other_facts_is_told(path: Path) -> None:
    first, second = SqliteStore(path, FACTS), SqliteStore(path, FACTS | {"fingerprint": "other"})
    first.add(_rows(1))
    with pytest.raises(GalleryError, match="another process"):
        second.add(_rows(1))
    assert len(first) == 1
    first.close()
    second.close()


def test_a_writer_that_does_not_stop_is_named(store: SqliteStore, path: Path) -> None:
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
        SqliteStore(tmp_path / "nowhere" / "g", FACTS)
    for facts in (None, FACTS):
        with pytest.raises(GalleryError, match="is a folder or a device: give the file"):
            SqliteStore(tmp_path, facts)


@pytest.mark.parametrize("content", [b"", b"no database, but long enough to look like one" * 30], ids=["empty", "text"])
def test_other_files_are_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(GalleryError, match="not a gallery"):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE mine (x)")
    raw.close()
    content = path.read_bytes()
    for facts in (None, FACTS):
        with pytest.raises(GalleryError, match="not a gallery"):
            SqliteStore(path, facts)
    assert path.read_bytes() == content


def test_a_newer_format_is_refused(store: SqliteStore, path: Path) -> None:
    with store._use() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(GalleryError, match="format 99"):
        SqliteStore(path)


@pytest.mark.parametrize("damage", ["header", "middle", "cut"])
def test_damage_is_named(store: SqliteStore, path: Path, damage: str) -> None:
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
        broken = SqliteStore(path)
        try:
            broken.changes(Mark())
            broken.records()
            broken.classes()
        finally:
            broken.close()


def test_an_interrupted_creation_is_finished_by_the_next(path: Path) -> None:
    path.touch()
    opened = SqliteStore(path, FACTS)
    assert opened.facts() == FACTS
    opened.change({"source": "elsewhere", "learned": "much", "card": ""})
    assert opened.facts() == {"fingerprint": "abc", "source": "elsewhere", "learned": "much"}
    opened.close()


_WRITER = """
import sys
from pathlib import Path
import numpy as np
from lowshot.gallery.sqlite import SqliteStore
from lowshot.gallery.store import Row

store = SqliteStore(Path(sys.argv[1]), {"card": ""})
for line in sys.stdin:
    print(*store.add([Row(line.strip(), "", {}, np.zeros(16, np.float32), None)]), flush=True)
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
        reader = reader or SqliteStore(path)
        version = reader.version()
        assert list(reader.changes(Mark(turn)).labels) == [f"label {turn}"]
        assert reader.version() == version
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert reader
    reader.close()


def test_ids_may_be_integers_of_numpy(store: SqliteStore) -> None:
    ids = np.array(store.add(_rows(3)))
    assert store.original(ids[0]) == _picture(0)
    store.remove(ids[1:])
    assert [record.id for record in store.records()] == [ids[0]]


@pytest.mark.parametrize("id", [2**63, 10**30, -(10**30), 0, -1])
def test_no_id_is_too_large_to_be_unknown(store: SqliteStore, id: int) -> None:
    store.add(_rows(1))
    with pytest.raises(GalleryError, match=f"has no example {id}"):
        store.original(id)
    with pytest.raises(GalleryError, match=f"has no example {id}: nothing was removed"):
        store.remove([1, id])
    assert len(store) == 1


def test_each_example_is_removed_and_counted_once(store: SqliteStore) -> None:
    ids = store.add(_rows(3))
    assert store.remove([ids[0], ids[0], ids[2]]) == 2
    with pytest.raises(GalleryError, match="has no class 'nobody'"):
        store.records("nobody")


@pytest.mark.parametrize("id", ["1", 1.0, None, b"1"])
def test_what_is_no_number_is_no_id(store: SqliteStore, id: Any) -> None:
    store.add(_rows(1))
    with pytest.raises(GalleryError, match="no id"):
        store.original(id)
    with pytest.raises(GalleryError, match="no id"):
        store.remove([1, id])
    assert len(store) == 1


def test_classes_come_in_order(store: SqliteStore) -> None:
    store.add([*_rows(1, "é"), *_rows(1, "b"), *_rows(2, "a"), *_rows(1, "B")])
    assert list(store.classes().items()) == [("B", 1), ("a", 2), ("b", 1), ("é", 1)]


def test_only_a_closed_store_is_called_closed(store: SqliteStore) -> None:
    with pytest.raises(GalleryError, match="cannot be used"):
        store.remove_class(["a"])  # type: ignore[arg-type]
    store.close()
    store.close()
    with pytest.raises(GalleryError, match="is closed: open it again"):
        store.classes()


def test_a_file_that_was_replaced_or_deleted_is_not_written_to(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    store.add(_rows(2))
    other = SqliteStore(tmp_path / "other", FACTS)
    other.add(_rows(1, "b"))
    other.close()
    path.rename(tmp_path / "moved")
    for use in (lambda: store.add(_rows(1, "c")), store.classes, store.version):
        with pytest.raises(GalleryError, match="deleted or moved while it was open"):
            use()
    (tmp_path / "other").rename(path)
    with pytest.raises(GalleryError, match="replaced while it was open: open it again"):
        store.add(_rows(1, "c"))
