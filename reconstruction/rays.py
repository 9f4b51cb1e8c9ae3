"""Compiled loops of volume rendering: parallel rays through an int16 volume, in index space.

A picture's rays run along its normal, away from the reader, and stop at samples `step` mm apart
that lie on common planes, so that two views from one side are sampled alike. Places are (i, j, w)
as in `imaging.volume`; a sheared affine needs nothing of its own. The volume reaches half a voxel
beyond the outermost centres, where the border's values hold, as in `reconstruction.kernels`.

What cannot be seen is left out by a coarse grid of bricks: eight voxels wide, each knowing its
lowest and highest value (its neighbours' borders counted in, since samples lie between voxels).

Like all kernels these let go of Python's lock and start no threads.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from reconstruction import kernels

MIP, MINIP, MEAN = kernels.MIP, kernels.MINIP, kernels.MEAN
BRICK = 8
# What is left to be seen behind this much can be left out.
OPAQUE = 0.985
# Sharpness of the light's reflection.
_SHININESS_DOUBLINGS = 4
# Places below this along the stack have no slice: half a slice beyond the first is still inside.
LEAST_SLICE = -0.51


@numba.njit(nogil=True, cache=True)
def measure_bricks(
    volume: np.ndarray, first_slices: np.ndarray, last_slices: np.ndarray, first: int,
    lowest: np.ndarray, highest: np.ndarray,
) -> None:  # fmt: skip
    """Fill a part of the grid, int16 of shape (layers, rows, columns), from brick layer `first`.

    `first_slices` and `last_slices` say for each layer of bricks which slices count.
    """
    _slices, rows, columns = volume.shape
    for layer in range(lowest.shape[0]):
        lowest[layer] = 32767
        highest[layer] = -32768
        for k in range(first_slices[first + layer], last_slices[first + layer] + 1):
            for row in range(lowest.shape[1]):
                for j in range(row * BRICK, min(row * BRICK + BRICK + 1, rows)):
                    for column in range(lowest.shape[2]):
                        low, high = lowest[layer, row, column], highest[layer, row, column]
                        for i in range(column * BRICK, min(column * BRICK + BRICK + 1, columns)):
                            value = volume[k, j, i]
                            low, high = min(low, value), max(high, value)
                        lowest[layer, row, column] = low
                        highest[layer, row, column] = high


@numba.njit(nogil=True, cache=True)
def _slice_of(w: float, table: np.ndarray, table_start: float, table_rate: float) -> float:
    """Return the fractional slice of a place along the stack; below 0 where none is near."""
    if table.size == 0:
        return w
    place = min(max((w - table_start) * table_rate, 0.0), table.size - 1.0)
    index = min(int(place), table.size - 2)
    low, high = table[index], table[index + 1]
    if low < 0.0 or high < 0.0:
        nearest: float = low if place - index < 0.5 else high
        return nearest
    between: float = low + (high - low) * (place - index)
    return between


@numba.njit(nogil=True, cache=True)
def _value(volume: np.ndarray, i: float, j: float, k: float) -> float:
    """Return the trilinear value; the border's beyond the outermost centres."""
    slices, rows, columns = volume.shape
    i = min(max(i, 0.0), columns - 1.0)
    j = min(max(j, 0.0), rows - 1.0)
    k = min(max(k, 0.0), slices - 1.0)
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


@numba.njit(nogil=True, cache=True)
def _stretch(
    i: float, j: float, w: float, along: np.ndarray, walls: np.ndarray, step: float
) -> tuple[int, int]:
    """Return the first and one past the last sample of a ray that lie inside all walls.

    A wall is (a, b, c, d): inside is where a*i + b*j + c*w + d is not negative.
    """
    low, high = -1e9, 1e9
    for n in range(walls.shape[0]):
        here = walls[n, 0] * i + walls[n, 1] * j + walls[n, 2] * w + walls[n, 3]
        change = walls[n, 0] * along[0] + walls[n, 1] * along[1] + walls[n, 2] * along[2]
        if abs(change) < 1e-12:
            if here < -1e-9:
                return 0, 0
        elif change > 0:
            low = max(low, -here / change)
        else:
            high = min(high, -here / change)
    if not low <= high:
        return 0, 0
    return math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) + 1


@numba.njit(nogil=True, cache=True)
def _leave(place: float, change: float, brick: int, reach: int, size: float, start: float) -> float:
    """Return after how many samples an axis is out of the bricks within `reach` of `brick`."""
    if change > 1e-12:
        return (start + (brick + reach + 1) * size - place) / change
    if change < -1e-12:
        return (start + (brick - reach) * size - place) / change
    return 1e9


