"""Compiled loops that project whole volumes: along an axis of the voxels, or turning about one.

Every voxel is read once, in the order in which it lies in memory. As all kernels these let go
of Python's lock and start no threads.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from reconstruction import kernels

MIP, MINIP, MEAN = kernels.MIP, kernels.MINIP, kernels.MEAN


@numba.njit(nogil=True, cache=True)
def extreme_of_slices(slices: np.ndarray, is_highest: bool, kept: np.ndarray) -> None:
    """Merge slices, int16 of shape (slices, voxels), into `kept`, int16 too; two at a time."""
    last = slices.shape[0] - 1
    for k in range(0, last + 1, 2):
        one, other = slices[k], slices[min(k + 1, last)]
        if is_highest:
            for i in range(kept.size):
                value = one[i]
                if other[i] > value:
                    value = other[i]
                if value > kept[i]:
                    kept[i] = value
        else:
            for i in range(kept.size):
                value = one[i]
                if other[i] < value:
                    value = other[i]
                if value < kept[i]:
                    kept[i] = value


@numba.njit(nogil=True, cache=True)
def sum_of_slices(slices: np.ndarray, kept: np.ndarray) -> None:
    """Add slices, int16 of shape (slices, voxels), to `kept`, int32; four at a time."""
    count = slices.shape[0]
    whole = count - count % 4
    for k in range(0, whole, 4):
        a, b, c, d = slices[k], slices[k + 1], slices[k + 2], slices[k + 3]
        for i in range(kept.size):
            kept[i] += (np.int32(a[i]) + np.int32(b[i])) + (np.int32(c[i]) + np.int32(d[i]))
    for k in range(whole, count):
        line = slices[k]
        for i in range(kept.size):
            kept[i] += line[i]


@numba.njit(nogil=True, cache=True, inline="always")
def _merge_line(line: np.ndarray, mode: int, kept: np.ndarray) -> None:
    if mode == MIP:
        for i in range(kept.size):
            kept[i] = max(kept[i], np.int32(line[i]))
    elif mode == MINIP:
        for i in range(kept.size):
            kept[i] = min(kept[i], np.int32(line[i]))
    else:
        for i in range(kept.size):
            kept[i] += np.int32(line[i])


@numba.njit(nogil=True, cache=True)
def along_rows(volume: np.ndarray, mode: int, out: np.ndarray) -> None:
    """Fill `out`, int32 of shape (slices, columns), with what the rows of each slice make."""
    for k in range(volume.shape[0]):
        out[k] = volume[k, 0]
        for j in range(1, volume.shape[1]):
            _merge_line(volume[k, j], mode, out[k])


@numba.njit(nogil=True, cache=True)
def along_columns(volume: np.ndarray, mode: int, out: np.ndarray) -> None:
    """Fill `out`, int32 of shape (slices, rows), with what the columns of each row make."""
    for k in range(volume.shape[0]):
        for j in range(volume.shape[1]):
            line = volume[k, j]
            kept = np.int32(line[0])
            if mode == MIP:
                for i in range(1, line.size):
                    kept = max(kept, np.int32(line[i]))
            elif mode == MINIP:
                for i in range(1, line.size):
                    kept = min(kept, np.int32(line[i]))
            else:
                for i in range(1, line.size):
                    kept += np.int32(line[i])
            out[k, j] = kept


NOTHING = np.float32(-1e9)


@numba.njit(nogil=True, cache=True)
def turn(
    slices: np.ndarray,
    views: tuple[np.ndarray, np.ndarray, np.ndarray],
    pixels: tuple[np.ndarray, np.ndarray],
    outside: int,
    out: np.ndarray,
) -> None:
    """Fill the views of a rotating maximum with what each slice, sheared line by line, shows.

    Rays lie one voxel apart on the first line, so that every line is read straight on, between
    the same two shares of its neighbours; what they find is then stretched to the pixels.

    Parameters
    ----------
    slices
        int16, (slices, rows, columns).
    views
        For each view: whether its rays go from row to row (else from column to column); how
        many voxels a ray moves along from one to the next, at most one; and where on the first
        line, in whole voxels, the first ray lies.
    pixels
        The ray, counted from 0, of the first pixel of each view and slice; and for each view
        how many rays further the next pixel is.
    outside
        Where no ray meets the slice.
    out
        int16, (views, slices, pixels).
    """
    by_rows, slopes, firsts = views
    starts, steps = pixels
    count, rows, columns = slices.shape
    straight = np.empty((rows, columns), np.float32)
    turned = np.empty((columns, rows), np.float32)
    rays = np.empty(2 * (rows + columns) + 8, np.float32)
    for k in range(count):
        for j in range(rows):
            for i in range(columns):
                straight[j, i] = slices[k, j, i]
        for i in range(columns):
            for j in range(rows):
                turned[i, j] = straight[j, i]
        for view in range(out.shape[0]):
            for ray in range(rays.size):
                rays[ray] = NOTHING
            lines = straight if by_rows[view] else turned
            _shear(lines, slopes[view], firsts[view], rays)
            _stretch(rays, starts[view, k], steps[view], outside, out[view, k])


@numba.njit(nogil=True, cache=True)
def _shear(lines: np.ndarray, slope: float, first: int, rays: np.ndarray) -> None:
    """Keep in each ray the highest of what it meets on all lines."""
    length = lines.shape[1]
    for number in range(lines.shape[0]):
        place = first + number * slope
        base = math.floor(place)
        share = np.float32(place - base)
        rest = np.float32(1.0) - share
        # Ray `r` lies between voxels `r + base` and the next one.
        begin = max(0, -base)
        line, kept = lines[number, begin + base :], rays[begin:]
        for one in range(length - 1 - begin - base):
            value = line[one] * rest + line[one + 1] * share
            kept[one] = max(kept[one], value)
        # Half a voxel beyond the outermost ones their values hold.
        before, behind = -base - 1, length - 1 - base
        if share >= 0.5 and 0 <= before < rays.size:
            rays[before] = max(rays[before], lines[number, 0])
        if share <= 0.5 and 0 <= behind < rays.size:
            rays[behind] = max(rays[behind], lines[number, length - 1])


@numba.njit(nogil=True, cache=True)
def _stretch(rays: np.ndarray, start: float, step: float, outside: int, out: np.ndarray) -> None:
    """Interpolate pixels between rays."""
    last = rays.size - 1
    for pixel in range(out.size):
        place = start + pixel * step
        out[pixel] = outside
        if place < 0 or place >= last:
            continue
        base = int(place)
        share = place - base
        low, high = rays[base], rays[base + 1]
        if low == NOTHING or high == NOTHING:
            low = high = max(low, high)
        if low != NOTHING:
            out[pixel] = math.floor(low + (high - low) * share + 0.5)
