"""Views of a picture: the same thing seen a little otherwise, so that one example says more of its class.

The mean feature of an example and its views is nearer to the class's mean than the example's alone.

Shape suffixes: n items, V views, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ConfigError, ShapeError

Views = Literal["none", "shifts", "flip", "crops"]

_SHIFT = 0.06  # of the height and the width: the best of 0.03 and 0.06 on the characters' validation alphabets
_CROP = 7 / 8  # of the height and the width, as photos are cropped from 256 to 224 pixels for ImageNet


@dataclass(frozen=True)
class _View:
    """Where each pixel comes from: (y, x) of the source, from its center, is ``scale`` times that of the view plus ``shift``.

    ``shift`` is in heights and widths.
    """

    scale: tuple[float, float] = (1, 1)
    shift: tuple[float, float] = (0, 0)

    def of(self, items: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This view of every item, interpolated; beyond an edge the edge goes on."""
        from scipy.ndimage import affine_transform  # late: only whoever enrolls with views waits for it

        size = np.array(items.shape[1:3])
        center, scale = (size - 1) / 2, np.array(self.scale)
        offset = center - scale * center + np.array(self.shift) * size
        seen: NDArray[np.uint8] = affine_transform(items, [1, *scale, 1], [0, *offset, 0], order=1, mode="nearest")
        return seen


_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1))
_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_KINDS: dict[str, Sequence[_View]] = {
    "none": (),
    "shifts": [_View(shift=(_SHIFT * y, _SHIFT * x)) for y, x in _AROUND],
    "flip": [_View(scale=(1, -1))],
    "crops": [
        _View((_CROP, _CROP * mirror), ((1 - _CROP) / 2 * y, (1 - _CROP) / 2 * x))
        for mirror in (1, -1)
        for y, x in ((0, 0), *_CORNERS)
    ],
}


def views(items: NDArray[np.uint8], kind: Views) -> NDArray[np.uint8]:
    """Each item and its views.

    ``shifts`` moves it up, down, left and right by 6 % of its size, for drawings, which are centered by nobody; ``flip``
    mirrors it left and right, for photographs; ``crops`` enlarges seven eighths of it, the middle and the four corners, and
    mirrors each; ``none`` gives the items alone.

    Args:
        items: packed pixels (n, height, width, channels).
        kind: which views.

    Returns:
        ``uint8`` (n, views, height, width, channels); the first view is the item itself.

    Raises:
        ConfigError: there are no such views.
        ShapeError: the items are not ``uint8`` (n, height, width, channels).

    Example:
        >>> arrow = np.array([[0, 90, 255]], np.uint8)[None, :, :, None]
        >>> views(arrow, "flip")[0, :, 0, :, 0].tolist()
        [[0, 90, 255], [255, 90, 0]]
    """
    if kind not in _KINDS:
        raise ConfigError(f"no views {kind!r}: choose one of {', '.join(get_args(Views))}")
    if items.ndim != 4 or items.dtype != np.uint8:
        raise ShapeError(f"views are of uint8 (n, height, width, channels), not of {items.dtype} {items.shape}")
    return np.stack([items, *(view.of(items) for view in _KINDS[kind])], axis=1)
