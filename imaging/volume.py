"""A stack of slices as a body in space: from points in the patient to places in the volume.

`ijw` is column, row and place along the stack. For an even stack the place is the slice's
number `k`; for every other one it is the distance in mm along the normal from the first slice,
and the z table leads from it to `k`. Nothing is resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.errors import NotAVolumeError
from imaging.shape import LEAST_SLICES, GroupShape


@dataclass(frozen=True, slots=True, eq=False)
class VolumeGeometry:
    """Where the voxels of a volume lie.

    Attributes
    ----------
    shape
        (slices, rows, columns).
    lps_from_ijw
        Affine, float64 of shape (4, 4). The third column is sheared when the gantry was
        tilted: the step from slice to slice, or for each mm along the normal.
    slice_mm
        The z table: distance of each slice from the first along the normal, ascending,
        float64; empty for an even stack.
    holes
        For each pair of neighbours in the z table whether slices are missing between them;
        bool, one less than the slices, empty for an even stack.
    spacing_mm
        Between columns, between rows, between slices (median) along the normal.
    """

    shape: tuple[int, int, int]
    lps_from_ijw: np.ndarray
    slice_mm: np.ndarray
    holes: np.ndarray
    spacing_mm: tuple[float, float, float]

    @classmethod
    def from_group(
        cls, group: GroupShape, present: Sequence[bool], pixel_spacing_mm: Sequence[float]
    ) -> VolumeGeometry:
        """Return the geometry of a group whose slices are there where `present` says so.

        `pixel_spacing_mm` is [between rows, between columns] with all its digits: a group's own
        is rounded to six, which over 512 columns shows at a steep edge. Raises
        `NotAVolumeError` when fewer than three slices are there, or no size is known.
        """
        if group.rows is None or group.columns is None or group.pixel_spacing_mm is None:
            raise NotAVolumeError("The images have no common size.")
        if sum(present) < LEAST_SLICES:
            raise NotAVolumeError("There are fewer than three slices.")
        between_rows, between_columns = pixel_spacing_mm
        spacing = (between_columns, between_rows, group.slice_spacing_mm or 0.0)
        shape = (sum(present), group.rows, group.columns)
        if group.lps_from_ijk is not None and all(present):
            affine, nothing = np.array(group.lps_from_ijk), np.zeros(0)
            affine[:3, 0] *= between_columns / group.pixel_spacing_mm[1]
            affine[:3, 1] *= between_rows / group.pixel_spacing_mm[0]
            return cls(shape, affine, nothing, nothing.astype(np.bool_), spacing)
        places = np.array(group.slice_positions_mm, np.float64)
        kept = places[np.array(present)]
        lost = np.array([*group.missing, *places[~np.array(present)]], np.float64)
        holes = np.array(
            [bool(((lost > low) & (lost < high)).any()) for low, high in _pairs(kept)], np.bool_
        )
        first = group.slice_origins_mm[list(present).index(True)]
        affine = _per_mm(group, np.array(first, np.float64), spacing)
        return cls(shape, affine, kept - kept[0], holes, spacing)

    @property
    def is_even(self) -> bool:
        """Whether slices are evenly spaced, so that one affine says where they are."""
        return not len(self.slice_mm)

    @property
    def lps_from_ijk(self) -> np.ndarray | None:
        """The affine from column, row, slice; None for a stack with a z table."""
        return self.lps_from_ijw if self.is_even else None

    @property
    def ijw_from_lps(self) -> np.ndarray:
        """The inverse affine, shape (4, 4)."""
        inverse: np.ndarray = np.linalg.inv(self.lps_from_ijw)
        return inverse

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` restores."""
        return {
            "shape": list(self.shape),
            "lps_from_ijw": self.lps_from_ijw.tolist(),
            "slice_mm": self.slice_mm.tolist(),
            "holes": np.flatnonzero(self.holes).tolist(),
            "spacing_mm": list(self.spacing_mm),
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> VolumeGeometry:
        """Restore a geometry from `to_json`."""
        slice_mm = np.array(kept["slice_mm"], np.float64)
        holes = np.zeros(max(len(slice_mm) - 1, 0), np.bool_)
        holes[kept["holes"]] = True
        slices, rows, columns = kept["shape"]
        across, down, deep = kept["spacing_mm"]
        affine = np.array(kept["lps_from_ijw"], np.float64)
        return cls((slices, rows, columns), affine, slice_mm, holes, (across, down, deep))


def _pairs(places: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(places[:-1].tolist(), places[1:].tolist(), strict=True))


def _per_mm(
    group: GroupShape, first: np.ndarray, spacing_mm: tuple[float, float, float]
) -> np.ndarray:
    """Return lps_from_ijw whose third column is a step of 1 mm along the normal, sheared."""
    row, column = np.array(group.orientation[:3]), np.array(group.orientation[3:])
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    affine = np.eye(4)
    affine[:3, 0] = row * spacing_mm[0]
    affine[:3, 1] = column * spacing_mm[1]
    affine[:3, 2] = normal + group.shear[0] * row + group.shear[1] * column
    affine[:3, 3] = first
    return affine
