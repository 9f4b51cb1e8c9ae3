"""Curved reformation: a picture along a line, from one or several sides, and sections across it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.curve import CurvedGeometry
from imaging.lut import Window
from imaging.plane import PlaneGeometry
from reconstruction.curved import (
    KNOWN,
    SAMPLES_LIMIT,
    WantedCurve,
    cut_curve,
    describe_curve,
    parse_curve,
    place_curve,
)
from reconstruction.derived import CURVED, REFORMATTED, derived_series
from reconstruction.outputs import DICOM, JSON, NIFTI, NPY, OUTPUTS, PNG, PictureOutput, npy_head
from reconstruction.plane_stack import SIDE_LIMIT_PX
from reconstruction.planes import cut_plane, finest_mm, to_int16
from reconstruction.volume_files import Volume, release_pages
from reconstruction.wishes import (
    Parameters,
    read_choices,
    read_integer,
    read_number,
    read_window,
    refuse_unknown,
)
from reconstruction.work import Work

VIEWS_LIMIT = 72
# Of all views together, which are held at one time.
PIXELS_LIMIT = 1 << 26
SECTIONS_LIMIT = 2000
_OWN = frozenset({"views", "cross_spacing_mm", "cross_width_mm", "output", "window"})


@dataclass(frozen=True, slots=True, eq=False)
class WantedJob:
    """A curve, from how many sides, and how far apart sections across it are (None: none)."""

    curve: WantedCurve
    views: int
    cross_spacing_mm: float | None
    cross_width_mm: float
    outputs: tuple[str, ...]
    window: Window | None


def parse(parameters: Parameters) -> WantedJob:
    """Return what is asked for. Raises `ValidationError`."""
    refuse_unknown(parameters, KNOWN | _OWN)
    outputs = read_choices(parameters, "output", OUTPUTS, [DICOM])
    if NIFTI in outputs:
        raise ValidationError(_("output: a curved picture is no NIfTI volume."))
    curve = parse_curve(parameters)
    cross = None
    if "cross_spacing_mm" in parameters:
        cross = read_number(parameters, "cross_spacing_mm", 0.1, 100.0)
    return WantedJob(
        curve=curve,
        views=read_integer(parameters, "views", 1, VIEWS_LIMIT, 1),
        cross_spacing_mm=cross,
        cross_width_mm=read_number(parameters, "cross_width_mm", 1.0, 500.0, curve.width_mm),
        outputs=outputs,
        window=read_window(parameters),
    )


def run(work: Work, wanted: WantedJob) -> None:
    """Cut the picture from every side, then the sections."""
    volume = work.open_volume(time_point=wanted.curve.time_point)
    sides = [
        place_curve(volume, wanted.curve, 360.0 * number / wanted.views)
        for number in range(wanted.views)
    ]
    _check_sizes(volume, wanted, sides)
    share = 1.0 if wanted.cross_spacing_mm is None else 0.5
    pictures = []
    for number, side in enumerate(sides):
        work.step(share * number / len(sides))
        picture = cut_curve(volume, side, wanted.curve.slab)
        pictures.append(to_int16(picture, volume.lowest))
        release_pages(volume)
    _write(work, volume, wanted, sides, pictures)
    if wanted.cross_spacing_mm is not None and DICOM in wanted.outputs:
        _write_sections(work, volume, wanted, sides[0])
    work.step(1.0)


def _check_sizes(volume: Volume, wanted: WantedJob, sides: list[CurvedGeometry]) -> None:
    """Refuse what is too large, before anything is cut. Raises `ValidationError`."""
    if sum(one.rows * one.columns for one in sides) > PIXELS_LIMIT:
        raise ValidationError(_("views: the pictures would be too large together."))
    if wanted.cross_spacing_mm is None:
        return
    if len(_places(wanted, sides[0])) > SECTIONS_LIMIT:
        raise ValidationError(_("cross_spacing_mm: these would be too many sections."))
    size = _size_of(wanted, sides[0])
    layers = wanted.curve.slab.count_samples(finest_mm(volume.geometry))
    if size > SIDE_LIMIT_PX or size * size * layers > SAMPLES_LIMIT:
        raise ValidationError(_("cross_width_mm: the sections would be too large."))


def _places(wanted: WantedJob, side: CurvedGeometry) -> np.ndarray:
    return np.arange(0.0, side.arc_mm[-1] + 1e-6, wanted.cross_spacing_mm or 1.0)


def _size_of(wanted: WantedJob, side: CurvedGeometry) -> int:
    return max(1, round(wanted.cross_width_mm / side.spacing_mm[1]))


def _write(
    work: Work,
    volume: Volume,
    wanted: WantedJob,
    sides: list[CurvedGeometry],
    pictures: list[np.ndarray],
) -> None:
    form, outputs = wanted.curve.form, set(wanted.outputs)
    if DICOM in outputs:
        writer = derived_series(
            work, volume, image_type=("MPR", "CURVED"), codes=(CURVED,), name="curved",
            description=f"Curved MPR, {form}",
            derivation=f"Along a line of {sides[0].arc_mm[-1]:.1f} mm, {form}",
        )  # fmt: skip
        for side, pixels in zip(sides, pictures, strict=True):
            writer.add_flat(pixels, side.spacing_mm)
        work.keep_series(writer.paths)
    if PNG in outputs:
        shown = PictureOutput(work, volume, wanted.window)
        for side, pixels in zip(sides, pictures, strict=True):
            shown.add_picture(pixels, side.spacing_mm)
        shown.finish()
    if NPY in outputs:
        _write_array(work, pictures)
    if outputs & {NPY, JSON}:
        about: list[dict[str, Any]] = [describe_curve(volume, one, wanted.curve) for one in sides]
        path = work.folder / "curved.json"
        path.write_text(json.dumps({"views": about}, allow_nan=False))
        work.keep_file(path, "curved.json", "application/json")


def _write_array(work: Work, pictures: list[np.ndarray]) -> None:
    """Write (views, rows, columns); stretched from other sides rows are more or fewer."""
    rows = max(one.shape[0] for one in pictures)
    columns = max(one.shape[1] for one in pictures)
    path = work.folder / "curved.npy"
    with path.open("wb") as file:
        file.write(npy_head((len(pictures), rows, columns)))
        for one in pictures:
            whole = np.full((rows, columns), one.min(), "<i2")
            whole[: one.shape[0], : one.shape[1]] = one
            file.write(whole.data)
    work.keep_file(path, "curved.npy", "application/octet-stream")


def _write_sections(work: Work, volume: Volume, wanted: WantedJob, side: CurvedGeometry) -> None:
    """Write planes at right angles to the line, as a series of their own."""
    step = wanted.cross_spacing_mm or 1.0
    places = _places(wanted, side)
    writer = derived_series(
        work, volume, image_type=("MPR",), codes=(REFORMATTED,), name="sections",
        description=f"Sections across, {step:g} mm", planes=len(places),
        derivation=f"At right angles to a line, every {step:g} mm",
    )  # fmt: skip
    pixel, size = side.spacing_mm[1], _size_of(wanted, side)
    thickness = volume.geometry.spacing_mm[2] if not wanted.curve.slab.thickness_mm else None
    for number, place in enumerate(places):
        work.step(0.5 + 0.5 * number / len(places))
        plane = _section(side, place, size, pixel)
        pixels = to_int16(cut_plane(volume, plane, wanted.curve.slab), volume.lowest)
        writer.add_plane(
            pixels, plane, thickness_mm=thickness or wanted.curve.slab.thickness_mm, depth_mm=None
        )
    release_pages(volume)
    work.keep_series(writer.paths)


def _section(side: CurvedGeometry, place: float, size: int, pixel: float) -> PlaneGeometry:
    nearest = int(np.argmin(np.abs(side.arc_mm - place)))
    tangent, across = side.tangents[nearest], side.across[nearest]
    center = np.array([np.interp(place, side.arc_mm, side.points[:, axis]) for axis in range(3)])
    plane = PlaneGeometry.around(
        center, normal=tangent, up=-across, size_mm=(size * pixel, size * pixel),
        size_px=(size, size),
    )  # fmt: skip
    if plane is None:  # Stretched columns may run along the line.
        plane = PlaneGeometry.around(
            center, normal=tangent, up=side.deep[nearest],
            size_mm=(size * pixel, size * pixel), size_px=(size, size),
        )  # fmt: skip
    assert plane is not None
    return plane
