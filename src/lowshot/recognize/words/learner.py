"""What the ways of learning a word from few sentences share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lowshot.data.word_vectors import GAP, NEW, WordVectors
from lowshot.errors import ShapeError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class WordLearner(ABC):
    """From a definition or a few sentences to a vector among those of the known words.

    Attributes:
        vectors: the known words, among which the new one is placed.
    """

    vectors: WordVectors

    @abstractmethod
    def tell(self, texts: Sequence[str], word: str = GAP) -> Floats:
        """The new word's vector, ``float32`` (features,).

        Args:
            texts: a definition or sentences, where ``word`` or ``___`` stands for the new word. How the word is spelled
                tells nothing.
            word: it.

        Raises:
            ShapeError: there is nothing in them to learn from.
        """


class RowLearner(WordLearner):
    """Learns from the known words around the new one, and from nothing else of the text."""

    def tell(self, texts: Sequence[str], word: str = GAP) -> Floats:
        """See :meth:`WordLearner.tell`."""
        return self.learn([self.vectors.read(text, new=word) for text in texts])

    @abstractmethod
    def learn(self, sentences: Sequence[Ints]) -> Floats:
        """The new word's vector, ``float32`` (features,).

        Args:
            sentences: rows of ``vectors``, ``NEW`` where the new word stands, as
                :meth:`~lowshot.data.word_vectors.WordVectors.read` gives them.

        Raises:
            ShapeError: there is no known word in them.
        """


def known_words(sentences: Sequence[Ints]) -> Ints:
    """The rows of all known words of all sentences, one after another. Raises ShapeError where there are none."""
    rows: Ints = np.concatenate([np.zeros(0, np.int64), *sentences])
    rows = rows[rows != NEW]
    if not len(rows):
        raise ShapeError(
            f"{len(sentences)} sentences without a known word tell nothing: write of the new word in known ones"
        )
    return rows
