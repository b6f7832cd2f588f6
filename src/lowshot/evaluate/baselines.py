"""Two ways of comparing drawings that learn nothing: what any encoder must beat, and a check of the protocol.

On Lake's 400 trials they give 38.75 % and 78.25 % error. Both take images as packed ``uint8``, dark ink on white.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import DataError
from lowshot.recognize.distances import distances

Floats = NDArray[np.float64]


def modified_hausdorff(support: NDArray[np.uint8], query: NDArray[np.uint8]) -> Floats:
    """Modified Hausdorff distance of every query to every support image, (queries, supports), in pixels.

    Ink pixels are points, centered at their mean. From one drawing to another it is the mean distance of a point to the
    nearest one of the other drawing; the larger of both directions counts (Dubuisson & Jain 1994; the baseline of Lake
    et al. 2015).

    Args:
        support, query: (n, height, width, 1).

    Raises:
        DataError: an image without ink.
    """
    supports, queries = _ink(support), _ink(query)
    return np.maximum(_directed(queries, supports), _directed(supports, queries).T)


def pixel_cosine(support: NDArray[np.uint8], query: NDArray[np.uint8]) -> NDArray[Any]:
    """Cosine distance of the pixels, ink 1 and paper 0: (queries, supports)."""
    ink_SP, ink_QP = (np.float32(255) - images.reshape(len(images), -1) for images in (support, query))
    return distances(ink_QP, ink_SP, "cosine")


def _ink(images: NDArray[np.uint8]) -> list[Floats]:
    """The centered coordinates of each image's ink, (points, 2)."""
    sets = [np.argwhere(image[..., 0] < 128).astype(np.float64) for image in images]
    if blank := [number for number, points in enumerate(sets) if not len(points)]:
        raise DataError(f"image {blank[0]} has no ink (no pixel below 128): leave it out")
    return [points - points.mean(axis=0) for points in sets]


def _directed(from_sets: Sequence[Floats], to_sets: Sequence[Floats]) -> Floats:
    """Mean distance of each set's points to the nearest point of each other set, (from, to)."""
    from scipy.spatial import KDTree

    sizes = np.array([len(points) for points in from_sets])
    starts = np.cumsum(sizes) - sizes
    everything = np.concatenate(from_sets)
    nearest = np.stack([KDTree(points).query(everything)[0] for points in to_sets])
    means: Floats = np.add.reduceat(nearest, starts, axis=1).T / sizes[:, None]
    return means
