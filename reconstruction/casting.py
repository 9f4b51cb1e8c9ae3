"""Views of a volume as a body: composited, or its highest, lowest or mean values along rays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from archive.per_process import PerProcess
from imaging.plane import PlaneGeometry
from imaging.rendering import AVERAGE, COMPOSITE, FLAT, MINIP, MIP, Point, Shade, table_of
from imaging.volume import VolumeGeometry
from reconstruction.bricks import Bricks, bricks_of
from reconstruction.compiled import load_rays
from reconstruction.planes import CancelledError, finest_mm
from reconstruction.volume_files import Volume

THREADS = max(1, min(4, os.cpu_count() or 1))
# Samples for each finest voxel: fine pictures look twice a voxel, drafts less than once.
FINE, DRAFT = "fine", "draft"
QUALITIES = (FINE, DRAFT)
_STEPS = {(FINE, True): 0.5, (DRAFT, True): 1.0, (FINE, False): 0.75, (DRAFT, False): 1.5}
# No ray has more samples than this, however fine the voxels of a long volume are.
SAMPLES_A_RAY = 3000
ROWS_A_PIECE = 16
# A half-space that is kept: inside is where normal . point <= distance, lps in mm.
Cut = tuple[tuple[float, float, float], float]


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen: `points` (modality values) and `shade` for composite, else the mode alone."""

    mode: str = COMPOSITE
    points: tuple[Point, ...] = ()
    shade: Shade = FLAT
    cuts: tuple[Cut, ...] = ()
    quality: str = FINE


def box_cuts(low: Sequence[float], high: Sequence[float]) -> tuple[Cut, ...]:
    """Return the six half-spaces of a box along the patient's axes, lps in mm."""
    made: list[Cut] = []
    for axis in range(3):
        unit = [0.0, 0.0, 0.0]
        unit[axis] = 1.0
        made.append(((unit[0], unit[1], unit[2]), float(high[axis])))
        made.append(((-unit[0], -unit[1], -unit[2]), -float(low[axis])))
    return tuple(made)


def corners_of(geometry: VolumeGeometry) -> np.ndarray:
    """Return the eight corners of a volume's outermost voxels, lps in mm, shape (8, 3)."""
    (low, high) = _bounds(geometry)
    ijw = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(8, 3)
    corners: np.ndarray = ijw @ geometry.lps_from_ijw[:3, :3].T + geometry.lps_from_ijw[:3, 3]
    return corners


def _bounds(geometry: VolumeGeometry) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest (i, j, w) that are inside."""
    slices, rows, columns = geometry.shape
    if geometry.is_even:
        deep = (-0.5, slices - 0.5)
    else:
        reach = geometry.spacing_mm[2] / 2
        deep = (-reach, float(geometry.slice_mm[-1]) + reach)
    return np.array([-0.5, -0.5, deep[0]]), np.array([columns - 0.5, rows - 0.5, deep[1]])


def step_mm(geometry: VolumeGeometry, look: Look) -> float:
    """Return how far samples of a ray are apart."""
    wish = finest_mm(geometry) * _STEPS[look.quality, look.mode == COMPOSITE]
    corners = corners_of(geometry)
    across = float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0)))
    return max(wish, across / SAMPLES_A_RAY)


def render_view(
    volume: Volume,
    plane: PlaneGeometry,
    look: Look,
    is_cancelled: Callable[[], bool] = lambda: False,
    *,
    step: float | None = None,
    is_alone: bool = False,
) -> np.ndarray:
    """Return a view along the normal of `plane`, on whichever side of it the volume lies.

    For composite uint8 of shape (rows, columns, 3) on black; else float32 of shape (rows,
    columns), as the volume's int16, NaN where no ray meets it. `step` (mm between samples)
    overrules the quality's; `is_alone` keeps to the caller's thread, where `is_cancelled` is asked
    too. Raises `CancelledError` when that says so between pieces.
    """
    rays, bricks = load_rays(), bricks_of(volume)
    step = step or step_mm(volume.geometry, look)
    grid = (*_grid(volume, plane), step, _walls(volume.geometry, look.cuts))
    if look.mode == COMPOSITE:
        out = np.empty((plane.rows, plane.columns, 3), np.uint8)
        table, low, rate = _table(volume, look, step)
        distance = _distances(bricks, table, low, rate)
        lights = _lights(volume.geometry, plane, look.shade)
        seen = (distance, bricks.layer_start, bricks.layer_size)

        def cast(first: int, part: np.ndarray) -> None:
            lookup = (table, low, rate)
            rays.composite(volume.voxels, bricks.table, grid, seen, lookup, lights, first, part)
    else:
        out = np.empty((plane.rows, plane.columns), np.float32)
        mode = {MIP: rays.MIP, MINIP: rays.MINIP, AVERAGE: rays.MEAN}[look.mode]
        known = (bricks.lowest, bricks.highest, bricks.layer_start, bricks.layer_size)

        def cast(first: int, part: np.ndarray) -> None:
            rays.project(volume.voxels, bricks.table, grid, known, mode, first, part)

    def work(first: int) -> None:
        if is_cancelled():
            raise CancelledError
        cast(first, out[first : first + ROWS_A_PIECE])

    pieces = range(0, plane.rows, ROWS_A_PIECE)
    for _done in map(work, pieces) if is_alone else _threads.get().map(work, pieces):
        pass
    return out


def _grid(volume: Volume, plane: PlaneGeometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the picture's first pixel, its steps and 1 mm along its normal, in index space."""
    turn, shift = volume.geometry.ijw_from_lps[:3, :3], volume.geometry.ijw_from_lps[:3, 3]
    between_rows, between_columns = plane.spacing_mm
    steps = np.stack(
        [
            turn @ (plane.row_direction * between_columns),
            turn @ (plane.column_direction * between_rows),
        ]
    )
    start = np.ascontiguousarray(turn @ plane.origin + shift)
    return start, np.ascontiguousarray(steps), np.ascontiguousarray(turn @ plane.normal)


