"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

DataArgument = Annotated[
    str, typer.Argument(metavar="DATA", help="A named set (see `lowshot datasets`), a folder, a zip or a CSV table.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]
