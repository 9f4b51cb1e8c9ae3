"""What a request for a plane may say, parsed strictly: a slip is named, never guessed around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.lut import Window
from imaging.plane import MODES, THIN, PlaneGeometry, Slab
from imaging.presets import EVERY_PRESET
from reconstruction.parameters import (
    read_choice,
    read_direction,
    read_integer,
    read_number,
    read_real,
    read_vector,
)

RAW, PNG, JPEG, JSON = "raw", "png", "jpeg", "json"
FORMATS = (RAW, PNG, JPEG, JSON)
SIDE_LIMIT_PX = 2048
SIZE_LIMIT_MM = 3000.0
THICKNESS_LIMIT_MM = 1000.0
CENTER_LIMIT_MM = 100_000.0
DEFAULT_PX = 512
# Pixels times layers of one picture: two to three seconds of one core.
SAMPLES_LIMIT = 1 << 27
_KNOWN = frozenset(
    {
        "center", "normal", "up", "width_mm", "height_mm", "columns", "rows", "thickness_mm",
        "mode", "format", "window", "preset", "time_point",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WantedPlane:
    """A plane as it was asked for. `window` and `preset` are for PNG and JPEG alone."""

    plane: PlaneGeometry
    slab: Slab
    format: str
    window: Window | None
    preset: str
    time_point: int


def parse_plane(query: Mapping[str, str]) -> WantedPlane:
    """Return what is asked for.

    Raises `ValidationError`, whose sentence names the parameter.
    """
    for name in query:
        if name not in _KNOWN:
            raise ValidationError(_("%(name)s: there is no such parameter.") % {"name": name})
    mode = read_choice(query, "mode", MODES, THIN)
    thickness = read_number(query, "thickness_mm", 0.0, most=THICKNESS_LIMIT_MM, default=0.0)
    window, preset = query.get("window"), query.get("preset")
    if window is not None and preset is not None:
        raise ValidationError(_("window and preset: give one of the two."))
    return WantedPlane(
        plane=_parse_geometry(query),
        slab=Slab(mode, thickness if mode != THIN else 0.0),
        format=read_choice(query, "format", FORMATS, RAW),
        window=parse_window(window),
        preset=_parse_preset(preset),
        time_point=parse_time_point(query),
    )


def parse_time_point(query: Mapping[str, str]) -> int:
    """Return the time point, counted from 0."""
    return read_integer(query, "time_point", 0, most=99_999, default=0)


def _parse_geometry(query: Mapping[str, str]) -> PlaneGeometry:
    center = read_vector(query, "center", most=CENTER_LIMIT_MM)
    normal, up = read_direction(query, "normal"), read_direction(query, "up")
    size_mm = tuple(
        read_number(query, name, 0.1, most=SIZE_LIMIT_MM) for name in ("width_mm", "height_mm")
    )
    size_px = tuple(
        read_integer(query, name, 1, most=SIDE_LIMIT_PX, default=DEFAULT_PX)
        for name in ("columns", "rows")
    )
    plane = PlaneGeometry.around(
        center,
        normal=normal,
        up=up,
        size_mm=(size_mm[0], size_mm[1]),
        size_px=(size_px[0], size_px[1]),
    )
    if plane is None:
        raise ValidationError(_("up: it must not be parallel to normal."))
    return plane


def parse_window(text: str | None) -> Window | None:
    """Return the window of `centre,width`, None when none is given."""
    if text is None:
        return None
    parts = [read_real(part) for part in text.split(",")]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        raise ValidationError(_("window: give centre and width, such as 40,400."))
    window = Window(parts[0], parts[1])
    if not window.is_usable:
        raise ValidationError(_("window: the width must be at least 1."))
    return window


def _parse_preset(text: str | None) -> str:
    codes = [one.code for one in EVERY_PRESET]
    if text is not None and text not in codes:
        raise ValidationError(_("preset: use one of %(codes)s.") % {"codes": ", ".join(codes)})
    return text or ""
