"""Data by name: the one function that turns what a user writes into examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lowshot.data import clothing, digits, files, glyphs, lfw, neu_cls, omniglot
from lowshot.data.examples import Examples
from lowshot.data.forms import Form, Modality
from lowshot.data.images import ImageForm
from lowshot.data.sounds import SoundForm
from lowshot.errors import DataError

if TYPE_CHECKING:
    from lowshot.data.files import FileSet

Loader = Callable[[str, Any], Examples]  # of a variant, in a form of the source's modality or None for its own


@dataclass(frozen=True)
class Source:
    """A named data set: its loader, its variants, each with a line on what it is, and what its items are."""

    load: Loader
    variants: dict[str, str]
    modality: Modality = "image"


SOURCES = {
    "omniglot": Source(omniglot.load, omniglot.VARIANTS),
    "lfw": Source(lfw.load, lfw.VARIANTS),
    "clothing": Source(clothing.load, clothing.VARIANTS),
    "neu_cls": Source(neu_cls.load, neu_cls.VARIANTS),
    "digits": Source(digits.load, digits.VARIANTS),
    "glyphs": Source(glyphs.load, glyphs.VARIANTS),
}


def datasets() -> dict[str, str]:
    """Each name that :func:`load` knows, with a line on what it is."""
    return {
        f"{name}:{variant}" if variant else name: about
        for name, source in SOURCES.items()
        for variant, about in source.variants.items()
    }


def load(spec: str | Path, form: Form | None = None) -> Examples:
    """Load examples.

    Args:
        spec: a named set (``omniglot:background``, see :func:`datasets`), a folder of class folders, a zip of one, or a
            CSV table with the columns ``path,label`` or ``text,label`` and any attributes.
            A name wins over a folder that is called the
            same: write ``./digits`` for the folder. What exists as it is written is taken as it is, whatever signs are
            in it. Otherwise a plus sign merges, a question mark adds filters, joined by ``&``:

            - ``omniglot:background?alphabet=Greek,Latin`` keeps what has one of these values in an attribute, and
              ``alphabet!=Greek,Latin`` what has not;
            - ``lfw?least=2`` keeps the classes with at least two examples, ``lfw?most=1`` those with one at most;
            - ``omniglot:background?rotations=4`` adds the turns by 90°, 180° and 270° as classes of their own;
            - ``digits+my/folder?classes=0:0.8`` keeps, of the folder, the first 80 % of the classes, in an order that
              is shuffled once and for all: ``0:0.8`` and ``0.8:1`` never share a class;
            - ``digits+my%2Bfolder?color=a%2Cb``: where a path or a value has such a sign itself, ``%2B`` stands for the
              plus, ``%3F`` for the question mark, ``%26`` for ``&``, ``%2C`` for the comma and ``%25`` for ``%``.
        form: pixels or samples wanted; None for the set's own, and in a merger for those of the first set.

    Raises:
        DataNotFound: a named set is in none of the places searched.
        BadFiles: files that cannot be read; lists all of them.
        DataError: no such name, file, attribute or class.

    Example:
        >>> from lowshot.data import load
        >>> load("digits?classes=0:0.5")
        Examples(901 items of 32×32×1, 5 classes)
    """
    if isinstance(spec, Path) or _exists(spec):
        return _load_one(spec, form)
    part, *parts = spec.split("+")
    first = _load_filtered(part, form)
    return first.merge(*(_load_filtered(other, form or _form_of(first)) for other in parts)) if parts else first


def find_files(spec: str) -> FileSet | None:
    """The files that ``spec`` is the plain path of; None where it is a name, or has filters."""
    from lowshot.data.files import FileSet

    named = spec.partition(":")[0] in SOURCES
    return FileSet.open(spec) if not named and _exists(spec) else None


def _load_filtered(text: str, form: Form | None) -> Examples:
    name, _, filters = text.partition("?")
    examples = _load_one(name if _exists(name) else unquote(name), form)
    for condition in filter(None, filters.split("&")):
        key, equals, value = condition.partition("=")
        if not equals:
            raise DataError(f"{condition!r} in {text!r} is no filter: write attribute=value[,value]")
        examples = _filter(examples, key, value)
    return examples


def _filter(examples: Examples, key: str, value: str) -> Examples:
    try:
        if key == "classes":
            start, stop = map(float, value.split(":"))
            return examples.part(start, stop)
        if key == "least":
            return examples.with_at_least(int(value))
        if key == "most":
            return examples.with_at_most(int(value))
    except ValueError:
        raise DataError(f"{key}={value} cannot be read: write classes=0:0.8, least=2 or most=9, for instance") from None
    if (key, value) == ("rotations", "4"):
        return examples.with_rotations()
    chosen = examples.without if key.endswith("!") else examples.where
    return chosen(**{unquote(key.removesuffix("!")): [unquote(each) for each in value.split(",")]})


def _form_of(examples: Examples) -> Form | None:
    """What others must be brought to, to be merged with these."""
    if examples.items.ndim == 4:
        height, width, channels = examples.items.shape[1:]
        return ImageForm(height=height, width=width, channels=channels)
    default = SoundForm()  # of every set of sounds, where no other form was asked for
    seconds = examples.items.shape[1] / default.rate if examples.items.ndim == 2 else 0
    return SoundForm(seconds=seconds) if seconds else None


def _load_one(spec: str | Path, form: Form | None) -> Examples:
    head, _, variant = str(spec).partition(":")
    if isinstance(spec, str) and head in SOURCES:
        return _load_named(head, variant, form)
    if not _exists(spec):
        raise DataError(f"no data {str(spec)!r}: give a folder, a zip, a CSV table, or one of {', '.join(SOURCES)}")
    return files.load(Path(spec).expanduser(), form)


def _load_named(name: str, variant: str, form: Form | None) -> Examples:
    source = SOURCES[name]
    if variant not in source.variants:
        known = ", ".join(f"{name}:{each}" if each else name for each in source.variants)
        raise DataError(f"{name} has no part {variant!r}; there are: {known}")
    if form is not None and form.modality != source.modality:
        raise DataError(f"{name} is a set of {source.modality}s, but {form.modality}s are wanted")
    return source.load(variant, form)


def _exists(spec: str | Path) -> bool:
    try:
        return spec != "" and Path(spec).expanduser().exists()
    except (OSError, RuntimeError):  # longer than a path can be; a home folder of nobody
        return False
