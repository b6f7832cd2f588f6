"""Attributes of enrolled examples as numbers, so that a filter costs one comparison an example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import NoMatch
from lowshot.gallery.growing import Growing

_SHOWN = 10  # values in an error
_SILENT = -1  # the number of no value


class Columns:
    """One column of value numbers for each attribute, kept in the table of examples.

    Args:
        table: gets a column ``attribute: NAME`` for each attribute that an example states.
    """

    def __init__(self, table: Growing) -> None:
        self._table = table
        self._values: dict[str, dict[str, int]] = {}  # the number of each value of each attribute

    @property
    def names(self) -> list[str]:
        """The attributes that an example states, or one that was removed did."""
        return list(self._values)

    def coded(self, texts: Sequence[str]) -> dict[str, NDArray[np.int32]]:
        """The columns of new examples, from the JSON text of each one's attributes."""
        kinds = {text: place for place, text in enumerate(dict.fromkeys(texts))}  # few, as a rule
        kind_of = np.fromiter(map(kinds.__getitem__, texts), np.intp, len(texts))
        facts = [json.loads(text) for text in kinds]
        for attribute in dict.fromkeys(key for each in facts for key in each):
            if attribute not in self._values:
                self._values[attribute] = {}
                self._table.add_column(_column(attribute), _SILENT, np.int32)
        return {
            _column(attribute): np.array([_number(known, each.get(attribute)) for each in facts], np.int32)[kind_of]
            for attribute, known in self._values.items()
        }

    def having(self, where: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
        """Which examples have one of the values of each attribute. Raises NoMatch where none has."""
        mask = np.ones(len(self._table), bool)
        for attribute, values in where.items():
            known = self._values.get(attribute, {})
            if not known.keys() & set(values):
                raise NoMatch(self._missing(attribute, values))
            mask &= self._among(attribute, values)
        if not mask.any():
            wanted = ", ".join(f"{attribute}={' or '.join(values)}" for attribute, values in where.items())
            raise NoMatch(f"no enrolled example has {wanted}")
        return mask

    def lacking(self, attribute: str, values: Sequence[str]) -> NDArray[np.bool_]:
        """Which examples have none of the values of an attribute, be it that they do not state it."""
        if attribute not in self._values:
            return np.ones(len(self._table), bool)
        return ~self._among(attribute, values)

    def _among(self, attribute: str, values: Sequence[str]) -> NDArray[np.bool_]:
        known, numbers = self._values[attribute], self._table[_column(attribute)]
        wanted = [known[value] for value in values if value in known]
        if len(wanted) == 1:  # many times faster than a look into a table
            return np.asarray(numbers == wanted[0])
        is_wanted = np.zeros(len(known) + 1, bool)  # one more, for those that are silent
        is_wanted[wanted] = True
        return np.asarray(is_wanted[numbers])

    def texts(self, attribute: str) -> NDArray[np.str_]:
        """The attribute of each example, empty where one does not state it. Raises NoMatch where none does."""
        known = self._values.get(attribute, {})
        if not known:
            raise NoMatch(self._missing(attribute, []))
        return np.asarray(np.array([*known, ""])[self._table[_column(attribute)]])

    def _missing(self, attribute: str, values: Sequence[str]) -> str:
        known = self._values.get(attribute)
        if not known:
            return (
                f"no enrolled example has an attribute {attribute!r} (there are: {', '.join(self._values) or 'none'})"
            )
        more = f", and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        return f"no enrolled example has {attribute}={' or '.join(values)}; there are: {', '.join([*known][:_SHOWN])}{more}"


def _column(attribute: str) -> str:
    return f"attribute: {attribute}"


def _number(known: dict[str, int], value: str | None) -> int:
    return _SILENT if value is None else known.setdefault(value, len(known))
