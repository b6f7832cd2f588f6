"""The packed form of a data set on disk: decoded and resized once, memory-mapped ever after."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from lowshot.data.examples import Examples
from lowshot.data.locate import cache_folder
from lowshot.errors import LowshotError

_VERSION = 3  # of the packing itself: raise it when decoding or resizing changes


def packed(key: str, build: Callable[[], Examples]) -> Examples:
    """The examples that ``build`` makes, from the cache when it holds them under ``key``.

    ``key`` must name everything the result depends on: the set, its files (:func:`stamp`), the form. Items come back as
    a read-only memory map. Several processes may pack the same set at once: the first one's copy stays, and they are
    equal. A damaged copy is made again. Where the cache cannot be written, a warning says so and nothing is kept.

    Raises:
        Whatever ``build`` raises; then nothing is kept.
    """
    folder = cache_folder() / "packed" / hashlib.sha256(f"{_VERSION} {key}".encode()).hexdigest()[:24]
    if folder.is_dir():
        with suppress(OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, LowshotError):
            return _read(folder)
        shutil.rmtree(folder, ignore_errors=True)
    examples = build()
    try:
        _write(folder, examples, key)
        return _read(folder)
    except OSError as error:
        warnings.warn(
            f"the packed data cannot be kept in {folder.parent} ({error.strerror or error}), so they are made anew each "
            "time: make room there, or set LOWSHOT_CACHE to a folder that can be written",
            stacklevel=2,
        )
        return examples


def stamp(path: Path) -> str:
    """What tells a file from a later one of the same name: its size and time of change. For the key of a packed set."""
    facts = path.stat()
    return f"{facts.st_size} {facts.st_mtime_ns}"


def _write(folder: Path, examples: Examples, key: str) -> None:
    partial = folder.with_name(f".partial-{uuid4().hex}")
    partial.mkdir(parents=True)
    try:
        np.save(partial / "items.npy", examples.items)
        attributes: dict[str, Any] = {f"attribute{i}": each for i, each in enumerate(examples.attributes.values())}
        np.savez(partial / "arrays.npz", labels=examples.labels, **attributes)
        facts = {"key": key, "classes": examples.classes, "names": examples.names, "attributes": [*examples.attributes]}
        (partial / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        try:
            partial.rename(folder)  # all or nothing, and refused where there is a folder already
        except OSError:
            if not folder.is_dir():  # another process was not faster: this is a real failure
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _read(folder: Path) -> Examples:
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    # Opened here, because NumPy leaves a file open that it cannot read.
    with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Examples(
            items=np.load(folder / "items.npy", mmap_mode="r", allow_pickle=False),
            labels=arrays["labels"],
            classes=tuple(facts["classes"]),
            names=tuple(facts["names"]),
            attributes={name: arrays[f"attribute{i}"] for i, name in enumerate(facts["attributes"])},
        )
