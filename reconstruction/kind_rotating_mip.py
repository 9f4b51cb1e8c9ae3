"""A maximum intensity projection that turns: views from all sides, as one series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.lut import Window
from imaging.plane import MIP, PlaneGeometry, Slab
from reconstruction.derived import HIGHEST_KEPT, derived_series
from reconstruction.outputs import DICOM, NIFTI, OUTPUTS, SeriesOutput, open_outputs
from reconstruction.planar import cut_in_bands, refuse_endless
from reconstruction.plane_stack import PlaneStack, corners_lps
from reconstruction.planes import to_int16
from reconstruction.rotation import (
    Rotation,
    is_along_slices,
    plan_rotation,
    slice_normal,
    turn_slices,
    view_of,
)
from reconstruction.volume_files import Volume, release_pages
from reconstruction.wishes import (
    Parameters,
    read_choices,
    read_direction,
    read_integer,
    read_number,
    read_window,
    refuse_unknown,
)
from reconstruction.work import Work

VIEWS, VIEWS_LIMIT = 72, 360
_KNOWN = frozenset({"axis", "views", "degrees", "output", "window", "time_point"})
# Of the work: turning the slices; the rest is writing.
_TURNING = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class WantedRotation:
    """A turn as it was asked for; without an axis about the slices' own normal."""

    axis: np.ndarray | None
    views: int
    degrees: float
    outputs: tuple[str, ...]
    window: Window | None
    time_point: int


def parse(parameters: Parameters) -> WantedRotation:
    """Return what is asked for. Raises `ValidationError`."""
    refuse_unknown(parameters, _KNOWN)
    outputs = read_choices(parameters, "output", OUTPUTS, [DICOM])
    if NIFTI in outputs:
        raise ValidationError(_("output: views from several sides are no NIfTI volume."))
    return WantedRotation(
        axis=read_direction(parameters, "axis") if "axis" in parameters else None,
        views=read_integer(parameters, "views", 1, VIEWS_LIMIT, VIEWS),
        degrees=read_number(parameters, "degrees", 1.0, 360.0, 360.0),
        outputs=outputs,
        window=read_window(parameters),
        time_point=read_integer(parameters, "time_point", 0, 99_999, 0),
    )


def run(work: Work, wanted: WantedRotation) -> None:
    """Turn the volume, and write every view."""
    volume = work.open_volume(time_point=wanted.time_point)
    geometry = volume.geometry
    axis = slice_normal(geometry) if wanted.axis is None else wanted.axis
    rotation = plan_rotation(geometry, axis, wanted.views, wanted.degrees)
    diagonal = float(np.linalg.norm(np.ptp(corners_lps(geometry), axis=0)))
    if not is_along_slices(geometry, axis):
        what = (rotation.planes[0], Slab(MIP, diagonal))
        refuse_endless(volume, what, wanted.views, name="views")
    description = f"Rotating MIP, {wanted.views} views"
    series = None
    if DICOM in wanted.outputs:
        writer = derived_series(
            work, volume, image_type=("MPR", "MIP"), description=description,
            derivation=f"{description} over {wanted.degrees:g} degrees",
            codes=(HIGHEST_KEPT,), planes=wanted.views,
        )  # fmt: skip
        series = SeriesOutput(work, writer, thickness_mm=diagonal, depth_mm=float("inf"))
    outputs = open_outputs(
        work, volume, wanted.outputs, series=series, window=wanted.window,
        stack=PlaneStack(rotation.planes[0], 0.0, wanted.views),
        about={"mode": MIP, "axis": axis.tolist(), "degrees": wanted.degrees},
    )  # fmt: skip
    for plane, pixels in _views(work, volume, rotation, diagonal):
        for output in outputs:
            output.add(pixels, plane)
    for output in outputs:
        output.finish()
    work.step(1.0)


def _views(
    work: Work, volume: Volume, rotation: Rotation, diagonal_mm: float
) -> Iterator[tuple[PlaneGeometry, np.ndarray]]:
    count = len(rotation.planes)
    if not is_along_slices(volume.geometry, rotation.axis):
        slab = Slab(MIP, diagonal_mm)
        for number, plane in enumerate(rotation.planes):
            picture = cut_in_bands(work, volume, (plane, slab), (number, count))
            release_pages(volume)
            yield plane, to_int16(picture, volume.lowest)
        return
    path = work.folder / "views.raw"
    found = turn_slices(volume, rotation, path, lambda done: work.step(_TURNING * done))
    for number, plane in enumerate(rotation.planes):
        work.step(_TURNING + (1 - _TURNING) * number / count)
        yield plane, view_of(found, number, rotation, volume)
    path.unlink()
