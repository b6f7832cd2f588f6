"""Arguments that several commands share."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lowshot.errors import DataError

DataArgument = Annotated[
    str, typer.Argument(metavar="DATA", help="A named set (see `lowshot datasets`), a folder, a zip or a CSV table.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]


def check_writable(file: Path, option: str) -> None:
    """Before the work, not after it: the folder takes new files. Raises DataError where it does not."""
    if not file.parent.is_dir() or (file.exists() and not file.is_file()):
        raise DataError(f"{file} cannot be written: choose a file in a folder that exists with {option}")
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror}): choose another folder with {option}") from None
