"""``lowshot serve``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from lowshot.cli.galleries import EncoderOption, GalleryArgument
from lowshot.errors import ConfigError
from lowshot.text import printable


def serve(
    gallery: GalleryArgument,
    encoder: EncoderOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine's need keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Lines `read KEY` or `write KEY`; default: the variable LOWSHOT_KEYS."),
    ] = None,
    max_body: Annotated[int, typer.Option(min=1024, help="Bytes of a request.")] = 16 << 20,
    max_pixels: Annotated[int, typer.Option(min=1, help="Pixels of a picture.")] = 24_000_000,
    max_files: Annotated[int, typer.Option(min=1, help="Files of a request.")] = 64,
    queue: Annotated[int, typer.Option(min=1, help="Items that may wait in a process.")] = 256,
    timeout: Annotated[float, typer.Option(help="Seconds that a request may take.")] = 30.0,
    drain: Annotated[float, typer.Option(help="Seconds between the signal to end and the end of listening.")] = 1.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not log requests on standard error.")] = False,
) -> None:
    """Serve a gallery over HTTP: an API and a page. A gallery that is not there is made."""
    workers_room, settings = serving_room("workers"), serving_room("settings")
    given = settings.Settings.of(
        gallery=gallery,
        encoder=encoder,
        host=host,
        port=port,
        workers=workers,
        keys=settings.read_keys(keys),
        max_body=max_body,
        max_pixels=max_pixels,
        max_files=max_files,
        queue=queue,
        timeout=timeout,
        drain=drain,
        log=not quiet,
    )
    who = "who has a key" if given.keys else "this machine only, since there are no keys"
    workers_room.serve_by_many(
        given, lambda address: print(printable(f"serving {gallery} at {address} to {who}"), flush=True)
    )


def serving_room(part: str) -> Any:
    """A module of what serves. Raises ConfigError with what to install where a package is missing."""
    try:
        return import_module(f"lowshot.serve.{part}")
    except ImportError as error:
        raise ConfigError(f"this needs {error.name}: pip install 'lowshot[serve]'") from None
