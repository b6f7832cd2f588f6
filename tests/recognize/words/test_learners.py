"""Each way of learning a word against its formula, written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_softmax, logsumexp

from lowshot.data.word_vectors import NEW, WordVectors
from lowshot.data.wordnet import Entry
from lowshot.errors import ConfigError, DataError, ShapeError
from lowshot.recognize.words import Additive, ALaCarte, LampinenMcClelland, LanguageModel, Nonce2Vec, RowLearner
from lowshot.recognize.words.language_model import PLACES, positions
from lowshot.recognize.words.named import NAMES, OF_ENCODER, Material, Settings, learner_named

RNG = np.random.default_rng(0)
WORDS = tuple(f"w{chr(97 + i)}" for i in range(20))
KNOWN = WordVectors(WORDS, RNG.normal(size=(20, 5)))
TEXT = [RNG.integers(0, 20, RNG.integers(3, 9)) for _ in range(200)]
SENTENCES = [np.array([3, NEW, 7, 9]), np.array([NEW, 4, 4, NEW, 12])]


def test_additive_is_the_weighted_sum() -> None:
    ranks = np.arange(20) + 1 + 2.7
    frequency = 1 / ranks / (1 / ranks).sum()
    expected = sum(0.01 / (0.01 + frequency[row]) * KNOWN.vectors[row] for row in (3, 7, 9, 4, 4, 12))
    np.testing.assert_allclose(Additive(KNOWN, 0.01).learn(SENTENCES), expected, rtol=1e-5)
    plain = Additive(KNOWN, np.inf).learn(SENTENCES)
    np.testing.assert_allclose(plain, KNOWN.vectors[[3, 7, 9, 4, 4, 12]].sum(axis=0), rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_additive_knows_no_order(seed: int) -> None:
    mixed = [np.random.default_rng(seed).permutation(each) for each in SENTENCES[::-1]]
    np.testing.assert_allclose(Additive(KNOWN).learn(mixed), Additive(KNOWN).learn(SENTENCES), rtol=1e-4, atol=1e-8)


def test_nonce2vec_takes_the_steps_of_skip_gram() -> None:
    learner = Nonce2Vec(KNOWN, rate=0.5, decay=3, window=2, negatives=2, a=np.inf, seed=4)
    near = [3, 7, 9, 4, 4, 4, 4, 12]  # of each place of the new word, in order, two to each side
    rng = np.random.default_rng(4)
    rng.random(len(near))
    noise = np.cumsum(KNOWN.frequency.astype(float) ** 0.75)
    drawn = np.searchsorted(noise, rng.random((len(near), 2)) * noise[-1])
    vector = KNOWN.vectors[[3, 7, 9, 4, 4, 12]].astype(float).sum(axis=0)
    for step, (row, wrong) in enumerate(zip(near, drawn, strict=True)):
        right_by = (1 - expit(KNOWN.vectors[row] @ vector)) * KNOWN.vectors[row]
        wrong_by = sum(expit(KNOWN.vectors[each] @ vector) * KNOWN.vectors[each] for each in wrong)
        vector = vector + 0.5 * np.exp(-step / 3) * (right_by - wrong_by)
    np.testing.assert_allclose(learner.learn(SENTENCES), vector, rtol=1e-5)
    np.testing.assert_array_equal(learner.learn(SENTENCES), learner.learn(SENTENCES))


def test_nonce2vec_reads_all_words_where_the_new_one_is_not_marked() -> None:
    assert Nonce2Vec(KNOWN)._around(np.array([3, 4])).tolist() == [3, 4]


def test_a_la_carte_is_weighted_least_squares_of_contexts() -> None:
    contexts, targets, weights = [], [], []
    for row in range(20):
        said = [sentence for sentence in TEXT if row in sentence]
        if row == 11 or len(said) < 30:
            continue
        sums = [sum((KNOWN.vectors[each] for each in sentence if each != row), np.zeros(5)) for sentence in said]
        contexts.append(np.mean(sums, axis=0))
        targets.append(KNOWN.vectors[row])
        weights.append(np.sqrt(np.log1p(len(said))))
    assert 5 < len(contexts) < 20
    root = np.array(weights)[:, None]
    expected = np.linalg.lstsq(root * contexts, root * targets, rcond=None)[0]
    learner = ALaCarte(KNOWN, TEXT, least=30, without={WORDS[11], "no such word"})
    np.testing.assert_allclose(learner.map, expected, atol=0.02)
    asked = (KNOWN.vectors[[3, 7, 9]].sum(axis=0) + KNOWN.vectors[[4, 4, 12]].sum(axis=0)) / 2
    np.testing.assert_allclose(learner.learn(SENTENCES), asked @ learner.map, rtol=1e-4)


def test_a_la_carte_finds_the_map_by_which_contexts_were_made() -> None:
    """Contexts that are a rotation of the vectors are rotated back."""
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    words = np.random.default_rng(2).normal(size=(30, 5))
    known = WordVectors(tuple(f"x{i}" for i in range(60)), np.concatenate([words, words @ turn]))
    text = [np.array([row, row + 30]) for row in range(30)]
    learner = ALaCarte(known, text, without={f"x{i}" for i in range(30, 60)})
    vector = np.random.default_rng(3).normal(size=5)
    np.testing.assert_allclose(vector @ turn @ learner.map, vector, atol=0.02)


def loss(model: LanguageModel, sentences: list[Any], replay: list[Any], vector: Any, bias: float) -> float:
    """Of Lampinen & McClelland, word for word: every position of a table with the new word in its last row."""
    table = np.vstack([model.vectors.vectors, vector]).astype(float)
    total = 0.0
    for part in (sentences, replay):
        losses = []
        for sentence in part:
            for place in range(1, len(sentence)):
                h = model.mix[0].astype(float)
                for k, row in enumerate(sentence[:place][::-1][:PLACES], 1):
                    h = h + model.mix[k] * table[row]
                rows = [*model.rows, len(table) - 1]
                logits = table[rows] @ h + np.append(model.bias, bias)
                said = len(rows) - 1 if sentence[place] == NEW else list(rows).index(sentence[place])
                losses.append(-log_softmax(logits)[said])
        total += np.mean(losses) if losses else 0
    return total


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel.learn(KNOWN, TEXT)


def test_lampinen_mcclelland_descends_the_gradient_of_the_loss(model: LanguageModel) -> None:
    learner = LampinenMcClelland(model, TEXT[:5], steps=1, rate=0.5, start="zeros")
    vector, bias = learner.learn_with_bias(SENTENCES)
    at = np.append(np.zeros(5), -9.0)
    numeric = []
    for i in range(6):
        step = 1e-4 * np.eye(6)[i]
        ends = [loss(model, SENTENCES, TEXT[:5], end[:5], end[5]) for end in (at + step, at - step)]
        numeric.append((ends[0] - ends[1]) / 2e-4)
    np.testing.assert_allclose(np.append(vector, bias), at - 0.5 * np.array(numeric), atol=1e-3)


def test_its_loss_falls_and_replay_keeps_the_new_word_rare(model: LanguageModel) -> None:
    start = KNOWN.vectors[[3, 7, 9, 4, 4, 12]].mean(axis=0)
    learner = LampinenMcClelland(model, TEXT[:20], steps=50, rate=0.5)
    vector, bias = learner.learn_with_bias(SENTENCES)
    assert loss(model, SENTENCES, TEXT[:20], vector, bias) < loss(model, SENTENCES, TEXT[:20], start, -9.0)
    greedy, greedy_bias = LampinenMcClelland(model, steps=50, rate=0.5).learn_with_bias(SENTENCES)
    assert loss(model, [], TEXT[20:40], vector, bias) < loss(model, [], TEXT[20:40], greedy, greedy_bias)
    np.testing.assert_allclose(LampinenMcClelland(model, steps=0).learn(SENTENCES), start, rtol=1e-5)


def test_a_language_model_learns_what_comes_next() -> None:
    """Two words take turns: the second word before the next one is the next one."""
    text = [np.array([row, row + 10] * 4) for row in range(10)] * 30
    model = LanguageModel.learn(WordVectors(WORDS, np.eye(20)[:, :20]), text, epochs=40)
    before, said = positions(text[:10])
    h = model.context(before)[0]
    logits = h @ model.vocabulary.T + model.bias
    assert (model.rows[logits.argmax(axis=1)] == said)[before[:, 1] >= 0].all()
    np.testing.assert_allclose(model.log_total(h), logsumexp(logits, axis=1), rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_ENCODER])
def test_every_way_by_name_places_a_new_word_near_its_like(name: str) -> None:
    """Two topics, whose words stand together: the new one belongs to that of its sentence."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(2), 13, axis=0)[:26] @ np.array([[3.0, 0, 0], [0, 3, 0]]) + rng.normal(0, 0.2, (26, 3))
    known = WordVectors(tuple(f"{chr(97 + i)}x" for i in range(26)), vectors)
    text = [" ".join(known.words[13 * (i % 2) + j] for j in rng.integers(0, 13, 8)) for i in range(100)]
    entries = [Entry((), line, (), "noun") for line in text]
    learner = learner_named(name, known, Settings(directions=0, a=0.1), Material(entries))
    learned = learner.tell(["ax bx ___ cx dx", "___ ex fx"])
    similar = learner.vectors.vectors @ learned / np.linalg.norm(learner.vectors.vectors, axis=1)
    assert learned.dtype == np.float32
    assert similar[:13].min() > similar[13:].max()


