"""Compiled loop over curved pictures: columns of pixels, each a straight line of its own."""

from __future__ import annotations

import math

import numba
import numpy as np

from reconstruction import kernels
from reconstruction.kernels import EDGE, _at, _between, _inside, _merge, _slice_at

MEAN = kernels.MEAN


@numba.njit(nogil=True, cache=True)
def cut_lines(
    volume: np.ndarray,
    table: tuple[np.ndarray, np.ndarray, float],
    lines: tuple[np.ndarray, np.ndarray, np.ndarray],
    depths: np.ndarray,
    mode: int,
    out: np.ndarray,
) -> None:
    """Fill `out` with lines of pixels.

    Parameters
    ----------
    volume, table, depths, mode
        As `reconstruction.kernels.cut`.
    lines
        For each line the place (i, j, w) of its first pixel, the step to the next pixel, and
        the step for 1 mm along its layers; each of shape (lines, 3).
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
