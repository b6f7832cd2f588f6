"""``lowshot bench``: train and measure every system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lowshot.cli.encoders import training_room

app = typer.Typer(no_args_is_help=True, help="Measure what this library claims.")


@app.callback()
def _group() -> None:
    """Measure what this library claims."""


@app.command()
def accuracy(
    methods: Annotated[
        str | None, typer.Option(help="Names with commas between; see `lowshot methods`.  [default: all]")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="`cpu` for two cores, `paper`, or another that all the methods have.")
    ] = "cpu",
    tracks: Annotated[str | None, typer.Option(help="Names with commas between.  [default: all]")] = None,
    trained: Annotated[Path, typer.Option(help="Folder of trained files.")] = Path("runs"),
    results: Annotated[Path, typer.Option(help="Folder of result files.")] = Path("results"),
    page: Annotated[Path, typer.Option(help="The page that is made of them.")] = Path("docs/results.md"),
) -> None:
    """Train every method, measure it by the field's protocols, and write the page of results.

    What is there already with the same settings is kept: a run that was stopped goes on where it was.
    """
    all_methods = training_room("methods").METHODS
    from rich.console import Console

    from lowshot.evaluate.bench import Bench, find_tracks
    from lowshot.evaluate.results import write_results

    names = [each.record.name for each in all_methods] if methods is None else methods.split(",")
    bench = Bench(preset, trained, results, Console(stderr=True))
    bench.run(names, find_tracks(None if tracks is None else tracks.split(",")))
    write_results(results, page)
