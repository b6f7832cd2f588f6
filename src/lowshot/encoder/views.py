"""Views of a picture: the same thing seen a little otherwise, so that one example says more of its class.

The mean feature of an example and its views is nearer to the class's mean than the example's alone.

Shape suffixes: n items, V views, H height, W width, C channels.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ConfigError, ShapeError

Views = Literal["none", "shifts", "flip"]
Pixels = NDArray[np.uint8]

_SHIFT = 0.06  # of the height and the width: better than 0.03 on the characters' validation alphabets


def views(items: Pixels, kind: Views) -> Pixels:
    """Each item and its views.

    ``shifts`` moves it up, down, left and right by 6 % of its size: drawings are never quite centered. ``flip`` adds the
    mirror image, for photographs. (Enlarging their middle or their corners helped faces at one example and hurt them at
    four.) ``none`` gives the items alone. ``benchmarks/recognizers.py`` measures what each is worth.

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
    if kind not in get_args(Views):
        raise ConfigError(f"no views {kind!r}: choose one of {', '.join(get_args(Views))}")
    if items.ndim != 4 or items.dtype != np.uint8:
        raise ShapeError(f"views are of uint8 (n, height, width, channels), not of {items.dtype} {items.shape}")
    seen = [items]
    if kind == "shifts":
        seen += [_shifted(items, axis, sign) for axis in (1, 2) for sign in (-1, 1)]
    if kind == "flip":
        seen.append(items[:, :, ::-1])
    return np.stack(seen, axis=1)


def _shifted(items: Pixels, axis: int, sign: int) -> Pixels:
    """Moved along an axis by whole pixels; beyond the edge the edge goes on."""
    size = items.shape[axis]
    step = sign * max(1, round(_SHIFT * size))
    moved: Pixels = items.take(np.clip(np.arange(size) + step, 0, size - 1), axis=axis)
    return moved
