"""Masks to outlines: the very edges of the pixels, none smoothed.

Points are (column, row) with the centre of the first pixel at (0, 0), so that the outline of
one pixel runs from -0.5 to 0.5. Pixels that touch only at a corner are apart.
"""

from __future__ import annotations

import numpy as np

from imaging.errors import LimitExceededError

EDGES_LIMIT = 400_000
Point = tuple[float, float]

# Steps of one pixel's side, in the order of a turn to the right: right, down, left, up.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def trace_outlines(mask: np.ndarray) -> list[list[Point]]:
    """Return closed outlines, shape by shape; holes are outlines of their own.

    Around a shape the way runs with it on the right (in rows that grow downwards), around a
    hole with the shape on the right, too: filled by the even-odd rule they give the mask.

    Raises LimitExceededError for a mask of more than EDGES_LIMIT sides.
    """
    ways = _ways(mask)
    outlines = []
    while ways:
        start = next(iter(ways))
        outlines.append(_follow(ways, start))
    return outlines


def _ways(mask: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """Return for each corner of the grid in which directions sides leave it."""
    inside = np.pad(np.asarray(mask, bool), 1)
    down = inside[1:, 1:-1].astype(np.int8) - inside[:-1, 1:-1]
    across = inside[1:-1, 1:].astype(np.int8) - inside[1:-1, :-1]
    if np.count_nonzero(down) + np.count_nonzero(across) > EDGES_LIMIT:
        raise LimitExceededError("The outline has too many corners.")
    ways: dict[tuple[int, int], list[int]] = {}
    # A side whose inside lies below runs to the right, one whose inside lies above to the left;
    # inside on the right runs up, inside on the left runs down.
    for grid, value, direction, shift in (
        (down, 1, 0, (0, 0)),
        (down, -1, 2, (1, 0)),
        (across, 1, 3, (0, 1)),
        (across, -1, 1, (0, 0)),
    ):
        rows, columns = np.nonzero(grid == value)
        for column, row in zip(columns.tolist(), rows.tolist(), strict=True):
            ways.setdefault((column + shift[0], row + shift[1]), []).append(direction)
    return ways


def _follow(ways: dict[tuple[int, int], list[int]], start: tuple[int, int]) -> list[Point]:
    """Take the sides of one closed way out of `ways`; returns its corners."""
    here, direction = start, ways[start][0]
    points: list[Point] = []
    previous = None
    while here in ways:
        leaving = ways[here]
        # Where two shapes touch at a corner the way turns to the right and stays on its own.
        if len(leaving) > 1 and previous is not None:
            direction = next(
                (previous + turn) % 4 for turn in (1, 0, 3) if (previous + turn) % 4 in leaving
            )
        else:
            direction = leaving[0]
        leaving.remove(direction)
        if not leaving:
            del ways[here]
        if direction != previous:
            points.append((here[0] - 0.5, here[1] - 0.5))
        previous = direction
        here = (here[0] + _STEPS[direction][0], here[1] + _STEPS[direction][1])
        if here == start:
            break
    return points
