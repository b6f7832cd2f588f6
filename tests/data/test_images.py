"""Pictures of every kind: decoded as Pillow's own conversions say, or refused by name."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from lowshot.data import ImageForm, read_pictures
from lowshot.data.images import MAX_PIXELS
from lowshot.errors import BadFiles

GRAY = ImageForm(height=12, width=16, channels=1)
COLOR = ImageForm(height=12, width=16, channels=3)


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colorful(width: int = 16, height: int = 12, bands: int = 3) -> Image.Image:
    """Smooth, so that lossy formats keep it nearly as it is."""
    across, down = np.linspace(0, 255, width), np.linspace(0, 255, height)
    planes = [
        np.add.outer(down * 0, across),
        np.add.outer(down, across * 0),
        np.add.outer(down, across) / 2,
        255 - np.add.outer(down, across) / 2,
    ]
    stacked = np.stack(planes[:bands], axis=-1).round().astype(np.uint8)
    return Image.fromarray(stacked[..., 0] if bands == 1 else stacked)


def reason(picture: Any, form: ImageForm = COLOR) -> str:
    with pytest.raises(BadFiles) as caught:
        read_pictures([picture], form)
    ((name, why),) = caught.value.problems
    assert name in str(caught.value)
    assert why in str(caught.value)
    return why


def png_header(width: int, height: int) -> bytes:
    """The start of a PNG that claims a size: nothing but its header can be read."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data, b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


# --- decoded right ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.sampled_from([1, 3]),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(["pad", "crop", "stretch"]),
)
def test_png_of_the_right_form_comes_back_unchanged(
    data: st.DataObject, channels: Any, height: int, width: int, fit: Any
) -> None:
    pixels = data.draw(arrays(np.uint8, (height, width, channels)))
    form = ImageForm(height=height, width=width, channels=channels, fit=fit)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    read = read_pictures([file_of(image), image, pixels, pixels[..., 0] if channels == 1 else pixels], form)
    assert read.dtype == np.uint8
    assert read.shape == (4, height, width, channels)
    assert (read == pixels).all()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP"])
@pytest.mark.parametrize("bands", [1, 3])
def test_lossless_formats_are_exact(kind: str, bands: int) -> None:
    image = colorful(bands=bands)
    if kind == "GIF" and bands == 3:
        image = image.quantize(64).convert("RGB")  # no more colors than a GIF holds
    form = GRAY if bands == 1 else COLOR
    options = {"lossless": True} if kind == "WEBP" else {}
    expected = np.asarray(image).reshape(form.shape)
    assert np.array_equal(read_pictures([file_of(image, kind, **options)], form)[0], expected)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_are_near(kind: str) -> None:
    read = read_pictures([file_of(colorful(64, 48), kind, quality=95)], ImageForm(height=48, width=64))[0]
    assert np.abs(read.astype(int) - np.asarray(colorful(64, 48))).mean() < 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV"])
@pytest.mark.parametrize("form", [GRAY, COLOR], ids=["gray", "color"])
def test_opaque_modes_are_converted_as_pillow_does(mode: str, form: ImageForm) -> None:
    image = colorful().convert(mode)
    expected = np.asarray(image.convert(form.mode)).reshape(form.shape)
    assert np.array_equal(read_pictures([image], form)[0], expected)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_files(kind: str) -> None:
    image = Image.new("CMYK", (16, 12), (0, 255, 255, 0))  # full magenta and yellow: red
    assert np.abs(read_pictures([file_of(image, kind)], COLOR).astype(int) - (255, 0, 0)).max() <= 3


def test_array_like_and_path_like_pictures_agree(tmp_path: Path) -> None:
    image = colorful()
    path = tmp_path / "picture.png"
    image.save(path)
    read = read_pictures([path, str(path), path.read_bytes(), image, np.asarray(image)], COLOR)
    assert (read == np.asarray(image)).all()


def test_transparency_becomes_white_paper() -> None:
    half = Image.new("RGBA", (16, 12), (0, 0, 0, 128))
    clear = Image.new("RGBA", (16, 12), (10, 20, 30, 0))
    light = Image.new("LA", (16, 12), (0, 51))
    assert np.abs(read_pictures([file_of(half)], COLOR).astype(int) - 127).max() <= 1
    assert (read_pictures([file_of(clear), np.asarray(clear)], COLOR) == 255).all()
    assert np.abs(read_pictures([file_of(light)], GRAY).astype(int) - 204).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_color_becomes_white(kind: str) -> None:
    image = Image.new("P", (16, 12), 0)
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.paste(1, (0, 0, 8, 12))
    read = read_pictures([file_of(image, kind, transparency=1)], COLOR)[0]
    assert (read[:, :8] == 255).all()
    assert (read[:, 8:] == (200, 0, 0)).all()


