"""The forms items of each modality are brought to, and the one function that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowshot.data.images import MAX_PIXELS, ImageForm, Picture, read_pictures, shown_picture
from lowshot.data.sounds import Sound, SoundForm, read_sounds, shown_sound
from lowshot.data.texts import Text, TextForm, read_texts, shown_text
from lowshot.errors import ShapeError

Modality = Literal["image", "sound", "text"]
Form = ImageForm | SoundForm | TextForm
Item = Picture  # or a sound or a text, as it comes: a file, its bytes, or what was decoded of it. A picture can be all that
Packed = NDArray[Any]  # uint8 (n, height, width, channels), int16 (n, samples) or strings (n,)

# What users read: what an item is called, and what is said of one that is like another: it looks like it, they look alike.
NOUNS: Mapping[Modality, str] = {"image": "picture", "sound": "sound", "text": "text"}
SEEM: Mapping[Modality, str] = {"image": "look", "sound": "sound", "text": "read"}

_KINDS = {"image": np.uint8, "sound": np.int16, "text": np.str_}


def read_items(
    items: Sequence[Item], form: Form, names: Sequence[str] | None = None, most_pixels: int = MAX_PIXELS
) -> Packed:
    """Decode items and pack them in one form: :func:`~lowshot.data.images.read_pictures`,
    :func:`~lowshot.data.sounds.read_sounds` or :func:`~lowshot.data.texts.read_texts`, as the form says.

    Raises BadFiles, which lists every item that cannot be read.
    """
    if isinstance(form, ImageForm):
        return read_pictures(items, form, names, most_pixels)
    if isinstance(form, SoundForm):
        return read_sounds(cast(Sequence[Sound], items), form, names)
    return read_texts(cast(Sequence[Text], items), names)


def shown_item(item: Item, position: int, form: Form) -> str:
    """What to call an item in an error."""
    if isinstance(form, ImageForm):
        return shown_picture(item, position)
    if isinstance(form, SoundForm):
        return shown_sound(cast(Sound, item), position)
    return shown_text(cast(Text, item), position)


def name_of(item: Item, form: Form) -> str:
    """What an item is called where nobody says otherwise: as its file; empty where it is none."""
    is_path = isinstance(item, Path) or (isinstance(item, str) and form.modality != "text")
    return Path(cast(str | Path, item)).name if is_path else ""


def check_packed(items: Packed, form: Form, who: str) -> None:
    """Raises ShapeError where items are not packed in a form; ``who`` takes that form."""
    kind = _KINDS[form.modality]
    if items.shape[1:] != form.shape or not np.issubdtype(items.dtype, kind) or not items.ndim:
        raise ShapeError(
            f"{who} takes {form.modality}s as {kind.__name__} {_shape(form)}, not {items.dtype} {items.shape}: load the "
            "data with form=encoder.card.form"
        )


def blank(form: Form) -> Packed:
    """One item (1, …) with nothing on it."""
    return np.array(["blank"]) if isinstance(form, TextForm) else np.zeros((1, *form.shape), _KINDS[form.modality])


def check_several(items: Sequence[Item], form: Form) -> None:
    """Raises ShapeError where items are a single one, which would be taken apart letter by letter or row by row."""
    if isinstance(items, str | bytes | Path | Image.Image) or not isinstance(items, Sequence | np.ndarray):
        raise ShapeError("give a list of items, even for one")
    if isinstance(items, np.ndarray):
        least = 3 if form.modality == "image" else 1 + len(form.shape)  # of gray pictures the channel may be left out
        flat = items.ndim == 3 and form.modality == "image" and items.shape[2] in (1, 3, 4)
        if flat or items.ndim < least:
            raise ShapeError(f"an array {items.shape} is one item: give a list, or {_shape(form)}")


def _shape(form: Form) -> str:
    """Of several packed items, as NumPy writes it."""
    return f"({', '.join(['n', *map(str, form.shape)])}{',' * (not form.shape)})"
