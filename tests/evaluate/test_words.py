"""Ranks and correlations of learned words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import spearmanr

from lowshot.data.nonces import Chimera, Definition
from lowshot.data.word_vectors import GAP, WordVectors
from lowshot.errors import DataError
from lowshot.evaluate import chimeras, nonces
from lowshot.recognize.words import Additive, WordLearner

VECTORS = WordVectors(("a", "b", "c", "d", "e"), np.random.default_rng(1).normal(size=(5, 3)))


class Told(WordLearner):
    """Learns what it is told beforehand, one after another."""

    def __init__(self, *learned: Sequence[float]) -> None:
        self.vectors, self.learned = VECTORS, iter(learned)

    def tell(self, texts: Sequence[str], word: str = GAP) -> np.ndarray:
        return np.array(next(self.learned), np.float32)


def test_ranks_are_those_of_the_cosine() -> None:
    learned = np.random.default_rng(2).normal(size=(2, 3))
    result = nonces(Told(*learned), [Definition("b", "___ a"), Definition("e", "c ___")])
    ranks = []
    for row, vector in zip((1, 4), learned, strict=True):
        cosine = [v @ vector / np.linalg.norm(v) for v in VECTORS.vectors]
        ranks.append(sorted(cosine, reverse=True).index(cosine[row]) + 1)
    assert result.mrr == pytest.approx(np.mean(1 / np.array(ranks)))
    assert (result.median_rank, result.words, result.vocabulary) == (np.median(ranks), 2, 5)
    assert "of 5, 2 words" in str(result)


def test_ranks_are_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(5).normal(size=(40, 3)).astype(np.float32)
    rows[[8, 30]] = rows[3]  # three that are alike stand in three pieces
    known = WordVectors(tuple(f"w{i}" for i in range(40)), rows)
    asked = [Definition(f"w{i}", "___") for i in (3, 15, 39)]
    learned = np.random.default_rng(6).normal(size=(3, 3))

    def mrr() -> float:
        told = Told(*learned)
        told.vectors = known
        return nonces(told, asked).mrr

    whole = mrr()
    monkeypatch.setattr("lowshot.data.word_vectors._CHUNK", 7)
    assert mrr() == whole


def test_the_word_itself_is_first_and_ties_are_in_the_middle() -> None:
    assert nonces(Told(3 * VECTORS.vectors[2]), [Definition("c", "___ a")]).mrr == 1
    assert nonces(Told(np.zeros(3)), [Definition("c", "___ a")]).mrr == pytest.approx(1 / 3)


def test_the_word_is_not_read_in_its_own_definition() -> None:
    found = nonces(Additive(VECTORS), [Definition("c", "___ is c or a b")])
    assert found == nonces(Additive(VECTORS), [Definition("c", "___ is a b")]) or found.mrr == pytest.approx(
        nonces(Additive(VECTORS), [Definition("c", "___ is a b")]).mrr
    )


def test_chimeras_are_spearmans_correlation_of_known_probes() -> None:
    trial = Chimera(("___ a",), ("b", "zzz", "d", "e"), (1.0, 9.0, 3.0, 2.0))
    vector = np.random.default_rng(3).normal(size=3)
    result = chimeras(Told(vector, vector, np.zeros(3)), {2: [trial, trial], 4: [trial]})
    cosine = [VECTORS.vectors[row] @ vector / np.linalg.norm(VECTORS.vectors[row]) for row in (1, 3, 4)]
    assert result.correlation[2] == pytest.approx(spearmanr(cosine, [1, 3, 2]).statistic)
    assert result.correlation[4] == 0
    assert result.trials == {2: 2, 4: 1} and result.ci95[4] is None
    assert "2 sentences" in str(result)


def test_words_without_a_vector_are_refused() -> None:
    with pytest.raises(DataError, match="zebra"):
        nonces(Told(), [Definition("zebra", "___ a")])
    with pytest.raises(DataError, match="0 of 0"):
        nonces(Told(), [])
    with pytest.raises(DataError, match="only 1"):
        chimeras(Told(), {2: [Chimera(("a ___",), ("b", "zzz"), (1.0, 2.0))]})
