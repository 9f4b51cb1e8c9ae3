"""A maximum that turns about an axis: every view a projection of the whole volume.

About the slices' own normal each slice is sheared line by line and read once for all views
(`projection_kernels.turn`); about any other axis the views are slabs as thick as the volume.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, repeat
from pathlib import Path

import numpy as np

from imaging.plane import PlaneGeometry
from imaging.volume import VolumeGeometry
from reconstruction.compiled import load_projections
from reconstruction.plane_stack import SIDE_LIMIT_PX, corners_lps
from reconstruction.projections import THREADS, UNIT, pool
from reconstruction.volume_files import Volume, release_pages

FRONT = np.array([0.0, 1.0, 0.0])
# Cosine of the angle by which an axis may miss the slices' normal: a hundredth of a degree.
PARALLEL = 1 - 1.5e-8


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """The views of a volume that turns: planes of equal size whose middles lie on one axis."""

    axis: np.ndarray
    planes: tuple[PlaneGeometry, ...]
    # Of whole turns with an even number of views: each view of the second half is a mirror's.
    is_mirrored: bool


def slice_normal(geometry: VolumeGeometry) -> np.ndarray:
    """Return the unit normal of the slices, towards head, front or left: the larger share."""
    row, column = geometry.lps_from_ijw[:3, 0], geometry.lps_from_ijw[:3, 1]
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    largest = normal[int(np.argmax(np.abs(normal)))]
    return normal if largest > 0 else -normal


def is_along_slices(geometry: VolumeGeometry, axis: np.ndarray) -> bool:
    """Whether a volume turns within its own slices."""
    return bool(abs(axis @ slice_normal(geometry)) >= PARALLEL)


def plan_rotation(
    geometry: VolumeGeometry, axis: np.ndarray, views: int, degrees: float
) -> Rotation:
    """Return the views of a turn, the first from the front; `axis` is the pictures' top."""
    start = FRONT if abs(axis @ FRONT) < 0.9 else np.array([0.0, 0.0, -1.0])
    start = start - axis * (start @ axis)
    start /= np.linalg.norm(start)
    side = np.cross(axis, start)
    corners = corners_lps(geometry)
    center = corners.mean(axis=0)
    offsets = corners - center
    heights = offsets @ axis
    reach = np.linalg.norm(offsets - np.outer(heights, axis), axis=1).max()
    across, down, deep = geometry.spacing_mm
    pixel = max(min(across, down), 2 * reach / SIDE_LIMIT_PX)
    row = deep if is_along_slices(geometry, axis) else pixel
    high = max(row, (heights.max() - heights.min()) / SIDE_LIMIT_PX)
    columns = int(np.ceil(2 * reach / pixel - 1e-6))
    rows = max(1, round(float(heights.max() - heights.min()) / high))
    planes = []
    for number in range(views):
        angle = np.deg2rad(degrees * number / views)
        normal = start * np.cos(angle) + side * np.sin(angle)
        plane = PlaneGeometry.around(
            center, normal=normal, up=axis, size_mm=(columns * pixel, rows * high),
            size_px=(columns, rows),
        )  # fmt: skip
        assert plane is not None
        planes.append(plane)
    return Rotation(axis, tuple(planes), degrees == 360 and views % 2 == 0)


