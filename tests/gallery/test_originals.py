"""What is kept of a picture loses nothing, and takes no more room than it must."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lowshot import Encoder, Gallery, ImageForm
from lowshot.data import read_pictures
from lowshot.gallery.originals import Keeping

KEEPING = Keeping(items=True, modality="image", key="")
FORMS = [ImageForm(height=9, width=7, channels=channels, fit="stretch") for channels in (1, 3)]


def _file(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _image(mode: str, seed: int = 0, size: tuple[int, int] = (200, 100)) -> Image.Image:
    """Something with even parts, as pictures have."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 4)).astype(np.uint8)
    pixels[: 3 * size[0] // 4] = 255
    return Image.fromarray(pixels, "RGBA" if mode in ("RGBA", "LA") else None).convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *((mode, "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")),
        *((mode, "PPM") for mode in ("1", "L", "RGB")),
        *((mode, "TIFF") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
    ],
)
def test_spacious_files_are_kept_as_png_and_read_the_same(mode: str, kind: str) -> None:
    file = _file(_image(mode), kind)
    kept = KEEPING.original(file)
    assert kept is not None and len(kept) < len(file)
    assert Image.open(io.BytesIO(kept)).format == "PNG"
    for form in FORMS:
        np.testing.assert_array_equal(read_pictures([kept], form), read_pictures([file], form))


@given(
    mode=st.sampled_from(["1", "L", "RGB"]), seed=st.integers(0, 99), height=st.integers(1, 40), turn=st.integers(1, 8)
)
def test_whatever_its_size_and_turn(mode: str, seed: int, height: int, turn: int) -> None:
    image = _image(mode, seed, (height, 30))
    exif = image.getexif()
    exif[0x0112] = turn
    for file in (_file(image, "TIFF", exif=exif), _file(image, "BMP")):
        kept = KEEPING.original(file)
        assert kept is not None and len(kept) <= len(file)
        for form in FORMS:
            np.testing.assert_array_equal(read_pictures([kept], form), read_pictures([file], form))


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (_file(_image("RGB"), "JPEG"), "compressed with loss"),
        (_file(_image("RGB"), "PNG", compress_level=0), "the user's own choice"),
        (_file(_image("RGB"), "WEBP"), "compressed"),
        (_file(_image("CMYK"), "TIFF"), "PNG has no such colors"),
        (_file(Image.fromarray(np.arange(3000, dtype=np.uint16).reshape(50, 60)), "TIFF"), "deep gray"),
        (_file(Image.new("L", (300, 300)), "TIFF", compression="tiff_lzw"), "smaller already"),
    ],
)
def test_other_files_are_kept_as_they_are(file: bytes, why: str) -> None:
    kept = KEEPING.original(file)
    assert kept == file or why == "smaller already"
    assert kept is not None and len(kept) <= len(file)


def test_the_same_file_is_known_though_another_is_kept(tmp_path: Path, tiny_encoder: Encoder) -> None:
    (tmp_path / "a.bmp").write_bytes(_file(_image("L"), "BMP"))
    with Gallery.open(tmp_path / "g", tiny_encoder, create=True) as gallery:
        ids = gallery.enroll([tmp_path / "a.bmp"], ["a"])
        assert gallery.original(ids[0])[1:4] == b"PNG"
        assert gallery.enroll([tmp_path / "a.bmp"], ["a"]) == ids
        assert gallery.identify([gallery.original(ids[0])])[0].examples[0].distance == pytest.approx(0, abs=1e-6)
