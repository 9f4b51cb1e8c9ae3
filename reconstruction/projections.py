"""Whole volumes on one picture: along an axis of their voxels, every voxel looked at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise, repeat

import numpy as np

from archive.per_process import PerProcess
from imaging.plane import MEAN, MINIP, MIP, PlaneGeometry
from imaging.volume import VolumeGeometry
from reconstruction.compiled import load_projections
from reconstruction.volume_files import Volume, release_pages

# Slices between two looks at whether the work is still wanted.
UNIT = 64
THREADS = max(1, min(4, os.cpu_count() or 1))
# Cosines differ from 1 by half the square of an angle: some thousandth of a degree.
_ALONG = 1e-9
_CODES = {MIP: 1, MINIP: 2, MEAN: 3}


@dataclass(frozen=True, slots=True)
class Axes:
    """Which axis of the volume (0 columns, 1 rows, 2 slices) is what of a picture.

    `right` and `down` are axis and whether it runs the other way.
    """

    normal: int
    right: tuple[int, bool]
    down: tuple[int, bool]


def find_axes(geometry: VolumeGeometry, plane: PlaneGeometry) -> Axes | None:
    """Return the axes that a plane's directions are; None when one is none.

    Neither a tilted stack nor an uneven one has three.
    """
    if not geometry.is_even:
        return None
    affine = geometry.lps_from_ijw[:3, :3]
    directions = affine / np.linalg.norm(affine, axis=0)
    found = []
    for wanted in (plane.normal, plane.row_direction, plane.column_direction):
        cosines = wanted @ directions
        axis = int(np.argmax(np.abs(cosines)))
        if abs(cosines[axis]) < 1 - _ALONG:
            return None
        found.append((axis, bool(cosines[axis] < 0)))
    if len({axis for axis, _is_back in found}) < 3:
        return None
    return Axes(found[0][0], found[1], found[2])


def project_volume(
    volume: Volume, axes: Axes, mode: str, plane: PlaneGeometry, step: Callable[[float], None]
) -> tuple[PlaneGeometry, np.ndarray]:
    """Return the picture of the highest, lowest or mean voxels along an axis, and where it is.

    int16, (rows, columns); a pixel is as large as the voxels are, so rows and columns may lie
    differently far apart. `plane` says which way it is looked at; the picture is in the middle
    of the volume. `step` hears the share that is done.
    """
    found = project_axis(volume.voxels, axes.normal, mode, step, lambda: release_pages(volume))
    # In the order of the axes that are left, the higher one first: slices, rows, columns.
    if axes.down[0] < axes.right[0]:
        found = found.T
    found = found[:: -1 if axes.down[1] else 1, :: -1 if axes.right[1] else 1]
    sizes = volume.geometry.shape[::-1]
    first = np.zeros(4)
    first[3] = 1.0
    first[axes.normal] = (sizes[axes.normal] - 1) / 2
    for axis, is_back in (axes.right, axes.down):
        first[axis] = sizes[axis] - 1 if is_back else 0
    lengths = np.linalg.norm(volume.geometry.lps_from_ijw[:3, :3], axis=0)
    placed = PlaneGeometry(
        (volume.geometry.lps_from_ijw @ first)[:3],
        plane.row_direction,
        plane.column_direction,
        plane.normal,
        (float(lengths[axes.down[0]]), float(lengths[axes.right[0]])),
        *found.shape,
    )
    return placed, np.ascontiguousarray(found, "<i2")


def project_axis(
    voxels: np.ndarray,
    axis: int,
    mode: str,
    step: Callable[[float], None] = lambda _done: None,
    release: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Return highest, lowest or mean of int16 voxels along an axis (0 columns … 2 slices).

    int32 of the two axes that are left, slices before rows before columns. A mean is rounded,
    halves upwards.
    """
    sides = [count for place, count in enumerate(voxels.shape) if place != 2 - axis]
    whole = _Slices(sides, mode) if axis == 2 else _Lines(sides, axis, mode)
    slices, share = voxels.shape[0], -(-UNIT // THREADS)
    for begin in range(0, slices, UNIT):
        edges = [min(begin + share * number, slices) for number in range(THREADS + 1)]
        edges[-1] = min(begin + UNIT, slices)
        parts = [slice(*pair) for pair in pairwise(edges) if pair[0] < pair[1]]
        for _done in pool.get().map(whole.add, range(len(parts)), repeat(voxels), parts):
            pass
        release()
        step(edges[-1] / slices)
    made = whole.made()
    if mode == MEAN:
        count = voxels.shape[2 - axis]
        made = (2 * made.astype(np.int64) + count) // (2 * count)
    return made


class _Slices:
    """What slices on top of each other make; each thread keeps its own until the end."""

    def __init__(self, sides: list[int], mode: str) -> None:
        self._kernels, self._sides, self._mode = load_projections(), sides, mode
        empty = {MIP: -32768, MINIP: 32767, MEAN: 0}[mode]
        kind = np.int32 if mode == MEAN else np.int16
        self._kept = [np.full(sides[0] * sides[1], empty, kind) for _ in range(THREADS)]

    def add(self, thread: int, voxels: np.ndarray, part: slice) -> None:
        flat = voxels[part].reshape(part.stop - part.start, -1)
        if self._mode == MEAN:
            self._kernels.sum_of_slices(flat, self._kept[thread])
        else:
            self._kernels.extreme_of_slices(flat, self._mode == MIP, self._kept[thread])

    def made(self) -> np.ndarray:
        merge = {MIP: np.maximum, MINIP: np.minimum, MEAN: np.add}[self._mode]
        found: np.ndarray = merge.reduce(self._kept)
        return found.reshape(self._sides).astype(np.int32)


class _Lines:
    """What the rows or columns of each slice make."""

    def __init__(self, sides: list[int], axis: int, mode: str) -> None:
        kernels = load_projections()
        self._along = kernels.along_rows if axis == 1 else kernels.along_columns
        self._code, self._made = _CODES[mode], np.empty(sides, np.int32)

    def add(self, _thread: int, voxels: np.ndarray, part: slice) -> None:
        self._along(voxels[part], self._code, self._made[part])

    def made(self) -> np.ndarray:
        return self._made


pool: PerProcess[ThreadPoolExecutor] = PerProcess(
    lambda: ThreadPoolExecutor(THREADS, "projection"), lambda _made: True
)
