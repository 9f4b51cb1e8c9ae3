"""Parallel planes through a whole volume: where they lie, how many there are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from imaging.plane import PlaneGeometry
from imaging.volume import VolumeGeometry

SIDE_LIMIT_PX = 2048
# Of one job.
PLANES_LIMIT = 4096
# Normal, away from the reader, and top of the picture: as radiologists look.
DIRECTIONS = {
    "axial": ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0)),
    "coronal": ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "sagittal": ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
}
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class PlaneStack:
    """`count` planes, each `spacing_mm` behind the one before, along their normal."""

    first: PlaneGeometry
    spacing_mm: float
    count: int

    def plane(self, number: int) -> PlaneGeometry:
        """Return a plane, counted from 0."""
        origin = self.first.origin + self.first.normal * (self.spacing_mm * number)
        return replace(self.first, origin=origin)

    @property
    def lps_from_ijk(self) -> np.ndarray:
        """The affine from column, row, plane; shape (4, 4)."""
        first, affine = self.first, np.eye(4)
        affine[:3, 0] = first.row_direction * first.spacing_mm[1]
        affine[:3, 1] = first.column_direction * first.spacing_mm[0]
        affine[:3, 2] = first.normal * self.spacing_mm
        affine[:3, 3] = first.origin
        return affine


def corners_lps(geometry: VolumeGeometry) -> np.ndarray:
    """Return the eight outer corners of a volume, half a voxel beyond its centres; (8, 3)."""
    slices, rows, columns = geometry.shape
    low = np.array([-0.5, -0.5, -0.5])
    high = np.array([columns - 0.5, rows - 0.5, slices - 0.5])
    if not geometry.is_even:
        reach = geometry.spacing_mm[2] / 2
        low[2], high[2] = -reach, geometry.slice_mm[-1] + reach
    places = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    ijw = low + places * (high - low)
    corners: np.ndarray = ijw @ geometry.lps_from_ijw[:3, :3].T + geometry.lps_from_ijw[:3, 3]
    return corners


def spacing_along(geometry: VolumeGeometry, direction: np.ndarray) -> float:
    """Return the spacing of voxels along the volume's axis that is nearest to a direction."""
    axes = geometry.lps_from_ijw[:3, :3] / np.linalg.norm(geometry.lps_from_ijw[:3, :3], axis=0)
    nearest = int(np.argmax(np.abs(direction @ axes)))
    return float(geometry.spacing_mm[nearest])


def planes_through(
    geometry: VolumeGeometry,
    normal: np.ndarray,
    up: np.ndarray,
    *,
    spacing_mm: float | None = None,
    pixel_mm: float | None = None,
) -> PlaneStack | None:
    """Return the planes that hold a whole volume; None when `up` and `normal` are parallel.

    Without `spacing_mm` they are as far apart as the voxels along the axis nearest to the
    normal; `None` for `pixel_mm` is the finest spacing of the voxels. Pixels become larger
    where a side would have more than `SIDE_LIMIT_PX` of them.
    """
    probe = PlaneGeometry.around(
        np.zeros(3), normal=normal, up=up, size_mm=(1.0, 1.0), size_px=(1, 1)
    )
    if probe is None:
        return None
    step = spacing_mm or spacing_along(geometry, probe.normal)
    axes = np.stack([probe.row_direction, probe.column_direction, probe.normal])
    places = corners_lps(geometry) @ axes.T
    low, high = places.min(axis=0), places.max(axis=0)
    extent = high - low
    pixel = pixel_mm or min(one for one in geometry.spacing_mm if one > 0)
    pixel = max(pixel, float(extent[:2].max()) / SIDE_LIMIT_PX)
    counts = np.maximum(1, np.ceil(extent / [pixel, pixel, step] - ROUNDING)).astype(int)
    # What does not come out even is shared by both ends.
    lengths = (counts - 1) * [pixel, pixel, step]
    origin = ((low + high) / 2 - lengths / 2) @ axes
    first = replace(
        probe,
        origin=origin,
        spacing_mm=(pixel, pixel),
        rows=int(counts[1]),
        columns=int(counts[0]),
    )
    return PlaneStack(first, step, int(counts[2]))
