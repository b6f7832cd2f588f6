"""The ``lowshot`` command: thin, one file a group of commands."""

from lowshot.cli.main import main

__all__ = ["main"]
