"""WordNet's entries as text: words, what they mean, and how they are used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lowshot.data.locate import find, find_given
from lowshot.data.word_vectors import GAP

_PARTS = ("noun", "verb", "adj", "adv")
_DEBIAN = Path("/usr/share/wordnet")
_MAKE = "install Debian's wordnet-base, or put the folder dict/ of WordNet 3.0 there (wordnet.princeton.edu)"
_QUOTED = re.compile(r'"([^"]*)"?')


Lesson = tuple[str, str]  # a word, and a text of it in which ``___`` stands for it


@dataclass(frozen=True)
class Entry:
    """One meaning.

    Attributes:
        words: that have it, in lower case, of one word each; where it has none, it is no entry.
        definition: what it is.
        examples: sentences that show a use.
        part: of speech: ``noun``, ``verb``, ``adj`` or ``adv``.
    """

    words: tuple[str, ...]
    definition: str
    examples: tuple[str, ...]
    part: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The entry as text: a line of its words and their definition, and one an example."""
        return f"{', '.join(self.words)}: {self.definition}", *self.examples


def entries() -> list[Entry]:
    """All meanings that single words have, about 80,000.

    Looked for as ``wordnet/data.noun`` and so on, and where Debian's package puts them. Raises DataNotFound where they
    are in none of these places.
    """
    return [entry for part in _PARTS for line in _lines(part) if (entry := _entry(line, part)).words]


def definitions(known: Sequence[Entry]) -> list[Lesson]:
    """Every word with each of its meanings, where these do not spell it.

    Example:
        >>> definitions([Entry(("cat", "true cat"), "feline mammal", (), "noun"), Entry(("cat",), "a cat's", (), "noun")])
        [('cat', '___ is feline mammal'), ('true cat', '___ is feline mammal')]
    """
    return [
        (word, f"{GAP} is {entry.definition}")
        for entry in known
        for word in entry.words
        if word not in entry.definition.lower()
    ]


def _lines(part: str) -> list[str]:
    name = f"wordnet/data.{part}"
    debian = _DEBIAN / f"data.{part}"
    path = debian if find(name) is None and debian.is_file() else find_given(name, _MAKE)
    return [line for line in path.read_text(encoding="latin-1").splitlines() if not line.startswith("  ")]


def _entry(line: str, part: str) -> Entry:
    """A line of a data file: see WordNet's manual page wndb(5)."""
    facts, _, gloss = line.partition(" | ")
    fields = facts.split(" ")
    spelled = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    words = dict.fromkeys(word.split("(")[0].lower() for word in spelled if "_" not in word)
    examples = tuple(each.strip() for each in _QUOTED.findall(gloss) if each.strip())
    return Entry(tuple(words), _QUOTED.sub("", gloss).strip(" ;"), examples, part)
