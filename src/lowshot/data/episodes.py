"""Drawing episodes, pairs and triplets: many at once, as index arrays, from a seed.

Nothing here touches an item: a draw is a block of indices into an :class:`~lowshot.data.Examples`, and the same
seed and labels give the same block on every machine.

Shape suffixes: E episodes, W ways, K shots, Q queries a class, U unknown ways, C classes, G groups of a class, M picks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ClassTooSmall, ConfigError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Episodes:
    """Many episodes, as indices of items.

    Attributes:
        support: (episodes, ways, shots).
        query: (episodes, ways, queries); the query at ``[e, w, q]`` is of way ``w``. Never overlaps the support, nor the
            groups of its class's support where the sampler holds them apart.
        unknown: (episodes, unknown ways, queries): queries of classes that are **not** in the episode's support.
    """

    support: Ints
    query: Ints
    unknown: Ints

    def __len__(self) -> int:
        return len(self.support)


class EpisodeSampler:
    """Draws episodes from one set of labels; build it once, draw as often as needed.

    Args:
        labels: class of each item, (n,), each in ``0 .. classes - 1``.
        within: optional group of each class, (classes,): an episode's classes then all come from one group (Lake's
            within-alphabet trials). Groups with too few classes are left out; an error if none is left.
        apart: optional group of each item, (n,), such as its speaker: the queries of a class then come from other groups
            than its support, and so do the two items of one class in a pair or a triplet.
        class_names: used in messages only.

    Raises:
        ConfigError: no labels, labels that are no numbers from 0 on, a ``within`` that is not one group a class, or an
            ``apart`` that is not one group an item.

    Raises (from the draws):
        ClassTooSmall: a class has fewer items than shots + queries, or so few that these might not be held apart; names
            the class and the counts.
        ConfigError: fewer classes than ways (and unknown ways), or a number outside its range.
    """

    def __init__(
        self,
        labels: NDArray[np.integer],
        *,
        within: Sequence[str] | None = None,
        apart: Sequence[str] | NDArray[np.str_] | None = None,
        class_names: Sequence[str] = (),
    ) -> None:
        labels = np.asarray(labels)
        if not labels.size or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
            raise ConfigError("labels must be the numbers of the classes, from 0 on, and at least one")
        self.counts_C: Ints = np.bincount(labels)
        if within is not None and len(within) != len(self.counts_C):
            raise ConfigError(
                f"within names {len(within)} groups but there are {len(self.counts_C)} classes: one for each"
            )
        if apart is not None and len(apart) != len(labels):
            raise ConfigError(f"apart names {len(apart)} groups but there are {len(labels)} items: one for each")
        self.apart = None if apart is None else _Groups(labels, np.unique(apart, return_inverse=True)[1])
        self.order: Ints = np.argsort(labels, kind="stable") if self.apart is None else self.apart.order
        self.first_C: Ints = np.concatenate([[0], np.cumsum(self.counts_C)[:-1]])
        self.names = tuple(class_names) or tuple(str(c) for c in range(len(self.counts_C)))
        groups = np.zeros(len(self.counts_C), np.int64) if within is None else np.unique(within, return_inverse=True)[1]
        self.members = [np.flatnonzero(groups == g) for g in range(groups.max() + 1)]

    def draw(
        self,
        episodes: int,
        ways: int,
        shots: int,
        queries: int,
        *,
        unknown_ways: int = 0,
        seed: int | Sequence[int] = 0,
    ) -> Episodes:
        """Draw episodes; classes and items uniformly without replacement. See :class:`Episodes` for the shapes.

        With ``within``, an episode's group is drawn first, each group with the same chance, then classes inside it:
        a class of a large group comes up less often than one of a small group.

        Example:
            >>> sampler = EpisodeSampler(np.repeat([0, 1], 3))
            >>> sampler.draw(4, ways=2, shots=1, queries=2).query.shape
            (4, 2, 2)
        """
        _at_least(1, episodes=episodes, ways=ways, shots=shots)
        _at_least(0, queries=queries, unknown_ways=unknown_ways)
        self._check(shots, queries, "shots + queries")
        rng = _generator(seed)
        classes = self._draw_classes(rng, episodes, ways + unknown_ways)
        picks = self._draw_items(rng, classes, shots, queries)
        known = picks[:, :ways]
        return Episodes(known[..., :shots], known[..., shots:], picks[:, ways:, shots:])

    def _check(self, shots: int, queries: int, what: str) -> None:
        """Each class has items enough; held apart, in whatever order its groups come: one may lie across the border."""
        largest_C = (
            self.apart.sizes_CG.max(axis=1) if self.apart is not None and queries else np.ones_like(self.counts_C)
        )
        needed_C = shots + queries + largest_C - 1
        small = int(np.argmin(self.counts_C - needed_C))
        if self.counts_C[small] < needed_C[small]:
            few = int((self.counts_C < needed_C).sum())
            apart = f" held apart, {largest_C[small]} of them being of one group," if largest_C[small] > 1 else ""
            raise ClassTooSmall(
                f"class {self.names[small]!r} has {self.counts_C[small]} examples but {what}{apart} need {needed_C[small]} "
                f"({few} of {len(self.counts_C)} classes are too small): ask for fewer, or leave those classes out"
            )

    def _draw_classes(self, rng: np.random.Generator, episodes: int, ways: int) -> Ints:
        """Class numbers, (E, W): within an episode all different and all of one group."""
        if not episodes:
            return np.empty((0, ways), np.int64)
        groups = [group for group in self.members if len(group) >= ways]
        if not groups:
            largest = max(map(len, self.members))
            raise ConfigError(
                f"{ways} classes an episode were asked for but only {largest} are there: ask for fewer ways"
            )
        sizes = np.array([len(group) for group in groups])
        chosen = rng.integers(len(groups), size=episodes) if len(groups) > 1 else np.zeros(episodes, np.int64)
        places = _distinct(rng, sizes[chosen], ways)
        start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return np.concatenate(groups)[start[chosen][:, None] + places]

    def _draw_items(self, rng: np.random.Generator, classes_EW: Ints, shots: int, queries: int) -> Ints:
        """Item indices, (E, W, shots + queries): within a class all different, in random order.

        The last ``queries`` are of other groups than the first ``shots`` where there are groups to hold apart.
        """
        if self.apart is None or not queries:
            places = _distinct(rng, self.counts_C[classes_EW], shots + queries)
        else:
            places = self.apart.draw(rng, classes_EW, shots, queries)
        items: Ints = self.order[self.first_C[classes_EW][..., None] + places]
        return items

    def draw_pairs(
        self, pairs: int, *, same: float = 0.5, seed: int | Sequence[int] = 0
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """Pairs of different items: indices (pairs, 2), and whether each is of one class (pairs,).

        The first ``round(same * pairs)`` pairs are of one class. Both kinds choose classes uniformly
        (of one group, where there are groups).
        """
        _at_least(1, pairs=pairs)
        if not 0 <= same <= 1:
            raise ConfigError(f"same is a share between 0 and 1, not {same}")
        self._check(1, 1, "pairs")
        rng = _generator(seed)
        alike = round(same * pairs)
        positive = self._draw_items(rng, self._draw_classes(rng, alike, 1), 1, 1)[:, 0]
        negative = self._draw_items(rng, self._draw_classes(rng, pairs - alike, 2), 1, 0)[..., 0]
        return np.concatenate([positive, negative]), np.arange(pairs) < alike

    def draw_triplets(self, triplets: int, *, seed: int | Sequence[int] = 0) -> Ints:
        """Triplets (triplets, 3): two different items of one class and one item of another class."""
        _at_least(1, triplets=triplets)
        self._check(1, 1, "triplets")
        rng = _generator(seed)
        classes = self._draw_classes(rng, triplets, 2)
        items = self._draw_items(rng, classes, 1, 1)
        return np.concatenate([items[:, 0], items[:, 1, :1]], axis=-1)


class _Groups:
    """The groups of each class, to be held apart.

    Attributes:
        order: items class by class, and group by group within a class.
        sizes_CG: items of each group of each class; 0 where a class has no further group.
        first_CG: where a group begins among the items of its class, in that order.
    """

    def __init__(self, labels: NDArray[np.integer], groups: Ints) -> None:
        self.order: Ints = np.lexsort((groups, labels))
        (classes, _), sizes = np.unique([labels, groups], axis=1, return_counts=True)
        several_C = np.bincount(classes)
        place = np.arange(len(classes)) - np.repeat(np.cumsum(several_C) - several_C, several_C)
        self.sizes_CG: Ints = np.zeros((len(several_C), several_C.max()), np.int64)
        self.sizes_CG[classes, place] = sizes
        self.first_CG: Ints = np.cumsum(self.sizes_CG, axis=1) - self.sizes_CG

    def draw(self, rng: np.random.Generator, classes_EW: Ints, shots: int, queries: int) -> Ints:
        """Places among the items of each class, (E, W, shots + queries).

        The groups are put in random order and cut in two, where the support finds enough items before the cut and the
        queries after it; each such cut is equally likely. At least one query.
        """
        sizes_EWG = self.sizes_CG[classes_EW]
        # Groups that are not there come last, where no cut is.
        order_EWG = np.argsort(rng.random(sizes_EWG.shape) + (sizes_EWG == 0), axis=-1)
        ends_EWG = np.take_along_axis(sizes_EWG, order_EWG, axis=-1).cumsum(axis=-1)
        total_EW = ends_EWG[..., -1]
        first_EW = (ends_EWG < shots).sum(axis=-1)
        last_EW = (ends_EWG <= total_EW[..., None] - queries).sum(axis=-1) - 1
        cut_EW = first_EW + (rng.random(total_EW.shape) * (last_EW - first_EW + 1)).astype(np.int64)
        before_EW = np.take_along_axis(ends_EWG, cut_EW[..., None], axis=-1)[..., 0]
        support_EWK = _distinct(rng, before_EW, shots)
        query_EWQ = before_EW[..., None] + _distinct(rng, total_EW - before_EW, queries)
        places_EWM = np.concatenate([support_EWK, query_EWQ], axis=-1)
        # From places among the groups as they were put to those among the items of the class.
        group_EWM = (ends_EWG[..., None, :] <= places_EWM[..., None]).sum(axis=-1)
        moved_EWG = np.take_along_axis(self.first_CG[classes_EW] + sizes_EWG, order_EWG, axis=-1) - ends_EWG
        places: Ints = places_EWM + np.take_along_axis(moved_EWG, group_EWM, axis=-1)
        return places


def _at_least(least: int, **numbers: int) -> None:
    for what, number in numbers.items():
        if number < least:
            raise ConfigError(f"{what.replace('_', ' ')} must be at least {least}, not {number}")


def _generator(seed: int | Sequence[int]) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ConfigError(f"a seed is a whole number from 0 on, or several, not {seed!r}") from None


def _distinct(rng: np.random.Generator, sizes: Ints, picks: int) -> Ints:
    """For each size s, ``picks`` different numbers of 0..s-1 in random order: (*sizes.shape, picks).

    Floyd's algorithm, one step for all sizes at once (Bentley & Floyd, CACM 30(9), 1987), then a shuffle: its cost
    does not grow with s, unlike sorting a random key for every candidate.
    """
    chosen = np.empty((*sizes.shape, picks), np.int64)
    for step in range(picks):
        last = sizes - picks + step
        guess = (rng.random(sizes.shape) * (last + 1)).astype(np.int64)
        taken = (chosen[..., :step] == guess[..., None]).any(axis=-1)
        chosen[..., step] = np.where(taken, last, guess)
    return np.take_along_axis(chosen, np.argsort(rng.random(chosen.shape), axis=-1), axis=-1)
