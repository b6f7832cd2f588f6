"""How far queries are from references: every pair at once.

Shape suffixes: Q queries, N references, D features.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ConfigError, ShapeError

Floats = NDArray[np.float32]
Distance = Literal["euclidean", "cosine", "l1"]


def distances(queries_QD: NDArray[Any], references_ND: NDArray[Any], distance: Distance, negative: int = 0) -> Floats:
    """Distance of every query to every reference.

    Args:
        queries_QD: features (queries, features).
        references_ND: features (references, features).
        distance: ``euclidean`` is the **squared** Euclidean distance (Snell et al. 2017), ``cosine`` is 1 - cosine and
            takes features of any length, ``l1`` is the sum of absolute differences.
        negative: with ``l1``, how many of the **last** features are subtracted instead of added: the learned weights of
            Koch (2015) may have either sign. Such a distance can be below 0.

    Returns:
        ``float32`` (queries, references), smaller is nearer.

    Raises:
        ShapeError: the two do not have the same number of features.
        ConfigError: there is no such distance.

    Example:
        >>> import numpy as np
        >>> distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 0.0]]), "euclidean").tolist()
        [[25.0, 1.0]]
    """
    queries, references = np.asarray(queries_QD, np.float32), np.asarray(references_ND, np.float32)
    if queries.ndim != 2 or references.ndim != 2 or queries.shape[1] != references.shape[1]:
        raise ShapeError(
            f"queries {queries.shape} and references {references.shape} cannot be compared: "
            "both must be (items, features), with equally many features"
        )
    check_distance(distance)
    match distance:
        case "euclidean":
            return squared_euclidean(queries, references)
        case "cosine":
            return unit_cosine(unit(queries), unit(references))
        case "l1":
            return _l1(queries, references, negative)


def check_distance(distance: str) -> None:
    """Raises ConfigError where there is no such distance."""
    if distance not in get_args(Distance):
        raise ConfigError(f"no distance {distance!r}: choose one of {', '.join(get_args(Distance))}")


def unit(features_ND: Floats) -> Floats:
    """The features at length 1; a row of zeros stays one."""
    # In float64, where the square of no float32 vanishes or overflows.
    length = np.sqrt(np.einsum("nd,nd->n", features_ND, features_ND, dtype=np.float64))[:, None]
    return np.asarray(features_ND / np.where(length > 0, length, 1), np.float32)


def unit_cosine(queries_QD: Floats, references_ND: Floats) -> Floats:
    """1 - cosine of features that are of unit length."""
    far = queries_QD @ references_ND.T
    np.subtract(1, far, out=far)
    return np.asarray(np.clip(far, 0, 2, out=far))


def squared_euclidean(queries_QD: Floats, references_ND: Floats, squares_N: Floats | None = None) -> Floats:
    """By a matrix product: |q|² - 2 q·r + |r|², where rounding may dip below 0.

    Whoever asks often gives the squared lengths of the references: the product is then the only pass over them.
    """
    product = queries_QD @ references_ND.T
    product *= -2
    product += squared_length(queries_QD)[:, None]
    product += squared_length(references_ND) if squares_N is None else squares_N
    return np.asarray(np.maximum(product, 0, out=product))


def squared_length(features_ND: Floats) -> Floats:
    """|f|² of each row, (N,)."""
    return np.asarray(np.einsum("nd,nd->n", features_ND, features_ND))


def nearest_columns(distances_C: Floats, top: int) -> NDArray[np.intp]:
    """The columns of the ``top`` smallest distances, in no order; those of fewer columns, all.

    A block of columns whose smallest is not among the ``top`` smallest of all blocks holds none of them: finding these
    minima is many times faster than partitioning a long row.
    """
    columns = len(distances_C)
    if columns <= top:
        return np.arange(columns)
    side = int(np.sqrt(columns))
    if side > 2 * top:
        starts = np.arange(0, columns, side)
        blocks = np.argpartition(np.minimum.reduceat(distances_C, starts), top - 1)[:top]
        some = (starts[blocks, None] + np.arange(side)).ravel()
        some = some[some < columns]
        return np.asarray(some[np.argpartition(distances_C[some], top - 1)[:top]])
    return np.argpartition(distances_C, top - 1)[:top]


def _l1(queries_QD: Floats, references_ND: Floats, negative: int) -> Floats:
    from scipy.spatial.distance import cdist  # no (Q, N, D) block in memory

    positive = queries_QD.shape[1] - negative
    total: NDArray[np.float64] = cdist(queries_QD[:, :positive], references_ND[:, :positive], "cityblock")
    if negative:
        total -= cdist(queries_QD[:, positive:], references_ND[:, positive:], "cityblock")
    return total.astype(np.float32)
