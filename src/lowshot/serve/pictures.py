"""Enrolled pictures, as a browser may get them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from types import MappingProxyType

from PIL import Image, ImageOps

from lowshot.data.images import open_picture
from lowshot.errors import DataError

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
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


def media_type(file: bytes) -> str:
    """What the bytes of a picture say they are; of nothing else will a browser make something that acts."""
    try:
        return MEDIA_TYPES.get(open_picture(file).format or "", "application/octet-stream")
    except DataError:
        return "application/octet-stream"


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
    """An ETag: tells this picture, in this size, from any other."""
    return f'"{hashlib.blake2b(file, digest_size=16).hexdigest()}-{size or 0}"'
