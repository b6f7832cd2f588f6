"""Keeping the items themselves: to show them, and to enroll them again with a better encoder."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lowshot.data import Form, Modality, SoundForm
from lowshot.data.forms import Item
from lowshot.data.images import open_picture
from lowshot.data.raw import Readable, file_bytes
from lowshot.data.sounds import wav
from lowshot.encoder import Card
from lowshot.gallery.store import digest

KEEPS = "originals"  # the fact; absent where items are kept
NONE = "none"

_PNG_MODES = {"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}  # what PNG can hold
_PLAIN_MODES = _PNG_MODES - {"I;16"}  # what it holds in the same way as any other format: deep gray has many depths
_SPACIOUS = {"BMP", "DIB", "PPM", "TIFF"}  # formats that are not compressed, as a rule


@dataclass(frozen=True)
class Keeping:
    """What a gallery keeps of the items that are enrolled.

    Attributes:
        items: whether it keeps them, or only what is needed to know them again.
        modality: what they are.
        key: seals digests where it does not: the fingerprint of its encoder, in hexadecimal.
    """

    items: bool
    modality: Modality
    key: str

    @classmethod
    def by(cls, facts: Mapping[str, str]) -> Self:
        """What the facts of a gallery say."""
        return cls(facts.get(KEEPS) != NONE, Card.model_validate_json(facts["card"]).modality, facts["fingerprint"])

    def original(self, content: bytes) -> bytes | None:
        """What is kept of the file of an item that can be decoded."""
        if not self.items:
            return None
        return _compressed(content) if self.modality == "image" else content

    def digest(self, content: bytes) -> bytes:
        """What tells whether the item is enrolled already.

        Without items it is sealed: lists of the digests of known files tell nothing about it. Who holds the very file
        can find out that it was enrolled, as its features tell anyway.
        """
        return digest(content) if self.items else self.seal(digest(content))

    def seal(self, digest: bytes) -> bytes:
        """The digest of an item for a gallery that keeps none."""
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


def read_once(items: Sequence[Item], form: Form) -> list[Item]:
    """The same items; what is decoded of a file, and what is kept of it, are then the same bytes."""
    decoded = (bytes, Image.Image, np.ndarray, *([str] if form.modality == "text" else []))
    return [item if isinstance(item, decoded) else _Once(cast(Readable | str, item)) for item in items]


def contents(items: Sequence[Item], form: Form) -> list[bytes]:
    """The bytes of a file for each: a file as it is, pixels as PNG, samples as WAV, a text as UTF-8.

    For items that can be brought to the form.
    """
    return [_content(item, form) for item in items]


def _content(item: Item, form: Form) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str) and form.modality == "text":
        return item.encode()
    if isinstance(item, np.ndarray):
        return wav(item, form.rate) if isinstance(form, SoundForm) else _pixels(item)
    if isinstance(item, Image.Image):
        image = ImageOps.exif_transpose(item)
        return _png(image if image.mode in _PNG_MODES else image.convert("RGB"))
    return file_bytes(item)


def _pixels(pixels: NDArray[np.uint8]) -> bytes:
    return _png(Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels))


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