def turn_slices(
    volume: Volume, rotation: Rotation, path: Path | None, step: Callable[[float], None]
) -> np.ndarray:
    """Return all views about the slices' normal: int16, (views, rows, columns).

    They lie in a file at `path`, or in memory without one. `step` hears the share that is done.
    """
    geometry = volume.geometry
    slices = geometry.shape[0]
    computed = rotation.planes[: len(rotation.planes) // (2 if rotation.is_mirrored else 1)]
    rays = _rays(geometry, computed)
    shape = (len(computed), slices, rotation.planes[0].columns)
    found = np.empty(shape, np.int16) if path is None else _file(path, shape)
    turn, share = load_projections().turn, -(-UNIT // THREADS)

    def work(part: slice, voxels: np.ndarray) -> None:
        views, (starts, steps) = rays
        turn(voxels[part], views, (starts[:, part], steps), volume.lowest, found[:, part])

    for begin in range(0, slices, UNIT):
        edges = [min(begin + share * number, slices) for number in range(THREADS + 1)]
        edges[-1] = min(begin + UNIT, slices)
        parts = [slice(*pair) for pair in pairwise(edges) if pair[0] < pair[1]]
        for _done in pool.get().map(work, parts, repeat(volume.voxels)):
            pass
        release_pages(volume)
        step(edges[-1] / slices)
    return found


def _file(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(path, np.int16, "w+", shape=shape)


def view_of(found: np.ndarray, number: int, rotation: Rotation, volume: Volume) -> np.ndarray:
    """Return one view, int16 of shape (rows, columns), the head of the axis above."""
    view = found[number % len(found)]
    if number >= len(found):
        view = view[:, ::-1]
    geometry, plane = volume.geometry, rotation.planes[number]
    row, column = geometry.lps_from_ijw[:3, 0], geometry.lps_from_ijw[:3, 1]
    is_upwards = float(np.cross(row, column) @ rotation.axis) > 0
    if geometry.is_even and plane.rows == len(view):
        return np.ascontiguousarray(view[::-1] if is_upwards else view)
    return _on_rows(view, plane, rotation, volume)


def _on_rows(
    view: np.ndarray, plane: PlaneGeometry, rotation: Rotation, volume: Volume
) -> np.ndarray:
    """Interpolate the rows of a picture between slices that are unevenly far apart."""
    geometry = volume.geometry
    places = plane.origin + np.outer(
        np.arange(plane.rows) * plane.spacing_mm[0], plane.column_direction
    )
    # Along the axis alone: where in its slice a ray passes does not matter.
    first = geometry.lps_from_ijw[:3, 3]
    along = (places - first) @ rotation.axis
    unit = geometry.lps_from_ijw[:3, 2] @ rotation.axis
    w = along / unit
    table = np.arange(len(view), dtype=float) if geometry.is_even else geometry.slice_mm
    reach = 0.5 if geometry.is_even else geometry.spacing_mm[2] / 2
    made = np.full((plane.rows, view.shape[1]), volume.lowest, np.int16)
    for number, place in enumerate(w):
        low = int(np.clip(np.searchsorted(table, place, "right") - 1, 0, len(table) - 2))
        before, after = place - table[low], table[low + 1] - place
        share = float(np.clip(before / (before + after), 0.0, 1.0))
        has_hole = not geometry.is_even and bool(geometry.holes[low])
        if min(abs(before), abs(after)) > reach and (has_hole or before < 0 or after < 0):
            continue
        if has_hole:
            share = float(np.rint(share))
        mixed = view[low] * (1 - share) + view[low + 1] * share
        made[number] = np.floor(mixed + 0.5)
    return made


Rays = tuple[tuple[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _rays(geometry: VolumeGeometry, planes: tuple[PlaneGeometry, ...]) -> Rays:
    """Return what `projection_kernels.turn` wants to know of its views and pixels."""
    slices, rows, columns = geometry.shape
    affine = geometry.lps_from_ijw
    along = np.arange(slices) if geometry.is_even else geometry.slice_mm
    origins = affine[:3, 3] + np.outer(along, affine[:3, 2])
    by_rows, slopes, firsts, steps = [], [], [], []
    starts = np.empty((len(planes), slices))
    for number, plane in enumerate(planes):
        right = plane.row_direction
        a, b = float(right @ affine[:3, 0]), float(right @ affine[:3, 1])
        is_by_rows = abs(a) >= abs(b)
        if not is_by_rows:
            a, b = b, a
        slope, lines = -b / a, rows if is_by_rows else columns
        first = int(np.floor(min(0.0, -slope * (lines - 1)))) - 1
        by_rows.append(is_by_rows)
        slopes.append(slope)
        firsts.append(first)
        steps.append(plane.spacing_mm[1] / a)
        starts[number] = ((plane.origin - origins) @ right) / a - first
    views = (np.array(by_rows), np.array(slopes), np.array(firsts, np.int64))
    return views, (starts, np.array(steps))
