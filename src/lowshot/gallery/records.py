"""What a gallery gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

DESCRIBED = "described"  # the attribute of an example that stands for a description: what was said


@dataclass(frozen=True)
class Record:
    """An enrolled example.

    Attributes:
        id: its number in the gallery, never used again after it is removed.
        label: its class.
        name: where it came from, a file name for instance; may be empty.
        attributes: further facts given with it.
        added: when it was enrolled, in UTC.
    """

    id: int
    label: str
    name: str
    attributes: Mapping[str, str]
    added: datetime

    @property
    def described(self) -> str | None:
        """What is said of its class, where it stands for a description; None where it is a real example.

        See :meth:`Gallery.describe <lowshot.gallery.Gallery.describe>`.
        """
        return self.attributes.get(DESCRIBED)


@dataclass(frozen=True)
class Candidate:
    """A class a query may belong to; ``score`` is the probability that it does."""

    label: str
    score: float


@dataclass(frozen=True)
class Match:
    """An enrolled example that decided an answer, and its distance from the query (of the encoder's kind).

    ``described`` is the description that it stands for, see :attr:`Record.described`; None where it is a real example.
    """

    id: int
    label: str
    name: str
    distance: float
    described: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a gallery says about one query.

    Attributes:
        label: the class; None where the query is more likely of no enrolled class.
        confidence: the probability that this answer is right: that of the best candidate, or of being unknown.
        known: the probability that the query belongs to one of the enrolled classes, whichever: the answer is unknown
            where it is below one half.
        candidates: the likeliest classes, best first. The scores of *all* classes sum to ``known``.
        examples: enrolled examples of the best candidate, nearest first.
        recognizer: how the query was compared, see :mod:`lowshot.recognize.choice`.
        compared: with how many classes.
        gate: the values of each attribute that its classes have or leave open, where gates were asked for.
    """

    label: str | None
    confidence: float
    known: float
    candidates: tuple[Candidate, ...]
    examples: tuple[Match, ...]
    recognizer: str
    compared: int
    gate: Mapping[str, tuple[str, ...]]

    @property
    def unknown(self) -> bool:
        """Whether the query is taken for none of the enrolled classes."""
        return self.label is None
