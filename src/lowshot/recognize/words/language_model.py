"""A small language model over frozen word vectors: what comes next, from the words before.

Shape suffixes: W words of the vocabulary, D features, K places before the next word, N positions, S sampled words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from lowshot.data.word_vectors import NEW, WordVectors
from lowshot.errors import ConfigError, DataError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PLACES = 10  # words before the next one
_VOCABULARY, _BATCH, _SAMPLED, _RATE = 30_000, 2048, 1000, 0.01
_NOWHERE = -2  # before the first word of a sentence


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """The vector log-bilinear model with a diagonal matrix a place (Mnih & Kavukcuoglu 2013, section 2).

    P(w | h) is the softmax over the vocabulary of h · v_w + b_w, where h = m_0 + the sum of m_k ⊙ v(k-th word before).
    The vectors v are given and stay as they are; only m and b are learned.

    Attributes:
        vectors: the old words.
        rows: those of them that can come next, (W,).
        mix: m_0 and then m_k from the nearest word to the farthest, ``float32`` (K + 1, D).
        bias: b, (W,).
    """

    vectors: WordVectors
    rows: Ints
    mix: Floats
    bias: Floats

    @classmethod
    def learn(cls, vectors: WordVectors, sentences: Sequence[Ints], epochs: int = 1, seed: int = 0) -> LanguageModel:
        """Learn from sentences of rows, as :meth:`~lowshot.data.word_vectors.WordVectors.read` gives them.

        By Adam on the sampled softmax (Jean et al. 2015): each batch is told from the same words, drawn as often as they are
        said. Raises DataError where there is nothing to learn from, ConfigError for fewer than one epoch.
        """
        if epochs < 1:
            raise ConfigError(f"epochs must be at least 1, not {epochs}")
        before_NK, next_N = positions(sentences)
        counts_V = np.bincount(next_N[next_N >= 0], minlength=len(vectors))
        rows_W = np.sort(np.argsort(-counts_V, kind="stable")[:_VOCABULARY])
        rows_W = rows_W[counts_V[rows_W] > 0]
        if not len(rows_W):
            raise DataError("a language model needs sentences of two known words or more: give it a text")
        place_V = np.full(len(vectors), -1)
        place_V[rows_W] = np.arange(len(rows_W))
        said_N = np.where(next_N >= 0, place_V[next_N], -1)
        before_NK, said_N = before_NK[said_N >= 0], said_N[said_N >= 0]
        share_W = (counts_V[rows_W] / counts_V[rows_W].sum()).astype(np.float32)
        dimensions = vectors.vectors.shape[1]
        weights = [np.full((PLACES + 1, dimensions), 0.1, np.float32), np.log(share_W)]
        weights[0][0] = 0
        adam = _Adam(weights)
        rng = np.random.default_rng(seed)
        cumulative_W = np.cumsum(share_W, dtype=np.float64)
        for _ in range(epochs):
            order = rng.permutation(len(said_N))
            for start in range(0, len(order), _BATCH):
                batch = order[start : start + _BATCH]
                drawn_S = np.unique(np.searchsorted(cumulative_W, rng.random(_SAMPLED) * cumulative_W[-1]))
                adam.step(_gradients(weights, vectors, rows_W, share_W, before_NK[batch], said_N[batch], drawn_S))
        return cls(vectors, rows_W, *weights)

    @cached_property
    def vocabulary(self) -> Floats:
        """The vectors of the words that can come next, (W, D)."""
        return self.vectors.vectors[self.rows]

    def log_total(self, h_ND: Floats) -> Floats:
        """Log of the sum of exp(logit) over the vocabulary, (N,): what a word's logit is measured against."""
        return np.asarray(logsumexp(h_ND @ self.vocabulary.T + self.bias, axis=1), np.float32)

    def context(self, before_NK: Ints) -> tuple[Floats, Floats]:
        """What the words before say of the next: h without the new word, and what the new word's vector is multiplied with.

        Both (N, D): with the vector v of the new word h is the first + the second ⊙ v.
        """
        inputs_NKD = _inputs(self.vectors, before_NK)
        known_ND = np.einsum("nkd,kd->nd", inputs_NKD, self.mix[1:]) + self.mix[0]
        new_ND = (before_NK == NEW).astype(np.float32) @ self.mix[1:]
        return np.asarray(known_ND, np.float32), np.asarray(new_ND, np.float32)


