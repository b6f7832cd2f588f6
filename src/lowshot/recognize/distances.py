"""How far queries are from references: every pair at once.

Shape suffixes: Q queries, N references, D features.
"""

from __future__ import annotations

from typing import Any, Literal

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
    match distance:
        case "euclidean":
            return _squared_euclidean(queries, references)
        case "cosine":
            return np.asarray(np.clip(1 - unit(queries) @ unit(references).T, 0, 2))
        case "l1":
            return _l1(queries, references, negative)
    raise ConfigError(f"no distance {distance!r}: choose euclidean, cosine or l1")


def unit(features_ND: Floats) -> Floats:
    """The features at length 1; a row of zeros stays one."""
    # In float64, where the square of no float32 vanishes or overflows.
    length = np.sqrt(np.einsum("nd,nd->n", features_ND, features_ND, dtype=np.float64))[:, None]
    return np.asarray(features_ND / np.where(length > 0, length, 1), np.float32)


def _squared_euclidean(queries_QD: Floats, references_ND: Floats) -> Floats:
    """By a matrix product: |q|² - 2 q·r + |r|², where rounding may dip below 0."""
    product = queries_QD @ references_ND.T
    product *= -2
    product += np.einsum("qd,qd->q", queries_QD, queries_QD)[:, None]
    product += np.einsum("nd,nd->n", references_ND, references_ND)
    return np.asarray(np.maximum(product, 0, out=product))


def _l1(queries_QD: Floats, references_ND: Floats, negative: int) -> Floats:
    from scipy.spatial.distance import cdist  # no (Q, N, D) block in memory

    positive = queries_QD.shape[1] - negative
    total: NDArray[np.float64] = cdist(queries_QD[:, :positive], references_ND[:, :positive], "cityblock")
    if negative:
        total -= cdist(queries_QD[:, positive:], references_ND[:, positive:], "cityblock")
    return total.astype(np.float32)
