"""Bulk enrollment gives what plain enrollment gives, whatever happens on the way."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowshot import Encoder, Gallery
from lowshot.data.files import FileSet
from lowshot.errors import ConfigError, GalleryError
from lowshot.gallery import bulk
from lowshot.gallery.store import open_store

NUMBER = 50


class StoppedError(Exception):
    """Stands for whatever stops it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five classes of ten pictures."""
    return _draw(tmp_path / "pictures", NUMBER)


@pytest.fixture
def encoder(tmp_path: Path, tiny_model: Callable[..., bytes]) -> Path:
    (file := tmp_path / "tiny.onnx").write_bytes(tiny_model())
    return file


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_BATCH", 8)


def _draw(folder: Path, number: int) -> Path:
    drawings = np.random.default_rng(0).integers(0, 256, (number, 8, 8)).astype(np.uint8)
    for i, drawing in enumerate(drawings):
        (target := folder / f"class {i // 10}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawing).save(target / f"{i % 10}.png")
    return folder


def _all(place: Path) -> list[tuple[Any, ...]]:
    store = open_store(str(place))
    kept = [(r.id, r.label, r.name, dict(r.attributes), r.original, r.digest) for r in store.rows()]
    store.close()
    return kept


def _features(place: Path) -> Any:
    store = open_store(str(place))
    features = np.array([row.feature for row in store.rows()])
    store.close()
    return features


def _table(folder: Path) -> Path:
    rows = [
        f"{path.relative_to(folder.parent)},{path.parent.name},{path.stem}" for path in sorted(folder.rglob("*.png"))
    ]
    (table := folder.parent / "table.csv").write_text("path,label,number\n" + "\n".join(rows))
    return table


def _zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder.parent / "pictures.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
    return folder.parent / "pictures.zip"


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("packed", [lambda folder: folder, _table, _zip])
def test_it_gives_what_plain_enrollment_gives(
    packed: Callable[[Path], Path], workers: int, folder: Path, encoder: Path, tmp_path: Path
) -> None:
    files = FileSet.open(packed(folder))
    told: list[tuple[int, int]] = []
    with Gallery.open(tmp_path / "bulk", encoder, create=True) as gallery:
        found = gallery.enroll_bulk(files, workers, lambda *each: told.append(each))
    assert found == bulk.Enrolled(NUMBER, 0, ())
    assert told == [(min(8 * i, NUMBER), NUMBER) for i in range(1, 8)]
    with Gallery.open(tmp_path / "plain", encoder, create=True) as gallery:
        gallery.enroll_files(files)
    assert _all(tmp_path / "bulk") == _all(tmp_path / "plain")
    np.testing.assert_allclose(_features(tmp_path / "bulk"), _features(tmp_path / "plain"), atol=1e-6)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # newer Pythons warn of what is tried here
@pytest.mark.parametrize("start", ["spawn", "fork", "forkserver"])
def test_however_processes_are_started(
    start: str, folder: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_START", start)
    with Gallery.open(tmp_path / "g", encoder, create=True) as gallery:
        assert gallery.enroll_bulk(FileSet.open(folder), 1).new == NUMBER
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_files_are_listed_and_the_good_ones_enrolled(
    workers: int, folder: Path, encoder: Path, tmp_path: Path
) -> None:
    (folder / "class 0" / "0.png").write_text("no picture")
    (folder / "class 3" / "5.png").write_bytes((folder / "class 3" / "6.png").read_bytes()[:60])
    files = FileSet.open(folder)
    (folder / "class 4" / "9.png").unlink()
    with Gallery.open(tmp_path / "g", encoder, create=True) as gallery:
        found = gallery.enroll_bulk(files, workers)
        assert found.new == len(gallery) == NUMBER - 3 and found.there == 0
    assert [Path(name).relative_to(folder).as_posix() for name, _ in found.bad] == [
        "class 0/0.png",
        "class 3/5.png",
        "class 4/9.png",
    ]
    assert [why.split(" ")[:2] for _, why in found.bad] == [["it", "is"], ["it", "cannot"], ["no", "such"]]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("images", [True, False])
def test_what_is_enrolled_is_not_decoded_again(
    images: bool, folder: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def read(pictures: list[bytes], form: Any) -> Any:
        decoded.append(pictures)
        return read_items(pictures, form)

    read_items = bulk.read_items
    monkeypatch.setattr(bulk, "read_items", read)

    def stop(done: int, _total: int) -> None:
        if done == 24:
            raise StoppedError

    files = FileSet.open(folder)
    with Gallery.open(tmp_path / "g", encoder, create=True, images=images) as gallery:
        with pytest.raises(StoppedError):
            gallery.enroll_bulk(files, 0, stop)
        assert len(gallery) == 24 and len(decoded) == 24
        assert gallery.enroll_bulk(files, 0) == bulk.Enrolled(NUMBER - 24, 24, ())
        assert len(gallery) == len(decoded) == NUMBER
        assert gallery.enroll_bulk(files, 0) == bulk.Enrolled(0, NUMBER, ())
        assert len(gallery) == len(decoded) == NUMBER


def test_a_changed_file_is_enrolled_though_its_name_is_known(folder: Path, encoder: Path, tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "g", encoder, create=True) as gallery:
        gallery.enroll_bulk(FileSet.open(folder), 0)
        Image.new("L", (8, 8)).save(folder / "class 2" / "0.png")
        shutil.copy(folder / "class 3" / "0.png", folder / "class 3" / "the same again.png")
        shutil.copy(folder / "class 3" / "0.png", folder / "class 2" / "of another class.png")
        assert gallery.enroll_bulk(FileSet.open(folder), 0) == bulk.Enrolled(2, NUMBER, ())
        assert gallery.classes()["class 2"] == 12


def test_nothing_is_enrolled_where_a_label_cannot_be_one(encoder: Path, tmp_path: Path) -> None:
    files = FileSet.open(_draw(tmp_path / "pictures", 10))
    (tmp_path / "pictures" / "class 0").rename(tmp_path / "pictures" / (251 * "x"))
    files = FileSet.open(tmp_path / "pictures")
    with Gallery.open(tmp_path / "g", encoder, create=True) as gallery:
        with pytest.raises(GalleryError, match="251 characters"):
            gallery.enroll_bulk(files, 0)
        with pytest.raises(ConfigError, match="workers"):
            gallery.enroll_bulk(files, -1)
    assert not (tmp_path / "g").exists()


@pytest.mark.usefixtures("small_batches")
def test_a_decoding_process_that_dies_is_an_error_and_no_end(folder: Path, encoder: Path, tmp_path: Path) -> None:
    def kill(done: int, _total: int) -> None:
        for child in multiprocessing.active_children():
            child.kill()
            child.join()

    with Gallery.open(tmp_path / "g", encoder, create=True) as gallery:
        with pytest.raises(GalleryError, match="was killed"):
            gallery.enroll_bulk(FileSet.open(folder), 1, kill)
        assert gallery.enroll_bulk(FileSet.open(folder), 1).new < NUMBER
        assert len(gallery) == NUMBER


def test_batches_are_bounded_by_bytes_too(folder: Path, tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    files = FileSet.open(folder)
    size = files.items[0].stat().st_size  # type: ignore[union-attr]
    monkeypatch.setattr(bulk, "_BATCH_BYTES", 4 * size)
    jobs = list(bulk._jobs(files, {}, tiny_encoder.card.form, None))  # type: ignore[arg-type]
    assert sum(len(job.files) for job in jobs) == NUMBER
    assert max(len(job.files) for job in jobs) < 7
    assert [job.start for job in jobs] == np.cumsum([0, *(len(job.files) for job in jobs[:-1])]).tolist()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_command_leaves_no_process_and_goes_on(number: int, encoder: Path, tmp_path: Path) -> None:
    many = 6000  # so many that they are not all enrolled before the signal comes
    folder = _draw(tmp_path / "pictures", many)
    command = [sys.executable, "-m", "lowshot", "enroll", tmp_path / "g", folder, "--encoder", encoder, "--bulk"]
    running = subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "g").exists() or not (before := _number(tmp_path / "g")):
        assert running.poll() is None
        time.sleep(0.01)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    running.send_signal(number)
    said = running.communicate(timeout=30)[1]
    assert running.returncode == (130 if number == signal.SIGINT else -number)
    for _ in range(100):
        if not any(Path(f"/proc/{child}").exists() for child in children):
            break
        time.sleep(0.1)
    else:
        pytest.fail("its processes go on")
    after = _number(tmp_path / "g")
    assert before <= after < many
    if number == signal.SIGINT:
        assert f"lowshot: stopped; {tmp_path / 'g'} now holds {after} of" in said and "goes on" in said
        assert "Traceback" not in said
    subprocess.run([*command, "--workers", "0"], check=True, stdout=subprocess.DEVNULL)
    with Gallery.open(tmp_path / "g", encoder) as gallery:
        assert len({record.name for record in gallery.examples()}) == len(gallery) == many


def _number(place: Path) -> int:
    try:
        with Gallery.open(place) as gallery:
            return len(gallery)
    except GalleryError:  # it is being made
        return 0
