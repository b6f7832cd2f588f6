"""A La Carte: a linear map from the context of a word to its vector, learned from the known words (Khodak et al. 2018).

Shape suffixes: D features, L sentences, K known words in them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from scipy import sparse

from lowshot.data.word_vectors import WordVectors
from lowshot.errors import ConfigError, DataError
from lowshot.recognize.words.learner import Floats, Ints, RowLearner, known_words

_RIDGE = 1e-3  # of the trace's mean: where few words are known there is one answer, and else it changes none


class ALaCarte(RowLearner):
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
        said_K, context_KD, counts_K = _contexts(vectors, text)
        taught = (counts_K >= least) & ~np.isin(said_K, vectors.rows(sorted(without)))
        if not taught.any():
            raise DataError(f"no known word stands in {least} sentences of the text: give a longer one")
        counts_K = counts_K[taught, None]
        context_KD = context_KD[taught] / counts_K
        weighted_KD = context_KD * np.log1p(counts_K)
        products_DD = weighted_KD.T @ context_KD
        ridge = _RIDGE * np.trace(products_DD) / len(products_DD) / taught.sum()
        self.map = np.linalg.solve(
            products_DD + ridge * np.eye(len(products_DD)), weighted_KD.T @ vectors.vectors[said_K[taught]]
        ).astype(np.float32)

    def learn(self, sentences: Sequence[Ints]) -> Floats:
        """See :meth:`RowLearner.learn`."""
        sum_D = self.vectors.vectors[known_words(sentences)].sum(axis=0)
        return np.asarray(sum_D / len(sentences) @ self.map, np.float32)


def _contexts(vectors: WordVectors, text: Sequence[Ints]) -> tuple[Ints, np.ndarray, np.ndarray]:
    """The words of the text, (K,), the sum over each one's sentences of the other words in them, (K, D), and the number of
    these sentences, (K,).
    """
    lengths_L = np.array([len(sentence) for sentence in text], np.int64)
    rows = np.concatenate([np.zeros(0, np.int64), *text])
    known = rows >= 0
    said_K, columns = np.unique(rows[known], return_inverse=True)
    place = np.repeat(np.arange(len(text)), lengths_L)[known], columns
    said_LK = sparse.csr_matrix((np.ones(known.sum()), place), shape=(len(text), len(said_K)))  # repeated ones add up
    in_LK = said_LK.sign()
    features_KD = vectors.vectors[said_K].astype(np.float64)
    own_K = np.asarray(said_LK.sum(axis=0)).ravel()
    context_KD = in_LK.T @ (said_LK @ features_KD) - own_K[:, None] * features_KD
    return said_K, context_KD, np.asarray(in_LK.sum(axis=0)).ravel()
