"""The command line of a benchmark of several parts."""

from __future__ import annotations

import sys
from collections.abc import Callable

from lowshot.evaluate.results import write_results


def run_parts(*parts: Callable[[], None]) -> None:
    """Run the parts that the command line names, or all of them, in this order; then write the tables."""
    known = {part.__name__: part for part in parts}
    if strange := sorted(set(sys.argv[1:]) - known.keys()):
        sys.exit(f"no part {strange[0]!r}: choose some of {', '.join(known)}")
    for name, part in known.items():
        if name in (sys.argv[1:] or known):
            part()
    write_results()
