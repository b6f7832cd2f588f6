"""Letters of fifteen scripts, drawn from the fonts inside matplotlib's wheel as if by twenty unsteady hands.

The fonts are the DejaVu and STIXGeneral families. The others in that folder are left out: TeX's have encodings of
their own, ``STIXSiz*`` and ``STIXNonUni*`` hold symbols, and ``LastResortHE`` draws placeholder boxes for letters.

Shape suffixes: B drawings, H and W pixels, G knots of a grid along one side.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lowshot.data.examples import Examples
from lowshot.data.images import ImageForm, read_pictures
from lowshot.data.pack import packed

Floats = NDArray[np.float32]

NATIVE = ImageForm(height=105, width=105, channels=1)
DRAWINGS = 20  # of each letter, as in Omniglot
SCRIPTS = (
    *("ARABIC", "ARMENIAN", "CANADIAN SYLLABICS", "COPTIC", "CYRILLIC", "GEORGIAN", "GREEK", "HEBREW"),
    *("LAO", "LATIN", "LISU", "NKO", "OGHAM", "OLD ITALIC", "TIFINAGH"),
)

MARKS = {
    **{"\u0300": "grave", "\u0301": "acute", "\u0302": "circumflex", "\u0303": "tilde", "\u0304": "macron"},
    **{"\u0306": "breve", "\u0307": "dot above", "\u0308": "diaeresis", "\u0309": "hook above", "\u030a": "ring above"},
    **{"\u030c": "caron", "\u030f": "double grave", "\u0311": "inverted breve", "\u0323": "dot below"},
    **{"\u0327": "cedilla", "\u0328": "ogonek", "\u032d": "circumflex below", "\u0331": "macron below"},
}
"""Combining characters on six basic Latin letters or more, and what they are called."""

VARIANTS = {
    "": "about 1600 letters of 15 scripts × 20 drawings, made from matplotlib's fonts (no download)",
    "marked": "about 400 Latin letters with and without a mark × 20 drawings, described by case, base letter and mark",
}

_VERSION = 1  # of the drawing: raise it when the pixels change
_CASES = {"Lu": "upper", "Ll": "lower", "Lo": "none"}
_SIDE = NATIVE.height
_EM, _WIDEST = 64, 84  # pixels: size of the font, and the widest or highest letter that is not made smaller
_CHUNK = 100  # drawings distorted at once: few enough to stay in the processor's cache


def load(variant: str, form: ImageForm | None = None) -> Examples:
    """The letters, dark ink on white; drawn once (under a minute) and packed.

    A class is a letter, named as Unicode names it (``GREEK SMALL LETTER ALPHA``). Letters composed of others (accented
    ones, ligatures, presentation forms) are left out, and of letters whose print is exactly alike (Latin, Greek and
    Cyrillic A) the first is kept. Attributes: ``script`` (``Greek``), ``case`` (``upper``, ``lower``, ``none``) and
    ``font``. 105×105 with one channel unless ``form`` asks for other pixels. The same versions of matplotlib and Pillow
    give the same drawings.

    ``marked`` are letters to be told by their parts: the basic Latin ones, bare or with one of :data:`MARKS` (``LATIN SMALL
    LETTER E WITH ACUTE``). Attributes: ``case``, ``letter`` (``e``), ``mark`` (``acute``, ``none``) and ``font``. The first
    three tell a class from all others.
    """
    form = form or NATIVE
    made_by = f"{variant}{_VERSION} matplotlib {version('matplotlib')} pillow {version('pillow')}"
    return packed(f"glyphs {made_by} {form.model_dump_json()}", lambda: _draw(variant, form))


def _draw(variant: str, form: ImageForm) -> Examples:
    chosen, described = (_is_marked, _parts) if variant == "marked" else (_is_whole, _kind)
    letters = _letters(chosen)
    drawn = [(letter, fonts[i % len(fonts)]) for letter, fonts in letters.items() for i in range(DRAWINGS)]
    rng = np.random.default_rng(0)
    chunks = (drawn[start : start + _CHUNK] for start in range(0, len(drawn), _CHUNK))
    items = np.concatenate([_in_form(_distort(_print_all(chunk), rng), form) for chunk in chunks])
    names = [unicodedata.name(letter) for letter, _ in drawn]
    return Examples(
        items=items,
        labels=np.repeat(np.arange(len(letters)), DRAWINGS),
        classes=tuple(names[::DRAWINGS]),
        names=tuple(f"{name} {i % DRAWINGS + 1:02d}" for i, name in enumerate(names)),
        attributes={
            **{key: np.array([described(letter)[key] for letter, _ in drawn]) for key in described("a")},
            "font": np.array([font.stem for _, font in drawn]),
        },
    )


def _letters(chosen: Callable[[str], bool]) -> dict[str, list[Path]]:
    """Each letter of those chosen with the fonts that have it, in the order of Unicode; of letters alike the first."""
    import matplotlib
    from matplotlib.ft2font import FT2Font

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    fonts: dict[str, list[Path]] = {}
    for file in [*sorted(folder.glob("DejaVu*.ttf")), *sorted(folder.glob("STIXGeneral*.ttf"))]:
        for code in FT2Font(str(file)).get_charmap():
            fonts.setdefault(chr(code), []).append(file)
    first_alike: dict[bytes, str] = {}
    for letter in sorted(fonts):
        if chosen(letter):
            first_alike.setdefault(_print(letter, fonts[letter][0]).tobytes(), letter)
    first_alike.pop(bytes(_SIDE * _SIDE), None)  # letters without ink
    return {letter: fonts[letter] for letter in first_alike.values()}


def _is_whole(letter: str) -> bool:
    """Whether it is of one of our scripts, and not composed of others."""
    known = _script(letter) and unicodedata.category(letter) in _CASES
    return bool(known) and not unicodedata.decomposition(letter)


def _is_marked(letter: str) -> bool:
    """Whether it is a basic Latin letter, bare or with one of our marks."""
    base, *marks = list(unicodedata.normalize("NFD", letter))
    return base.isascii() and base.isalpha() and (not marks or (len(marks) == 1 and marks[0] in MARKS))


def _kind(letter: str) -> dict[str, str]:
    return {"script": _script(letter).title(), "case": _CASES[unicodedata.category(letter)]}


def _parts(letter: str) -> dict[str, str]:
    base, *marks = list(unicodedata.normalize("NFD", letter))
    case = _CASES[unicodedata.category(letter)]
    return {"case": case, "letter": base.lower(), "mark": MARKS[marks[0]] if marks else "none"}


def _script(letter: str) -> str:
    """The script by the letter's name; empty where it is none of ours."""
    return next((script for script in SCRIPTS if unicodedata.name(letter, "").startswith(f"{script} ")), "")


