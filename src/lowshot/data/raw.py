"""Items as they come: files, bytes and arrays, before anything of them is decoded. What pictures, sounds and texts share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from lowshot.errors import BadFiles, DataError

MAX_BYTES = 1 << 28  # of one file: 67 million RGBA pixels without any compression


class Readable(Protocol):
    """Anything that gives the bytes of a file when asked, such as a ``Path``.

    Raises OSError or DataError where it cannot.
    """

    def read_bytes(self) -> bytes:
        """The whole file."""


def file_bytes(file: str | Path | Readable) -> bytes:
    """The whole file. Raises DataError with the reason only: the caller knows the name."""
    source = Path(file) if isinstance(file, str) else file
    try:
        if isinstance(source, Path):
            if not source.is_file():
                raise DataError("it is a folder or a device" if source.exists() else "no such file")
            if (size := source.stat().st_size) > MAX_BYTES:
                raise DataError(f"it has {size:,} bytes, more than {MAX_BYTES:,}: shrink it")
        return source.read_bytes()
    except OSError as error:
        raise DataError(error.strerror or "it cannot be read") from None


def read_each(
    items: Sequence[Any], read: Callable[[Any], Any], into: NDArray[Any] | list[Any], names: Sequence[str]
) -> None:
    """Put what ``read`` makes of each item into its place, and report all that cannot be read together.

    Args:
        items: as they came.
        read: one item decoded; raises DataError with the reason only.
        into: as many places.
        names: what to call each item in an error.

    Raises:
        BadFiles: lists, once, every item that ``read`` refuses.
    """
    problems: dict[tuple[str, str], None] = {}  # a dict, since a table may name one bad file twice
    for i, item in enumerate(items):
        try:
            into[i] = read(item)
        except DataError as error:
            problems[names[i], str(error)] = None
    if problems:
        raise BadFiles(list(problems), of=len(items))
