"""Recognize anything from one to five examples.

Learn from a **background set**, enroll a **support set**, answer **queries** with a label, a confidence and the examples
that decided it, or with "unknown". Names are loaded when first used, so importing this package imports little; torch is
never imported here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lowshot.errors import LowshotError

if TYPE_CHECKING:
    from lowshot.data import Examples, ImageForm, load
    from lowshot.encoder import Encoder
    from lowshot.gallery import Answer, Gallery
    from lowshot.recognize import NearestNeighbors, NearestPrototype
    from lowshot.serve.client import Client

__version__ = "0.1.0"

_HOMES = {
    "Examples": "data",
    "ImageForm": "data",
    "load": "data",
    "Encoder": "encoder",
    "Answer": "gallery",
    "Client": "serve.client",
    "Gallery": "gallery",
    "NearestNeighbors": "recognize",
    "NearestPrototype": "recognize",
}

__all__ = [
    "Answer",
    "Client",
    "Encoder",
    "Examples",
    "Gallery",
    "ImageForm",
    "LowshotError",
    "NearestNeighbors",
    "NearestPrototype",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lowshot' has no attribute {name!r}")
    return getattr(import_module(f"lowshot.{_HOMES[name]}"), name)
