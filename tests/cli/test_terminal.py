"""What the command does to the terminal, and what it makes of one that takes nothing more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from PIL import Image

from lowshot import __version__
from lowshot.cli.tables import print_table
from lowshot.text import printable

Run = Callable[..., "object"]

LONG = "a name that is far longer than any terminal is wide: " + 20 * "0123456789"


@pytest.fixture
def process() -> Callable[..., tuple[int, str]]:
    """Runs the command in a process of its own; gives its status and what it wrote to standard error."""

    def run(*arguments: str, stdout: int | IO[str], **environment: str) -> tuple[int, str]:
        # buffered, as in a shell: an error then comes late
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
        command = [sys.executable, "-m", "lowshot", *arguments]
        done = subprocess.run(
            command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=inherited | environment, timeout=60
        )
        return done.returncode, done.stderr

    return run


@pytest.mark.parametrize("group", [[], ["gallery"]])
def test_nothing_asked_prints_the_help_as_it_is(lowshot: Run, group: list[str]) -> None:
    bare, asked = lowshot(*group), lowshot(*group, "--help")
    assert bare.status == 0 and bare.err == "" and bare.out.count("\n") > 5
    assert bare.out.strip() == asked.out.strip()


def test_version(lowshot: Run) -> None:
    ran = lowshot("--version")
    assert (ran.status, ran.out) == (0, f"lowshot {__version__}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["encoders", "--help", ""])
def test_a_full_disk_behind_standard_output(process: Callable[..., tuple[int, str]], command: str) -> None:
    with Path("/dev/full").open("w") as full:
        status, said = process(*command.split(), stdout=full)
    assert status == 2 and said.startswith("lowshot: ") and said.count("\n") == 1 and "No space left" in said


def test_a_warning_is_one_line(process: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(501):  # more than are read anew each time
            Image.new("L", (8, 8), number).save(tmp_path / name / f"{number}.png")
    command = ("evaluate", "characters", str(tmp_path), "--ways", "2", "--queries", "1", "--episodes", "5")
    status, said = process(*command, stdout=subprocess.DEVNULL, LOWSHOT_CACHE="/dev/null/cache")
    assert status == 0 and said.startswith("lowshot: ") and said.count("\n") == 1 and ".py" not in said


def test_a_reader_who_has_seen_enough(process: Callable[..., tuple[int, str]]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert process("encoders", stdout=writer) == (1, "")
    finally:
        os.close(writer)


def test_a_terminal_without_greek_letters(process: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        status, said = process("datasets", stdout=out, PYTHONIOENCODING="ascii")  # their lines have × in them
    assert (status, said) == (0, "")
    assert r"characters \xd7 4 rotations" in (tmp_path / "out").read_text("ascii")


def test_what_the_system_refuses_is_one_line(fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere/file")

    monkeypatch.setattr(sys.modules["lowshot.cli.main"], "app", refuse)
    assert fails("encoders") == "lowshot: somewhere/file: Permission denied\n"


def test_a_pipe_gets_every_row_on_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table(("name", "number"), [(LONG, "1"), ("short", "2")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4  # titles, a rule, the rows
    assert lines[2].split() == [*LONG.split(), "1"] and lines[3].split() == ["short", "2"]
    assert all(line == line.rstrip() for line in lines)


def test_a_tiny_terminal_is_taken_for_a_wider_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "8")
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich calls a terminal
    monkeypatch.setenv("TERM", "xterm")
    print_table(("name", "what"), [("prototypical", "Prototypical Networks"), (LONG, "long")])
    lines = capsys.readouterr().out.splitlines()
    assert any("prototypical" in line and "Prototypical Networks" in line for line in lines)
    assert len(lines) > 5 and max(map(len, lines)) < 100  # the long one is folded


def test_names_cannot_command_the_terminal(fails: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("\x1b[2Ja\nb\x7f\x9b\u202eend\udcff") == r"\x1b[2Ja\nb\x7f\x9b\u202eend\udcff"
    assert printable("Ελληνικά 漢字 é 👩\u200d🔬 [red]") == "Ελληνικά 漢字 é 👩\u200d🔬 [red]"
    print_table(("name",), [("red\x1b[31m\rgone [bold]x[/]",)])
    assert r"red\x1b[31m\rgone [bold]x[/]" in capsys.readouterr().out
    assert r"no\x1b[31m.onnx" in fails("evaluate", "no\x1b[31m.onnx", "digits")
