"""A gallery on a plane: examples that look alike to the encoder lie close together.

Shape suffixes: N examples, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lowshot.encoder import Features
from lowshot.gallery.index import Held

_MOST = 1_000  # examples shown: a second or two, and as many as can be told apart by eye
_FEW = 10  # of so few the neighborhoods say nothing
_PERPLEXITY = 30.0  # van der Maaten and Hinton's usual one, see section 2 of "Visualizing data using t-SNE", JMLR 2008


@dataclass(frozen=True)
class Point:
    """An example on the map: ``x`` and ``y`` from 0 to 1."""

    id: int
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class Map:
    """Where examples lie.

    Attributes:
        points: of those shown, in order of their ids.
        shown, of: how many are shown, of how many.
        how: they were laid out: ``t-SNE`` or, of few, ``PCA``.
    """

    points: Sequence[Point]
    shown: int
    of: int
    how: str


class Mapped(Protocol):
    """A gallery, as far as a map needs it."""

    def held(self) -> Held:
        """The examples. Raises EmptyGallery where there are none."""


def layout(gallery: Mapped, most: int = _MOST, seed: int = 0) -> Map:
    """Lay a gallery out on the unit square; the same gallery and seed give the same map.

    Args:
        gallery: for instance a :class:`lowshot.Gallery`.
        most: examples shown; of more, a random part.
        seed: of that part, and of the layout.

    Raises:
        EmptyGallery: nothing is enrolled.

    Example:
        >>> import tempfile, numpy as np
        >>> from lowshot import Gallery
        >>> with tempfile.TemporaryDirectory() as folder, Gallery.open(f"{folder}/my.gallery", create=True) as gallery:
        ...     ids = gallery.enroll([np.full((28, 28), gray, np.uint8) for gray in (0, 255)], ["ink", "paper"])
        ...     [(point.label, point.x, point.y) for point in layout(gallery).points]
        [('ink', 1.0, 0.5), ('paper', 0.0, 0.5)]
    """
    held = gallery.held()
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(held.ids), min(most, len(held.ids)), replace=False))
    how = "PCA" if len(chosen) < _FEW else "t-SNE"
    place = _square(_components(held.features[chosen]) if how == "PCA" else _neighborhoods(held.features[chosen], seed))
    points = tuple(
        Point(id, label, x, y)
        for id, label, (x, y) in zip(
            held.ids[chosen].tolist(), held.labels[chosen].tolist(), place.tolist(), strict=True
        )
    )
    return Map(points, len(points), len(held.ids), how)


def _components(features_ND: Features) -> NDArray[np.float64]:
    """The two principal components, (N, 2); zeros where there are fewer. Each points to where most of its length is."""
    centered = features_ND - features_ND.mean(axis=0, dtype=np.float64)
    left, size, _ = np.linalg.svd(centered, full_matrices=False)
    found = np.zeros((len(features_ND), 2))
    number = min(2, len(size))
    found[:, :number] = left[:, :number] * size[:number]
    return np.asarray(found * np.where(found[np.abs(found).argmax(axis=0), [0, 1]] < 0, -1, 1))


def _neighborhoods(features_ND: Features, seed: int) -> NDArray[np.float64]:
    """Near where near in the features, (N, 2): t-SNE, from the principal components on."""
    from sklearn.manifold import TSNE

    start = _components(features_ND)
    start *= 1e-4 / max(float(start[:, 0].std()), np.finfo(np.float64).tiny)
    perplexity = min(_PERPLEXITY, (len(features_ND) - 1) / 3)
    tsne = TSNE(init=start.astype(np.float32), perplexity=perplexity, random_state=seed)
    return np.asarray(tsne.fit_transform(features_ND), np.float64)


def _square(place_N2: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same shape in the middle of the unit square, as large as fits."""
    low, high = place_N2.min(axis=0), place_N2.max(axis=0)
    size = max(float((high - low).max()), np.finfo(np.float64).tiny)
    return np.asarray(np.clip((place_N2 - (low + high) / 2) / size + 0.5, 0, 1).round(4))
