"""Two ways of learning a word, over two kinds of vectors, answer together.

Shape suffixes: V words, D features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lowshot.data.word_vectors import GAP, WordVectors, chunks
from lowshot.errors import ConfigError, ShapeError
from lowshot.recognize.distances import unit
from lowshot.recognize.words.learner import Floats, WordLearner


class Together(WordLearner):
    """Both vectors of a word side by side, so that a cosine is the weighted mean of theirs.

    Args:
        one, other: ways of learning, over the same words.
        share: how much the cosine of ``one`` counts; that of ``other`` counts the rest.

    Raises:
        ShapeError: they know different words.

    Example:
        >>> from lowshot.recognize.words import Additive
        >>> words = ("the", "furry", "pet", "rock")
        >>> one, other = WordVectors(words, [[9], [1], [1], [-1]]), WordVectors(words, [[9], [1], [-1], [-1]])
        >>> learner = Together(Additive(one), Additive(other), share=0.75)
        >>> [round(float(each), 2) for each in learner.vectors.vectors @ learner.tell(["a ___ is furry"])]
        [1.0, 1.0, 0.5, -1.0]
    """

    def __init__(self, one: WordLearner, other: WordLearner, share: float = 0.5) -> None:
        if not 0 <= share <= 1:
            raise ConfigError(f"share must lie in 0..1, not {share}")
        words = one.vectors.words
        if words != other.vectors.words:
            raise ShapeError(
                f"{len(words)} words and {len(other.vectors)} are not the same ones in the same order: give both ways "
                "vectors of the same words"
            )
        self._one, self._other, self.share = one, other, share
        both_VD = np.empty((len(words), one.vectors.vectors.shape[1] + other.vectors.vectors.shape[1]), np.float32)
        parts = chunks(both_VD), chunks(one.vectors.vectors), chunks(other.vectors.vectors)
        for some_VD, one_VD, other_VD in zip(*parts, strict=True):
            some_VD[:] = self._beside(one_VD, other_VD)
        self.vectors = WordVectors(words, both_VD)

    def tell(self, texts: Sequence[str], word: str = GAP) -> Floats:
        """See :meth:`WordLearner.tell`. Raises ShapeError also where one of the two has nothing to learn from."""
        both_VD = self._beside(self._one.tell(texts, word)[None], self._other.tell(texts, word)[None])
        return np.asarray(both_VD[0], np.float32)

    def _beside(self, one_VD: Floats, other_VD: Floats) -> Floats:
        return np.hstack([unit(one_VD) * self.share**0.5, unit(other_VD) * (1 - self.share) ** 0.5])
