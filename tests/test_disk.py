"""Files are written all or nothing."""

from __future__ import annotations

from pathlib import Path

from lowshot.disk import write_atomically


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
