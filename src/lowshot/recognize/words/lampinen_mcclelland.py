"""Everything frozen, only the new word's vector learned, beside old sentences (Lampinen & McClelland 2017).

Shape suffixes: D features, N positions of the new sentences, R of the old ones, M where the new word was read, W vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from scipy.special import expit, logsumexp

from lowshot.data.word_vectors import NEW
from lowshot.errors import ConfigError
from lowshot.recognize.words.language_model import LanguageModel, positions
from lowshot.recognize.words.learner import Floats, Ints, RowLearner, known_words

Start = Literal["centroid", "zeros"]
_BIAS = -9.0  # where a new word's bias starts: about that of a word that is one of ten thousand


class LampinenMcClelland(RowLearner):
    """Gradient descent on a frozen language model's loss, by the vector and the bias of the new word alone.

    The loss is the mean over the positions of the new sentences, plus that over old sentences, the replay buffer: without
    these the new word would come to be expected everywhere (arXiv 1710.10280, section 2). The new word's vector is the same
    where it is read and where it is expected. The paper's model is an LSTM with vectors of its own for both; ours is
    log-bilinear, over the vectors given.

    Args:
        model: what was learned before, and stays.
        replay: old sentences, without the new word; none, to see what happens then.
        steps, rate: of gradient descent on all sentences at once.
        start: the mean of the known words around it, or zeros: the paper tries both.
    """

    def __init__(
        self,
        model: LanguageModel,
        replay: Sequence[Ints] = (),
        steps: int = 30,
        rate: float = 1.0,
        start: Start = "centroid",
    ) -> None:
        if steps < 0 or not rate > 0 or start not in get_args(Start):
            raise ConfigError(
                f"steps must be 0 or more, rate above 0 and start one of {', '.join(get_args(Start))}, "
                f"not {steps}, {rate} and {start!r}"
            )
        self.vectors = model.vectors
        self.model, self.steps, self.rate, self.start = model, steps, rate, start
        self._old_RD = model.context(positions(replay)[0])[0]
        self._old_R = model.log_total(self._old_RD)

    def learn(self, sentences: Sequence[Ints]) -> Floats:
        """See :meth:`RowLearner.learn`."""
        return self.learn_with_bias(sentences)[0]

    def learn_with_bias(self, sentences: Sequence[Ints]) -> tuple[Floats, float]:
        """The new word's vector, and the bias by which it is expected more or less anywhere."""
        vector_D = self.vectors.vectors[known_words(sentences)].mean(axis=0) * (self.start == "centroid")
        bias = _BIAS
        text = _Sentences(sentences, self.model)
        for _ in range(self.steps):
            by_vector_D, by_bias = text.gradient(vector_D, bias)
            if len(self._old_R):
                expected_R = expit(self._old_RD @ vector_D + bias - self._old_R)
                by_vector_D = by_vector_D + expected_R @ self._old_RD / len(self._old_R)
                by_bias += float(expected_R.mean())
            vector_D, bias = vector_D - self.rate * by_vector_D, bias - self.rate * by_bias
        return np.asarray(vector_D, np.float32), bias


class _Sentences:
    """The new sentences' positions; where the new word was not read, all but its own logit stays as it is.

    Those whose word is new or of the model's vocabulary count: others it could not be told to expect.
    """

    def __init__(self, sentences: Sequence[Ints], model: LanguageModel) -> None:
        before_NK, said_N = positions(sentences)
        counted = np.isin(said_N, [NEW, *model.rows])
        before_NK, said_N = before_NK[counted], said_N[counted]
        self._model, self._new_N = model, said_N == NEW
        # With the new vector v, h = known + read ⊙ v.
        self._known_ND, self._read_ND = model.context(before_NK)
        self._total_N = model.log_total(self._known_ND)
        self._of_read_N = (before_NK == NEW).any(axis=1)
        old_MD = model.vectors.vectors[said_N[self._of_read_N]]
        self._said_MD = np.where(self._new_N[self._of_read_N, None], 0, old_MD)

    def gradient(self, vector_D: Floats, bias: float) -> tuple[Floats, float]:
        """Of the mean loss, by the new word's vector and bias."""
        model, read, number = self._model, self._of_read_N, max(1, len(self._new_N))
        h_ND = self._known_ND + self._read_ND * vector_D
        logits_MW = h_ND[read] @ model.vocabulary.T + model.bias
        total_N = self._total_N.copy()
        total_N[read] = logsumexp(logits_MW, axis=1)
        new_N = h_ND @ vector_D + bias
        too_much_N = expit(new_N - total_N) - self._new_N
        old_MW = np.exp(logits_MW - np.logaddexp(total_N[read], new_N[read])[:, None])
        by_h_MD = old_MW @ model.vocabulary + too_much_N[read, None] * vector_D - self._said_MD
        by_vector_D = (by_h_MD * self._read_ND[read]).sum(axis=0) + too_much_N @ h_ND
        return np.asarray(by_vector_D / number, np.float32), float(too_much_N.sum() / number)
