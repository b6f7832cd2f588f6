"""Keeping the pictures themselves: to show them, and to enroll them again with a better encoder."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from PIL import Image, ImageOps

from lowshot.data.images import Picture, Readable, file_bytes, open_picture
from lowshot.gallery.store import digest

KEEPS = "originals"  # the fact; absent where pictures are kept
NONE = "none"

_PNG_MODES = {"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}  # what PNG can hold
_PLAIN_MODES = _PNG_MODES - {"I;16"}  # what it holds in the same way as any other format: deep gray has many depths
_SPACIOUS = {"BMP", "DIB", "PPM", "TIFF"}  # formats that are not compressed, as a rule


@dataclass(frozen=True)
class Keeping:
    """What a gallery keeps of the pictures that are enrolled.

    Attributes:
        images: whether it keeps pictures, or only what is needed to know them again.
        key: seals digests where it does not: the fingerprint of its encoder, in hexadecimal.
    """

    images: bool
    key: str

    @classmethod
    def by(cls, facts: Mapping[str, str]) -> Self:
        """What the facts of a gallery say."""
        return cls(facts.get(KEEPS) != NONE, facts["fingerprint"])

    def original(self, content: bytes) -> bytes | None:
        """What is kept of the file of a picture that can be decoded."""
        return _compressed(content) if self.images else None

    def digest(self, content: bytes) -> bytes:
        """What tells whether the picture is enrolled already.

        Without pictures it is sealed: lists of the digests of known pictures tell nothing about it. Who holds the very file
        can find out that it was enrolled, as its features tell anyway.
        """
        return digest(content) if self.images else self.seal(digest(content))

    def seal(self, digest: bytes) -> bytes:
        """The digest of a picture for a gallery that keeps none."""
        return hashlib.blake2b(digest, key=self.key.encode()[:64], digest_size=32).digest()


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


def contents(pictures: Sequence[Picture]) -> list[bytes]:
    """The bytes of a picture file for each: a file as it is, pixels as PNG. For pictures that can be decoded."""
    return [_content(picture) for picture in pictures]


def _content(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, np.ndarray):
        return _png(Image.fromarray(picture[..., 0] if picture.ndim == 3 and picture.shape[-1] == 1 else picture))
    if isinstance(picture, Image.Image):
        image = ImageOps.exif_transpose(picture)
        return _png(image if image.mode in _PNG_MODES else image.convert("RGB"))
    return file_bytes(picture)


def _compressed(content: bytes) -> bytes:
    """A file as it is, or with the same pixels as PNG where its format is spacious and PNG takes less."""
    image = open_picture(content)
    if image.format not in _SPACIOUS or image.mode not in _PLAIN_MODES:
        return content
    return min(_png(ImageOps.exif_transpose(image)), content, key=len)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
