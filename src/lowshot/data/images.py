"""From a picture in any file to pixels of the form an encoder expects.

Pictures come from anywhere, so nothing in a file is trusted: only the raster formats of :data:`FORMATS` are opened, the
size is judged by the header before a pixel is decoded, and whatever a decoder trips over becomes a line of one
:class:`~lowshot.errors.BadFiles`.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile
from pydantic import BaseModel, ConfigDict, Field

from lowshot.errors import BadFiles, DataError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MAX_PIXELS = 1 << 26  # 67 million: above a phone's largest photo, below what hurts a small machine
MAX_BYTES = 1 << 28  # of one file: 67 million RGBA pixels without any compression


class Readable(Protocol):
    """Anything that gives the bytes of a picture file when asked, such as a ``Path``.

    Raises OSError or DataError where it cannot.
    """

    def read_bytes(self) -> bytes:
        """The whole file."""


Picture = str | Path | Readable | bytes | Image.Image | NDArray[Any]  # a file, its bytes, or pixels already decoded


class ImageForm(BaseModel):
    """The pixels an encoder expects: ``uint8`` arrays of (height, width, channels).

    ``fit`` says how a picture of another shape gets there: ``pad`` to the target's aspect with white, ``crop`` its
    center, or ``stretch``. Shrinking averages over boxes, enlarging interpolates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    channels: Literal[1, 3] = 3
    fit: Literal["pad", "crop", "stretch"] = "pad"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def mode(self) -> Literal["L", "RGB"]:
        """Pillow's name for the channels."""
        return "L" if self.channels == 1 else "RGB"