@numba.njit(nogil=True, cache=True)
def _samples_to_leave(
    place: tuple[float, float, float], change: tuple[float, float, float],
    brick: tuple[int, int, int], reach: int, layer: tuple[float, float],
) -> int:  # fmt: skip
    """Return how many samples further the bricks within `reach` are behind us, at least one."""
    across = _leave(place[0], change[0], brick[0], reach, float(BRICK), 0.0)
    down = _leave(place[1], change[1], brick[1], reach, float(BRICK), 0.0)
    deep = _leave(place[2], change[2], brick[2], reach, layer[1], layer[0])
    least = min(across, down, deep)
    return max(1, math.ceil(least + 1e-6)) if least < 1e8 else 1_000_000_000


@numba.njit(nogil=True, cache=True)
def _brick_at(
    place: tuple[float, float, float], layer: tuple[float, float], shape: tuple[int, int, int]
) -> tuple[int, int, int]:
    return (
        min(max(int(place[0]) // BRICK, 0), shape[2] - 1),
        min(max(int(place[1]) // BRICK, 0), shape[1] - 1),
        min(max(int((place[2] - layer[0]) / layer[1]), 0), shape[0] - 1),
    )


@numba.njit(nogil=True, cache=True)
def _light(
    volume: np.ndarray, place: tuple[float, float, float], along: np.ndarray,
    frame: np.ndarray, shade: np.ndarray,
) -> tuple[float, float]:  # fmt: skip
    """Return how much of its own colour a sample shows, and how much white it reflects.

    The light comes from where the reader is. The gradient is taken over one voxel on either
    side, in index space; `frame` turns it into the patient's.
    """
    i, j, k = place
    x = (_value(volume, i + 1, j, k) - _value(volume, i - 1, j, k)) / 2
    y = (_value(volume, i, j + 1, k) - _value(volume, i, j - 1, k)) / 2
    z = (_value(volume, i, j, k + 1) - _value(volume, i, j, k - 1)) / 2
    p = frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z
    q = frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z
    r = frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z
    length = math.sqrt(p * p + q * q + r * r)
    if length < 1e-6:
        return 1.0, 0.0
    facing = abs(along[0] * p + along[1] * q + along[2] * r) / length
    shine = facing
    for _n in range(_SHININESS_DOUBLINGS):
        shine *= shine
    return shade[0] + shade[1] * facing, shade[2] * shine


@numba.njit(nogil=True, cache=True)
def _colour(
    volume: np.ndarray, table: tuple[np.ndarray, float, float],
    ray: tuple[float, float, float, float, float, float, int, int],
    bricks: tuple[np.ndarray, float, float], lookup: tuple[np.ndarray, float, float],
    lights: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[float, float, float]:  # fmt: skip
    """Return what is seen along a ray: its place at sample 0, change a sample, first and last."""
    i0, j0, w0, di, dj, dw, n, last = ray
    distance, layer_start, layer_size = bricks
    colours, low_value, rate = lookup
    frame, normal, shade = lights
    last_entry = colours.shape[0] - 1
    red, green, blue, left = 0.0, 0.0, 0.0, 1.0
    while n < last:
        place = (i0 + n * di, j0 + n * dj, w0 + n * dw)
        brick = _brick_at(place, (layer_start, layer_size), distance.shape)
        away = distance[brick[2], brick[1], brick[0]]
        if away > 0:
            layer = (layer_start, layer_size)
            n += _samples_to_leave(place, (di, dj, dw), brick, away - 1, layer)
            continue
        n += 1
        k = _slice_of(place[2], table[0], table[1], table[2])
        if k < LEAST_SLICE:
            continue
        value = _value(volume, place[0], place[1], k)
        entry = min(max(int((value - low_value) * rate + 0.5), 0), last_entry)
        opacity = colours[entry, 0]
        if opacity <= 0.0:
            continue
        own, white = 1.0, 0.0
        if shade[0] > 0.0:
            own, white = _light(volume, (place[0], place[1], k), normal, frame, shade)
        weight = left * opacity
        red += weight * (colours[entry, 1] * own + white)
        green += weight * (colours[entry, 2] * own + white)
        blue += weight * (colours[entry, 3] * own + white)
        left *= 1.0 - opacity
        if left < 1.0 - OPAQUE:
            return red / (1 - left), green / (1 - left), blue / (1 - left)
    return red, green, blue


@numba.njit(nogil=True, cache=True)
def composite(
    volume: np.ndarray,
    table: tuple[np.ndarray, float, float],
    grid: tuple[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray],
    bricks: tuple[np.ndarray, float, float],
    lookup: tuple[np.ndarray, float, float],
    lights: tuple[np.ndarray, np.ndarray, np.ndarray],
    first_row: int,
    out: np.ndarray,
) -> None:
    """Fill `out` with rows of a picture: colours seen through what lies before them, on black.

    Parameters
    ----------
    volume
        int16, (slices, rows, columns).
    table
        For an uneven stack the slice (below 0: none) at places along it, the first place, and
        entries for each mm; empty for an even one.
    grid
        Place (i, j, w) in the middle of the first pixel at depth 0; steps to the next pixel and
        row, shape (2, 3); step for 1 mm along the normal; mm between samples; walls, (n, 4), the
        volume's own six among them: see `_stretch`.
    bricks
        How many bricks away, in any direction, the nearest one is that shows anything, uint8;
        where the first layer begins along the stack, and how thick layers are.
    lookup
        Opacity of one step, red, green, blue (0 to 1), (n, 4); its first value, entries per value.
    lights
        Matrix from gradients per index to the patient's; the normal in the patient; ambient,
        diffuse and specular. Without ambient nothing is shaded.
    first_row
        Row of the picture that `out` begins with.
    out
        uint8, (rows, columns, 3).
    """
    start, steps, along, step, walls = grid
    for row in range(out.shape[0]):
        down = float(first_row + row)
        for column in range(out.shape[1]):
            i = start[0] + down * steps[1, 0] + column * steps[0, 0]
            j = start[1] + down * steps[1, 1] + column * steps[0, 1]
            w = start[2] + down * steps[1, 2] + column * steps[0, 2]
            n, last = _stretch(i, j, w, along, walls, step)
            ray = (i, j, w, along[0] * step, along[1] * step, along[2] * step, n, last)
            red, green, blue = _colour(volume, table, ray, bricks, lookup, lights)
            out[row, column, 0] = int(min(max(red, 0.0), 1.0) * 255 + 0.5)
            out[row, column, 1] = int(min(max(green, 0.0), 1.0) * 255 + 0.5)
            out[row, column, 2] = int(min(max(blue, 0.0), 1.0) * 255 + 0.5)


@numba.njit(nogil=True, cache=True)
def _extreme(
    volume: np.ndarray, table: tuple[np.ndarray, float, float],
    ray: tuple[float, float, float, float, float, float, int, int],
    bricks: tuple[np.ndarray, np.ndarray, float, float], mode: int,
) -> float:  # fmt: skip
    """Return the highest, lowest or mean value along a ray; NaN where it meets nothing."""
    i0, j0, w0, di, dj, dw, n, last = ray
    lowest, highest, layer_start, layer_size = bricks
    kept, found = 0.0, 0
    while n < last:
        place = (i0 + n * di, j0 + n * dj, w0 + n * dw)
        if mode != MEAN and found:
            layer = (layer_start, layer_size)
            brick = _brick_at(place, layer, lowest.shape)
            high = highest[brick[2], brick[1], brick[0]]
            low = lowest[brick[2], brick[1], brick[0]]
            if (mode == MIP and high <= kept) or (mode == MINIP and low >= kept):
                n += _samples_to_leave(place, (di, dj, dw), brick, 0, layer)
                continue
        n += 1
        k = _slice_of(place[2], table[0], table[1], table[2])
        if k < LEAST_SLICE:
            continue
        value = _value(volume, place[0], place[1], k)
        found += 1
        if mode == MEAN:
            kept += value
        elif found == 1 or (mode == MIP and value > kept) or (mode == MINIP and value < kept):
            kept = value
    if found == 0:
        return math.nan
    return kept / found if mode == MEAN else kept


@numba.njit(nogil=True, cache=True)
def project(
    volume: np.ndarray,
    table: tuple[np.ndarray, float, float],
    grid: tuple[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray],
    bricks: tuple[np.ndarray, np.ndarray, float, float],
    mode: int,
    first_row: int,
    out: np.ndarray,
) -> None:
    """Fill `out`, float32 (rows, columns), with the highest, lowest or mean of all samples.

    As `composite`; `bricks` are the lowest and the highest value of each, where the first layer
    begins and how thick layers are. NaN where no sample is inside.
    """
    start, steps, along, step, walls = grid
    for row in range(out.shape[0]):
        down = float(first_row + row)
        for column in range(out.shape[1]):
            i = start[0] + down * steps[1, 0] + column * steps[0, 0]
            j = start[1] + down * steps[1, 1] + column * steps[0, 1]
            w = start[2] + down * steps[1, 2] + column * steps[0, 2]
            n, last = _stretch(i, j, w, along, walls, step)
            ray = (i, j, w, along[0] * step, along[1] * step, along[2] * step, n, last)
            out[row, column] = _extreme(volume, table, ray, bricks, mode)
