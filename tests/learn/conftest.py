"""What training tests share: few threads, and real characters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lowshot.data import Examples, ImageForm, load

Split = tuple[Examples, Examples]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tests run side by side: two processes with two threads each would wait for one another."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def characters(data_folder: Path) -> Callable[[ImageForm], Split]:
    """Real characters in a form: those to learn from, and those of two other alphabets."""

    def split(form: ImageForm) -> Split:
        every = load("omniglot:background", form)
        return every.without(alphabet=["Greek", "Korean"]), every.where(alphabet=["Greek", "Korean"])

    return split
