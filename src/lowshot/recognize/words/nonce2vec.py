"""Nonce2Vec: few large steps of skip-gram from the sum of the context (Herbelot & Baroni 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from lowshot.data.word_vectors import NEW, WordVectors
from lowshot.errors import ConfigError
from lowshot.recognize.words.additive import Additive
from lowshot.recognize.words.learner import Floats, Ints, RowLearner

_NOISE = 0.75  # words are drawn as their frequency to this power (Mikolov et al. 2013, section 2.2)


class Nonce2Vec(RowLearner):
    """Skip-gram with negative sampling, of which only the new word's vector moves (section 3.3).

    It starts where :class:`Additive` ends. Every known word within the window of the new one is then a step of rate
    ``rate`` · exp(-steps so far / ``decay``): high at first, since the first words tell most. Words count, and are
    passed over, by how rare they are.

    The paper's skip-gram model has vectors of its own for the words to be predicted. Published vectors are often, as GloVe's
    are, the sum of both kinds, so here a word's one vector serves for both; they are longer than the paper's, and its rate
    of 1 is far too high for them.

    Args:
        vectors: the known words.
        rate: of the first step.
        decay: after how many steps the rate is 1/e of that; the paper's λ is its inverse, 1/70.
        window: words to each side; the paper's.
        negatives: words drawn at random beside each.
        a: as for :class:`Additive`.
        seed: of the words drawn; a seed gives the same vector again.
    """

    def __init__(
        self,
        vectors: WordVectors,
        rate: float = 0.03,
        decay: float = 70.0,
        window: int = 15,
        negatives: int = 3,
        a: float = 1e-4,
        seed: int = 0,
    ) -> None:
        if not (rate > 0 and decay > 0 and window >= 1 and negatives >= 1):
            raise ConfigError(
                f"rate {rate} and decay {decay} must be above 0, window {window} and negatives {negatives} at least 1"
            )
        self.vectors, self.rate, self.decay, self.window = vectors, rate, decay, window
        self.negatives, self.seed = negatives, seed
        self._additive = Additive(vectors, a)
        self._noise_V = np.cumsum(vectors.frequency.astype(np.float64) ** _NOISE)

    def learn(self, sentences: Sequence[Ints]) -> Floats:
        """See :meth:`RowLearner.learn`."""
        vector_D = self._additive.learn(sentences).astype(np.float64)
        rng = np.random.default_rng(self.seed)
        around_N = np.concatenate([self._around(sentence) for sentence in sentences])
        around_N = around_N[rng.random(len(around_N)) < self._additive.weights[around_N]]
        drawn = rng.random((len(around_N), self.negatives)) * self._noise_V[-1]
        told_NT = np.column_stack([around_N, np.searchsorted(self._noise_V, drawn)])
        rates_N = self.rate * np.exp(-np.arange(len(around_N)) / self.decay)
        true_T = np.arange(1 + self.negatives) == 0
        for rate, told_T in zip(rates_N, told_NT, strict=True):  # each step starts where the last one ended
            told_TD = self.vectors.vectors[told_T]
            vector_D += rate * (true_T - expit(told_TD @ vector_D)) @ told_TD
        return vector_D.astype(np.float32)

    def _around(self, sentence_N: Ints) -> Ints:
        """The known words near the new one, once for each place where it stands; all of them where it stands nowhere."""
        places = np.flatnonzero(sentence_N == NEW)
        if not len(places):
            return sentence_N
        off_PN = np.abs(np.arange(len(sentence_N)) - places[:, None])
        near_PN = (off_PN <= self.window) & (sentence_N != NEW)
        around: Ints = np.broadcast_to(sentence_N, near_PN.shape)[near_PN]
        return around
