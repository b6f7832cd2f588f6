"""Additive context vectors: a word is the sum of the words around it (Lazaridou et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lowshot.data.word_vectors import WordVectors
from lowshot.errors import ConfigError
from lowshot.recognize.words.learner import Floats, Ints, RowLearner, known_words


class Additive(RowLearner):
    """The sum of all known words of all sentences, the rare ones counting most.

    A word of frequency p counts a / (a + p), the "smooth inverse frequency" of Arora et al. (2017, algorithm 1). Vectors
    without their common directions (:meth:`~lowshot.data.word_vectors.WordVectors.without_common`) suit it best.

    Args:
        vectors: the known words.
        a: at which frequency a word counts half; infinity lets all words count alike.

    Example:
        >>> known = WordVectors(("the", "furry", "pet", "rock"), [[9, 9], [1, 0], [1, 1], [0, -1]])
        >>> vector = Additive(known, a=0.01).learn([known.read("a ___ is the furry pet")])
        >>> [round(float(number), 2) for number in vector]
        [0.34, 0.31]
    """

    def __init__(self, vectors: WordVectors, a: float = 1e-4) -> None:
        if not a > 0:
            raise ConfigError(f"a must be above 0, not {a}")
        self.vectors, self.a = vectors, a
        self.weights = rarity(vectors, a)

    def learn(self, sentences: Sequence[Ints]) -> Floats:
        """See :meth:`RowLearner.learn`."""
        rows_N = known_words(sentences)
        return np.asarray(self.weights[rows_N] @ self.vectors.vectors[rows_N], np.float32)


def rarity(vectors: WordVectors, a: float) -> Floats:
    """How much each word counts, (V,): a / (a + its frequency)."""
    return np.asarray(1 / (1 + vectors.frequency / a), np.float32)
