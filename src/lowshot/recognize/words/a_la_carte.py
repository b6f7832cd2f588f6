"""A La Carte: a linear map from the context of a word to its vector, learned from the known words (Khodak et al. 2018).

Shape suffixes: V words, D features, L sentences, K known words to learn from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from scipy import sparse

from lowshot.data.word_vectors import WordVectors
from lowshot.errors import ConfigError, DataError
from lowshot.recognize.words.learner import Floats, Ints, WordLearner, known_words

_RIDGE = 1e-3  # of the trace's mean: where few words are known there is one answer, and else it changes none


class ALaCarte(WordLearner):
    """v = A u, where u is the mean over a word's sentences of the sum of the words around it (section 3.1).

    A is the least-squares map from u to v over the words of a text that have a vector, each weighted by the logarithm of the
    number of its sentences (as the paper's code does), so that it undoes what all contexts share.

    Args:
        vectors: the known words, as they come.
        text: sentences of rows of ``vectors``.
        least: words of fewer sentences in the text teach nothing. Those of one sentence teach what one sentence tells: they
            help where a word comes with a definition, and less where it comes with several sentences of use.
        without: words that teach nothing either: those that will be asked for.

    Attributes:
        map: A, transposed, (features, features).

    Raises:
        DataError: no word of the text can teach.

    Example:
        >>> known = WordVectors(("cat", "dog", "pet", "car", "road"), [[1, 0], [1, 0.1], [1, 0.2], [0, 1], [0, 0.9]])
        >>> text = [known.read(line) for line in ("cat dog pet", "dog cat pet", "car road", "road car")]
        >>> vector = ALaCarte(known, text).learn([known.read("a ___ is a pet dog")])
        >>> bool(vector[0] > 5 * vector[1])
        True
    """

    def __init__(
        self, vectors: WordVectors, text: Sequence[Ints], least: int = 1, without: Collection[str] = ()
    ) -> None:
        if least < 1:
            raise ConfigError(f"least must be at least 1, not {least}")
        self.vectors = vectors
        context_VD, counts_V = _contexts(vectors, text)
        counts_V[vectors.rows(sorted(without))] = 0
        taught = np.flatnonzero(counts_V >= least)
        if not len(taught):
            raise DataError(f"no known word stands in {least} sentences of the text: give a longer one")
        context_KD = context_VD[taught] / counts_V[taught, None]
        weighted_KD = context_KD * np.log1p(counts_V[taught, None])
        products_DD = weighted_KD.T @ context_KD
        ridge = _RIDGE * np.trace(products_DD) / len(products_DD) / len(taught)
        self.map = np.linalg.solve(
            products_DD + ridge * np.eye(len(products_DD)), weighted_KD.T @ vectors.vectors[taught]
        ).astype(np.float32)

    def learn(self, sentences: Sequence[Ints]) -> Floats:
        """See :meth:`WordLearner.learn`."""
        sum_D = self.vectors.vectors[known_words(sentences)].sum(axis=0)
        return np.asarray(sum_D / len(sentences) @ self.map, np.float32)


def _contexts(vectors: WordVectors, text: Sequence[Ints]) -> tuple[np.ndarray, np.ndarray]:
    """Of each word, the sum over its sentences of the other words in them, (V, D), and the number of the sentences, (V,)."""
    lengths_L = np.array([len(sentence) for sentence in text], np.int64)
    rows = np.concatenate([np.zeros(0, np.int64), *text])
    known = rows >= 0
    place = np.repeat(np.arange(len(text)), lengths_L)[known], rows[known]
    said_LV = sparse.csr_matrix((np.ones(known.sum()), place), shape=(len(text), len(vectors)))  # repeated ones add up
    in_LV = said_LV.sign()
    features_VD = vectors.vectors.astype(np.float64)
    own_V = np.asarray(said_LV.sum(axis=0)).ravel()
    context_VD = in_LV.T @ (said_LV @ features_VD) - own_V[:, None] * features_VD
    return context_VD, np.asarray(in_LV.sum(axis=0)).ravel()
