"""Curved pictures of a volume: a line through the patient, seen straightened or stretched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.curve import FORMS, STRAIGHTENED, CurvedGeometry, straighten, stretch
from imaging.errors import UnsupportedError
from imaging.plane import MODES, THIN, Slab
from reconstruction.compiled import load_kernels
from reconstruction.planes import ALONE, CODES, SAMPLES_A_PIECE, THREADS, finest_mm, share_out
from reconstruction.volume_files import Volume
from reconstruction.wishes import (
    Parameters,
    read_choice,
    read_integer,
    read_number,
    read_points,
)

POINTS_LIMIT = 500
SIDE_LIMIT_PX = 4096
SAMPLES_LIMIT = 1 << 26
WIDTH_LIMIT_MM = 500.0
DEFAULT_WIDTH_MM = 60.0
KNOWN = frozenset(
    {
        "points", "width_mm", "form", "angle_deg", "thickness_mm", "mode", "spacing_mm",
        "time_point",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class WantedCurve:
    """A curved picture as it was asked for; without spacing that of the finest voxels."""

    points_mm: np.ndarray
    form: str
    width_mm: float
    spacing_mm: float | None
    angle_deg: float
    slab: Slab
    time_point: int


def parse_curve(parameters: Parameters) -> WantedCurve:
    """Return what is asked for, whatever else is in `parameters`. Raises `ValidationError`."""
    mode = read_choice(parameters, "mode", MODES, THIN)
    thickness = read_number(parameters, "thickness_mm", 0.0, 200.0, 0.0)
    spacing = None
    if "spacing_mm" in parameters:
        spacing = read_number(parameters, "spacing_mm", 0.05, 20.0)
    return WantedCurve(
        points_mm=read_points(parameters, "points", 2, POINTS_LIMIT),
        form=read_choice(parameters, "form", FORMS, STRAIGHTENED),
        width_mm=read_number(parameters, "width_mm", 1.0, WIDTH_LIMIT_MM, DEFAULT_WIDTH_MM),
        spacing_mm=spacing,
        angle_deg=read_number(parameters, "angle_deg", -360.0, 360.0, 0.0),
        slab=Slab(mode, thickness if mode != THIN else 0.0),
        time_point=read_integer(parameters, "time_point", 0, 99_999, 0),
    )


def place_curve(volume: Volume, wanted: WantedCurve, turn_deg: float = 0.0) -> CurvedGeometry:
    """Return where the pixels lie; `turn_deg` is added to the wanted angle.

    Raises `ValidationError` for a line that is too long or no line.
    """
    spacing = wanted.spacing_mm or finest_mm(volume.geometry)
    length = float(np.linalg.norm(np.diff(wanted.points_mm, axis=0), axis=1).sum())
    # A smooth line is longer than its chords; far more than twice as long is no line to follow.
    if length / spacing > SIDE_LIMIT_PX:
        raise ValidationError(_("points: the line is too long for this spacing."))
    make = straighten if wanted.form == STRAIGHTENED else stretch
    try:
        geometry = make(
            wanted.points_mm,
            width_mm=wanted.width_mm,
            spacing_mm=spacing,
            angle_deg=wanted.angle_deg + turn_deg,
        )
    except UnsupportedError as error:
        raise ValidationError(_("points: %(reason)s") % {"reason": error}) from None
    layers = wanted.slab.count_samples(finest_mm(volume.geometry))
    sides = max(geometry.columns, geometry.rows)
    if sides > SIDE_LIMIT_PX or geometry.columns * geometry.rows * layers > SAMPLES_LIMIT:
        raise ValidationError(_("points: the picture would be too large."))
    return geometry


def cut_curve(volume: Volume, geometry: CurvedGeometry, slab: Slab) -> np.ndarray:
    """Return the picture, float32 of shape (rows, columns), as the volume's int16; NaN outside."""
    kernels, space = load_kernels(), volume.geometry
    inverse = space.ijw_from_lps
    starts = geometry.first_pixels @ inverse[:3, :3].T + inverse[:3, 3]
    steps = (geometry.across * geometry.spacing_mm[0]) @ inverse[:3, :3].T
    deep = geometry.deep @ inverse[:3, :3].T
    table = (space.slice_mm, space.holes, space.spacing_mm[2] / 2)
    depths = slab.depths_mm(finest_mm(space))
    out = np.empty((geometry.columns, geometry.rows), np.float32)

    samples = out.size * len(depths)
    pieces = 1 if samples <= ALONE else max(THREADS, -(-samples // SAMPLES_A_PIECE))
    share = -(-geometry.columns // pieces)

    def cut(first: int) -> None:
        part = slice(first, first + share)
        lines = (starts[part], steps[part], deep[part])
        kernels.cut(volume.voxels, table, lines, depths, CODES[slab.mode], out[part])

    share_out(cut, range(0, geometry.columns, share))
    return np.ascontiguousarray(out.T)


def describe_curve(volume: Volume, geometry: CurvedGeometry, wanted: WantedCurve) -> dict[str, Any]:
    """Return the geometry, column by column, and how to read the int16 of the picture."""
    return {
        "columns": geometry.columns,
        "rows": geometry.rows,
        "spacing_mm": list(geometry.spacing_mm),
        "form": wanted.form,
        "mode": wanted.slab.mode,
        "thickness_mm": wanted.slab.thickness_mm,
        "layers": wanted.slab.count_samples(finest_mm(volume.geometry)),
        "scale": volume.scale.scale,
        "offset": volume.scale.offset,
        "outside": volume.lowest,
        "notes": volume.about["notes"],
        "points": np.round(geometry.points, 4).tolist(),
        "tangents": np.round(geometry.tangents, 6).tolist(),
        "across": np.round(geometry.across, 6).tolist(),
        "line_rows": np.round(geometry.line_rows, 4).tolist(),
        "arc_mm": np.round(geometry.arc_mm, 4).tolist(),
    }
