"""Planes and slabs of a volume, cut by threads that share the rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from archive.per_process import PerProcess
from imaging.plane import MEAN, MINIP, MIP, THIN, PlaneGeometry, Slab
from imaging.volume import VolumeGeometry
from reconstruction.compiled import load_kernels
from reconstruction.volume_files import Volume

# Between two looks at whether the work is still wanted: some tens of milliseconds of one core.
SAMPLES_A_PIECE = 1 << 21
# A picture of fewer samples is cut where it is asked for, without other threads.
ALONE = 1 << 16
THREADS = max(1, min(4, os.cpu_count() or 1))
CODES = {THIN: 1, MIP: 1, MINIP: 2, MEAN: 3}


class CancelledError(Exception):
    """Nobody wants the picture any more."""


def finest_mm(geometry: VolumeGeometry) -> float:
    """Return the smallest spacing of voxels: no layer of a slab is thicker."""
    return min(spacing for spacing in geometry.spacing_mm if spacing > 0)


def cut_plane(
    volume: Volume,
    plane: PlaneGeometry,
    slab: Slab,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """Return the picture of a plane, float32 of shape (rows, columns), as the volume's int16.

    Every layer is interpolated trilinearly between voxel centres; over a slab the highest, the
    lowest or the mean of the layers inside is kept. NaN lies outside. Modality values are
    `volume.scale` of these. Raises `CancelledError` when `is_cancelled` says so between pieces.
    """
    kernels = load_kernels()
    geometry = volume.geometry
    ijw = geometry.ijw_from_lps
    start = ijw[:3, :3] @ plane.origin + ijw[:3, 3]
    between_rows, between_columns = plane.spacing_mm
    steps = np.stack(
        [
            ijw[:3, :3] @ (plane.row_direction * between_columns),
            ijw[:3, :3] @ (plane.column_direction * between_rows),
            ijw[:3, :3] @ plane.normal,
        ]
    )
    depths = slab.depths_mm(finest_mm(geometry))
    table = (geometry.slice_mm, geometry.holes, geometry.spacing_mm[2] / 2)
    starts = start + np.outer(np.arange(plane.rows), steps[1])
    across, deep = (np.tile(one, (plane.rows, 1)) for one in (steps[0], steps[2]))
    out = np.empty((plane.rows, plane.columns), np.float32)
    samples = plane.rows * plane.columns * len(depths)
    pieces_wanted = max(-(-samples // SAMPLES_A_PIECE), THREADS if samples > ALONE else 1)
    height = max(1, -(-plane.rows // pieces_wanted))

    def cut(first: int) -> None:
        if is_cancelled():
            raise CancelledError
        part = slice(first, first + height)
        lines = (starts[part], across[part], deep[part])
        kernels.cut(volume.voxels, table, lines, depths, CODES[slab.mode], out[part])

    share_out(cut, range(0, plane.rows, height))
    return out


def share_out(cut: Callable[[int], None], pieces: range) -> None:
    """Cut all pieces, the first here, the others in threads; raises what one of them raises."""
    others = [_pool.get().submit(cut, piece) for piece in pieces[1:]]
    cut(pieces[0])
    for other in others:
        other.result()


def to_int16(picture: np.ndarray, outside: int) -> np.ndarray:
    """Return a picture rounded to int16, halves upwards, `outside` where it is NaN."""
    filled = np.where(np.isnan(picture), np.float32(outside), picture)
    rounded: np.ndarray = np.floor(filled + np.float32(0.5)).astype("<i2")
    return rounded


_pool: PerProcess[ThreadPoolExecutor] = PerProcess(
    lambda: ThreadPoolExecutor(THREADS, "plane"), lambda _made: True
)


def describe_plane(volume: Volume, plane: PlaneGeometry, slab: Slab) -> dict[str, Any]:
    """Return the geometry that was used, and how to read the int16 of the picture."""
    count = slab.count_samples(finest_mm(volume.geometry))
    return {
        "columns": plane.columns,
        "rows": plane.rows,
        "origin": plane.origin.tolist(),
        "row_direction": plane.row_direction.tolist(),
        "column_direction": plane.column_direction.tolist(),
        "normal": plane.normal.tolist(),
        "spacing_mm": list(plane.spacing_mm),
        "mode": slab.mode,
        "thickness_mm": slab.thickness_mm if slab.mode != THIN else 0.0,
        "layers": count,
        "scale": volume.scale.scale,
        "offset": volume.scale.offset,
        "outside": volume.lowest,
        "notes": volume.about["notes"],
    }
