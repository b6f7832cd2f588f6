"""Texts: strings, or UTF-8 files, brought to what an encoder reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lowshot.data.raw import Readable, file_bytes, read_each
from lowshot.errors import DataError

MAX_CHARACTERS = 10_000  # a page or two: more is no item to recognize

Text = str | Path | Readable | bytes  # the text itself, a file of it, or its bytes in UTF-8


class TextForm(BaseModel):
    """The texts an encoder reads: strings, of which it takes the first ``tokens`` pieces of words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: ClassVar[Literal["text"]] = "text"

    tokens: int = Field(ge=3, le=4096)  # two of them mark beginning and end

    @property
    def shape(self) -> tuple[()]:
        """(): an item is one string."""
        return ()


def read_texts(texts: Sequence[Text], names: Sequence[str] | None = None) -> NDArray[np.str_]:
    """Texts as one array of strings.

    Args:
        texts: each a string, **which is the text itself**; or a ``Path`` or another object with ``read_bytes()``, or bytes:
            UTF-8.
        names: what to call each in an error; None for its path or its beginning.

    Returns:
        (n,) strings, composed (Unicode's NFC), without spaces at their ends.

    Raises:
        BadFiles: lists, once, every text that is missing, empty, not UTF-8, or longer than :data:`MAX_CHARACTERS`.

    Example:
        >>> read_texts(["  what is my balance? ", b"pay the bill"]).tolist()
        ['what is my balance?', 'pay the bill']
    """
    read: list[Any] = [""] * len(texts)
    shown = [shown_text(text, i) for i, text in enumerate(texts)] if names is None else names
    read_each(texts, _read, read, shown)
    return np.array(read, dtype=np.str_)


def shown_text(text: Text, position: int) -> str:
    """What to call a text in an error."""
    if isinstance(text, Path):
        return str(text)
    return f"text {position} ({text[:20]!r}{'…' * (len(text) > 20)})" if isinstance(text, str) else f"text {position}"


def _read(text: Text) -> str:
    """One text. Raises DataError with the reason only."""
    if not isinstance(text, str):
        content = text if isinstance(text, bytes) else file_bytes(text)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DataError("it is not UTF-8") from None
    composed = unicodedata.normalize("NFC", text).strip()
    if not composed:
        raise DataError("it is empty")
    if "\0" in composed or any(0xD800 <= ord(letter) < 0xE000 for letter in composed):
        raise DataError("it has characters that no text has")
    if len(composed) > MAX_CHARACTERS:
        raise DataError(f"it has {len(composed):,} characters, more than {MAX_CHARACTERS:,}: shorten it")
    return composed