@pytest.mark.parametrize(("mode", "key"), [("1", 0), ("L", 0), ("RGB", (0, 0, 0))])
def test_transparent_key_color_becomes_white(mode: str, key: Any) -> None:
    image = Image.new(mode, (16, 12), 0)
    assert (read_pictures([file_of(image, transparency=key)], COLOR) == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_not_clipped(kind: str) -> None:
    deep = np.linspace(0, 65535, 12 * 16).astype(np.uint16).reshape(12, 16)
    image = Image.fromarray(deep)
    for picture in (image, file_of(image, kind)):
        assert np.abs(read_pictures([picture], GRAY)[0, ..., 0] - deep / 257.0).max() < 1


def test_eight_bits_stored_as_sixteen_are_exact() -> None:
    pixels = np.arange(192, dtype=np.uint8).reshape(12, 16)
    deep = Image.fromarray(pixels.astype(np.uint16) * 257)
    assert np.array_equal(read_pictures([file_of(deep)], GRAY)[0, ..., 0], pixels)


def test_transparent_gray_of_sixteen_bits() -> None:
    deep = Image.fromarray(np.full((12, 16), 4096, np.uint16))
    assert (read_pictures([file_of(deep, transparency=4096)], GRAY) == 255).all()
    assert (read_pictures([file_of(deep, transparency=4097)], GRAY) == 16).all()


def test_twelve_bits_of_a_microscope() -> None:
    values = np.arange(192) * 21
    data = int("".join(f"{value:012b}" for value in values), 2).to_bytes(288, "big")
    tags = {256: 16, 257: 12, 258: 12, 259: 1, 262: 1, 273: 122, 277: 1, 278: 12, 279: len(data)}
    entries = b"".join(
        struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in tags.items()
    )
    tiff = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + data
    assert np.array_equal(read_pictures([tiff], GRAY)[0].ravel(), values >> 4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(kind: str, orientation: int) -> None:
    upright = np.full((24, 40, 3), 255, np.uint8)
    upright[:12, :20] = (255, 0, 0)  # a red quarter at the top left
    stored = {  # what the camera writes so that the orientation's turn gives the upright picture
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = file_of(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif)
    read = read_pictures([file], ImageForm(height=24, width=40))[0].astype(int)
    assert np.abs(read - upright).mean() < 6


def test_damaged_exif_does_not_cost_the_photo() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = file_of(colorful(), "JPEG", exif=exif.tobytes()[:20])
    assert read_pictures([file], COLOR).shape == (1, 12, 16, 3)


def test_phone_photo_with_a_second_picture_inside_is_its_first() -> None:
    photo, depth = Image.new("RGB", (16, 12), "red"), Image.new("RGB", (16, 12), "blue")
    file = file_of(photo, "MPO", save_all=True, append_images=[depth])
    assert read_pictures([file], COLOR)[0, 0, 0, 0] > 250


def test_large_photo_decodes_to_nearly_the_box_average() -> None:
    photo = colorful(1600, 1200)
    exact = np.asarray(photo.resize((16, 12), Image.Resampling.BOX))
    read = read_pictures([file_of(photo, "JPEG", quality=95)], COLOR)[0]
    assert np.abs(read.astype(int) - exact).max() <= 3


# --- size and fit -----------------------------------------------------------------------------------------------------


def test_shrinking_averages_over_boxes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)
    average = pixels.reshape(12, 2, 16, 2).mean(axis=(1, 3))
    assert np.abs(read_pictures([pixels], GRAY)[0, ..., 0] - average).max() <= 1


def test_enlarging_interpolates() -> None:
    small = colorful(8, 6, bands=1)
    expected = np.asarray(small.resize((16, 12), Image.Resampling.BILINEAR))
    assert np.array_equal(read_pictures([small], GRAY)[0, ..., 0], expected)


@pytest.mark.parametrize("size", [(40, 10), (10, 40), (160, 120), (7, 90), (3, 2)])
def test_fits_match_pillow(size: tuple[int, int]) -> None:
    image = colorful(*size)
    scales = 16 / size[0], 12 / size[1]
    oracles = {
        "pad": lambda filter: ImageOps.pad(image, (16, 12), filter, color="white"),
        "crop": lambda filter: ImageOps.fit(image, (16, 12), filter),
        "stretch": lambda filter: image.resize((16, 12), filter),
    }
    for fit, oracle in oracles.items():
        grows = (min(scales) if fit == "pad" else max(scales)) > 1
        expected = np.asarray(oracle(Image.Resampling.BILINEAR if grows else Image.Resampling.BOX))
        form = ImageForm(height=12, width=16, fit=fit)  # type: ignore[arg-type]
        read = read_pictures([image], form)[0].astype(int)
        assert read.shape == expected.shape
        moved = [np.abs(np.roll(read, shift, (0, 1)) - expected).mean() for shift in ((0, 0), (1, 0), (0, 1))]
        assert min(moved) < 1, f"{fit} differs"  # a margin that cannot be halved may go to either side


def test_padding_is_white_and_centered() -> None:
    read = read_pictures([np.zeros((10, 4), np.uint8)], ImageForm(height=10, width=10, channels=1))[0, ..., 0]
    assert (read[:, 3:7] == 0).all()
    assert (read[:, :3] == 255).all()
    assert (read[:, 7:] == 255).all()


def test_a_line_does_not_vanish() -> None:
    read = read_pictures([np.zeros((1, 2000), np.uint8)], ImageForm(height=9, width=9, channels=1))[0, ..., 0]
    assert (read[4] == 0).all()
    assert (np.delete(read, 4, 0) == 255).all()


def test_no_pictures_are_no_error() -> None:
    assert read_pictures([], COLOR).shape == (0, 12, 16, 3)


def test_pictures_given_are_not_changed() -> None:
    image = colorful(30, 30)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(file_of(image, "JPEG", exif=exif))) as opened:
        before = opened.size
        read_pictures([opened], ImageForm(height=4, width=4))
        assert opened.size == before
        assert opened.getexif()[0x0112] == 6


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(9000, 8000), (11000, 9000), (60000, 60000)])
def test_huge_pictures_are_refused_by_their_header(size: tuple[int, int]) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert f"{MAX_PIXELS:,}" in reason(png_header(*size))
    assert not heard


