"""Finding the files of a named data set: ``$LOWSHOT_DATA``, then the cache, then the official address.

What lies in ``$LOWSHOT_DATA`` is the user's and is taken as it is: a repacked archive has another checksum than the
published one. What is downloaded must have the published SHA-256, or it is removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from lowshot.errors import DataError, DataNotFound

_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Archive:
    """One file of a data set.

    Attributes:
        path: where it lies below a data folder, for instance ``omniglot/images_background.zip``.
        url: its official address.
        sha256: of the file at that address, in hexadecimal.
    """

    path: str
    url: str
    sha256: str


def cache_folder() -> Path:
    """``$LOWSHOT_CACHE``, or ``$XDG_CACHE_HOME/lowshot``, or ``~/.cache/lowshot``."""
    if chosen := os.environ.get("LOWSHOT_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "lowshot"


def find(path: str) -> Path | None:
    """The file at ``path`` below ``$LOWSHOT_DATA`` or the cache's ``data`` folder; None where it is in neither."""
    chosen = os.environ.get("LOWSHOT_DATA")
    places = [*([Path(chosen).expanduser()] if chosen else []), cache_folder() / "data"]
    return next((place / path for place in places if (place / path).is_file()), None)


def find_given(path: str, make: str) -> Path:
    """The file at ``path``, as :func:`find` finds it, of a data set that is not downloaded.

    Raises DataNotFound where it is in neither place; ``make`` says there how to come by it.
    """
    if found := find(path):
        return found
    raise DataNotFound(f"{_nowhere(path)}, and it is not downloaded: {make}")


def locate(archive: Archive) -> Path:
    """The archive's file, downloaded to the cache when it is nowhere yet.

    A download that was interrupted goes on where it stopped the next time.

    Raises:
        DataNotFound: in none of the places, which the message names.
        DataError: what was downloaded has not the published checksum.
    """
    if found := find(archive.path):
        return found
    target = cache_folder() / "data" / archive.path
    missing = _nowhere(archive.path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.partial")
        with alone(partial):
            if not target.is_file():  # another process may have fetched it while this one waited
                _fetch(archive.url, partial)
                _verify(archive, partial)
                partial.replace(target)
    except (ConnectionError, TimeoutError, HTTPException) as error:
        raise DataNotFound(
            f"{missing}, and {archive.url} could not be downloaded ({error}): put the file below one of the two folders, "
            "or try again with a network connection"
        ) from error
    except OSError as error:  # the disk's
        raise DataNotFound(
            f"{missing}, where a download cannot be kept ({error.strerror or error}): put the file below $LOWSHOT_DATA, "
            "or set LOWSHOT_CACHE to a folder that can be written"
        ) from error
    return target


def _nowhere(path: str) -> str:
    return (
        f"{path} is neither in $LOWSHOT_DATA ({os.environ.get('LOWSHOT_DATA') or 'not set'}) nor in the cache "
        f"({cache_folder() / 'data'})"
    )


@contextmanager
def alone(partial: Path) -> Iterator[None]:
    """Hold the file for this process: two that start together (torchrun, xdist) fetch it once."""
    with partial.open("ab") as file:
        try:
            import fcntl
        except ImportError:  # Windows: two simultaneous downloads end in a checksum error instead of waiting
            pass
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(url: str, partial: Path) -> None:
    """Complete the partial file. What has arrived stays there whatever happens."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    done = partial.stat().st_size
    headers = {"User-Agent": "lowshot"} | ({"Range": f"bytes={done}-"} if done else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and done:  # nothing is left to send
                return
            raise ConnectionError(str(error)) from None
    except URLError as error:  # an OSError, as those of the disk are
        raise ConnectionError(getattr(error.reason, "strerror", None) or str(error.reason)) from None
    columns = TextColumn("downloading {task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with response, partial.open("r+b") as file, Progress(*columns, console=Console(stderr=True)) as progress:
        if response.status != 206:  # the server sends the whole file: start over
            done = 0
        file.seek(done)
        file.truncate()
        left = response.headers.get("Content-Length")
        total = done + int(left) if left else None
        task = progress.add_task(url.rsplit("/", 1)[-1], completed=done, total=total)
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            progress.advance(task, len(chunk))
        if total is not None and file.tell() < total:  # urllib takes a broken connection for the end
            raise ConnectionError(f"it broke off after {file.tell()} of {total} bytes; the next try goes on there")


def _verify(archive: Archive, partial: Path) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != archive.sha256:
        partial.unlink()
        raise DataError(
            f"{archive.url} gave a file with the SHA-256 {found}, not the published {archive.sha256}: it was removed; "
            f"try again, or put the right file into $LOWSHOT_DATA as {archive.path}"
        )
