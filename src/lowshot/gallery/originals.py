"""Keeping the pictures themselves: to show them, and to enroll them again with a better encoder."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageOps

from lowshot.data.images import Picture, Readable, file_bytes

_PNG_MODES = {"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}  # what PNG can hold


@dataclass(frozen=True)
class _Once:
    """A file that is read a single time, however often it is asked for."""

    file: Readable | str

    @cached_property
    def content(self) -> bytes:
        return file_bytes(self.file)

    def read_bytes(self) -> bytes:
        return self.content


def read_once(pictures: Sequence[Picture]) -> list[Picture]:
    """The same pictures; what is decoded of a file, and what is kept of it, are then the same bytes."""
    return [
        picture if isinstance(picture, bytes | Image.Image | np.ndarray) else _Once(picture) for picture in pictures
    ]


def originals(pictures: Sequence[Picture]) -> list[bytes]:
    """The bytes of a picture file for each: a file as it is, pixels as PNG. For pictures that can be decoded."""
    return [_original(picture) for picture in pictures]


def _original(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, np.ndarray):
        image = Image.fromarray(picture[..., 0] if picture.ndim == 3 and picture.shape[-1] == 1 else picture)
    elif isinstance(picture, Image.Image):
        image = ImageOps.exif_transpose(picture)
        image = image if image.mode in _PNG_MODES else image.convert("RGB")
    else:
        return file_bytes(picture)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