def _walls(geometry: VolumeGeometry, cuts: Sequence[Cut]) -> np.ndarray:
    """Return half-spaces in index space, those of the volume first: see `rays`."""
    low, high = _bounds(geometry)
    made = []
    for axis in range(3):
        row = np.zeros(4)
        row[axis], row[3] = 1.0, -low[axis]
        made.append(row)
        made.append(np.array([*-row[:3], high[axis]]))
    affine = geometry.lps_from_ijw
    for normal, distance in cuts:
        inward = -np.array(normal)
        made.append(np.array([*(inward @ affine[:3, :3]), inward @ affine[:3, 3] + distance]))
    return np.stack(made)


def _table(volume: Volume, look: Look, step: float) -> tuple[np.ndarray, float, float]:
    """Return the transfer function over the volume's int16: see `imaging.rendering.table_of`."""
    table, low, rate = table_of(look.points, step)
    scale = volume.scale
    return table, (low - scale.offset) / scale.scale, rate * scale.scale


def _distances(bricks: Bricks, table: np.ndarray, low: float, rate: float) -> np.ndarray:
    """Return for each brick how many bricks away the next visible one is, uint8, at most 255."""
    last = len(table) - 1
    seen = np.concatenate([[0], np.cumsum(table[:, 0] > 0)])
    first_entry = np.clip(np.floor((bricks.lowest - low) * rate), 0, last).astype(np.int64)
    last_entry = np.clip(np.ceil((bricks.highest - low) * rate) + 1, 0, last).astype(np.int64)
    is_visible = seen[last_entry + 1] > seen[first_entry]
    if not is_visible.any():
        return np.full(is_visible.shape, 255, np.uint8)
    away = ndimage.distance_transform_cdt(~is_visible, metric="chessboard")
    bounded: np.ndarray = np.minimum(away, 255).astype(np.uint8)
    return bounded


def _lights(
    geometry: VolumeGeometry, plane: PlaneGeometry, shade: Shade
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what turns gradients per index into the patient's space, the normal, the shade."""
    turn = geometry.ijw_from_lps[:3, :3].copy()
    if not geometry.is_even:
        turn[2] /= geometry.spacing_mm[2]
    kinds = np.array([shade.ambient, shade.diffuse, shade.specular])
    return np.ascontiguousarray(turn.T), np.ascontiguousarray(plane.normal), kinds


_threads: PerProcess[ThreadPoolExecutor] = PerProcess(
    lambda: ThreadPoolExecutor(THREADS, "view"), lambda _made: True
)


def describe_view(
    volume: Volume, plane: PlaneGeometry, look: Look, step: float | None = None
) -> dict[str, Any]:
    """Return the geometry that was used, and how to read the int16 of a projection."""
    return {
        "columns": plane.columns,
        "rows": plane.rows,
        "origin": plane.origin.tolist(),
        "row_direction": plane.row_direction.tolist(),
        "column_direction": plane.column_direction.tolist(),
        "normal": plane.normal.tolist(),
        "spacing_mm": list(plane.spacing_mm),
        "mode": look.mode,
        "quality": look.quality,
        "step_mm": step or step_mm(volume.geometry, look),
        "points": [one.to_json() for one in look.points],
        "scale": volume.scale.scale,
        "offset": volume.scale.offset,
        "outside": volume.lowest,
        "notes": volume.about["notes"],
    }
