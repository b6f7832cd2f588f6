"""Animals with Attributes: 50 animals described by 85 attributes (Osherson et al. 1991, Kemp et al. 2006). No images."""

from __future__ import annotations

import numpy as np

from lowshot.data.descriptions import Descriptions
from lowshot.data.locate import find_given
from lowshot.errors import DataError

_FOLDER = "awa_attributes"
_MAKE = "put the attribute files of Animals with Attributes (Lampert et al. 2009) there"


def animals() -> Descriptions:
    """The binary matrix. Raises DataNotFound where its files are not there: they are not downloaded."""
    classes, attributes = (_names(f"{part}.txt") for part in ("classes", "predicates"))
    path = find_given(f"{_FOLDER}/predicate-matrix-binary.txt", _MAKE)
    try:
        return Descriptions(classes, attributes, np.loadtxt(path, ndmin=2))
    except ValueError as error:
        raise DataError(f"{path} is no matrix of classes and attributes ({error}): get the file again") from None


def _names(name: str) -> tuple[str, ...]:
    """The second column: ``grizzly bear`` of the line ``2 grizzly+bear``."""
    path = find_given(f"{_FOLDER}/{name}", _MAKE)
    return tuple(
        line.split()[1].replace("+", " ") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
    )
