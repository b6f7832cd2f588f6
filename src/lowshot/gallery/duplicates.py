"""Examples that are the same picture twice, or nearly.

Shape suffixes: N examples, U different features, D features, P pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from lowshot.encoder import Features
from lowshot.errors import GalleryError
from lowshot.gallery.index import Ints

Doubles = NDArray[np.float64]

_NEAR = 1 / 4  # of the median distance within a class
_DIRECTIONS = 12  # in which candidates are sought: distances only shrink there, so none is overlooked
_NEIGHBORS = 8  # candidates of each example
_SAMPLE = 2000  # examples that tell the directions and the distances within classes
_SHOWN = 100  # examples of a group whose pictures are read


@dataclass(frozen=True)
class Duplicates:
    """Examples that are, by all signs, one picture.

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
    """Groups of examples that are one picture; those across classes first, then the nearest first.

    Two examples are nearly the same where their features are less than a quarter as far apart as two examples of a class
    usually are (the median). Copies that were compressed again or enlarged are that close; drawings of one character hardly
    ever, but simple strokes may be. Where every class has one example, the background's classes say what is usual;
    without these only equal features are found.

    Args:
        ids, labels, codes_N, features_ND: of the examples.
        background: features and classes of background items.
        original: gives the picture file of an example, or raises GalleryError where it is not kept.
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

    Not every such pair, but enough to join all that hang together: equal features are a chain, and of different ones those
    are tried that are nearest in the directions in which features vary most. So the cost stays bounded where many are near.
    """
    different_UD, first_U, kind_N = np.unique(features_ND, axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first_U[kind_N] != np.arange(len(kind_N)))
    equal_P2 = np.stack([first_U[kind_N[again]], again], axis=1)
    if limit <= 0 or len(different_UD) < 2:
        return equal_P2, np.zeros(len(equal_P2))
    flat = _projected(different_UD)
    neighbors = min(_NEIGHBORS, len(flat))
    # A little beyond the limit: the projection is rounded.
    shown, to = cKDTree(flat).query(flat, neighbors, distance_upper_bound=limit * 1.001)
    one, place = np.nonzero(np.isfinite(shown.reshape(len(flat), -1)))
    pairs_P2 = np.stack([one, to.reshape(len(flat), -1)[one, place]], axis=1)
    pairs_P2 = pairs_P2[pairs_P2[:, 0] != pairs_P2[:, 1]]
    far_P = np.linalg.norm(different_UD[pairs_P2[:, 0]] - different_UD[pairs_P2[:, 1]], axis=1).astype(np.float64)
    near = far_P <= limit
    return np.concatenate([equal_P2, first_U[pairs_P2[near]]]), np.append(np.zeros(len(equal_P2)), far_P[near])


def _projected(features_ND: Features) -> Features:
    """The features in the directions in which they vary most."""
    some = features_ND[np.linspace(0, len(features_ND) - 1, min(_SAMPLE, len(features_ND))).astype(np.intp)]
    directions = np.linalg.svd(some - some.mean(axis=0), full_matrices=False)[2][:_DIRECTIONS]
    return np.asarray(features_ND @ directions.T, np.float32)


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