def positions(sentences: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Every word but a sentence's first, (N,), and the :data:`PLACES` words before it, (N, K), the nearest first.

    Before a sentence's start, -2 stands for no word.

    Example:
        >>> before, said = positions([np.array([7, 8, 9])])
        >>> said.tolist(), before[:, :3].tolist()
        ([8, 9], [[7, -2, -2], [8, 7, -2]])
    """
    if not sentences:
        return np.zeros((0, PLACES), np.int64), np.zeros(0, np.int64)
    gap = np.full(PLACES, _NOWHERE)
    text = np.concatenate([part for sentence in sentences for part in (gap, sentence)])
    windows = np.lib.stride_tricks.sliding_window_view(text, PLACES + 1)[:, ::-1]
    windows = windows[(windows[:, 0] != _NOWHERE) & (windows[:, 1] != _NOWHERE)]
    return windows[:, 1:], windows[:, 0]


def _inputs(vectors: WordVectors, before_NK: Ints) -> Floats:
    """The vectors of the words before, (N, K, D): zeros for NEW and NOWHERE."""
    return vectors.vectors[np.maximum(before_NK, 0)] * (before_NK >= 0)[..., None]


def _gradients(
    weights: Sequence[Floats],
    vectors: WordVectors,
    rows_W: Ints,
    share_W: Floats,
    before_NK: Ints,
    said_N: Ints,
    drawn_S: Ints,
) -> list[Floats]:
    """Of the mean loss by mix and bias."""
    mix, bias_W = weights
    inputs_NKD = _inputs(vectors, before_NK)
    h_ND = np.einsum("nkd,kd->nd", inputs_NKD, mix[1:]) + mix[0]
    own_ND, drawn_SD = vectors.vectors[rows_W[said_N]], vectors.vectors[rows_W[drawn_S]]
    # A word that is drawn often counts less: the logits become those of the full softmax, in expectation.
    correction_W = np.log(-np.expm1(_SAMPLED * np.log1p(-np.minimum(share_W, 1 - 1e-6))))
    own_N = np.einsum("nd,nd->n", h_ND, own_ND) + bias_W[said_N] - correction_W[said_N]
    drawn_NS = h_ND @ drawn_SD.T + (bias_W - correction_W)[drawn_S]
    drawn_NS[said_N[:, None] == drawn_S] = -np.inf
    top_N = np.maximum(own_N, drawn_NS.max(axis=1))
    own_N, drawn_NS = np.exp(own_N - top_N), np.exp(drawn_NS - top_N[:, None])
    total_N = own_N + drawn_NS.sum(axis=1)
    share_N, share_NS = own_N / total_N / len(said_N) - 1 / len(said_N), drawn_NS / total_N[:, None] / len(said_N)
    by_h_ND = share_N[:, None] * own_ND + share_NS @ drawn_SD
    by_bias_W = np.bincount(said_N, share_N, minlength=len(bias_W))
    by_bias_W[drawn_S] += share_NS.sum(axis=0)
    by_mix = np.concatenate([by_h_ND.sum(axis=0)[None], np.einsum("nkd,nd->kd", inputs_NKD, by_h_ND)])
    return [by_mix.astype(np.float32), by_bias_W.astype(np.float32)]


class _Adam:
    """Kingma & Ba (2015), algorithm 1: changes the weights in place."""

    def __init__(self, weights: Sequence[Floats]) -> None:
        self.weights, self.steps = weights, 0
        self.means, self.squares = ([np.zeros_like(each) for each in weights] for _ in range(2))

    def step(self, gradients: Sequence[Floats]) -> None:
        self.steps += 1
        for weight, gradient, mean, square in zip(self.weights, gradients, self.means, self.squares, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            sure_mean, sure_square = mean / (1 - 0.9**self.steps), square / (1 - 0.999**self.steps)
            weight -= _RATE * sure_mean / (np.sqrt(sure_square) + 1e-8)
