"""Copies, Parquet files and migrations hold what the gallery held, and go on where they were killed."""

from __future__ import annotations

import io
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowshot import Encoder, Gallery
from lowshot.errors import BadFiles, ConfigError, GalleryError
from lowshot.gallery import moving
from lowshot.gallery.sqlite import SqliteStore
from lowshot.gallery.store import Row, Store, open_store

NUMBER = 600  # more than two batches


class KilledError(Exception):
    """Stands for kill -9: nothing after it runs but the stores' own clean-up."""


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., bytes]) -> tuple[Path, Path]:
    """Files of two encoders; the second has other features of another length."""
    folder = tmp_path_factory.mktemp("encoders")
    (folder / "old.onnx").write_bytes(tiny_model())
    (folder / "new.onnx").write_bytes(tiny_model(seed=1, size=6, features=9, name="newer"))
    return folder / "old.onnx", folder / "new.onnx"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, encoders: tuple[Path, Path]) -> Path:
    """A gallery with a history: removed examples, attributes, and facts it has learned."""
    drawings = np.random.default_rng(0).integers(0, 256, (NUMBER + 2, 8, 8)).astype(np.uint8)
    labels = [f"class {i % 7}" for i in range(len(drawings))]
    names = [f"{i}.png" for i in range(len(drawings))]
    with Gallery.open(path := tmp_path_factory.mktemp("made") / "made.gallery", encoders[0], create=True) as gallery:
        ids = gallery.enroll(list(drawings), labels, names, [{"kind": f"k{i % 3}"} for i in range(len(drawings))])
        gallery.remove([ids[0], ids[300]])
        gallery.identify([drawings[1]])  # learns
    return path


@pytest.fixture
def source(tmp_path: Path, made: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "source.gallery"))


def _all(place: Path) -> list[tuple[Any, ...]]:
    store = open_store(str(place))
    kept = [
        (r.id, r.label, r.name, dict(r.attributes), r.added, r.original, r.digest, r.feature.tobytes())
        for r in store.rows()
    ]
    store.close()
    return kept


def _facts(place: Path) -> dict[str, str]:
    store = open_store(str(place))
    facts = store.facts()
    store.close()
    return facts


def _stop_after(batches: int) -> Callable[[int, int], None]:
    told = []

    def report(done: int, total: int) -> None:
        told.append(done)
        if len(told) > batches:
            raise KilledError

    return report


