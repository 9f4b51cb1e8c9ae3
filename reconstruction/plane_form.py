"""What a request for a plane may say, parsed strictly: a slip is named, never guessed around."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.lut import Window
from imaging.plane import MODES, THIN, PlaneGeometry, Slab
from imaging.presets import EVERY_PRESET

RAW, PNG, JPEG, JSON = "raw", "png", "jpeg", "json"
FORMATS = (RAW, PNG, JPEG, JSON)
SIDE_LIMIT_PX = 2048
SIZE_LIMIT_MM = 3000.0
THICKNESS_LIMIT_MM = 1000.0
CENTER_LIMIT_MM = 100_000.0
DEFAULT_PX = 512
# Pixels times layers of one picture: two to three seconds of one core.
SAMPLES_LIMIT = 1 << 27
_NUMBER = re.compile(r"[+-]?(?:\d{1,12}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?", re.ASCII)
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
    mode = _choice(query, "mode", MODES, THIN)
    thickness = _number(query, "thickness_mm", 0.0, most=THICKNESS_LIMIT_MM, default=0.0)
    window, preset = query.get("window"), query.get("preset")
    if window is not None and preset is not None:
        raise ValidationError(_("window and preset: give one of the two."))
    return WantedPlane(
        plane=_parse_geometry(query),
        slab=Slab(mode, thickness if mode != THIN else 0.0),
        format=_choice(query, "format", FORMATS, RAW),
        window=_parse_window(window),
        preset=_parse_preset(preset),
        time_point=parse_time_point(query),
    )


def parse_time_point(query: Mapping[str, str]) -> int:
    """Return the time point, counted from 0."""
    return _integer(query, "time_point", 0, most=99_999, default=0)


def _parse_geometry(query: Mapping[str, str]) -> PlaneGeometry:
    center = _vector(query, "center", most=CENTER_LIMIT_MM)
    normal, up = _direction(query, "normal"), _direction(query, "up")
    size_mm = tuple(
        _number(query, name, 0.1, most=SIZE_LIMIT_MM) for name in ("width_mm", "height_mm")
    )
    size_px = tuple(
        _integer(query, name, 1, most=SIDE_LIMIT_PX, default=DEFAULT_PX)
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


# --- single parameters ------------------------------------------------------------------
def _read(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _number(
    query: Mapping[str, str], name: str, least: float, *, most: float, default: float | None = None
) -> float:
    text = query.get(name)
    if text is None and default is not None:
        return default
    value = _read(text or "")
    if value is None or not least <= value <= most:
        limits = {"name": name, "least": f"{least:g}", "most": f"{most:g}"}
        raise ValidationError(_("%(name)s: give a number from %(least)s to %(most)s.") % limits)
    return value


def _integer(query: Mapping[str, str], name: str, least: int, *, most: int, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not least <= int(text) <= most:
        limits = {"name": name, "least": least, "most": most}
        raise ValidationError(
            _("%(name)s: give a whole number from %(least)d to %(most)d.") % limits
        )
    return int(text)


def _vector(query: Mapping[str, str], name: str, *, most: float) -> np.ndarray:
    values = [_read(part) for part in query.get(name, "").split(",")]
    numbers = [value for value in values if value is not None and abs(value) <= most]
    if len(values) != 3 or len(numbers) != 3:
        limits = {"name": name, "most": f"{most:g}"}
        raise ValidationError(
            _("%(name)s: give three numbers, x,y,z, none beyond %(most)s.") % limits
        )
    return np.array(numbers, np.float64)


def _direction(query: Mapping[str, str], name: str) -> np.ndarray:
    vector = _vector(query, name, most=1e6)
    if float(np.linalg.norm(vector)) < 1e-6:
        raise ValidationError(_("%(name)s: it must not be zero.") % {"name": name})
    return vector


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    text = query.get(name, default)
    if text not in choices:
        words = {"name": name, "choices": ", ".join(choices)}
        raise ValidationError(_("%(name)s: use one of %(choices)s.") % words)
    return text


def _parse_window(text: str | None) -> Window | None:
    if text is None:
        return None
    parts = [_read(part) for part in text.split(",")]
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
