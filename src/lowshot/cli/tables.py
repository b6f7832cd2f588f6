"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from lowshot.text import printable

_NARROWEST = 60  # in fewer columns a table is a pile of single letters: then the terminal breaks its lines
_WIDEST = 100_000  # no row is ever broken by a pipe or a file


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