def test_a_copy_is_the_same_gallery(source: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert moving.copy(source, tmp_path / "copy", lambda *each: told.append(each)) == NUMBER
    assert told[0] == (0, NUMBER) and told[-1] == (NUMBER, NUMBER) and len(told) > 3
    assert _all(tmp_path / "copy") == _all(source)
    assert _facts(tmp_path / "copy") == _facts(source) and "learned" in _facts(source)
    with Gallery.open(source) as one, Gallery.open(tmp_path / "copy") as other:
        query = [one.original(5)]
        assert one.identify(query) == other.identify(query)
        assert other.enroll(query, [one.examples()[3].label]) == [5]  # known to be there


def test_an_empty_gallery_is_copied_too(tmp_path: Path, source: Path) -> None:
    with Gallery.open(source) as gallery:
        for label in gallery.classes():
            gallery.remove_class(label)
    assert moving.copy(source, tmp_path / "copy") == 0
    assert len(Gallery.open(tmp_path / "copy")) == 0


@pytest.mark.parametrize("batches", range(4))
@pytest.mark.parametrize("task", ["copy", "import", "migrate"])
def test_what_was_stopped_goes_on(
    task: str, batches: int, source: Path, encoders: tuple[Path, Path], tmp_path: Path
) -> None:
    if task == "import":
        moving.export(source, tmp_path / "file.parquet")
    tasks: dict[str, Callable[..., int]] = {
        "copy": lambda to, report=None: moving.copy(source, to, report),
        "import": lambda to, report=None: moving.import_(tmp_path / "file.parquet", to, report=report),
        "migrate": lambda to, report=None: moving.migrate(source, to, encoders[1], report),
    }
    target = tmp_path / "target"
    with pytest.raises(KilledError):
        tasks[task](target, _stop_after(batches))
    if target.exists():
        with pytest.raises(GalleryError, match="not finished yet"):
            Gallery.open(target)
        with pytest.raises(GalleryError, match="not finished yet"):
            moving.copy(target, tmp_path / "other")
    assert tasks[task](target) == NUMBER
    tasks[task](tmp_path / "at once")
    assert _all(target) == _all(tmp_path / "at once")
    assert _facts(target) == _facts(tmp_path / "at once")


def test_kill_9_in_the_middle(source: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from lowshot.gallery import moving\n"
        "moving.copy(*sys.argv[1:], lambda done, _: done and os.kill(os.getpid(), signal.SIGKILL))"
    )
    for _ in range(2):
        killed = subprocess.run([sys.executable, "-c", code, source, tmp_path / "copy"])
        assert killed.returncode == -signal.SIGKILL
        assert 0 < len(_all(tmp_path / "copy")) < NUMBER
    assert moving.copy(source, tmp_path / "copy") == NUMBER
    assert _all(tmp_path / "copy") == _all(source)


def test_another_gallery_is_no_target(source: Path, tmp_path: Path, encoders: tuple[Path, Path]) -> None:
    moving.copy(source, tmp_path / "copy")
    with pytest.raises(KilledError):
        moving.copy(tmp_path / "copy", tmp_path / "begun", _stop_after(1))
    moving.export(source, tmp_path / "file.parquet")
    (tmp_path / "text").write_text("no gallery, but long enough to look at" * 99)
    before = {name: (tmp_path / name).read_bytes() for name in ("text",)}
    for target in (source, tmp_path / "copy", tmp_path / "begun", tmp_path / "text"):
        for task in (
            lambda to: moving.copy(source, to),
            lambda to: moving.migrate(source, to, encoders[1]),
            lambda to: moving.import_(tmp_path / "file.parquet", to),
        ):
            with pytest.raises(GalleryError, match=r"is a gallery already|is not a gallery"):
                task(target)
    assert len(_all(tmp_path / "copy")) == NUMBER
    assert before == {name: (tmp_path / name).read_bytes() for name in before}
    with pytest.raises(GalleryError, match="no gallery"):
        moving.copy(tmp_path / "missing", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_memory_is_bounded_by_bytes_too() -> None:
    large = Row("a", "", {}, np.zeros(1, np.float32), bytes(10_000_000))
    small = Row("a", "", {}, np.zeros(1, np.float32), bytes(10))
    assert [len(batch) for batch in moving._batches(iter([large] * 9))] == [4, 4, 1]
    assert [len(batch) for batch in moving._batches(iter([small] * 600))] == [256, 256, 88]


class TestParquet:
    @pytest.fixture
    def file(self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(moving, "_ROW_GROUP", 250)
        path = tmp_path / "file.parquet"
        assert moving.export(source, path) == NUMBER
        return path

    def test_there_and_back(self, source: Path, file: Path, tmp_path: Path) -> None:
        assert moving.import_(file, tmp_path / "back") == NUMBER
        assert _all(tmp_path / "back") == _all(source)
        assert _facts(tmp_path / "back") == _facts(source)
        assert sorted(each.name for each in tmp_path.glob("*.partial")) == []

    def test_others_can_read_it(self, source: Path, file: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        table = parquet.read_table(file)
        assert parquet.ParquetFile(file).num_row_groups == 3
        assert table.schema.field("feature").type == pa.list_(pa.float32(), 16)
        assert table.schema.field("attributes").type == pa.map_(pa.string(), pa.string())
        metadata = table.schema.metadata
        with Gallery.open(source) as gallery:
            assert metadata[b"lowshot.fingerprint"].decode() == gallery.fingerprint
            assert metadata[b"lowshot.card"].decode() == gallery.card.model_dump_json()
            records, held, original = gallery.examples(), gallery.held(), gallery.original(5)
        assert table["id"].to_pylist() == [r.id for r in records]
        assert table["added"].to_pylist() == [r.added for r in records]
        assert [dict(each) for each in table["attributes"].to_pylist()] == [r.attributes for r in records]
        features = np.array(table["feature"].to_pylist(), np.float32)
        np.testing.assert_allclose(features, held.features, atol=1e-6)
        (found,) = table.filter(pa.compute.field("id") == 5)["original"].to_pylist()
        assert found == original

    def test_without_images_nothing_of_them_is_there(self, source: Path, tmp_path: Path) -> None:
        moving.export(source, file := tmp_path / "bare.parquet", images=False)
        moving.import_(file, bare := tmp_path / "bare")
        kept, digests = _all(source), [row[6] for row in _all(bare)]
        assert all(row[5] is None for row in _all(bare))
        assert not {row[6] for row in kept} & set(digests)
        assert not any(row[6] in file.read_bytes() for row in kept[:50])
        with Gallery.open(bare) as gallery, Gallery.open(source) as whole:
            assert gallery.enroll([whole.original(5)], [whole.examples()[3].label]) == [5]  # known, all the same
            (new,) = gallery.enroll([np.zeros((8, 8), np.uint8)], ["new"])
            with pytest.raises(GalleryError, match="features only"):
                gallery.original(new)

    def test_the_encoder_may_be_given(self, file: Path, tmp_path: Path, encoders: tuple[Path, Path]) -> None:
        old, new = encoders
        moved = Path(shutil.copy(old, tmp_path / "moved.onnx"))
        with pytest.raises(GalleryError, match=r"holds features of the encoder 'tiny'.*not of 'newer'"):
            moving.import_(file, tmp_path / "back", new)
        assert not (tmp_path / "back").exists()
        moving.import_(file, tmp_path / "back", moved)
        assert _facts(tmp_path / "back")["source"] == str(moved)
        with Gallery.open(tmp_path / "back") as gallery:
            assert gallery.identify([gallery.original(5)])[0].candidates

    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (lambda table, pa: table.replace_schema_metadata({}), "not a gallery's"),
            (lambda table, pa: table.drop_columns(["feature"]), "not a gallery's"),
            (lambda table, pa: table.take(np.arange(len(table))[::-1]), "ids do not grow"),
            (lambda table, pa: _put(table, pa, "label", [" x"] * len(table)), "begins or ends with a space"),
            (lambda table, pa: _put(table, pa, "feature", [[np.nan] * 16] * len(table)), "no numbers"),
        ],
    )
    def test_a_spoiled_file_is_refused(self, spoil: Any, says: str, file: Path, tmp_path: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(spoil(parquet.read_table(file), pa), bad := tmp_path / "bad.parquet")
        with pytest.raises(GalleryError, match=says):
            moving.import_(bad, tmp_path / "back")
        assert not (tmp_path / "back").exists()

    def test_a_file_cut_short(self, file: Path, tmp_path: Path) -> None:
        (cut := tmp_path / "cut.parquet").write_bytes(file.read_bytes()[:-100])
        with pytest.raises(GalleryError, match=r"cut.parquet cannot be read as Parquet"):
            moving.import_(cut, tmp_path / "back")
        with pytest.raises(GalleryError, match="No such file"):
            moving.import_(tmp_path / "missing.parquet", tmp_path / "back")

    def test_a_failed_export_leaves_what_was_there(self, source: Path, file: Path, tmp_path: Path) -> None:
        before = file.read_bytes()
        with pytest.raises(KilledError):
            moving.export(source, file, report=_stop_after(0))
        assert file.read_bytes() == before and not list(tmp_path.glob(".*partial"))
        with pytest.raises(GalleryError, match=r"name it source\.parquet"):
            moving.export(source, source)
        with pytest.raises(GalleryError, match="cannot be written: No such file"):
            moving.export(source, tmp_path / "nowhere" / "file.parquet")

    def test_without_pyarrow_it_says_what_to_install(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
        for task in (moving.export, lambda one, other: moving.import_(other, one)):
            with pytest.raises(ConfigError, match=r"pip install 'lowshot\[parquet\]'"):
                task(source, tmp_path / "file.parquet")


class TestMigrate:
    def test_the_new_encoder_sees_the_same_pictures(
        self, source: Path, encoders: tuple[Path, Path], tmp_path: Path
    ) -> None:
        assert moving.migrate(source, tmp_path / "new", encoders[1]) == NUMBER
        old, new = _all(source), _all(tmp_path / "new")
        assert [row[:-1] for row in new] == [row[:-1] for row in old]
        encoder = Encoder.load(encoders[1])
        wanted = encoder.embed(encoder.read([row[5] for row in old]))
        found = np.array([np.frombuffer(row[-1], np.float32) for row in new])
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        assert "learned" not in _facts(tmp_path / "new")
        with Gallery.open(tmp_path / "new") as gallery:
            assert gallery.card.name == "newer"
            assert gallery.identify([old[5][5]])[0].candidates
            assert gallery.enroll([old[5][5]], [old[5][1]]) == [old[5][0]]

    def test_examples_without_pictures_are_named(
        self, source: Path, encoders: tuple[Path, Path], tmp_path: Path
    ) -> None:
        with sqlite3.connect(source) as raw:
            raw.execute("DELETE FROM originals WHERE id < 20")
        raw.close()
        with pytest.raises(GalleryError, match=r"18 of 600 examples .*\(2, 3, 4, .* and 8 more\)"):
            moving.migrate(source, tmp_path / "new", encoders[1])
        assert not (tmp_path / "new").exists()

    def test_a_gallery_without_images_cannot(self, encoders: tuple[Path, Path], tmp_path: Path) -> None:
        with Gallery.open(tmp_path / "bare", encoders[0], create=True, images=False) as gallery:
            gallery.enroll([np.zeros((8, 8), np.uint8)], ["a"])
        with pytest.raises(GalleryError, match=r"bare keeps features only \(--no-images\)"):
            moving.migrate(tmp_path / "bare", tmp_path / "new", encoders[1])

    def test_pictures_that_cannot_be_read_are_named(
        self, source: Path, encoders: tuple[Path, Path], tmp_path: Path
    ) -> None:
        with sqlite3.connect(source) as raw:
            raw.execute("UPDATE originals SET picture = x'00' WHERE id = 7")
        raw.close()
        with pytest.raises(BadFiles, match=r"example 7 \(6.png\): it is no picture"):
            moving.migrate(source, tmp_path / "new", encoders[1])


class TestNoImages:
    @pytest.fixture
    def gallery(self, tmp_path: Path, encoders: tuple[Path, Path]) -> Iterator[Gallery]:
        with Gallery.open(tmp_path / "bare", encoders[0], create=True, images=False) as opened:
            yield opened

    def test_no_picture_is_kept_and_none_twice(self, gallery: Gallery, tmp_path: Path) -> None:
        drawings = list(np.random.default_rng(0).integers(0, 256, (5, 8, 8)).astype(np.uint8))
        ids = gallery.enroll(drawings, list("aabbb"))
        with Gallery.open(tmp_path / "bare") as again:  # a fact that later enrollments follow
            assert again.enroll(drawings, list("aabbb")) == ids
            assert again.enroll(drawings[:1], ["other"]) == [6]
            with pytest.raises(GalleryError, match=r"no item of example 1: .*features only \(--no-images\)"):
                again.original(1)
            assert again.identify(drawings[2:3])[0].examples[0].id == ids[2]
        assert all(row[5] is None for row in _all(tmp_path / "bare"))

    def test_the_digest_is_not_the_files(self, gallery: Gallery, tmp_path: Path) -> None:
        import hashlib

        file = io.BytesIO()
        Image.new("L", (8, 8)).save(file, "PNG")
        gallery.enroll([file.getvalue()], ["a"])
        content = (tmp_path / "bare").read_bytes() + (tmp_path / "bare-wal").read_bytes()
        assert file.getvalue() not in content
        for kind in (hashlib.sha256, hashlib.sha1, hashlib.md5):
            assert kind(file.getvalue()).digest() not in content

    def test_a_gallery_with_pictures_stays_one(self, source: Path) -> None:
        with pytest.raises(GalleryError, match=r"keeps items: only a new gallery"):
            Gallery.open(source, images=False)
        with pytest.raises(GalleryError, match=r"keeps items"):
            Gallery.open(source, create=True, images=False)


def _put(table: Any, pa: Any, name: str, values: list[Any]) -> Any:
    place = table.schema.get_field_index(name)
    field = table.schema.field(name)
    return table.set_column(place, field, pa.array(values, field.type))


def test_it_uses_nothing_but_the_protocol(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Milvus has no more than that."""
    allowed = {name for name in dir(Store) if not name.startswith("_")}

    class Plain:
        def __init__(self, store: SqliteStore) -> None:
            self._store = store

        def __len__(self) -> int:
            return len(self._store)

        def __getattr__(self, name: str) -> Any:
            assert name in allowed
            return getattr(self._store, name)

    monkeypatch.setattr(moving, "open_whole", lambda place: Plain(SqliteStore(Path(place))))
    monkeypatch.setattr(moving, "open_store", lambda place, create=None: Plain(SqliteStore(Path(place), create)))
    moving.copy(source, tmp_path / "copy")
    assert _all(tmp_path / "copy") == _all(source)
