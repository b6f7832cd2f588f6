"""Text and tables on the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NARROWEST = 60  # in fewer columns a table is a pile of single letters: then the terminal breaks its lines
_WIDEST = 100_000  # no row is ever broken by a pipe or a file

# Control characters, surrogates (bytes of a file name that are no text), and what breaks or turns lines around.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    r"""Text as a terminal may get it: a name cannot color, move or overwrite what others print.

    Example:
        >>> from lowshot.cli.tables import printable
        >>> print(printable("red\x1b[31m.png"))
        red\x1b[31m.png
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under bold titles; text is shown as it is, never read as markup. Only a terminal folds long rows."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console()
    console.width = max(console.width, _NARROWEST) if console.is_terminal else _WIDEST
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n"))
