"""A text read whole, by the encoder that made the words' vectors, and a linear map from texts to words.

Shape suffixes: D features, L lessons, N texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from lowshot.data.word_vectors import GAP, WordVectors, gapped
from lowshot.data.wordnet import Lesson
from lowshot.errors import ConfigError, DataError, ShapeError
from lowshot.recognize.distances import unit
from lowshot.recognize.words.learner import Floats, WordLearner

Read = Callable[[Sequence[str]], Floats]  # texts to features, (N, D)

_LETTER = re.compile(r"\w")


class WholeSentence(WordLearner):
    """v = A (u - m), where u is the mean of what the encoder says of the texts, each read whole without the new word.

    The encoder places "a small furry pet that purrs" near "cat", but texts are unlike words in some ways that all of them
    share. So m and A are learned from known words and texts of them: m is the mean of the texts, and A the ridge regression
    from texts to the words' directions that is drawn to the identity, not to zero. It is A La Carte's idea (Khodak et al.
    2018) with an encoder in place of the sum of words.

    Args:
        vectors: the known words, by the same encoder.
        read: that encoder.
        lessons: known words and texts of them. Words that will be asked for must not be among them.
        ridge: how many lessons weigh as much as what draws A to the identity; infinity keeps it there.

    Attributes:
        map: A, transposed, (D, D).

    Raises:
        DataError: no known word has a lesson.
        ShapeError: the encoder has other features than the vectors.

    Example:
        >>> known = WordVectors(("cat", "car"), np.eye(2))
        >>> def read(texts):
        ...     return np.array([[text.count("purr"), text.count("drive")] for text in texts], np.float32)
        >>> learner = WholeSentence(known, read, [("cat", "___ can purr"), ("car", "we drive a ___")])
        >>> bool(np.diff(learner.tell(["a ___ likes to purr"])) < 0)
        True
    """

    def __init__(self, vectors: WordVectors, read: Read, lessons: Sequence[Lesson], ridge: float = 1000.0) -> None:
        if not ridge > 0:
            raise ConfigError(f"ridge must be above 0, not {ridge}")
        taught = [(word, text) for word, text in lessons if word in vectors]
        if not taught:
            raise DataError(f"none of the words of {len(lessons)} lessons has a vector: give texts of known words")
        texts_LD = read([_without(text, word) for word, text in taught])
        dimensions = vectors.vectors.shape[1]
        if texts_LD.shape != (len(taught), dimensions):
            raise ShapeError(
                f"texts have {texts_LD.shape[-1]} features and words {dimensions}: both must be read by the same encoder"
            )
        self.vectors, self._read = vectors, read
        self._mean_D = texts_LD.mean(axis=0)
        self.map = np.eye(dimensions, dtype=np.float32)
        if np.isfinite(ridge):
            centered_LD = texts_LD.astype(np.float64) - self._mean_D
            # What all lessons miss alike is not learned: it would place every word where most words are.
            missing_LD = unit(vectors.vectors[vectors.rows([word for word, _ in taught])]) - centered_LD
            spread_DD = centered_LD.T @ centered_LD
            variance = max(np.trace(spread_DD) / dimensions / len(taught), np.finfo(np.float64).tiny)
            pull_DD = ridge * variance * np.eye(dimensions)
            self.map += np.linalg.solve(spread_DD + pull_DD, centered_LD.T @ missing_LD).astype(np.float32)

    def tell(self, texts: Sequence[str], word: str = GAP) -> Floats:
        """See :meth:`WordLearner.tell`."""
        left = [text for text in (_without(text, word) for text in texts) if _LETTER.search(text)]
        if not left:
            raise ShapeError(
                f"{len(texts)} texts without another word tell nothing: write of the new word in known ones"
            )
        return np.asarray((self._read(left).mean(axis=0) - self._mean_D) @ self.map, np.float32)


def _without(text: str, word: str) -> str:
    """The text with nothing where the word stood."""
    return " ".join(gapped(text, word).replace(GAP, " ").split())
