"""Every block of the README does what it says: Python is executed, commands are run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowshot.data.sounds import wav

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
(JSON,) = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
COMMANDS = [line.removeprefix("$ ") for kind, text in BLOCKS if kind == "console" for line in text.splitlines()]


def test_there_are_no_blocks_of_other_kinds() -> None:
    assert {kind for kind, _ in BLOCKS} == {"python", "console", "json"} and PYTHON and COMMANDS


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed
    if promised := re.search(r"# ([^,]+), and ([^:]+):", block):
        assert set(promised.groups()) <= set(printed)


def test_commands(
    lowshot: Callable[..., object], data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _pictures(tmp_path)
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    ran = 0
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        if program == "make":
            assert arguments[0] in targets
        elif program == ".":
            assert arguments == [".venv/bin/activate"]
        elif arguments[:2] == ["install", "--no-deps"]:
            assert arguments[2] in (ROOT / "constraints.txt").read_text().splitlines()
        elif program == "pip":
            assert re.fullmatch(r"\.\[(\w+)\]", arguments[1])[1] in extras  # type: ignore[index]
        else:
            assert program == "lowshot"
            if "--minutes" in arguments:  # the same run, cut short
                arguments[arguments.index("--minutes") + 1] = "0.02"
            done: Any = lowshot(*arguments)
            assert done.status == 0, (command, done.err)
            if "--json" in arguments:
                assert _shape(json.loads(done.out)) == _shape(JSON)
            ran += 1
    assert ran >= 11


def _shape(value: Any) -> Any:
    """What is in a JSON value, whatever the figures: keys, and the first of each list."""
    if isinstance(value, dict):
        return {key: _shape(each) for key, each in value.items()}
    return [_shape(value[0])] if isinstance(value, list) else type(value)


def _pictures(folder: Path) -> None:
    """What the README's reader would have: a folder of class folders, a larger one to learn from, and a new picture."""
    classes = {"photos/old model": 2, "photos/new model": 2} | {f"things/thing {i}": 4 for i in range(12)}
    rng = np.random.default_rng(0)
    for label, number in classes.items():
        (folder / label).mkdir(parents=True)
        likeness = rng.integers(0, 256, (6, 8, 3))
        for i in range(number):
            _picture(likeness + rng.normal(0, 20, likeness.shape)).save(folder / label / f"{i}.jpg")
        if label == "photos/new model":
            _picture(likeness).save(folder / "new.jpg")
    _socks(folder / "socks")
    _words(folder)
    (folder / "intents.csv").write_text(
        "text,label\nwhat is my balance,balance\nmy account balance please,balance\nwill it rain today,weather\n"
    )


def _socks(folder: Path) -> None:
    """A table of forty red or blue socks, and labeled pictures of one of them and of a glove."""
    rng = np.random.default_rng(1)
    (folder / "labeled" / "sock 0").mkdir(parents=True)
    (folder / "labeled" / "glove").mkdir()
    rows = ["path,label,color"]
    for i in range(40):
        color = "red" if i % 2 else "blue"
        likeness = rng.integers(0, 90, (6, 8, 3)) + np.array([160, 0, 0] if i % 2 else [0, 0, 160])
        _picture(likeness).save(folder / f"{i}.jpg")
        rows.append(f"{i}.jpg,sock {i},{color}")
        if i < 2:
            name = ["sock 0", "glove"][i]
            _picture(likeness + rng.normal(0, 20, likeness.shape)).save(folder / "labeled" / name / "1.jpg")
    (folder / "socks.csv").write_text("\n".join(rows))


def _words(folder: Path) -> None:
    """Two words and two voices, if whistles are such, two recordings each, and one of them heard again."""
    for i, label in enumerate(("words/yes", "words/no", "voices/Ann", "voices/Ben")):
        (folder / label).mkdir(parents=True)
        for take, name in enumerate((f"{label}/0.wav", f"{label}/1.wav", "said.wav")):
            hertz = (300 + 500 * i) * (1 + 0.02 * take)
            waves = 9000 * np.sin(2 * np.pi * hertz * np.arange(8000) / 16_000) * np.hanning(8000)
            (folder / name).write_bytes(wav(waves.astype(np.int16), 16_000))


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).resize((80, 60))


def test_the_command_is_installed() -> None:
    done = subprocess.run([sys.executable, "-m", "lowshot", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "Recognize anything" in done.stdout
