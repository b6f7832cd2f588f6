from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