def _print(letter: str, file: Path) -> NDArray[np.uint8]:
    """The letter in the middle of the paper, (H, W): ink 255, paper 0."""
    face = ImageFont.truetype(file, _EM, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = face.getbbox(letter)
    if (extent := max(right - left, bottom - top)) > _WIDEST:
        face = face.font_variant(size=_EM * _WIDEST / extent)
        left, top, right, bottom = face.getbbox(letter)
    paper = Image.new("L", (_SIDE, _SIDE))
    ImageDraw.Draw(paper).text(((_SIDE - left - right) / 2, (_SIDE - top - bottom) / 2), letter, fill=255, font=face)
    return np.asarray(paper)


def _print_all(drawn: Iterable[tuple[str, Path]]) -> NDArray[np.uint8]:
    drawn = list(drawn)
    printed = {each: _print(*each) for each in dict.fromkeys(drawn)}
    return np.stack([printed[each] for each in drawn])


def _in_form(items: NDArray[np.uint8], form: ImageForm) -> NDArray[np.uint8]:
    return items if form == NATIVE else read_pictures(list(items), form)


def _distort(ink_BHW: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The drawings by other hands, (B, H, W, 1), dark on white.

    Each is turned, scaled, sheared and shifted; bent by a smooth displacement; its strokes tremble by a finer one and
    become thicker or thinner.
    """
    drawings = len(ink_BHW)
    source_B2HW = (
        _affine(drawings, rng) + _displacement(drawings, 5, 0.07, rng) + _displacement(drawings, 15, 0.02, rng)
    )
    soft_BHW = _spread(_sample(ink_BHW, source_B2HW), _bumps(_SIDE, 1.3 * 2 / _SIDE))
    threshold_B = rng.uniform(0.25, 0.55, drawings).astype(np.float32)  # low: thick strokes; high: thin ones
    ink: Floats = np.clip((soft_BHW - threshold_B[:, None, None]) * 4 + 0.5, 0, 1)
    return np.rint(255 - 255 * ink).astype(np.uint8)[..., None]


def _affine(drawings: int, rng: np.random.Generator) -> Floats:
    """Where each pixel comes from, (B, 2, H, W): y and x in -1..1, by an affine map a drawing."""
    reach = np.array([0.2, 0.25, 0.2, 0.2, 0.12, 0.12])[:, None]
    turn, shear, *stretch, down, right = rng.uniform(-reach, reach, (6, drawings))
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    sheared = np.array([[np.ones(drawings), np.zeros(drawings)], [shear, np.ones(drawings)]])
    matrix_B22 = np.einsum("ijb,jkb,kb->bik", turned, sheared, np.exp(stretch)).astype(np.float32)
    shift_B2 = np.stack([down, right], axis=1).astype(np.float32)
    side = np.linspace(-1, 1, _SIDE, dtype=np.float32)
    pixel_2HW = np.stack(np.meshgrid(side, side, indexing="ij"))
    source_B2HW: Floats = np.tensordot(matrix_B22, pixel_2HW, axes=1) + shift_B2[..., None, None]
    return source_B2HW


def _displacement(drawings: int, knots: int, size: float, rng: np.random.Generator) -> Floats:
    """A smooth random field, (B, 2, H, W), with normal displacements of about ``size`` at a grid of knots."""
    at_knots_B2GG = rng.normal(0, size, (drawings, 2, knots, knots)).astype(np.float32)
    return _spread(at_knots_B2GG, _bumps(knots, 1 / (knots - 1)))


def _bumps(knots: int, width: float) -> Floats:
    """Gaussian weights of evenly spaced knots for each pixel of a side, (H, G); a row adds up to 1."""
    distance = np.linspace(-1, 1, _SIDE)[:, None] - np.linspace(-1, 1, knots)
    weights = np.exp(-((distance / width) ** 2) / 2)
    shares: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _spread(grid: Floats, weights_HG: Floats) -> Floats:
    """A grid (…, G, G) as an image (…, H, W): weights @ grid @ weights.T.

    As two products of large matrices, because many small ones keep two threads waiting for each other all the time.
    """
    half: Floats = np.tensordot(grid, weights_HG, axes=(-1, 1))
    image: Floats = np.tensordot(half, weights_HG, axes=(-2, 1))
    return image.swapaxes(-1, -2)


def _sample(ink_BHW: NDArray[np.uint8], source_B2HW: Floats) -> Floats:
    """Ink in 0..1 at the source positions, (B, H, W), between four pixels; outside there is paper."""
    flat = np.pad(ink_BHW, ((0, 0), (1, 1), (1, 1))).astype(np.float32).ravel() / 255
    side = _SIDE + 2
    place_B2HW = np.clip((source_B2HW + 1) * ((_SIDE - 1) / 2) + 1, 0, side - 1.001)
    corner_B2HW = place_B2HW.astype(np.int32)
    y, x = (place_B2HW - corner_B2HW.astype(np.float32)).swapaxes(0, 1)
    first = np.arange(len(ink_BHW), dtype=np.int32)[:, None, None] * side**2
    at = first + corner_B2HW[:, 0] * side + corner_B2HW[:, 1]
    above = flat[at] * (1 - x) + flat[at + 1] * x
    below = flat[at + side] * (1 - x) + flat[at + side + 1] * x
    between: Floats = above * (1 - y) + below * y
    return between
