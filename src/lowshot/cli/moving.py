"""``lowshot gallery copy``, ``export``, ``import`` and ``migrate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lowshot.cli.arguments import JsonOption
from lowshot.cli.progress import progress
from lowshot.text import printable

SourceArgument = Annotated[
    str, typer.Argument(metavar="SRC", help="The gallery's file, or milvus+http://host:port/collection.")
]
TargetArgument = Annotated[
    str, typer.Argument(metavar="DST", help="Where the new gallery is to be: a file, or an address like SRC's.")
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE.parquet")]


def copy(source: SourceArgument, target: TargetArgument, as_json: JsonOption = False) -> None:
    """Copy a gallery to another place or store. Where that was stopped, the same command goes on."""
    from lowshot.gallery import moving

    with progress("copying") as report:
        number = moving.copy(source, target, report)
    _print("copied", number, target, as_json)


def export(
    source: SourceArgument,
    file: FileArgument,
    no_images: Annotated[bool, typer.Option("--no-images", help="Leave the items out: features only.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a gallery into a Parquet file, for other tools and for `import`."""
    from lowshot.gallery import moving

    with progress("exporting") as report:
        number = moving.export(source, file, not no_images, report)
    _print("exported", number, file, as_json)


def import_(
    file: FileArgument,
    target: TargetArgument,
    encoder: Annotated[
        str | None, typer.Option(help="Its encoder's name or file, where that is not where it was.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a gallery of a file that `export` wrote. Where that was stopped, the same command goes on."""
    from lowshot.gallery import moving

    with progress("importing") as report:
        number = moving.import_(file, target, encoder, report)
    _print("imported", number, target, as_json)


def migrate(
    source: SourceArgument,
    target: TargetArgument,
    encoder: Annotated[str, typer.Option(help="The new encoder: name or file.")],
    as_json: JsonOption = False,
) -> None:
    """Make a gallery of the same examples for another encoder, from the items kept. Once stopped, it goes on."""
    from lowshot.gallery import moving

    with progress("migrating") as report:
        number = moving.migrate(source, target, encoder, report)
    _print("migrated", number, target, as_json)


def _print(done: str, number: int, to: str | Path, as_json: bool) -> None:
    print(json.dumps({done: number}) if as_json else printable(f"{done} {number} examples to {to}"))
