"""Classes enrolled by what is said of them, before anybody has an example.

A description becomes a feature like that of an example, and stands in the gallery as one: words as the encoder of texts sees
them, attribute values as the mean feature that they let expect (:mod:`lowshot.recognize.exemplars`). So it is found,
compared, exported and removed as examples are, and a class that gains examples has both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lowshot.errors import BadDescriptions, GalleryError
from lowshot.gallery.records import DESCRIBED

Description = str | Mapping[str, str]  # words, or attribute values


def in_words(description: Description) -> str:
    """What is said, on one line."""
    if isinstance(description, str):
        return description.strip()
    return ", ".join(f"{key}={value}" for key, value in description.items())


def content(description: Description) -> bytes:
    """What tells whether a class is described so already. No file begins like this."""
    return f"\0{DESCRIBED}\0{in_words(description)}".encode()


def check_descriptions(descriptions: Mapping[str, Description], of_texts: bool) -> None:
    """Raises BadDescriptions where one cannot be for a gallery, which may be one of texts."""
    if not isinstance(descriptions, Mapping):
        raise BadDescriptions(f"descriptions must map labels to words or attribute values, not {descriptions!r}")
    for label, description in descriptions.items():
        if isinstance(description, str):
            if not of_texts:
                raise BadDescriptions(
                    f"class {label!r} is described in words, which only an encoder of texts reads: say values of attributes "
                    "that enrolled examples have, such as color=red"
                )
        elif not isinstance(description, Mapping) or not all(
            isinstance(text, str) for pair in description.items() for text in pair
        ):
            raise BadDescriptions(f"class {label!r} must be described by words or by a mapping of text to text")
        if not in_words(description):
            raise BadDescriptions(f"class {label!r} is described by nothing: say something of it")


def check_attribute_names(names: Iterable[str]) -> None:
    """Raises GalleryError where attributes of examples have the name that marks descriptions."""
    if DESCRIBED in names:
        raise GalleryError(
            f"{DESCRIBED!r} marks descriptions and cannot be an attribute of an example: call it otherwise"
        )
