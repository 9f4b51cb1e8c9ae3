"""Compiled loops over voxels: planes and slabs cut out of an int16 volume, in index space.

They run without Python's lock, so threads share the work of a plane and a fork finds no
threads of ours; none starts threads itself. Compiled code is kept in the home's `cache/kernels`
for all processes. Loaded by `reconstruction.compiled` when a plane is first cut: the compiler
takes half a second to come up, which a server's start should not wait for.

Places are (i, j, k): column, row, slice, the centre of the first voxel at 0. A voxel reaches half
its size beyond its centre; there the volume ends, and in its outer half voxels the border's
values hold, as in ITK. What lies outside is NaN.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from reconstruction.compiled import keep_code

MIP, MINIP, MEAN = 1, 2, 3
# Rounding of a position that lies on the very edge must not lose it.
EDGE = 1e-6

keep_code(numba)


@numba.njit(nogil=True, cache=True, inline="always")
def _slice_at(place: float, slice_mm: np.ndarray, holes: np.ndarray, reach_mm: float) -> float:
    """Return the fractional slice at a distance along the normal; NaN where none is near."""
    last = slice_mm.size - 1
    if place < slice_mm[0]:
        return 0.0 if slice_mm[0] - place <= reach_mm else math.nan
    if place >= slice_mm[last]:
        return float(last) if place - slice_mm[last] <= reach_mm else math.nan
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if slice_mm[middle] <= place:
            low = middle
        else:
            high = middle
    before, after = place - slice_mm[low], slice_mm[low + 1] - place
    if holes[low]:
        if min(before, after) > reach_mm:
            return math.nan
        return float(low if before <= after else low + 1)
    share: float = before / (before + after)
    return low + share


@numba.njit(nogil=True, cache=True, inline="always")
def _at(volume: np.ndarray, i: float, j: float, k: float) -> float:
    """Return the trilinear value at a place; NaN outside."""
    slices, rows, columns = volume.shape
    edge = 0.5 + EDGE
    if not (-edge <= i <= columns - 1 + edge and -edge <= j <= rows - 1 + edge):
        return math.nan
    if not -edge <= k <= slices - 1 + edge:
        return math.nan
    i, j, k = (
        min(max(i, 0.0), columns - 1.0),
        min(max(j, 0.0), rows - 1.0),
        min(max(k, 0.0), slices - 1.0),
    )
    i0, j0, k0 = int(i), int(j), int(k)
    i1, j1, k1 = min(i0 + 1, columns - 1), min(j0 + 1, rows - 1), min(k0 + 1, slices - 1)
    x, y, z = i - i0, j - j0, k - k0
    a = volume[k0, j0, i0] * (1 - x) + volume[k0, j0, i1] * x
    b = volume[k0, j1, i0] * (1 - x) + volume[k0, j1, i1] * x
    c = volume[k1, j0, i0] * (1 - x) + volume[k1, j0, i1] * x
    d = volume[k1, j1, i0] * (1 - x) + volume[k1, j1, i1] * x
    near = a * (1 - y) + b * y
    value: float = near + (c * (1 - y) + d * y - near) * z
    return value


@numba.njit(nogil=True, cache=True, inline="always")
def _within(bounds: tuple[int, int], place: float, step: float, most: float) -> tuple[int, int]:
    """Narrow a range of columns to those whose place, `place + column * step`, is in 0…`most`."""
    first, last = bounds
    if step == 0.0:
        return (first, last) if 0.0 <= place <= most else (first, first)
    one, other = -place / step, (most - place) / step
    low, high = min(one, other), max(one, other)
    if not (high >= first and low <= last):
        return first, first
    return max(first, math.ceil(max(low, first))), min(last, math.floor(min(high, last)) + 1)


@numba.njit(nogil=True, cache=True, inline="always")
def _inside(
    shape: tuple[int, int, int], columns: int, places: tuple[float, float, float],
    steps: np.ndarray, edge: float,
) -> tuple[int, int]:  # fmt: skip
    """Return the columns of a row that lie in the volume, `edge` voxels beyond border centres."""
    slices, rows, across = shape
    bounds = (0, columns)
    bounds = _within(bounds, places[0] + edge, steps[0, 0], across - 1 + 2 * edge)
    bounds = _within(bounds, places[1] + edge, steps[0, 1], rows - 1 + 2 * edge)
    return _within(bounds, places[2] + edge, steps[0, 2], slices - 1 + 2 * edge)


@numba.njit(nogil=True, cache=True, inline="always")
def _between(volume: np.ndarray, i: float, j: float, k: float) -> float:
    """Return the trilinear value at a place that has all its eight neighbours."""
    # Unsigned, or each access would ask whether it counts from the end.
    i0, j0, k0 = np.uint64(i), np.uint64(j), np.uint64(k)
    one = np.uint64(1)
    x, y, z = i - i0, j - j0, k - k0
    a = float(volume[k0, j0, i0])
    b = float(volume[k0, j0 + one, i0])
    c = float(volume[k0 + one, j0, i0])
    d = float(volume[k0 + one, j0 + one, i0])
    a += (volume[k0, j0, i0 + one] - a) * x
    b += (volume[k0, j0 + one, i0 + one] - b) * x
    c += (volume[k0 + one, j0, i0 + one] - c) * x
    d += (volume[k0 + one, j0 + one, i0 + one] - d) * x
    near = a + (b - a) * y
    value: float = near + (c + (d - c) * y - near) * z
    return value


@numba.njit(nogil=True, cache=True, inline="always")
def _merge(kept: float, value: float, mode: int) -> float:
    """Return what a pixel keeps when a layer brings another value; NaN is no value."""
    if math.isnan(value):
        return kept
    if math.isnan(kept):
        return value
    if mode == MIP:
        return max(kept, value)
    return kept + value if mode == MEAN else min(kept, value)


@numba.njit(nogil=True, cache=True)
def cut(
    volume: np.ndarray,
    table: tuple[np.ndarray, np.ndarray, float],
    lines: tuple[np.ndarray, np.ndarray, np.ndarray],
    depths: np.ndarray,
    mode: int,
    out: np.ndarray,
) -> None:
    """Fill `out` with lines of pixels: rows of a plane or slab, or what stands along a curve.

    Parameters
    ----------
    volume
        int16, (slices, rows, columns).
    table
        `slice_mm` and `holes` of `imaging.volume.VolumeGeometry`, empty for an even stack;
        and how far, in mm, a slice of an uneven one reaches where it has no neighbour.
    lines
        For each line the place (i, j, w) of its first pixel, the step to the next pixel, and
        the step for 1 mm along its layers; each of shape (lines, 3).
    depths
        Where the layers lie, mm.
    mode
        MIP, MINIP or MEAN over the layers that are inside.
    out
        float32, (lines, pixels); NaN where every layer is outside.
    """
    slice_mm, holes, reach_mm = table
    starts, steps, deep = lines
    is_even = slice_mm.size == 0
    length = out.shape[1]
    step = np.empty((1, 3))
    kept, found = np.empty(length, np.float64), np.empty(length, np.int64)
    for line in range(out.shape[0]):
        kept[:] = math.nan
        found[:] = 0
        step[0] = steps[line]
        for layer in range(depths.size):
            i0 = starts[line, 0] + depths[layer] * deep[line, 0]
            j0 = starts[line, 1] + depths[layer] * deep[line, 1]
            w0 = starts[line, 2] + depths[layer] * deep[line, 2]
            first, last = 0, length
            quick, slow = 0, 0
            if is_even:
                first, last = _inside(volume.shape, length, (i0, j0, w0), step, 0.5 + 2 * EDGE)
                quick, slow = _inside(volume.shape, length, (i0, j0, w0), step, -EDGE)
            for pixel in range(first, last):
                i, j = i0 + pixel * step[0, 0], j0 + pixel * step[0, 1]
                w = w0 + pixel * step[0, 2]
                if quick <= pixel < slow:
                    value = _between(volume, i, j, w)
                else:
                    k = w if is_even else _slice_at(w, slice_mm, holes, reach_mm)
                    value = _at(volume, i, j, k)
                found[pixel] += not math.isnan(value)
                kept[pixel] = _merge(kept[pixel], value, mode)
        for pixel in range(length):
            if mode == MEAN and found[pixel] > 1:
                kept[pixel] /= found[pixel]
            out[line, pixel] = kept[pixel]