def test_threads_leave_the_warning_filters_alone() -> None:
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as threads:
        parts = list(threads.map(lambda _: read_pictures([file_of(colorful())] * 20, COLOR), range(8)))
    assert all((part == np.asarray(colorful())).all() for part in parts)
    assert list(warnings.filters) == before


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animations_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", (16, 12), color) for color in ("red", "green", "blue")]
    assert "animation" in reason(file_of(frames[0], kind, save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP"])
def test_truncated_files_are_refused(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    whole = file_of(noise, kind)
    for part in (0.9, 0.5, 0.1):
        assert reason(whole[: int(len(whole) * part)])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_bytes_are_decoded_or_refused_but_never_crash(kind: str, changes: list[tuple[float, int]]) -> None:
    file = bytearray(file_of(colorful(), kind))
    for place, value in changes:
        file[int(place * len(file))] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # decoding (not opening) may still warn of damage it can live with
        try:
            assert read_pictures([bytes(file)], COLOR).shape == (1, 12, 16, 3)
        except BadFiles as error:
            assert len(error.problems) == 1


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    assert "empty" in reason(b"")
    assert "PNG, JPEG" in reason(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    assert "PNG, JPEG" in reason(file_of(colorful(), "ICO"))  # Pillow could, but only safe formats are asked for
    assert "no such file" in reason(tmp_path / "gone.png")
    assert "folder" in reason(tmp_path)
    assert "float32" in reason(np.zeros((3, 3), np.float32))
    assert "(2, 3, 3, 3)" in reason(np.zeros((2, 3, 3, 3), np.uint8))
    assert "(3, 3, 2)" in reason(np.zeros((3, 3, 2), np.uint8))
    assert "(0, 3)" in reason(np.zeros((0, 3), np.uint8))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_values_without_a_known_range_are_refused(mode: str) -> None:
    assert "32 bits" in reason(file_of(Image.new(mode, (16, 12)), "TIFF"))


def test_inverted_deep_gray_is_refused_rather_than_read_wrongly() -> None:
    deep = Image.fromarray(np.zeros((12, 16), np.uint16))
    assert "from white" in reason(file_of(deep, "TIFF", tiffinfo={262: 0}))


def test_all_bad_pictures_are_listed_once_with_their_names(tmp_path: Path) -> None:
    good, empty = tmp_path / "good.png", tmp_path / "empty.png"
    colorful().save(good)
    empty.write_bytes(b"")
    pictures = [good, empty, b"?", str(tmp_path / "gone.png"), empty]
    with pytest.raises(BadFiles) as caught:
        read_pictures(pictures, COLOR)
    assert [name for name, _ in caught.value.problems] == [str(empty), "picture 2", str(tmp_path / "gone.png")]
    with pytest.raises(BadFiles) as caught:
        read_pictures(pictures, COLOR, names=["a", "b", "c", "d", "e"])
    assert [name for name, _ in caught.value.problems] == ["b", "c", "d", "e"]
