"""Examples that are the same item twice, or nearly.

Shape suffixes: N examples, U different features, D features, P pairs, B planes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lowshot.encoder import Features
from lowshot.errors import GalleryError
from lowshot.gallery.index import Ints

Doubles = NDArray[np.float64]

_NEAR = 1 / 4  # of the median distance within a class
_SAMPLE = 2000  # pairs that tell the distances within classes
_ROUNDS = 8  # of planes
_BESIDE = 4  # examples between the same planes, on average
_COMPARED = 16  # of these, the next ones that an example is compared with
_AT_ONCE = 1 << 14  # pairs compared at once
_SHOWN = 100  # examples of a group whose files are read


@dataclass(frozen=True)
class Duplicates:
    """Examples that are, by all signs, one item.

    Attributes:
        ids: of the examples, ascending.
        labels: of each.
        exact: the original files are equal, byte by byte; None where the gallery does not keep them.
        distance: the greatest Euclidean distance by which two of them were joined, as a share of the median distance of
            two examples of one class; 0 for equal features.
    """

    ids: tuple[int, ...]
    labels: tuple[str, ...]
    exact: bool | None
    distance: float

    @property
    def across(self) -> bool:
        """Whether they stand under different labels: one of these is wrong, and every answer there is a toss-up."""
        return len(set(self.labels)) > 1


def duplicates(
    ids: Ints,
    labels: NDArray[np.str_],
    codes_N: Ints,
    features_ND: Features,
    background: tuple[Features, Ints] | None,
    original: Callable[[int], bytes] | None,
) -> tuple[Duplicates, ...]:
    """Groups of examples that are one item; those across classes first, then the nearest first.

    Two examples are nearly the same where their features are less than a quarter as far apart as two examples of a class
    usually are (the median). Copies that were compressed again or enlarged are that close; drawings of one character hardly
    ever, but simple strokes may be. Where every class has one example, the background's classes say what is usual;
    without these only equal features are found.

    Args:
        ids, labels, codes_N, features_ND: of the examples.
        background: features and classes of background items.
        original: gives the file of an example, or raises GalleryError where it is not kept.
    """
    usual = _usual(features_ND, codes_N) or (_usual(*background) if background is not None else None) or 0.0
    pairs_P2, far_P = near_pairs(features_ND, _NEAR * usual)
    if not len(pairs_P2):
        return ()
    ones = np.ones(len(pairs_P2), bool)
    group_N = connected_components(coo_array((ones, tuple(pairs_P2.T)), shape=(len(ids), len(ids))), directed=False)[1]
    far_G = np.zeros(group_N.max() + 1)
    np.maximum.at(far_G, group_N[pairs_P2[:, 0]], far_P)
    rows = np.flatnonzero(np.bincount(group_N)[group_N] > 1)
    rows = rows[np.lexsort((ids[rows], group_N[rows]))]
    groups, starts = np.unique(group_N[rows], return_index=True)
    found = [
        Duplicates(
            ids=tuple(ids[members].tolist()),
            labels=tuple(labels[members].tolist()),
            exact=_exact(ids[members].tolist(), original),
            distance=float(far_G[group] / usual) if usual else 0.0,
        )
        for group, members in zip(groups, np.split(rows, starts[1:]), strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (not each.across, each.distance, each.ids)))


def near_pairs(features_ND: Features, limit: float) -> tuple[Ints, Doubles]:
    """Rows of features no farther apart than a limit, (P, 2), and how far they are, (P,).

    Equal features are a chain. Of different ones those are compared that lie on the same side of many random planes
    (Charikar 2002), several times with other planes: two are overlooked the more rarely, the nearer they are, and the cost
    does not grow with the square of their number, nor where many are near.
    """
    different_UD, first_U, kind_N = np.unique(features_ND, axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first_U[kind_N.ravel()] != np.arange(len(features_ND)))
    pairs, far = [np.stack([first_U[kind_N.ravel()[again]], again], axis=1)], [np.zeros(len(again))]
    if limit > 0:
        for some_P2 in _candidates(different_UD):
            apart = np.linalg.norm(different_UD[some_P2[:, 0]] - different_UD[some_P2[:, 1]], axis=1)
            near = apart <= limit
            pairs.append(first_U[some_P2[near]])
            far.append(apart[near].astype(np.float64))
    return np.concatenate(pairs), np.concatenate(far)


def _candidates(features_UD: Features) -> Iterator[Ints]:
    """Rows that may be near each other, some thousands at a time, (P, 2); some pairs come several times."""
    rng = np.random.default_rng(0)
    number, width = features_UD.shape
    planes = int(np.clip(np.log2(max(number, 1) / _BESIDE), 0, 62))
    for _ in range(_ROUNDS):
        along_UB = features_UD @ rng.normal(size=(width, planes + 1)).astype(np.float32)
        sides_UB = along_UB[:, :planes] > np.median(along_UB[:, :planes], axis=0)
        side_U = sides_UB @ (1 << np.arange(planes, dtype=np.int64))
        order = np.lexsort((along_UB[:, planes], side_U))
        for beside in range(1, min(_COMPARED, number - 1) + 1):
            one, other = order[:-beside], order[beside:]
            together = np.flatnonzero(side_U[one] == side_U[other])
            for start in range(0, len(together), _AT_ONCE):
                some = together[start : start + _AT_ONCE]
                yield np.stack([one[some], other[some]], axis=1)


def _usual(features_ND: Features, codes_N: Ints) -> float | None:
    """The median Euclidean distance of two examples of a class; None where no class has two."""
    by_class = np.argsort(codes_N, kind="stable")
    pairs = np.flatnonzero(codes_N[by_class[1:]] == codes_N[by_class[:-1]])
    if not len(pairs):
        return None
    some = pairs[np.linspace(0, len(pairs) - 1, min(_SAMPLE, len(pairs))).astype(np.intp)]
    one, other = features_ND[by_class[some]], features_ND[by_class[some + 1]]
    return float(np.median(np.linalg.norm(one - other, axis=1)))


def _exact(ids: list[int], original: Callable[[int], bytes] | None) -> bool | None:
    if original is None:
        return None
    try:
        return len({hashlib.sha256(original(id)).digest() for id in ids[:_SHOWN]}) == 1
    except GalleryError:
        return None
