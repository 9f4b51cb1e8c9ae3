"""Jobs that cut a volume into parallel planes, or project the whole of it onto one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.concepts import Code
from imaging.lut import Window
from imaging.plane import MEAN, MINIP, MIP, MODES, THIN, PlaneGeometry, Slab
from reconstruction.derived import HIGHEST_KEPT, LOWEST_KEPT, REFORMATTED, derived_series
from reconstruction.outputs import DICOM, OUTPUTS, Output, SeriesOutput, open_outputs
from reconstruction.plane_stack import (
    DIRECTIONS,
    PLANES_LIMIT,
    PlaneStack,
    planes_through,
    spacing_along,
)
from reconstruction.planes import cut_plane, finest_mm, to_int16
from reconstruction.projections import find_axes, project_volume
from reconstruction.volume_files import Volume, release_pages
from reconstruction.wishes import (
    Parameters,
    read_choice,
    read_choices,
    read_direction,
    read_integer,
    read_number,
    read_window,
    refuse_unknown,
)
from reconstruction.work import Work

# Rows between two returns of a large volume's pages to the system: so many slices, of each of
# which 64 KB come along with whatever is looked at.
ROWS_A_BAND = 256
LARGE_BYTES = 128 << 20
# Pixels times layers between two looks at whether the job is still wanted.
SAMPLES_A_BAND = 1 << 24
# Pixels times layers of a whole job: some hours of one core, in which others wait.
WORK_LIMIT = 1 << 39
OBLIQUE = "oblique"
WORDS = {THIN: "", MIP: "MIP", MINIP: "MinIP", MEAN: "mean"}
CODES: dict[str, tuple[Code, ...]] = {
    THIN: (REFORMATTED,),
    MIP: (REFORMATTED, HIGHEST_KEPT),
    MINIP: (REFORMATTED, LOWEST_KEPT),
    MEAN: (REFORMATTED,),
}
_KNOWN = frozenset(
    {"plane", "normal", "up", "spacing_mm", "thickness_mm", "output", "window", "time_point"}
)


@dataclass(frozen=True, slots=True, eq=False)
class WantedPlanes:
    """Planes as they were asked for; a slab without thickness is the whole volume, in one."""

    name: str
    normal: np.ndarray
    up: np.ndarray
    mode: str
    thickness_mm: float | None
    spacing_mm: float | None
    outputs: tuple[str, ...]
    window: Window | None
    time_point: int

    @property
    def is_whole(self) -> bool:
        """Whether the volume is projected onto one picture."""
        return self.thickness_mm is None and self.mode != THIN


def parse_planes(parameters: Parameters, mode: str | None = None) -> WantedPlanes:
    """Return what is asked for; `mode` is fixed, or else a parameter and thin by default.

    Raises `ValidationError`, whose sentence names the parameter.
    """
    refuse_unknown(parameters, _KNOWN if mode else _KNOWN | {"mode"})
    name, normal, up = _parse_direction(parameters)
    chosen = mode or read_choice(parameters, "mode", MODES, THIN)
    thickness: float | None = None
    if "thickness_mm" in parameters:
        thickness = read_number(parameters, "thickness_mm", 0.0, 1000.0)
    spacing: float | None = None
    if "spacing_mm" in parameters:
        spacing = read_number(parameters, "spacing_mm", 0.05, 1000.0)
    if mode is None:
        thickness = (thickness or 0.0) if chosen != THIN else None
        if chosen != THIN and not thickness:
            raise ValidationError(_("thickness_mm: a slab needs its thickness."))
    return WantedPlanes(
        name=name,
        normal=normal,
        up=up,
        mode=chosen,
        thickness_mm=thickness or None,
        spacing_mm=spacing,
        outputs=read_choices(parameters, "output", OUTPUTS, [DICOM]),
        window=read_window(parameters),
        time_point=read_integer(parameters, "time_point", 0, 99_999, 0),
    )


def _parse_direction(parameters: Parameters) -> tuple[str, np.ndarray, np.ndarray]:
    if "normal" not in parameters:
        name = read_choice(parameters, "plane", tuple(DIRECTIONS), None)
        if "up" in parameters:
            raise ValidationError(_("up: it goes with normal."))
        normal, up = DIRECTIONS[name]
        return name, np.array(normal), np.array(up)
    if "plane" in parameters:
        raise ValidationError(_("plane: give plane, or normal and up."))
    towards, top = read_direction(parameters, "normal"), read_direction(parameters, "up")
    probe = PlaneGeometry.around(
        np.zeros(3), normal=towards, up=top, size_mm=(1.0, 1.0), size_px=(1, 1)
    )
    if probe is None:
        raise ValidationError(_("up: it must not be parallel to normal."))
    return OBLIQUE, towards, top


def make_planes(work: Work, wanted: WantedPlanes) -> None:
    """Cut or project, and write every plane as it comes."""
    volume = work.open_volume(time_point=wanted.time_point)
    if wanted.is_whole:
        _project(work, volume, wanted)
    else:
        _cut(work, volume, wanted)


def _cut(work: Work, volume: Volume, wanted: WantedPlanes) -> None:
    thickness = wanted.thickness_mm or 0.0
    slab = Slab(wanted.mode, thickness)
    stack = _stack(volume, wanted, wanted.spacing_mm or (thickness or None))
    if stack.count > PLANES_LIMIT:
        raise ValidationError(
            _("spacing_mm: these would be %(count)d planes; %(most)d are allowed.")
            % {"count": stack.count, "most": PLANES_LIMIT}
        )
    refuse_endless(volume, (stack.first, slab), stack.count, name="spacing_mm")
    words = f"{WORDS[wanted.mode]} {thickness:g} mm" if wanted.mode != THIN else "MPR"
    outputs = _open(work, volume, wanted, stack, (f"{wanted.name.capitalize()} {words}", thickness))
    for number in range(stack.count):
        plane = stack.plane(number)
        picture = cut_in_bands(work, volume, (plane, slab), (number, stack.count))
        pixels = to_int16(picture, volume.lowest)
        for output in outputs:
            output.add(pixels, plane)
    for output in outputs:
        output.finish()
    work.step(1.0)


def refuse_endless(
    volume: Volume, what: tuple[PlaneGeometry, Slab], count: int, *, name: str
) -> None:
    """Raise `ValidationError` for so many planes like this one that they would take a day."""
    plane, slab = what
    layers = slab.count_samples(finest_mm(volume.geometry))
    if plane.rows * plane.columns * layers * count > WORK_LIMIT:
        raise ValidationError(
            _("%(name)s: this would take too long; ask for fewer.") % {"name": name}
        )


def cut_in_bands(
    work: Work, volume: Volume, what: tuple[PlaneGeometry, Slab], place: tuple[int, int]
) -> np.ndarray:
    """Return a plane, cut in bands of rows: no cancelled job waits for a thick slab."""
    (plane, slab), (number, count) = what, place
    samples = plane.rows * plane.columns * slab.count_samples(finest_mm(volume.geometry))
    height = max(1, plane.rows * SAMPLES_A_BAND // max(samples, 1))
    is_large = volume.size_bytes > LARGE_BYTES
    if is_large:
        height = min(height, ROWS_A_BAND)
    picture = np.empty((plane.rows, plane.columns), np.float32)
    for first in range(0, plane.rows, height):
        work.step((number + first / plane.rows) / count)
        rows = min(height, plane.rows - first)
        origin = plane.origin + plane.column_direction * (plane.spacing_mm[0] * first)
        band = replace(plane, origin=origin, rows=rows)
        picture[first : first + rows] = cut_plane(volume, band, slab)
        if is_large:
            release_pages(volume)
    return picture


def _project(work: Work, volume: Volume, wanted: WantedPlanes) -> None:
    """Write the projection of all voxels: themselves where the direction is an axis of theirs."""
    stack = _stack(volume, wanted, None)
    middle = stack.plane(0)
    depth = stack.spacing_mm * stack.count
    back = stack.first.normal * (stack.spacing_mm * (stack.count - 1) / 2)
    middle = replace(middle, origin=middle.origin + back)
    axes = find_axes(volume.geometry, middle)
    if axes is not None:
        plane, pixels = project_volume(volume, axes, wanted.mode, middle, work.step)
    else:
        slab = Slab(wanted.mode, depth)
        plane = middle
        picture = cut_in_bands(work, volume, (middle, slab), (0, 1))
        pixels = to_int16(picture, volume.lowest)
    release_pages(volume)
    whole = PlaneStack(plane, depth, 1)
    name = f"{wanted.name.capitalize()} {WORDS[wanted.mode]}"
    for output in _open(work, volume, wanted, whole, (name, depth)):
        output.add(pixels, plane)
        output.finish()
    work.step(1.0)


def _stack(volume: Volume, wanted: WantedPlanes, spacing_mm: float | None) -> PlaneStack:
    stack = planes_through(volume.geometry, wanted.normal, wanted.up, spacing_mm=spacing_mm)
    if stack is None:
        raise ValidationError(_("up: it must not be parallel to normal."))
    return stack


def _open(
    work: Work,
    volume: Volume,
    wanted: WantedPlanes,
    stack: PlaneStack,
    told: tuple[str, float],
) -> list[Output]:
    """Open the outputs; `told` is the series' name, and how deep its planes look (0: thin)."""
    description, deep_mm = told
    thickness = deep_mm or spacing_along(volume.geometry, stack.first.normal)
    series: Output | None = None
    if DICOM in wanted.outputs:
        is_slab = wanted.mode != THIN
        writer = derived_series(
            work,
            volume,
            image_type=("MPR", WORDS[wanted.mode].upper()) if is_slab else ("MPR",),
            description=description,
            derivation=f"{description}, planes {stack.spacing_mm:g} mm apart",
            codes=CODES[wanted.mode],
            planes=stack.count,
        )
        series = SeriesOutput(
            work, writer, thickness_mm=thickness, depth_mm=deep_mm / 2,
            spacing_mm=stack.spacing_mm if stack.count > 1 else None,
        )  # fmt: skip
    about: dict[str, Any] = {
        "mode": wanted.mode,
        "thickness_mm": deep_mm,
        "spacing_between_planes_mm": stack.spacing_mm,
        "lps_from_ijk": stack.lps_from_ijk.tolist(),
    }
    return open_outputs(
        work, volume, wanted.outputs, stack=stack, series=series, window=wanted.window,
        about=about,
    )  # fmt: skip
