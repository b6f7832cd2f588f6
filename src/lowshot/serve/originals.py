"""What examples were enrolled from, as a browser may get it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image, ImageOps

from lowshot.data.forms import Modality
from lowshot.data.images import open_picture
from lowshot.errors import DataError

PICTURES: Mapping[str, str] = MappingProxyType(
    {
        "PNG": "image/png",
        "JPEG": "image/jpeg",
        "MPO": "image/jpeg",
        "WEBP": "image/webp",
        "BMP": "image/bmp",
        "DIB": "image/bmp",
        "GIF": "image/gif",
        "TIFF": "image/tiff",
        "PPM": "image/x-portable-anymap",
    }
)


# How the files of sounds begin; those of MPEG with a tag, or at once with a frame.
SOUNDS: Mapping[bytes, str] = MappingProxyType(
    {
        b"RIFF": "audio/wav",
        b"fLaC": "audio/flac",
        b"OggS": "audio/ogg",
        b"ID3": "audio/mpeg",
        **{bytes([0xFF, second]): "audio/mpeg" for second in range(0xE0, 0x100)},
    }
)
TEXT = "text/plain; charset=utf-8"
_STRANGE = "application/octet-stream"


@dataclass(frozen=True)
class Original:
    """What an example was enrolled from: a file and its media type, or the words of a description."""

    file: bytes
    media_type: str
    described: bool

    @property
    def is_picture(self) -> bool:
        """Whether there can be a small one of it."""
        return self.media_type.startswith("image/")


def media_type(file: bytes, modality: Modality) -> str:
    """What the bytes of an item say they are; of nothing else will a browser make something that acts."""
    if modality == "text":
        return TEXT
    if modality == "sound":
        return next((kind for start, kind in SOUNDS.items() if file.startswith(start)), _STRANGE)
    try:
        return PICTURES.get(open_picture(file).format or "", _STRANGE)
    except DataError:
        return _STRANGE


def thumbnail(file: bytes, size: int) -> bytes:
    """A PNG of which neither side is longer than ``size``. Raises DataError where the file cannot be decoded."""
    image = open_picture(file)
    image.draft("RGB", (2 * size, 2 * size))
    try:
        upright = ImageOps.exif_transpose(image)
        plain = upright if upright.mode in ("L", "RGB", "RGBA") else upright.convert("RGBA")
        plain.thumbnail((size, size), Image.Resampling.BOX)
    except Exception as error:  # see lowshot.data.images
        raise DataError(f"the picture cannot be decoded ({error})") from None
    png = io.BytesIO()
    plain.save(png, "PNG")
    return png.getvalue()


def tag(file: bytes, size: int | None) -> str:
    """An ETag: tells this file, or the picture of this size, from any other."""
    return f'"{hashlib.blake2b(file, digest_size=16).hexdigest()}-{size or 0}"'
