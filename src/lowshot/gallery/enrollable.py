"""What labels, names and attributes an example may have in a gallery, of whatever store."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from lowshot.data.forms import Item
from lowshot.errors import BadFiles, BadLabels, GalleryError, ShapeError
from lowshot.gallery.descriptions import check_attribute_names

MAX_LABEL = 200


def check_lengths(items: Sequence[Item], **others: Sequence[Any] | None) -> None:
    """Raises ShapeError where there is not one of each, labels for instance, for each item; None is none at all."""
    for what, values in others.items():
        if values is not None and len(values) != len(items):
            raise ShapeError(f"{len(items)} items but {len(values)} {what}: give one for each item")


def several(labels: Sequence[Any]) -> Sequence[Any]:
    """The same labels. Raises GalleryError where they are one text, whose letters would each be one."""
    if isinstance(labels, str):
        raise GalleryError("give a list of labels, one an item")
    return labels


def check_labels(labels: Sequence[str], shown: Sequence[str]) -> None:
    """Raises BadLabels, which lists every label that cannot be one, with the first item that has it."""
    first: dict[str, str] = {}
    for label, name in zip(labels, shown, strict=True):
        first.setdefault(label, name)
    problems = [f"{name}: {flaw}" for label, name in first.items() if (flaw := _flaw(label))]
    if problems:
        more = len(problems) - BadFiles.SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        raise BadLabels(
            f"{len(problems)} of {len(first)} labels cannot be used ({'; '.join(problems[: BadFiles.SHOWN])}{rest}): "
            "correct them"
        )


def _flaw(label: str) -> str | None:
    """Why this cannot be a label; None where it can."""
    if not isinstance(label, str) or not label.strip():
        return f"the label {label!r} is no text"
    if label != label.strip():
        return f"the label {label!r} begins or ends with a space"
    if len(label) > MAX_LABEL:
        return f"the label {label[:40]!r}… has {len(label)} characters, {MAX_LABEL} are allowed"
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in label):
        return f"the label {label!r} has control characters"
    return None


def check_names(names: Sequence[str]) -> None:
    """Raises GalleryError where a name is no text, or all are one."""
    if isinstance(names, str):
        raise GalleryError("give a list of names, one an item")
    for name in names:
        if not isinstance(name, str):
            raise GalleryError(f"{name!r} cannot be a name: give text, which may be empty")


def check_attributes(attributes: Sequence[Mapping[str, str]]) -> None:
    """Raises GalleryError where those of an item are no mapping of text to text, or one has a name that is taken."""
    for facts in attributes:
        if not isinstance(facts, Mapping):
            raise GalleryError(f"{facts!r} cannot be attributes: give a mapping of text to text, which may be empty")
        check_attribute_names(facts)
        if not all(isinstance(text, str) for pair in facts.items() for text in pair):
            raise GalleryError(f"the attributes {dict(facts)} are not all text: write numbers as text, too")


def storable(name: str) -> str:
    """File names may hold bytes that are no text."""
    return name.encode("utf-8", "replace").decode()
