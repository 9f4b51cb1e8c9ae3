"""Where a volume is highest: one voxel, and the ball of a millilitre with the highest mean.

The ball is that of PERCIST (SUVpeak): 1 ml, so 6.2 mm in radius, about a voxel's centre, put
where its mean is highest. A voxel belongs to it when its centre does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imaging.volume import VolumeGeometry

VOLUME_ML = 1.0
RADIUS_MM = (VOLUME_ML * 1000 * 3 / (4 * math.pi)) ** (1 / 3)
# Voxels of a ball, and additions in all: some ten seconds of one core. Fine CT would take hours.
OFFSETS_LIMIT = 20_000
ADDITIONS_LIMIT = 1 << 34


@dataclass(frozen=True, slots=True)
class Peak:
    """A value in the volume's own numbers, its place in lps mm, and over how many voxels."""

    value: float
    lps_mm: tuple[float, float, float]
    voxels: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """Where is looked: about `center`, lps in mm."""

    center: np.ndarray
    radius_mm: float


def find_highest(voxels: np.ndarray, geometry: VolumeGeometry, ball: Ball | None) -> Peak | None:
    """Return the highest voxel whose centre lies in the ball, of all of them without one.

    `voxels` have the shape (slices, rows, columns). Among equals the first. None without any.
    """
    best: tuple[float, int, int, int] | None = None
    for k in range(geometry.shape[0]):
        found = _highest_of_slice(voxels[k], geometry, k, ball)
        if found is not None and (best is None or found[0] > best[0]):
            best = (found[0], k, *found[1:])
    if best is None:
        return None
    value, k, j, i = best
    return Peak(value, _place(geometry, i, j, k))


def find_peak(voxels: np.ndarray, geometry: VolumeGeometry, ball: Ball | None) -> Peak | None:
    """Return the millilitre of the highest mean whose middle is a voxel in the ball.

    It lies wholly within the volume. None where no such ball is, slices are uneven, or it would
    take too long.
    """
    offsets = _offsets(geometry) if geometry.is_even else None
    if offsets is None:
        return None
    _slices, rows, columns = geometry.shape
    left = ADDITIONS_LIMIT
    reach = np.abs(offsets).max(axis=0)
    slices = range(int(reach[2]), geometry.shape[0] - int(reach[2]))
    tops = np.array([int(plane.max()) for plane in voxels])
    # A mean is never above its highest voxel: most slices need not be looked at.
    bounds = {k: int(tops[k - reach[2] : k + reach[2] + 1].max()) for k in slices}
    best: tuple[float, int, int, int] | None = None
    for k in sorted(slices, key=lambda k: -bounds[k]):
        if best is not None and bounds[k] <= best[0]:
            break
        if ball is not None and not _inside(geometry, k, ball).any():
            continue
        left -= len(offsets) * rows * columns
        if left < 0:
            return None
        found = _best_of_slice(voxels, geometry, k, (offsets, reach, ball))
        if found is not None and (best is None or found[0] > best[0]):
            best = (found[0], k, *found[1:])
    if best is None:
        return None
    value, k, j, i = best
    return Peak(value, _place(geometry, i, j, k), len(offsets))


def _highest_of_slice(
    plane: np.ndarray, geometry: VolumeGeometry, k: int, ball: Ball | None
) -> tuple[float, int, int] | None:
    numbers = plane if ball is None else np.where(_inside(geometry, k, ball), plane, -math.inf)
    at = int(numbers.argmax())
    j, i = divmod(at, geometry.shape[2])
    value = float(numbers[j, i])
    return (value, j, i) if math.isfinite(value) else None


def _best_of_slice(
    voxels: np.ndarray,
    geometry: VolumeGeometry,
    k: int,
    wanted: tuple[np.ndarray, np.ndarray, Ball | None],
) -> tuple[float, int, int] | None:
    offsets, (ri, rj, _rk), ball = wanted
    _slices, rows, columns = geometry.shape
    if rows <= 2 * rj or columns <= 2 * ri:
        return None
    total = np.zeros((rows - 2 * rj, columns - 2 * ri), np.int64)
    for di, dj, dk in offsets:
        total += voxels[k + dk, rj + dj : rows - rj + dj, ri + di : columns - ri + di]
    means = total / len(offsets)
    if ball is not None:
        inside = _inside(geometry, k, ball)[rj : rows - rj, ri : columns - ri]
        means = np.where(inside, means, -math.inf)
    j, i = divmod(int(means.argmax()), means.shape[1])
    value = float(means[j, i])
    return (value, j + int(rj), i + int(ri)) if math.isfinite(value) else None


def _offsets(geometry: VolumeGeometry) -> np.ndarray | None:
    """Return (n, 3) steps in column, row, slice to the voxels of a ball of a millilitre.

    None when they are too many to go through.
    """
    affine = geometry.lps_from_ijw[:3, :3]
    # How far each index can run within the radius, whatever the axes' angles.
    reach = np.ceil(RADIUS_MM * np.linalg.norm(np.linalg.inv(affine), axis=1)).astype(int)
    if math.prod(2.0 * reach + 1) > 2 * OFFSETS_LIMIT:
        return None
    grid = np.stack(
        np.meshgrid(*(np.arange(-one, one + 1) for one in reach), indexing="ij"), axis=-1
    ).reshape(-1, 3)
    lengths = np.linalg.norm(grid @ affine.T, axis=1)
    kept: np.ndarray = grid[lengths <= RADIUS_MM + 1e-9]
    return kept


def _inside(geometry: VolumeGeometry, k: int, ball: Ball) -> np.ndarray:
    """Return which voxel centres of a slice lie in the ball, bool of shape (rows, columns)."""
    j, i = np.indices(geometry.shape[1:])
    affine = geometry.lps_from_ijw
    origin = affine[:3, :3] @ np.array([0.0, 0.0, _third(geometry, k)]) + affine[:3, 3]
    squares = np.zeros(geometry.shape[1:])
    for axis in range(3):
        place = origin[axis] + i * affine[axis, 0] + j * affine[axis, 1]
        squares += (place - ball.center[axis]) ** 2
    inside: np.ndarray = squares <= ball.radius_mm**2 + 1e-9
    return inside


def _third(geometry: VolumeGeometry, k: int) -> float:
    return float(k) if geometry.is_even else float(geometry.slice_mm[k])


def _place(geometry: VolumeGeometry, i: int, j: int, k: int) -> tuple[float, float, float]:
    place = geometry.lps_from_ijw @ np.array([i, j, _third(geometry, k), 1.0])
    return float(place[0]), float(place[1]), float(place[2])
