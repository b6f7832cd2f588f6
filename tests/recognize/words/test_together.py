"""Two ways of learning a word together: cosines against those of each alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cosine

from lowshot.data.word_vectors import WordVectors
from lowshot.data.wordnet import Entry
from lowshot.errors import ConfigError, DataError, ShapeError
from lowshot.recognize.words import Additive, Together, WordLearner
from lowshot.recognize.words.named import SETTINGS, SHARES, Material, learner_named, learner_together

RNG = np.random.default_rng(0)
WORDS = tuple(f"w{chr(97 + i)}" for i in range(20))
GLOVE = WordVectors(WORDS, RNG.normal(size=(20, 5)))
TEXT = WordVectors(WORDS, 100 * RNG.normal(size=(20, 7)))
TOLD = ["a ___ is wc and wd", "we wx a ___"]


def read(texts: Sequence[str]) -> Any:
    """Texts as features like those of TEXT."""
    seeds = [[ord(letter) for letter in text] for text in texts]
    return np.array([np.random.default_rng(seed).normal(size=7) for seed in seeds], np.float32)


MATERIAL = Material([Entry((word,), f"one like {word[::-1]}", (), "noun") for word in WORDS], {"wc"}, read)


def similar(learner: WordLearner) -> Any:
    """The cosine of every known word with the learned one."""
    learned = learner.tell(TOLD).astype(float)
    return np.array([1 - cosine(vector.astype(float), learned) for vector in learner.vectors.vectors])


@pytest.mark.parametrize("share", [0, 0.25, 0.9, 1])
def test_a_cosine_is_the_weighted_mean_of_both(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lowshot.data.word_vectors._CHUNK", 7)
    one, other = Additive(GLOVE), Additive(TEXT)
    together = Together(one, other, share)
    np.testing.assert_allclose(similar(together), share * similar(one) + (1 - share) * similar(other), atol=1e-5)
    assert together.vectors.vectors.dtype == together.tell(TOLD).dtype == np.float32


@pytest.mark.parametrize("told", ["definition", "uses"])
def test_by_name_each_has_the_settings_of_its_vectors(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sum_of_words = similar(learner_named("additive", GLOVE, SETTINGS["glove"][told]))
    read_whole = similar(learner_named("whole-sentence", TEXT, SETTINGS["text"][told], MATERIAL))
    monkeypatch.setitem(SHARES, told, 0.3)
    for share, given in ((0.3, None), (0.8, 0.8), (0.0, 0.0)):
        expected = share * sum_of_words + (1 - share) * read_whole
        np.testing.assert_allclose(similar(learner_together(GLOVE, TEXT, told, MATERIAL, given)), expected, atol=1e-5)


def test_two_that_cannot_answer_together_are_refused() -> None:
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(ConfigError, match="share"):
            Together(Additive(GLOVE), Additive(TEXT), share)
    for words in (WORDS[:-1], WORDS[::-1]):
        with pytest.raises(ShapeError, match="same words"):
            Together(Additive(GLOVE), Additive(WordVectors(words, TEXT.vectors[: len(words)])))
    with pytest.raises(ConfigError, match="encoder"):
        learner_together(GLOVE, TEXT, "uses", Material())
    with pytest.raises(DataError, match="lessons"):
        learner_together(GLOVE, TEXT, "uses", Material(read=read))


def test_texts_that_tell_one_of_them_nothing_are_refused() -> None:
    learner = learner_together(GLOVE, TEXT, "uses", MATERIAL)
    with pytest.raises(ShapeError, match="known word"):
        learner.tell(["zebras and a ___"])
