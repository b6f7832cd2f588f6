"""The command's entry: its commands, and how errors end it."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from lowshot import __version__
from lowshot.cli import bench, checking, demo, encoders, galleries, listings, moving, serving
from lowshot.errors import LowshotError
from lowshot.text import printable

# Newer releases of Typer carry click inside, older ones import it: either way its errors are this class's children.
_UsageError: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"lowshot {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Recognize anything from one to five examples."""


app.command()(demo.demo)
app.command()(encoders.train)
app.command()(encoders.evaluate)
app.command()(galleries.enroll)
app.command()(galleries.identify)
app.command()(serving.serve)
galleries.app.command()(checking.check)
galleries.app.command()(moving.copy)
galleries.app.command()(moving.export)
galleries.app.command("import")(moving.import_)
galleries.app.command()(moving.migrate)
app.add_typer(galleries.app, name="gallery")
app.add_typer(bench.app, name="bench")
app.command()(listings.methods)
app.command()(listings.datasets)
app.command()(listings.encoders)


def main() -> None:
    """Run the command. What the user or the system got wrong ends in one line on standard error and status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an ASCII terminal shows a Greek alpha as \u03b1
    warnings.showwarning = _warn
    _say_what_takes_long()
    try:
        status = _run()
        if sys.stdout:  # None where it was closed from the start
            sys.stdout.flush()  # a full disk must not wait for the interpreter's end
    except LowshotError as error:
        _fail(str(error))
    except _UsageError as error:
        _fail(error.format_message())  # type: ignore[attr-defined]  # found by name above
    except (KeyboardInterrupt, typer.Abort):
        print("lowshot: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # who reads has seen enough, as `head` does; click ends so, too
        _silence()
        sys.exit(1)
    except OSError as error:
        _silence()
        _fail(f"{error.filename or 'reading or writing failed'}: {error.strerror or error}")
    sys.exit(status)


def _run() -> int:
    """The command's status. Where nothing was asked, the help is the answer."""
    try:
        status = app(standalone_mode=False)
    except _UsageError as error:
        if type(error).__name__ != "NoArgsIsHelpError":
            raise
        print(error.format_message())  # type: ignore[attr-defined]  # found by name above
        return 0
    return status if isinstance(status, int) else 0


def _warn(message: Warning | str, *_where: object, **_more: object) -> None:
    """One line, as errors are; where in the code it arose helps no user."""
    print(f"lowshot: {printable(str(message))}", file=sys.stderr)


def _say_what_takes_long() -> None:
    """Lines on standard error, as warnings are."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("lowshot: %(message)s"))
    logger = logging.getLogger("lowshot.encoder")
    logger.handlers, logger.level, logger.propagate = [handler], logging.INFO, False


def _silence() -> None:
    """Drop what could not be written: the interpreter would try again at its end and complain."""
    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> NoReturn:
    print(f"lowshot: {printable(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(2)