@pytest.mark.parametrize(
    "learner", [Additive(KNOWN), Nonce2Vec(KNOWN), ALaCarte(KNOWN, TEXT)], ids=lambda learner: type(learner).__name__
)
def test_sentences_without_known_words_are_refused(learner: RowLearner) -> None:
    for nothing in ([], [np.array([NEW])]):
        with pytest.raises(ShapeError, match="known word"):
            learner.learn(nothing)
    with pytest.raises(ShapeError, match="known word"):
        learner.tell(["zebra ___ zebras"], "zebra")


def test_texts_are_told_as_rows_are_learned() -> None:
    told = ["A WC, and WD: wx!", "nothing known of wx, wa"]
    rows = [np.array([2, 3, NEW]), np.array([NEW, 0])]
    np.testing.assert_array_equal(Additive(KNOWN).tell(told, "wx"), Additive(KNOWN).learn(rows))


def test_settings_out_of_range_are_refused(model: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="a must"):
        Additive(KNOWN, 0)
    with pytest.raises(ConfigError, match="window"):
        Nonce2Vec(KNOWN, window=0)
    with pytest.raises(ConfigError, match="least"):
        ALaCarte(KNOWN, TEXT, least=0)
    with pytest.raises(DataError, match="1000 sentences"):
        ALaCarte(KNOWN, TEXT, least=1000)
    with pytest.raises(ConfigError, match="start"):
        LampinenMcClelland(model, start="ones")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="text"):
        LanguageModel.learn(KNOWN, [np.array([1])])
    with pytest.raises(ConfigError, match="epochs"):
        LanguageModel.learn(KNOWN, TEXT, epochs=0)
    with pytest.raises(ConfigError, match="additive"):
        learner_named("word2vec", KNOWN)
