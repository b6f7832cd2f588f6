"""Labeled examples: the one form in which data travels through the library."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import DataError, ShapeError

Ints = NDArray[np.int64]

_SHOWN = 50  # values of an attribute in an error: all of Omniglot's alphabets


@dataclass(frozen=True, eq=False)
class Examples:
    """Labeled items of one modality.

    Attributes:
        items: images as one packed ``uint8`` array (n, height, width, channels), sounds as ``int16`` (n, samples), texts as
            strings (n,); memory-mapped when large.
        labels: class of each item, ``int64`` (n,) (any whole numbers are converted), each in ``0 .. len(classes) - 1``.
        classes: the class names; all different, each with at least one item.
        names: where each item came from (a file name, for instance), one string an item.
        attributes: further facts, each an array of n strings: ``{"alphabet": array(["Greek", …])}``.

    Raises:
        ShapeError: the arrays do not agree in length, or the labels are not (n,).
        DataError: labels that are no whole numbers, a label without a class, a class without an item, or a class name
            given twice.

    Example:
        >>> import numpy as np
        >>> from lowshot.data import Examples
        >>> few = Examples(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 1]), ("a", "b"))
        >>> few.counts.tolist()
        [1, 2]
    """

    items: NDArray[Any]
    labels: Ints
    classes: tuple[str, ...]
    names: tuple[str, ...] = ()
    attributes: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.items)
        if not self.names:
            object.__setattr__(self, "names", tuple(f"item {i}" for i in range(n)))
        object.__setattr__(self, "labels", _class_numbers(self.labels))
        lengths = {"labels": len(self.labels), "names": len(self.names)}
        lengths |= {f"attribute {key!r}": len(values) for key, values in self.attributes.items()}
        for what, length in lengths.items():
            if length != n:
                raise ShapeError(f"{n} items but {length} {what}: give one for each item")
        if len(set(self.classes)) != len(self.classes):
            raise DataError("a class name is given twice: merge the two classes or rename one")
        if n and (self.labels.min() < 0 or self.labels.max() >= len(self.classes)):
            raise DataError(f"labels must lie in 0..{len(self.classes) - 1}, the positions of the class names")
        if (empty := np.flatnonzero(self.counts == 0)).size:
            raise DataError(f"class {self.classes[empty[0]]!r} has no items: leave it out")

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.items.shape[1:]))
        what = f"items of {shape}" if shape else "texts"
        return f"Examples({len(self)} {what}, {len(self.classes)} classes)"

    @classmethod
    def labeled(
        cls,
        items: NDArray[Any],
        labels: Sequence[str] | NDArray[np.str_],
        names: Sequence[str] = (),
        attributes: Mapping[str, NDArray[np.str_]] | None = None,
    ) -> Examples:
        """Items whose labels are given by name, one an item; the classes stand in the order of their names.

        Example:
            >>> Examples.labeled(np.zeros((3, 8, 8, 1), np.uint8), ["b", "a", "b"]).classes
            ('a', 'b')
        """
        classes, numbers = np.unique(np.asarray(labels, np.str_), return_inverse=True)
        return cls(items, numbers, tuple(classes.tolist()), tuple(names), attributes or {})

    @property
    def counts(self) -> Ints:
        """Items in each class, (classes,)."""
        return np.bincount(self.labels, minlength=len(self.classes))

    @property
    def places(self) -> Ints:
        """Each item's place among those of its class, (n,): 0 for the first of each class, then 1, and so on."""
        return places_in_class(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of items, labels and class names: equal data have equal fingerprints on every machine."""
        digest = hashlib.sha256()
        digest.update(repr((self.items.shape, str(self.items.dtype), self.classes)).encode())
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").tobytes())
        digest.update(np.ascontiguousarray(self.items).tobytes())
        return digest.hexdigest()

    def take(self, indices: NDArray[Any]) -> Examples:
        """The items at ``indices`` (integers or a Boolean mask), with the classes that still have an item."""
        kept, labels = np.unique(self.labels[indices], return_inverse=True)
        positions = np.arange(len(self))[indices]
        return Examples(
            items=self.items[indices],
            labels=labels.astype(np.int64),
            classes=tuple(self.classes[c] for c in kept),
            names=tuple(self.names[i] for i in positions),
            attributes={key: values[indices] for key, values in self.attributes.items()},
        )

    def only(self, classes: str | Iterable[str]) -> Examples:
        """The items of the named classes. Raises DataError where a name is not a class."""
        wanted = {classes} if isinstance(classes, str) else set(classes)
        if unknown := sorted(wanted - set(self.classes)):
            raise DataError(
                f"no class is named {unknown[0]!r}; there are {len(self.classes)}, such as {self.classes[0]!r}"
            )
        mask = np.array([name in wanted for name in self.classes])
        return self.take(mask[self.labels])

    def where(self, /, **values: str | Iterable[str]) -> Examples:
        """The items whose attributes have one of the given values.

        Example: ``omniglot.where(alphabet=["Greek", "Latin"])``. Raises DataError where there is no such attribute,
        no item has one of the values, or none is left.
        """
        return self._matching(self._have(values), values)

    def without(self, /, **values: str | Iterable[str]) -> Examples:
        """The items that :meth:`where` leaves out; raises as it does."""
        return self._matching(~self._have(values), values)

    def _matching(self, mask: NDArray[np.bool_], values: Mapping[str, object]) -> Examples:
        if not mask.any():
            raise DataError(f"{values} leaves no example")
        return self.take(mask)

    def values(self, key: str) -> NDArray[np.str_]:
        """The attribute of each item, (n,). Raises DataError where there is no such attribute."""
        if key not in self.attributes:
            raise DataError(
                f"these examples have no attribute {key!r} (they have: {', '.join(self.attributes) or 'none'})"
            )
        return self.attributes[key]

    def _have(self, values: Mapping[str, str | Iterable[str]]) -> NDArray[np.bool_]:
        mask = np.ones(len(self), dtype=bool)
        for key, value in values.items():
            wanted = [value] if isinstance(value, str) else list(value)
            found = self.values(key)
            if unknown := sorted(set(wanted) - set(found.tolist())):
                there = sorted(set(found.tolist()))
                more = f", and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
                raise DataError(f"no example has {key}={unknown[0]}; there are: {', '.join(there[:_SHOWN])}{more}")
            mask &= np.isin(found, wanted)
        return mask

    def with_at_least(self, number: int) -> Examples:
        """The classes with at least ``number`` items. Raises DataError where there is none."""
        mask = self.counts >= number
        if not mask.any():
            raise DataError(f"no class has {number} items; the largest has {self.counts.max()}")
        return self.take(mask[self.labels])

    def with_at_most(self, number: int) -> Examples:
        """The classes with at most ``number`` items. Raises DataError where there is none."""
        mask = self.counts <= number
        if not mask.any():
            raise DataError(f"every class has more than {number} items; the smallest has {self.counts.min()}")
        return self.take(mask[self.labels])

    def part(self, start: float, stop: float, seed: int = 0) -> Examples:
        """A share of the **classes**, in an order shuffled by ``seed``.

        ``part(0, 0.8)`` and ``part(0.8, 1)`` share no class; the same on every machine. Raises DataError where the
        part would be empty or is not inside 0–1.
        """
        order = np.random.default_rng(seed).permutation(len(self.classes))
        inside = 0 <= start < stop <= 1
        if not inside or not len(chosen := order[round(start * len(order)) : round(stop * len(order))]):
            raise DataError(f"the part {start:g}:{stop:g} of {len(order)} classes is empty or outside 0:1")
        return self.take(np.isin(self.labels, chosen))

    def split(self, share: float, seed: int = 0) -> tuple[Examples, Examples]:
        """Split **by class**: the first set has ``share`` of the classes, the second the others. See :meth:`part`."""
        return self.part(0, share, seed), self.part(share, 1, seed)

    def of_classes(self, attribute: str) -> list[str]:
        """The attribute's value of each class. Raises DataError where there is none, or a class has several."""
        values = self.values(attribute)
        of_class = values[np.unique(self.labels, return_index=True)[1]]
        if (mixed := np.flatnonzero(of_class[self.labels] != values)).size:
            name = self.classes[self.labels[mixed[0]]]
            raise DataError(
                f"class {name!r} has items of several values of {attribute!r}: classes cannot be grouped by it"
            )
        return [str(value) for value in of_class]

    def merge(self, *others: Examples) -> Examples:
        """These examples and the others; classes of the same name become one.

        Attributes that only some sets have are empty strings for the rest. Raises ShapeError where the items
        differ in shape: load them in one form first.
        """
        sets = (self, *others)
        if len(shapes := {each.items.shape[1:] for each in sets}) > 1:
            raise ShapeError(f"items of shapes {sorted(shapes)} cannot be merged: load them in one form")
        position = {name: i for i, name in enumerate(dict.fromkeys(name for each in sets for name in each.classes))}
        keys = dict.fromkeys(key for each in sets for key in each.attributes)
        return Examples(
            items=np.concatenate([each.items for each in sets]),
            labels=np.concatenate(
                [np.array([position[c] for c in each.classes], np.int64)[each.labels] for each in sets]
            ),
            classes=tuple(position),
            names=tuple(name for each in sets for name in each.names),
            attributes={
                key: np.concatenate([each.attributes.get(key, np.full(len(each), "")) for each in sets]) for key in keys
            },
        )

    def with_own_classes(self) -> Examples:
        """Each item a class of its own, called as the item is: garments in a shop, of which one photograph each is there.

        What the classes were stays where it is an attribute, too. Raises DataError where two items have one name.
        """
        return replace(self, labels=np.arange(len(self)), classes=self.names)

    def with_rotations(self) -> Examples:
        """Square images and their turns by 90°, 180° and 270°, **each turn a class of its own** (Vinyals 2016, §4.1.1).

        The class ``x`` becomes ``x/rot000`` … ``x/rot270``, and ``rotation`` becomes an attribute.
        """
        if self.items.ndim != 4 or self.items.shape[1] != self.items.shape[2]:
            raise ShapeError(f"only square images can be turned into new classes, not items of {self.items.shape[1:]}")
        return self._variants(
            "rotation", {f"rot{90 * quarter:03d}": np.rot90(self.items, quarter, axes=(1, 2)) for quarter in range(4)}
        )

    def with_directions(self) -> Examples:
        """Sounds, and each played backwards, **as a class of its own**: twice as many words to learn from.

        The class ``x`` becomes ``x/forward`` and ``x/backward``, and ``direction`` becomes an attribute.
        """
        if self.items.ndim != 2:
            raise ShapeError(f"only sounds can be played backwards, not items of {self.items.shape[1:]}")
        return self._variants("direction", {"forward": self.items, "backward": self.items[:, ::-1]})

    def _variants(self, attribute: str, items: Mapping[str, NDArray[Any]]) -> Examples:
        """The same items in several variants, each with classes of its own."""
        first, *others = (
            replace(
                self,
                items=each,
                classes=tuple(f"{name}/{variant}" for name in self.classes),
                attributes={**self.attributes, attribute: np.full(len(self), variant)},
            )
            for variant, each in items.items()
        )
        return first.merge(*others)


def places_in_class(codes_N: Ints, rng: np.random.Generator | None = None) -> Ints:
    """How many items of its class come before each item, (n,): as they stand, or in an order that is drawn.

    ``codes_N`` are whole numbers from 0.
    """
    counts = np.bincount(codes_N)
    by_class = np.argsort(codes_N, kind="stable") if rng is None else np.lexsort((rng.random(len(codes_N)), codes_N))
    places = np.empty(len(codes_N), np.int64)
    places[by_class] = np.arange(len(codes_N)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places


def _class_numbers(labels: Any) -> Ints:
    """Labels of any integer type, a list too, as one array."""
    numbers = np.asarray(labels)
    if numbers.ndim != 1:
        raise ShapeError(f"labels must be one number an item, (n,), not {numbers.shape}")
    if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
        raise DataError(f"labels must be whole numbers, the positions of the class names, not {numbers.dtype}")
    return numbers.astype(np.int64, copy=False)
