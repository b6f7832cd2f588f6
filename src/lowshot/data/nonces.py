"""New words to learn from little text: definitions (Herbelot & Baroni 2017), Chimeras (Lazaridou et al. 2017), and MEN."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lowshot.data.locate import find_given
from lowshot.data.word_vectors import GAP
from lowshot.errors import DataError

_FOLDER = "nonce2vec"
_MAKE = "put the data files of github.com/minimalparts/nonce2vec there"
SENTENCES = (2, 4, 6)  # of a Chimera


@dataclass(frozen=True)
class Definition:
    """A word and the first sentence of its article in Wikipedia, where ``___`` stands for it."""

    word: str
    sentence: str


@dataclass(frozen=True)
class Chimera:
    """A made-up concept, half one thing and half another.

    Attributes:
        sentences: two, four or six sentences, of either thing half of them, where ``___`` stands for it.
        probes: known words.
        ratings: how similar people who had read the sentences found each probe, on average.
    """

    sentences: tuple[str, ...]
    probes: tuple[str, ...]
    ratings: tuple[float, ...]


def definitions() -> list[Definition]:
    """The 299 test definitions. Raises DataNotFound where the file is not there: it is not downloaded."""
    return [Definition(word, sentence) for word, sentence in _table("nonce.definitions.299.test", 2)]


def chimeras(sentences: int) -> list[Chimera]:
    """The 110 test trials with so many sentences. Raises DataNotFound where the file is not there."""
    if sentences not in SENTENCES:
        raise DataError(f"Chimeras have {', '.join(map(str, SENTENCES))} sentences, not {sentences}")
    return [
        Chimera(
            tuple(part.strip() for part in text.split("@@")),
            tuple(probes.split(",")),
            tuple(map(float, ratings.split(","))),
        )
        for _, text, probes, ratings in _table(f"chimeras.dataset.l{sentences}.tokenised.test.txt", 4)
    ]


def similarities() -> list[tuple[str, str, float]]:
    """MEN (Bruni et al. 2014): 3000 pairs of words and how often people found a pair more related than another, 0 to 50.

    Raises DataNotFound where the file is not there.
    """
    pairs = _table("MEN_dataset_natural_form_full", 3, separator=" ")
    return [(one, other, float(rating)) for one, other, rating in pairs]


def _table(name: str, columns: int, separator: str = "\t") -> Iterator[list[str]]:
    """The rows of a file. Raises DataError for one that has other columns."""
    path = find_given(f"{_FOLDER}/{name}", _MAKE)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = line.strip("\n").split(separator)
        if len(row) != columns:
            raise DataError(f"{path}, line {number}: {len(row)} columns instead of {columns}; get the file again")
        yield row


__all__ = ["GAP", "SENTENCES", "Chimera", "Definition", "chimeras", "definitions", "similarities"]
