"""Classes described by attributes: what zero-shot recognition knows of a class of which it has seen nothing.

Shape suffixes: C classes, A attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowshot.data.examples import Examples
from lowshot.errors import DataError, ShapeError

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Descriptions:
    """A row of numbers for each class, its code.

    Attributes:
        classes: their names, each once.
        attributes: what the numbers are of.
        codes: (C, A), for instance 1 where a class has an attribute and 0 where it has not.

    Raises:
        ShapeError: another number of rows or columns, or a number that is not finite.
        DataError: a class or an attribute is there twice.

    Example:
        >>> animals = Descriptions(("zebra", "bat"), ("stripes", "flies"), np.eye(2))
        >>> animals.of(["bat"]).tolist()
        [[0.0, 1.0]]
    """

    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    codes: Doubles

    def __post_init__(self) -> None:
        codes = np.asarray(self.codes, np.float64)
        shape = len(self.classes), len(self.attributes)
        if codes.shape != shape or not np.isfinite(codes).all():
            raise ShapeError(f"codes must be finite numbers of (classes, attributes), {shape}, not {codes.shape}")
        for kind, names in (("class", self.classes), ("attribute", self.attributes)):
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise DataError(f"the {kind} {twice!r} is described twice: leave one out")
        object.__setattr__(self, "codes", codes)

    @classmethod
    def of_examples(cls, examples: Examples, attributes: Sequence[str] = ()) -> Descriptions:
        """From the attributes of the items: a column for each value, 1 for the classes that have it.

        Args:
            attributes: which to take; all whose value is the same for all items of a class where none are named. A value of
                nothing says nothing.

        Raises:
            DataError: a class has several values of a named attribute, or no attribute describes classes.
        """
        taken = [*(attributes or (name for name in examples.attributes if _describes(examples, name)))]
        columns: dict[str, NDArray[np.bool_]] = {}
        for name in taken:
            values = np.array(examples.of_classes(name))
            columns |= {f"{name}={value}": values == value for value in np.unique(values) if value}
        if not columns:
            raise DataError(
                f"none of the attributes ({', '.join(examples.attributes) or 'there are none'}) describes the classes: "
                "zero-shot needs columns that have one value a class, and several among the classes"
            )
        present = np.unique(examples.labels)
        return cls(
            tuple(examples.classes[i] for i in present),
            tuple(columns),
            np.array([*columns.values()]).T.astype(np.float64),
        )

    def of(self, classes: Sequence[str]) -> Doubles:
        """The codes of these classes, in their order. Raises DataError where one is not described."""
        rows = {name: row for row, name in enumerate(self.classes)}
        if unknown := [name for name in classes if name not in rows]:
            raise DataError(f"{len(unknown)} classes are not described ({', '.join(unknown[:5])}): describe them")
        return self.codes[[rows[name] for name in classes]]

    def without_empty(self) -> Descriptions:
        """The same without classes and attributes that are 0 throughout: a class that has nothing is near to all others."""
        full_A = self.codes.any(axis=0)
        full_C = self.codes.any(axis=1)
        return Descriptions(
            tuple(np.array(self.classes, object)[full_C]),
            tuple(np.array(self.attributes, object)[full_A]),
            self.codes[np.ix_(full_C, full_A)],
        )


def _describes(examples: Examples, name: str) -> bool:
    """Whether the attribute has one value a class, several in all, and is not just another name of the class."""
    try:
        values = examples.of_classes(name)
    except DataError:
        return False
    return 1 < len(set(values)) < len(values)
