from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from milvus_server import CannotStart, milvus_server

_NOBODY = 65534


@pytest.fixture
def sealed() -> Iterator[tuple[Path, Callable[[], None]]]:
    """A folder, and what makes it one that this process may read only (root, who may all, becomes nobody)."""
    folder, root = Path(tempfile.mkdtemp()), os.geteuid() == 0

    def seal() -> None:
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        if root:
            os.seteuid(_NOBODY)

    yield folder, seal
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Milvus server of these tests' own; skips where none can be started."""
    pytest.importorskip("pymilvus")
    server = milvus_server(tmp_path_factory.mktemp("milvus"), tick=20)
    try:
        address = server.__enter__()
    except CannotStart as reason:
        pytest.skip(str(reason))
    yield f"milvus+{address}"
    server.__exit__(None, None, None)


@pytest.fixture(params=["file", pytest.param("milvus", marks=pytest.mark.milvus)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address where there is no gallery yet, of each kind of store."""
    if request.param == "file":
        return str(tmp_path / "my.gallery")
    return f"{request.getfixturevalue('milvus')}/g{uuid.uuid4().hex}"
