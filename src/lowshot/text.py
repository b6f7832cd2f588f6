"""Text from files and users, fit to be shown."""

from __future__ import annotations

import re

# Control characters, surrogates (bytes of a file name that are no text), and what breaks or turns lines around.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    r"""Text as a terminal may get it: a name cannot color, move or overwrite what others print.

    Example:
        >>> from lowshot.text import printable
        >>> print(printable("red\x1b[31m.png"))
        red\x1b[31m.png
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))
