"""From the picture of a drawing back to the strokes of a pen: thinned to its skeleton, then followed from end to end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ink = NDArray[np.bool_]
Point = tuple[float, float]

_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))  # clockwise from above


def strokes(ink: Ink) -> list[list[Point]]:
    """Lines along the middle of the ink, as points (x, y) from 0 to 1, the longest first."""
    skeleton = thinned(np.pad(ink, 1))[1:-1, 1:-1]
    height, width = ink.shape
    lines = sorted(_lines({(int(y), int(x)) for y, x in np.argwhere(skeleton)}), key=len, reverse=True)
    return [[((x + 0.5) / width, (y + 0.5) / height) for y, x in line] for line in lines if len(line) > 2] or [
        [((x + 0.5) / width, (y + 0.5) / height) for y, x in line] for line in lines[:1]
    ]


def thinned(ink: Ink) -> Ink:
    """Peel pixels off until lines one pixel wide are left (Zhang and Suen 1984). The edge of the array must be empty."""
    ink = ink.copy()
    while True:
        before = ink.sum()
        for first in (True, False):
            n = [np.roll(ink, (-y, -x), (0, 1)) for y, x in _AROUND]
            north, east, south, west = n[0], n[2], n[4], n[6]
            neighbors = sum(each.astype(int) for each in n)
            crossings = sum((~n[i] & n[(i + 1) % 8]).astype(int) for i in range(8))
            sides = (
                ~(north & east & south) & ~(east & south & west)
                if first
                else ~(north & east & west) & ~(north & south & west)
            )
            ink &= ~((neighbors >= 2) & (neighbors <= 6) & (crossings == 1) & sides)
        if ink.sum() == before:
            return ink


def _lines(left: set[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Follow the pixels: begin where a line ends, keep to the direction, stop where no pixel is left."""
    lines = []
    while left:
        start = min(left, key=lambda at: (len(_beside(at, left)), at))
        left.discard(start)
        line, way = [start], (0, 0)
        while near := _beside(line[-1], left):
            at = line[-1]
            best = max(near, key=lambda to: ((to[0] - at[0]) * way[0] + (to[1] - at[1]) * way[1], -_far(at, to)))
            left.discard(best)
            back = line[max(0, len(line) - 4)]
            way = (best[0] - back[0], best[1] - back[1])
            line.append(best)
        lines.append(line)
    return lines


def _beside(at: tuple[int, int], left: set[tuple[int, int]]) -> list[tuple[int, int]]:
    return [to for y, x in _AROUND if (to := (at[0] + y, at[1] + x)) in left]


def _far(one: tuple[int, int], other: tuple[int, int]) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])
