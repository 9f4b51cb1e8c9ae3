"""A plane through the patient, as a picture of so many pixels: what a reformation is asked for.

The picture is seen as a radiologist sees it: `up` is its top, and row direction x column
direction is the normal, which points away from the reader (PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THIN, MIP, MINIP, MEAN = "thin", "mip", "minip", "mean"
MODES = (THIN, MIP, MINIP, MEAN)
# `up` must differ from the normal by more than this: its sine, some 0.06 degrees.
PARALLEL = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class PlaneGeometry:
    """A rectangle in the patient.

    Attributes
    ----------
    origin
        Centre of the first pixel, lps in mm.
    row_direction, column_direction, normal
        Unit vectors in lps: to the right, downwards, away from the reader.
    spacing_mm
        [between rows, between columns], as Pixel Spacing.
    rows, columns
        Size of the picture.
    """

    origin: np.ndarray
    row_direction: np.ndarray
    column_direction: np.ndarray
    normal: np.ndarray
    spacing_mm: tuple[float, float]
    rows: int
    columns: int

    @classmethod
    def around(
        cls,
        center: np.ndarray,
        *,
        normal: np.ndarray,
        up: np.ndarray,
        size_mm: tuple[float, float],
        size_px: tuple[int, int],
    ) -> PlaneGeometry | None:
        """Return the plane whose middle is `center`; None when `up` and `normal` are parallel.

        `size_mm` is width, height of the whole picture, pixels' edges included; `size_px`
        columns, rows. Only the part of `up` that lies in the plane counts.
        """
        normal = normal / np.linalg.norm(normal)
        upright = up / np.linalg.norm(up)
        upright = upright - normal * float(upright @ normal)
        length = float(np.linalg.norm(upright))
        if length < PARALLEL:
            return None
        down = -upright / length
        right = np.cross(down, normal)
        columns, rows = size_px
        between_columns, between_rows = size_mm[0] / columns, size_mm[1] / rows
        origin = center - right * (between_columns * (columns - 1) / 2)
        origin = origin - down * (between_rows * (rows - 1) / 2)
        return cls(origin, right, down, normal, (between_rows, between_columns), rows, columns)


def voxel_reach_mm(direction: np.ndarray, axes: np.ndarray) -> float:
    """Return how far a voxel reaches along a unit vector, mm.

    What is seen on a computed plane is known no better.

    `axes` are the edges of a voxel as columns, shape (3, 3). A place within a voxel is uniform
    along each edge, so that the edges' parts along the direction add by their squares.
    """
    return float(np.linalg.norm(direction @ axes))


@dataclass(frozen=True, slots=True)
class Slab:
    """How deep a picture looks: `mode` over `thickness_mm`, half of it on either side."""

    mode: str = THIN
    thickness_mm: float = 0.0

    def count_samples(self, finest_mm: float) -> int:
        """Return how many layers are looked at: none thicker than the finest voxel spacing."""
        if self.mode == THIN or self.thickness_mm <= 0:
            return 1
        return max(1, int(np.ceil(self.thickness_mm / finest_mm - 1e-6)))

    def depths_mm(self, finest_mm: float) -> np.ndarray:
        """Return where the middles of the layers lie along the normal, 0 being the plane."""
        count = self.count_samples(finest_mm)
        if count == 1:
            return np.zeros(1)
        depths: np.ndarray = ((np.arange(count) + 0.5) / count - 0.5) * self.thickness_mm
        return depths
