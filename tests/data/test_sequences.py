from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from lowshot.data import EpisodeSampler, Sequences, Spelling, draw_sequences
from lowshot.errors import ClassTooSmall, ConfigError

seeds = st.integers(0, 2**32)


@st.composite
def labels_and_protocols(draw: st.DrawFn) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Shuffled labels of unequal classes, and a protocol that they allow."""
    counts = draw(st.lists(st.integers(2, 9), min_size=2, max_size=8))
    labels = np.random.default_rng(draw(seeds)).permutation(np.repeat(np.arange(len(counts)), counts))
    protocol = {
        "sequences": draw(st.integers(1, 20)),
        "ways": draw(st.integers(1, len(counts))),
        "presentations": draw(st.integers(1, min(counts))),
        "seed": draw(seeds),
    }
    return labels, protocol


def drawn_from(labels: NDArray[np.int64], protocol: dict[str, int]) -> Sequences:
    return draw_sequences(EpisodeSampler(labels), **protocol)


@given(labels_and_protocols())
def test_every_sequence_is_valid(drawn: tuple[NDArray[np.int64], dict[str, int]]) -> None:
    labels, protocol = drawn
    ways, presentations = protocol["ways"], protocol["presentations"]
    sequences = drawn_from(labels, protocol)
    assert len(sequences) == protocol["sequences"] and sequences.ways == ways
    assert sequences.items.shape == sequences.slots.shape == (len(sequences), ways * presentations)
    for items, slots, times in zip(sequences.items, sequences.slots, sequences.times, strict=True):
        assert len(set(items.tolist())) == len(items)  # no item twice
        assert Counter(slots.tolist()) == dict.fromkeys(range(ways), presentations)
        classes = {(slot, label) for slot, label in zip(slots.tolist(), labels[items].tolist(), strict=True)}
        assert len(classes) == len({slot for slot, _ in classes}) == len({label for _, label in classes}) == ways
        for way in range(ways):
            assert times[way].tolist() == [t for t, slot in enumerate(slots) if slot == way]


@given(labels_and_protocols())
def test_a_seed_always_gives_the_same_block(drawn: tuple[NDArray[np.int64], dict[str, int]]) -> None:
    one, two = (drawn_from(*drawn) for _ in range(2))
    assert (one.items == two.items).all() and (one.slots == two.slots).all()


def test_the_block_of_a_seed_on_every_machine() -> None:
    """Literal numbers: a change here changes every published result."""
    drawn = draw_sequences(EpisodeSampler(np.arange(60) % 6), 2, ways=2, presentations=2, seed=(7, 1))
    assert drawn.items.tolist() == [[55, 45, 15, 25], [17, 0, 53, 18]]
    assert drawn.slots.tolist() == [[1, 0, 0, 1], [0, 1, 0, 1]]
    assert Spelling(5, 5).draw(1, 2, seed=7).tolist() == [[[4, 2, 2, 0, 3], [3, 0, 3, 0, 2]]]


def test_seeds_differ() -> None:
    sampler = EpisodeSampler(np.repeat(np.arange(20), 20))
    blocks = {draw_sequences(sampler, 5, 5, 10, seed=seed).items.tobytes() for seed in (0, 1, (0, 1), (1, 1), (1, 2))}
    assert len(blocks) == 5


def test_each_order_and_each_class_at_each_time_is_equally_likely() -> None:
    labels = np.repeat(np.arange(3), 2)
    drawn = draw_sequences(EpisodeSampler(labels), 30_000, ways=2, presentations=2, seed=5)
    orders = np.bincount(drawn.slots @ [8, 4, 2, 1], minlength=16)
    assert (orders > 0).sum() == 6  # 4 over 2
    assert chisquare(orders[orders > 0]).pvalue > 1e-4
    for time in range(4):
        assert chisquare(np.bincount(drawn.items[:, time])).pvalue > 1e-4
        # slots are dealt anew: whatever the slot, all classes are as likely
        for slot in range(2):
            of_slot = labels[drawn.items[:, time][drawn.slots[:, time] == slot]]
            assert chisquare(np.bincount(of_slot)).pvalue > 1e-4


def test_bad_input_is_refused() -> None:
    sampler = EpisodeSampler(np.array([0, 0, 0, 1, 1]), class_names=["alpha", "beta"])
    with pytest.raises(ClassTooSmall, match="'beta' has 2 examples but is to be presented 3 times"):
        draw_sequences(sampler, 4, ways=2, presentations=3)
    with pytest.raises(ConfigError, match="3 classes"):
        draw_sequences(sampler, 4, ways=3, presentations=1)
    with pytest.raises(ConfigError, match="ways"):
        draw_sequences(sampler, 4, ways=0, presentations=1)
    for sequences, presentations in ((0, 1), (1, 0)):
        with pytest.raises(ConfigError, match="at least 1"):
            draw_sequences(sampler, sequences, ways=2, presentations=presentations)
    with pytest.raises(ConfigError, match="seed"):
        draw_sequences(sampler, 1, ways=2, presentations=1, seed=-1)


@given(st.integers(1, 6), st.integers(1, 4), seeds, st.data())
def test_classes_of_a_sequence_have_different_words(letters: int, length: int, seed: int, data: st.DataObject) -> None:
    spelling = Spelling(letters, length)
    ways = data.draw(st.integers(1, min(20, letters**length)))
    words = spelling.draw(7, ways, seed=seed)
    assert words.shape == (7, ways, length)
    assert words.min() >= 0 and words.max() < letters
    assert all(len({tuple(word) for word in sequence.tolist()}) == ways for sequence in words)
    assert (words == spelling.draw(7, ways, seed=seed)).all()


def test_each_letter_is_equally_likely_at_each_place() -> None:
    words = Spelling(5, 3).draw(4000, 5, seed=1)
    for way in range(5):
        for place in range(3):
            assert chisquare(np.bincount(words[:, way, place], minlength=5)).pvalue > 1e-4


def test_more_classes_than_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="9 classes cannot be told apart by 8 labels"):
        Spelling(2, 3).draw(1, 9)
