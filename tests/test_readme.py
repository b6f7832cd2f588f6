"""Every block of the README does what it says: Python is executed, commands are run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
COMMANDS = [line.removeprefix("$ ") for kind, text in BLOCKS if kind == "console" for line in text.splitlines()]


def test_there_are_no_blocks_of_other_kinds() -> None:
    assert {kind for kind, _ in BLOCKS} == {"python", "console"} and PYTHON and COMMANDS


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_commands(
    lowshot: Callable[..., object], data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _photos(tmp_path)
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    ran = 0
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        if program == "make":
            assert arguments[0] in targets
        elif program == "pip":
            assert re.fullmatch(r"lowshot\[(\w+)\]", arguments[1])[1] in extras  # type: ignore[index]
        else:
            assert program == "lowshot"
            if "--minutes" in arguments:  # the same run, cut short
                arguments[arguments.index("--minutes") + 1] = "0.05"
            assert lowshot(*arguments).status == 0, command  # type: ignore[attr-defined]
            ran += 1
    assert ran >= 7


def _photos(folder: Path) -> None:
    """What the README's reader would have: a folder of class folders, and a new picture."""
    rng = np.random.default_rng(0)
    for label in ("old model", "new model"):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)).save(
                folder / "photos" / label / f"{i}.jpg"
            )
    Image.fromarray(rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)).save(folder / "new.jpg")


def test_the_command_is_installed() -> None:
    done = subprocess.run([sys.executable, "-m", "lowshot", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "Recognize anything" in done.stdout
