"""The command's entry: its commands, and how errors end it."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from lowshot.cli import demo, encoders, galleries, listings
from lowshot.errors import LowshotError

# Newer releases of Typer carry click inside, older ones import it: either way its errors are this class's children.
_UsageError: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(
    help="Recognize anything from one to five examples.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo.demo)
app.command()(encoders.train)
app.command()(encoders.evaluate)
app.command()(galleries.enroll)
app.command()(galleries.identify)
app.add_typer(galleries.app, name="gallery")
app.command()(listings.methods)
app.command()(listings.datasets)
app.command()(listings.encoders)


def main() -> None:
    """Run the command. What the user caused ends in one line on standard error and status 2."""
    try:
        status = app(standalone_mode=False)
    except LowshotError as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("lowshot: stopped", file=sys.stderr)
        sys.exit(130)
    except _UsageError as error:
        _fail(error.format_message())  # type: ignore[attr-defined]  # found by name above
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str) -> NoReturn:
    print(f"lowshot: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)
