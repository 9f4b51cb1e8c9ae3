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
# Pixels of a line at a time: what they look at stays at hand for the next line.
TILE, THIN_TILE = 64, 16
# Places among voxels as whole numbers, of which so many bits are the part of a voxel.
BITS = 32
UNIT = float(1 << BITS)
PART, SHARE = (1 << BITS) - 1, 1.0 / UNIT

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
def _is_inner(shape: tuple[int, int, int], i: float, j: float, k: float) -> bool:
    """Whether a place has all its eight neighbours, whatever rounding does to it."""
    slices, rows, columns = shape
    return (
        EDGE <= i <= columns - 1 - EDGE
        and EDGE <= j <= rows - 1 - EDGE
        and EDGE <= k <= slices - 1 - EDGE
    )


@numba.njit(nogil=True, cache=True, inline="always")
def _between(voxels: np.ndarray, strides: tuple[int, int], i: int, j: int, k: int) -> float:
    """Return the trilinear value at an inner place, given in units of 1 / `UNIT` voxel.

    `voxels` lie in one row; `strides` are those of a row and of a slice, in voxels.
    """
    # Unsigned, or each access would ask whether it counts from the end.
    row, level, one = np.uint64(strides[0]), np.uint64(strides[1]), np.uint64(1)
    at = np.uint64((k >> BITS) * strides[1] + (j >> BITS) * strides[0] + (i >> BITS))
    x, y, z = (i & PART) * SHARE, (j & PART) * SHARE, (k & PART) * SHARE
    a = float(voxels[at])
    b = float(voxels[at + row])
    c = float(voxels[at + level])
    d = float(voxels[at + level + row])
    a += (voxels[at + one] - a) * x
    b += (voxels[at + row + one] - b) * x
    c += (voxels[at + level + one] - c) * x
    d += (voxels[at + level + row + one] - d) * x
    near = a + (b - a) * y
    value: float = near + (c + (d - c) * y - near) * z
    return value


@numba.njit(nogil=True, cache=True, inline="always")
def _merge(kept: float, value: float, mode: int) -> float:
    """Return what a pixel keeps when a layer brings another value."""
    if mode == MIP:
        return value if value > kept else kept
    if mode == MEAN:
        return kept + value
    return value if value < kept else kept


@numba.njit(nogil=True, cache=True, inline="always")
def _add_inner(
    voxels: np.ndarray, strides: tuple[int, int], place: np.ndarray, step: np.ndarray,
    mode: int, kept: np.ndarray,
) -> None:  # fmt: skip
    """Add a layer of pixels that are all inner ones."""
    i, j, k = int(place[0] * UNIT), int(place[1] * UNIT), int(place[2] * UNIT)
    di, dj, dk = int(step[0] * UNIT), int(step[1] * UNIT), int(step[2] * UNIT)
    for pixel in range(kept.size):
        value = _between(voxels, strides, i, j, k)
        kept[pixel] = _merge(kept[pixel], value, mode)
        i, j, k = i + di, j + dj, k + dk


@numba.njit(nogil=True, cache=True)
def _add_any(
    volume: np.ndarray,
    table: tuple[np.ndarray, np.ndarray, float],
    place: np.ndarray,
    step: np.ndarray,
    mode: int,
    kept: np.ndarray,
    found: np.ndarray,
) -> None:
    """Add a layer of pixels wherever they lie, and count those that are in the volume."""
    slice_mm, holes, reach_mm = table
    for pixel in range(kept.size):
        w = place[2] + pixel * step[2]
        k = w if slice_mm.size == 0 else _slice_at(w, slice_mm, holes, reach_mm)
        value = _at(volume, place[0] + pixel * step[0], place[1] + pixel * step[1], k)
        if not math.isnan(value):
            found[pixel] += 1
            kept[pixel] = _merge(kept[pixel], value, mode)


@numba.njit(nogil=True, cache=True)
def _cut_thin(volume: np.ndarray, starts: np.ndarray, steps: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` with lines of single samples of an even stack; as `cut`, without its layers."""
    _slices, rows, columns = volume.shape
    voxels, strides = volume.reshape(-1), (columns, columns * rows)
    height, length = out.shape
    for first in range(0, length, THIN_TILE):
        last = min(first + THIN_TILE, length)
        end = last - first - 1
        for line in range(height):
            across, down, through = steps[line, 0], steps[line, 1], steps[line, 2]
            x = starts[line, 0] + first * across
            y = starts[line, 1] + first * down
            z = starts[line, 2] + first * through
            # What lies between two inner places is inner itself.
            if _is_inner(volume.shape, x, y, z) and _is_inner(
                volume.shape, x + end * across, y + end * down, z + end * through
            ):
                i, j, k = int(x * UNIT), int(y * UNIT), int(z * UNIT)
                right, below = int(across * UNIT), int(down * UNIT)
                deeper = int(through * UNIT)
                for pixel in range(first, last):
                    out[line, pixel] = _between(voxels, strides, i, j, k)
                    i, j, k = i + right, j + below, k + deeper
            else:
                for pixel in range(last - first):
                    out[line, first + pixel] = _at(
                        volume, x + pixel * across, y + pixel * down, z + pixel * through
                    )


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
    starts, steps, deep = lines
    is_even = table[0].size == 0
    if is_even and depths.size == 1:
        _cut_thin(volume, starts + depths[0] * deep, steps, out)
        return
    _slices, rows, columns = volume.shape
    voxels, strides = volume.reshape(-1), (columns, columns * rows)
    nothing = -math.inf if mode == MIP else 0.0 if mode == MEAN else math.inf
    place, end, step = np.empty(3), np.empty(3), np.empty(3)
    row_kept, row_found = np.empty(TILE), np.empty(TILE, np.int64)
    # Neighbouring lines look at the same voxels: some pixels of all of them, then the next.
    for first in range(0, out.shape[1], TILE):
        last = min(first + TILE, out.shape[1])
        kept, found = row_kept[: last - first], row_found[: last - first]
        for line in range(out.shape[0]):
            kept[:] = nothing
            found[:] = 0
            inner = 0
            step[:] = steps[line]
            for layer in range(depths.size):
                for axis in range(3):
                    place[axis] = starts[line, axis] + depths[layer] * deep[line, axis]
                    place[axis] += first * step[axis]
                    end[axis] = place[axis] + (last - first - 1) * step[axis]
                # What lies between two inner places is inner itself.
                if (
                    is_even
                    and _is_inner(volume.shape, place[0], place[1], place[2])
                    and _is_inner(volume.shape, end[0], end[1], end[2])
                ):
                    inner += 1
                    _add_inner(voxels, strides, place, step, mode, kept)
                else:
                    _add_any(volume, table, place, step, mode, kept, found)
            for pixel in range(last - first):
                count = found[pixel] + inner
                value = kept[pixel] / count if mode == MEAN and count > 0 else kept[pixel]
                out[line, first + pixel] = value if count > 0 else math.nan