def read_pictures(
    pictures: Sequence[Picture], form: ImageForm, names: Sequence[str] | None = None, most: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decode pictures and bring them to one form.

    Args:
        pictures: paths, objects with ``read_bytes()``, bytes of files, Pillow images, or ``uint8`` arrays of
            (height, width) or (height, width, 1, 3 or 4), the fourth channel alpha.
        form: the pixels wanted.
        names: what to call each picture in an error; None for its path or ``picture 0``, ``picture 1``, …
        most: pixels of a file that is still decoded.

    Returns:
        (n, height, width, channels). Transparent parts are white, 16-bit gray is scaled to 8 bits, CMYK becomes RGB,
        and a photo is turned upright as its EXIF orientation says.

    Raises:
        BadFiles: lists, once, every picture that is missing, empty, damaged, cut short, too large, an animation, or not
            of one of :data:`FORMATS`.

    Example:
        >>> import numpy as np
        >>> from lowshot.data import ImageForm, read_pictures
        >>> drawing = np.zeros((60, 30), np.uint8)
        >>> read_pictures([drawing], ImageForm(height=4, width=4, channels=1))[0, 0, :, 0].tolist()
        [255, 0, 0, 255]
    """
    pixels = np.empty((len(pictures), *form.shape), np.uint8)
    problems: dict[tuple[str, str], None] = {}  # a dict, since a table may name one bad file twice
    for i, picture in enumerate(pictures):
        try:
            pixels[i] = _read(picture, form, most)
        except DataError as error:
            problems[names[i] if names is not None else shown_name(picture, i), str(error)] = None
    if problems:
        raise BadFiles(list(problems), of=len(pictures))
    return pixels


def shown_name(picture: Picture, position: int) -> str:
    """What to call a picture in an error."""
    return str(picture) if isinstance(picture, str | Path) else f"picture {position}"


def _read(picture: Picture, form: ImageForm, most: int) -> NDArray[np.uint8]:
    """One picture as (height, width, channels). Raises DataError with the reason only: the caller knows the name."""
    if isinstance(picture, np.ndarray):
        if picture.dtype == np.uint8 and picture.shape == form.shape:
            return picture
        image = _from_array(picture)
    elif isinstance(picture, Image.Image):
        image = picture
    else:
        image = open_picture(picture if isinstance(picture, bytes) else file_bytes(picture), most)
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size. Stopping at twice the size wanted leaves the last step
        # to the same averaging as for any other file, and a photo of 12 megapixels takes a tenth of the time.
        image.draft(form.mode, (2 * max(form.height, form.width),) * 2)
    try:
        image.load()
        return np.asarray(_fitted(_plain(image, form.mode), form)).reshape(form.shape)
    except DataError:
        raise
    except Exception as error:  # on damaged files Pillow's decoders raise whatever they happen to trip over
        raise DataError(f"it cannot be decoded ({error})") from None


def file_bytes(picture: str | Path | Readable) -> bytes:
    """The whole file. Raises DataError with the reason only, as :func:`_read` does."""
    source = Path(picture) if isinstance(picture, str) else picture
    try:
        if isinstance(source, Path):
            if not source.is_file():
                raise DataError("it is a folder or a device" if source.exists() else "no such file")
            if (size := source.stat().st_size) > MAX_BYTES:
                raise DataError(f"it has {size:,} bytes, more than {MAX_BYTES:,}: shrink it")
        return source.read_bytes()
    except OSError as error:
        raise DataError(error.strerror or "it cannot be read") from None


_filters = threading.Lock()


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of large or odd headers; here each is refused or fine. For moments: all threads share it."""
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_picture(file: bytes, most: int = MAX_PIXELS) -> Image.Image:
    """The picture with its header read and checked, no pixel decoded yet. Raises DataError as :func:`_read` does."""
    if not file:
        raise DataError("it is empty")
    try:
        with _without_warnings():
            image = Image.open(io.BytesIO(file), formats=FORMATS)
            # Phones append previews and depth maps to a JPEG (then "MPO"): its first picture is the photo.
            several = image.format != "MPO" and getattr(image, "is_animated", False)
    except UnidentifiedImageError:
        raise DataError(f"it is no picture of a format read here ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        raise DataError(f"it has more than {most:,} pixels: shrink it") from None
    except Exception as error:  # see _read
        raise DataError(f"its header is damaged ({error})") from None
    if image.width * image.height > most:
        raise DataError(f"it has {image.width}×{image.height} pixels, more than {most:,}: shrink it")
    if several:
        raise DataError("it is an animation or has several pages: save the one picture that is meant")
    return image


def _from_array(array: NDArray[Any]) -> Image.Image:
    shape = array.shape[:-1] if array.ndim == 3 and array.shape[-1] == 1 else array.shape
    fits = len(shape) == 2 or (len(shape) == 3 and shape[-1] in (3, 4))
    if array.dtype != np.uint8 or not fits or not array.size:
        raise DataError(
            f"it is an array of {array.dtype} {array.shape}: give uint8 (height, width) or (height, width, 1, 3 or 4)"
        )
    return Image.fromarray(array.reshape(shape))


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """The decoded picture upright, opaque and with 8 bits a channel."""
    with _without_warnings():
        upright = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        upright = _eight_bits(upright, _depth(image))
    if upright.has_transparency_data:
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright.convert("RGBA"))
    return upright.convert(mode)


def _depth(image: Image.Image) -> int:
    """Bits of a gray value deeper than 8 bits."""
    if image.mode.startswith("I;16"):
        if not isinstance(image, TiffImageFile):
            return 16
        if image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) != 0:
            return int(image.tag_v2[BITSPERSAMPLE][0])
        raise DataError("its deep gray counts from white, which Pillow leaves inverted: save it as PNG")
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return 16
    raise DataError("its values have 32 bits and no known range: save it with 8 or 16 bits")


def _eight_bits(image: Image.Image, depth: int) -> Image.Image:
    """The upper 8 bits of gray values (as Pillow itself does for deep colors; its ``convert("L")`` clips gray)."""
    values = np.asarray(image)
    gray = (values >> (depth - 8)).astype(np.uint8)
    if (transparent := image.info.get("transparency")) is not None:
        gray[values == transparent] = 255
    return Image.fromarray(gray)


def _fitted(image: Image.Image, form: ImageForm) -> Image.Image:
    target = (form.width, form.height)
    if image.size == target:
        return image
    across, down = form.width / image.width, form.height / image.height
    scale = min(across, down) if form.fit == "pad" else max(across, down)
    resample = Image.Resampling.BOX if scale <= 1 else Image.Resampling.BILINEAR
    if form.fit == "stretch":
        return image.resize(target, resample)
    if form.fit == "crop":
        return ImageOps.fit(image, target, resample)
    width, height = (max(1, round(side * scale)) for side in image.size)  # a line stays at least one pixel thick
    paper = Image.new(image.mode, target, "white")
    paper.paste(image.resize((width, height), resample), ((form.width - width) // 2, (form.height - height) // 2))
    return paper
