from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from lowshot.data import EpisodeSampler
from lowshot.errors import ClassTooSmall, ConfigError

seeds = st.integers(0, 2**32)


@st.composite
def labels_and_protocols(draw: st.DrawFn) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Shuffled labels of unequal classes, and a protocol that they allow."""
    counts = draw(st.lists(st.integers(2, 9), min_size=2, max_size=8))
    labels = np.random.default_rng(draw(seeds)).permutation(np.repeat(np.arange(len(counts)), counts))
    shots = draw(st.integers(1, min(counts)))
    ways = draw(st.integers(1, len(counts)))
    protocol = {
        "episodes": draw(st.integers(1, 20)),
        "ways": ways,
        "shots": shots,
        "queries": draw(st.integers(0, min(counts) - shots)),
        "unknown_ways": draw(st.integers(0, len(counts) - ways)),
        "seed": draw(seeds),
    }
    return labels, protocol


@given(labels_and_protocols())
def test_every_episode_is_valid(drawn: tuple[NDArray[np.int64], dict[str, int]]) -> None:
    labels, protocol = drawn
    episodes = EpisodeSampler(labels).draw(**protocol)
    E, W, K, Q = (protocol[key] for key in ("episodes", "ways", "shots", "queries"))
    assert len(episodes) == E
    assert episodes.support.shape == (E, W, K)
    assert episodes.query.shape == (E, W, Q)
    assert episodes.unknown.shape == (E, protocol["unknown_ways"], Q)
    for support, query, unknown in zip(episodes.support, episodes.query, episodes.unknown, strict=True):
        every = np.concatenate([support.ravel(), query.ravel(), unknown.ravel()])
        assert len(set(every.tolist())) == len(every)  # no item twice: support, query and unknown never overlap
        known = labels[support[:, 0]]
        assert (labels[support] == known[:, None]).all() and (labels[query] == known[:, None]).all()
        assert len(set(known.tolist())) == W
        assert not set(labels[unknown].ravel().tolist()) & set(known.tolist())
        if Q:
            others = labels[unknown[:, 0]]
            assert (labels[unknown] == others[:, None]).all() and len(set(others.tolist())) == len(others)


@given(labels_and_protocols())
def test_a_seed_always_gives_the_same_block(drawn: tuple[NDArray[np.int64], dict[str, int]]) -> None:
    labels, protocol = drawn
    one, two = (EpisodeSampler(labels).draw(**protocol) for _ in range(2))
    assert (one.support == two.support).all()
    assert (one.query == two.query).all()
    assert (one.unknown == two.unknown).all()


def test_the_block_of_a_seed_on_every_machine() -> None:
    """Literal numbers: a change here changes every published result."""
    labels = np.arange(200) % 10
    episodes = EpisodeSampler(labels).draw(2, ways=3, shots=1, queries=2, unknown_ways=1, seed=7)
    assert episodes.support.tolist() == [[[170], [92], [116]], [[36], [21], [97]]]
    assert episodes.query.tolist() == [[[190, 0], [32, 142], [136, 86]], [[76, 116], [1, 91], [167, 117]]]
    assert episodes.unknown.tolist() == [[[44, 174]], [[8, 48]]]
    grouped = EpisodeSampler(labels, within=[*"aabbbaabbb"]).draw(3, ways=2, shots=1, queries=0, seed=[7, 1])
    assert grouped.support.tolist() == [[[162], [67]], [[79], [102]], [[44], [133]]]
    assert EpisodeSampler(labels).draw_triplets(2, seed=7).tolist() == [[55, 155, 87], [108, 58, 112]]


def test_seeds_differ() -> None:
    sampler = EpisodeSampler(np.repeat(np.arange(20), 20))
    blocks = {sampler.draw(5, 5, 1, 1, seed=seed).support.tobytes() for seed in (0, 1, (0, 1), (1, 1), (1, 2))}
    assert len(blocks) == 5


def uniform(observed: NDArray[np.int64]) -> bool:
    """Whether counts are consistent with equal chances; wrong once in ten thousand seeds, and the seeds are fixed."""
    return bool(chisquare(observed.ravel()).pvalue > 1e-4)


def test_classes_and_items_are_drawn_uniformly() -> None:
    counts = [3, 4, 5, 7, 11]
    labels = np.repeat(np.arange(5), counts)
    episodes = EpisodeSampler(labels).draw(40_000, ways=2, shots=1, queries=1, unknown_ways=1, seed=3)
    for part in (episodes.support, episodes.query, episodes.unknown):
        for way in range(part.shape[1]):
            items = part[:, way, 0]
            assert uniform(np.bincount(labels[items], minlength=5))
            for c, count in enumerate(counts):  # every item, the last of its class too, at every place
                of_class = items[labels[items] == c] - sum(counts[:c])
                assert uniform(np.bincount(of_class, minlength=count))


def test_each_set_and_each_order_of_items_is_equally_likely() -> None:
    """All 5 · 4 · 3 ordered picks, which marginal counts alone would not show."""
    drawn = EpisodeSampler(np.zeros(5, int)).draw(60_000, 1, 2, 1, seed=11)
    picks = np.concatenate([drawn.support[:, 0], drawn.query[:, 0]], axis=1) @ [25, 5, 1]
    observed = np.bincount(picks, minlength=125)
    assert (observed > 0).sum() == 60
    assert uniform(observed[observed > 0])


def test_each_pair_of_classes_is_equally_likely() -> None:
    drawn = EpisodeSampler(np.arange(6)).draw(30_000, 2, 1, 0, seed=5).support[..., 0] @ [6, 1]
    observed = np.bincount(drawn, minlength=36)
    assert (observed > 0).sum() == 30
    assert uniform(observed[observed > 0])


@given(seeds, st.integers(2, 4))
def test_within_keeps_an_episode_in_one_group(seed: int, ways: int) -> None:
    groups = np.array(["b", "a", "b", "a", "b", "lone", "a", "b"])
    labels = np.repeat(np.arange(8), 3)
    episodes = EpisodeSampler(labels, within=groups.tolist()).draw(200, ways, 1, 1, seed=seed)
    found = groups[labels[episodes.support[..., 0]]]
    assert (found == found[:, :1]).all()
    assert set(found.ravel()) == ({"a", "b"} if ways < 4 else {"b"})  # groups that are too small are left out


def test_within_draws_groups_uniformly() -> None:
    groups = np.repeat(["big", "small"], [8, 2])
    drawn = EpisodeSampler(np.arange(10), within=groups.tolist()).draw(20_000, 2, 1, 0, seed=0).support
    assert uniform(np.array([(groups[drawn[:, 0, 0]] == group).sum() for group in ("big", "small")]))


@given(labels_and_protocols(), st.floats(0, 1), st.integers(1, 60))
def test_pairs_are_valid(drawn: tuple[NDArray[np.int64], dict[str, int]], same: float, number: int) -> None:
    labels, protocol = drawn
    pairs, alike = EpisodeSampler(labels).draw_pairs(number, same=same, seed=protocol["seed"])
    assert pairs.shape == (number, 2) and alike.shape == (number,)
    assert ((labels[pairs[:, 0]] == labels[pairs[:, 1]]) == alike).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert alike.sum() == round(same * number)


def test_pairs_are_drawn_uniformly_over_classes() -> None:
    labels = np.repeat([0, 1, 2], [2, 5, 13])
    pairs, alike = EpisodeSampler(labels).draw_pairs(40_000, seed=1)
    assert uniform(np.bincount(labels[pairs[alike, 0]]))
    assert uniform(np.bincount(labels[pairs[~alike]].ravel()))


def test_pairs_of_one_class_need_just_one() -> None:
    pairs, alike = EpisodeSampler(np.zeros(3, int)).draw_pairs(5, same=1)
    assert alike.all() and (pairs[:, 0] != pairs[:, 1]).all()
    with pytest.raises(ConfigError, match="2 classes an episode were asked for but only 1"):
        EpisodeSampler(np.zeros(3, int)).draw_pairs(5)


@given(labels_and_protocols(), st.integers(1, 60))
def test_triplets_are_valid(drawn: tuple[NDArray[np.int64], dict[str, int]], number: int) -> None:
    labels, protocol = drawn
    anchor, positive, negative = EpisodeSampler(labels).draw_triplets(number, seed=protocol["seed"]).T
    assert (labels[anchor] == labels[positive]).all() and (anchor != positive).all()
    assert (labels[anchor] != labels[negative]).all()


def test_pairs_and_triplets_stay_within_groups() -> None:
    groups = np.array([*"aabbb"])
    labels = np.repeat(np.arange(5), 2)
    sampler = EpisodeSampler(labels, within=groups.tolist())
    for block in (sampler.draw_pairs(300)[0], sampler.draw_triplets(300)):
        found = groups[labels[block]]
        assert (found == found[:, :1]).all() and set(found.ravel()) == {"a", "b"}


def test_a_small_class_is_named_with_its_counts() -> None:
    sampler = EpisodeSampler(np.repeat([0, 1, 2], [9, 2, 3]), class_names=("cat", "dog", "owl"))
    with pytest.raises(ClassTooSmall, match=r"'dog' has 2 examples but shots \+ queries need 4 \(2 of 3 classes"):
        sampler.draw(1, 2, 1, 3)
    lone = EpisodeSampler(np.array([0, 0, 1]), class_names=("cat", "dog"))
    with pytest.raises(ClassTooSmall, match="'dog' has 1 examples but pairs need 2"):
        lone.draw_pairs(1)
    with pytest.raises(ClassTooSmall, match="'dog' has 1 examples but triplets need 2"):
        lone.draw_triplets(1)
    with pytest.raises(ClassTooSmall, match="'1' has 0 examples"):
        EpisodeSampler(np.array([0, 2])).draw(1, 2, 1, 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"episodes": 0}, "episodes must be at least 1, not 0"),
        ({"ways": 0}, "ways must be at least 1"),
        ({"shots": -1}, "shots must be at least 1"),
        ({"queries": -1}, "queries must be at least 0"),
        ({"unknown_ways": -1}, "unknown ways must be at least 0"),
        ({"ways": 4}, "4 classes an episode were asked for but only 3 are there"),
        ({"unknown_ways": 2}, "4 classes an episode"),
        ({"seed": -1}, "a seed is a whole number"),
        ({"seed": "seven"}, "a seed is a whole number"),
    ],
)
def test_a_wrong_protocol_is_refused(wrong: dict[str, int], message: str) -> None:
    sampler = EpisodeSampler(np.repeat([0, 1, 2], 4))
    with pytest.raises(ConfigError, match=message):
        sampler.draw(**{"episodes": 1, "ways": 2, "shots": 1, "queries": 1} | wrong)


def test_wrong_pairs_and_triplets_are_refused() -> None:
    sampler = EpisodeSampler(np.repeat([0, 1], 4))
    with pytest.raises(ConfigError, match="pairs must be at least 1"):
        sampler.draw_pairs(0)
    for same in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="share between 0 and 1"):
            sampler.draw_pairs(4, same=same)
    with pytest.raises(ConfigError, match="triplets must be at least 1"):
        sampler.draw_triplets(0)


@pytest.mark.parametrize("labels", [[], [-1, 0], [0.0, 1.0], ["a", "b"]])
def test_labels_that_are_no_class_numbers_are_refused(labels: list[object]) -> None:
    with pytest.raises(ConfigError, match="labels must be"):
        EpisodeSampler(np.array(labels))


def test_within_needs_a_group_for_each_class() -> None:
    with pytest.raises(ConfigError, match="within names 3 groups but there are 2 classes"):
        EpisodeSampler(np.array([0, 1]), within=["a", "a", "b"])


@settings(max_examples=20)
@given(st.integers(1, 12))
def test_all_items_of_a_class_can_be_asked_for(count: int) -> None:
    labels = np.repeat([0, 1], count)
    episodes = EpisodeSampler(labels).draw(3, 2, count, 0)
    assert (np.sort(episodes.support.reshape(3, -1)) == np.arange(2 * count)).all()


# --- groups held apart ------------------------------------------------------------------------------------------------

Grouped = tuple[NDArray[np.int64], NDArray[np.str_], dict[str, int]]


@st.composite
def groups_and_protocols(draw: st.DrawFn) -> Grouped:
    """Shuffled labels of unequal classes, a group of each item, and a protocol whose queries can always be held apart."""
    sizes = draw(st.lists(st.lists(st.integers(1, 5), min_size=2, max_size=5), min_size=2, max_size=5))
    labels = np.repeat(np.arange(len(sizes)), [sum(each) for each in sizes])
    names = draw(st.permutations("abcde"))
    groups = np.concatenate([np.repeat(names[: len(each)], each) for each in sizes])
    room = min(sum(each) - max(each) + 1 for each in sizes)  # shots + queries at most
    shots = draw(st.integers(1, room - 1))
    ways = draw(st.integers(1, len(sizes)))
    order = np.random.default_rng(draw(seeds)).permutation(len(labels))
    protocol = {
        "episodes": draw(st.integers(1, 20)),
        "ways": ways,
        "shots": shots,
        "queries": draw(st.integers(1, room - shots)),
        "unknown_ways": draw(st.integers(0, len(sizes) - ways)),
        "seed": draw(seeds),
    }
    return labels[order], groups[order], protocol


@given(groups_and_protocols())
def test_queries_come_from_other_groups_than_their_support(drawn: Grouped) -> None:
    labels, groups, protocol = drawn
    episodes = EpisodeSampler(labels, apart=groups).draw(**protocol)
    E, W, K, Q = (protocol[key] for key in ("episodes", "ways", "shots", "queries"))
    assert episodes.support.shape == (E, W, K) and episodes.query.shape == (E, W, Q)
    assert (labels[episodes.support] == labels[episodes.support[..., :1]]).all()
    assert (labels[episodes.query] == labels[episodes.support[..., :1]]).all()
    assert not (groups[episodes.support][..., None] == groups[episodes.query][..., None, :]).any()
    for support, query, unknown in zip(episodes.support, episodes.query, episodes.unknown, strict=True):
        every = np.concatenate([support.ravel(), query.ravel(), unknown.ravel()])
        assert len(set(every.tolist())) == len(every)
        assert not set(labels[unknown].ravel().tolist()) & set(labels[support].ravel().tolist())


@given(groups_and_protocols())
def test_pairs_and_triplets_hold_their_groups_apart(drawn: Grouped) -> None:
    labels, groups, protocol = drawn
    sampler = EpisodeSampler(labels, apart=groups)
    pairs, alike = sampler.draw_pairs(40, seed=protocol["seed"])
    assert ((labels[pairs[:, 0]] == labels[pairs[:, 1]]) == alike).all()
    assert (groups[pairs[alike, 0]] != groups[pairs[alike, 1]]).all()
    anchor, positive, negative = sampler.draw_triplets(40, seed=protocol["seed"]).T
    assert (labels[anchor] == labels[positive]).all() and (labels[anchor] != labels[negative]).all()
    assert (groups[anchor] != groups[positive]).all()


def test_every_item_can_be_either_and_groups_are_drawn_evenly() -> None:
    labels, groups = np.repeat([0, 1], 12), np.tile(np.repeat([*"abc"], 4), 2)
    drawn = EpisodeSampler(labels, apart=groups).draw(40_000, ways=1, shots=1, queries=1, seed=2)
    for items in (drawn.support.ravel(), drawn.query.ravel()):
        assert uniform(np.bincount(items, minlength=24))
    several = EpisodeSampler(labels, apart=groups).draw(20_000, ways=1, shots=3, queries=2, seed=2).support
    mixed = (groups[several] != groups[several][..., :1]).any()
    assert mixed, "a support may hold several groups"


def test_items_that_are_all_of_other_groups_are_drawn_as_if_there_were_none() -> None:
    labels = np.repeat([0, 1, 2], 6)
    drawn = EpisodeSampler(labels, apart=[str(i) for i in range(18)]).draw(30_000, 1, 2, 4, seed=4)
    assert (np.sort(np.concatenate([drawn.support, drawn.query], axis=2)) % 6 == np.arange(6)).all()
    assert uniform(np.bincount(drawn.support.ravel(), minlength=18))


def test_the_block_of_a_seed_with_groups_apart() -> None:
    labels, groups = np.arange(60) % 3, (np.arange(60) // 12).astype(str)
    episodes = EpisodeSampler(labels, apart=groups).draw(2, ways=2, shots=1, queries=2, seed=7)
    assert episodes.support.tolist() == [[[49], [8]], [[28], [12]]]
    assert episodes.query.tolist() == [[[16, 4], [44, 41]], [[4, 52], [24, 48]]]


def test_a_class_that_might_not_be_held_apart_is_named() -> None:
    labels, groups = np.repeat([0, 1], 6), [*"aaabbb", *"aaaaab"]
    sampler = EpisodeSampler(labels, apart=groups, class_names=("yes", "no"))
    with pytest.raises(
        ClassTooSmall, match=r"'no' has 6 examples but shots \+ queries held apart, 5 of them being of one"
    ):
        sampler.draw(1, 1, 1, 2)
    assert sampler.draw(1, 1, 1, 1).query.shape == (1, 1, 1)
    assert sampler.draw(1, 1, 6, 0).support.shape == (1, 1, 6), "without queries nothing is held apart"
    with pytest.raises(ConfigError, match="apart names 2 groups but there are 12 items"):
        EpisodeSampler(labels, apart=["a", "b"])
