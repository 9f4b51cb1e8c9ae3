"""What a request for a view of a volume may say, parsed strictly, in a query or as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.lut import Window
from imaging.rendering import (
    EVERY_CODE,
    FRONT_DIRECTION,
    FRONT_UP,
    MODES,
    POINTS_LIMIT,
    Point,
    look_from_quaternion,
)
from reconstruction.casting import FINE, QUALITIES, Cut, box_cuts
from reconstruction.parameters import (
    read_choice,
    read_direction,
    read_integer,
    read_number,
    read_real,
    read_vector,
)
from reconstruction.plane_form import CENTER_LIMIT_MM, SIZE_LIMIT_MM, parse_time_point

RAW, PNG, JPEG, WEBP, JSON = "raw", "png", "jpeg", "webp", "json"
FORMATS = (JPEG, PNG, WEBP, RAW, JSON)
SIDE_LIMIT_PX = 1024
DEFAULT_PX = 512
CUTS_LIMIT = 6
_VALUE_LIMIT = 1e9
KNOWN = frozenset(
    {
        "quaternion", "direction", "up", "center", "width_mm", "columns", "rows", "mode", "preset",
        "points", "shaded", "clip", "cuts", "quality", "format", "window", "time_point",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class WantedView:
    """A view as it was asked for. None: as the preset or the volume has it."""

    direction: np.ndarray
    up: np.ndarray
    center: np.ndarray | None
    width_mm: float | None
    size_px: tuple[int, int]
    mode: str | None
    preset: str
    points: tuple[Point, ...]
    is_shaded: bool | None
    cuts: tuple[Cut, ...]
    quality: str
    format: str
    window: Window | None
    time_point: int


def parse_view(query: Mapping[str, object]) -> WantedView:
    """Return what is asked for; numbers and lists of JSON mean what their texts do in a query.

    Raises `ValidationError`, whose sentence begins with the parameter's name.
    """
    for name in query:
        if name not in KNOWN:
            raise ValidationError(_("%(name)s: there is no such parameter.") % {"name": name})
    texts = {name: as_text(name, value) for name, value in query.items()}
    direction, up = _parse_direction(texts)
    return WantedView(
        direction=direction,
        up=up,
        center=read_vector(texts, "center", most=CENTER_LIMIT_MM) if "center" in texts else None,
        width_mm=(
            read_number(texts, "width_mm", 0.1, most=SIZE_LIMIT_MM) if "width_mm" in texts else None
        ),
        size_px=(
            read_integer(texts, "columns", 1, most=SIDE_LIMIT_PX, default=DEFAULT_PX),
            read_integer(texts, "rows", 1, most=SIDE_LIMIT_PX, default=DEFAULT_PX),
        ),
        mode=read_choice(texts, "mode", MODES, MODES[0]) if "mode" in texts else None,
        preset=read_choice(texts, "preset", EVERY_CODE, EVERY_CODE[0]) if "preset" in texts else "",
        points=parse_points(texts.get("points")),
        is_shaded=_parse_shaded(texts),
        cuts=(*_parse_clip(texts.get("clip")), *_parse_cuts(texts.get("cuts"))),
        quality=read_choice(texts, "quality", QUALITIES, FINE),
        format=read_choice(texts, "format", FORMATS, JPEG),
        window=_parse_window(texts.get("window")),
        time_point=parse_time_point(texts),
    )


def as_text(name: str, value: object, depth: int = 0) -> str:
    """Return a value of JSON as a query would say it. Raises `ValidationError`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value)
    # A list of lists at most: that of points or cuts.
    if isinstance(value, list) and depth < 2 and len(value) <= 4 * POINTS_LIMIT:
        deep = any(isinstance(one, list) for one in value)
        return (";" if deep else ",").join(as_text(name, one, depth + 1) for one in value)
    raise ValidationError(_("%(name)s: give a number, a text or a list.") % {"name": name})


def parse_points(text: str | None) -> tuple[Point, ...]:
    """Return a transfer function from `value,opacity,rrggbb;…`, values ascending."""
    if text is None:
        return ()
    parts = [part.split(",") for part in text.split(";")]
    points = [_parse_point(part) for part in parts]
    kept = [one for one in points if one is not None]
    values = [one.value for one in kept]
    if not 2 <= len(points) <= POINTS_LIMIT or len(kept) < len(points) or values != sorted(values):
        words = _("points: give 2 to %(most)d of value,opacity,rrggbb, ascending, `;` between.")
        raise ValidationError(words % {"most": POINTS_LIMIT})
    return tuple(kept)


def _parse_point(parts: list[str]) -> Point | None:
    if len(parts) != 3:
        return None
    value, opacity = read_real(parts[0]), read_real(parts[1])
    colour = re.fullmatch(r"([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", parts[2].lower(), re.ASCII)
    if value is None or opacity is None or colour is None:
        return None
    if abs(value) > _VALUE_LIMIT or not 0 <= opacity <= 1:
        return None
    red, green, blue = (int(one, 16) for one in colour.groups())
    return Point(value, opacity, (red, green, blue))


def _parse_direction(texts: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return direction and up; from in front unless said otherwise."""
    if "quaternion" in texts:
        if "direction" in texts or "up" in texts:
            raise ValidationError(_("quaternion: give it alone, or direction and up."))
        return look_from_quaternion(_parse_numbers("quaternion", texts["quaternion"], 4))
    if "direction" not in texts and "up" not in texts:
        return FRONT_DIRECTION, FRONT_UP
    direction, up = read_direction(texts, "direction"), read_direction(texts, "up")
    across = np.cross(direction / np.linalg.norm(direction), up / np.linalg.norm(up))
    if float(np.linalg.norm(across)) < 1e-3:
        raise ValidationError(_("up: it must not be parallel to direction."))
    return direction, up


def _parse_numbers(name: str, text: str, count: int) -> list[float]:
    numbers = [read_real(part) for part in text.split(",")]
    kept = [one for one in numbers if one is not None and abs(one) <= CENTER_LIMIT_MM]
    if len(numbers) != count or len(kept) != count or not any(abs(one) > 1e-6 for one in kept):
        words = {"name": name, "count": count}
        raise ValidationError(_("%(name)s: give %(count)d numbers, not all zero.") % words)
    return kept


def _parse_clip(text: str | None) -> tuple[Cut, ...]:
    if text is None:
        return ()
    x0, x1, y0, y1, z0, z1 = _parse_numbers("clip", text, 6)
    if x0 > x1 or y0 > y1 or z0 > z1:
        raise ValidationError(_("clip: give x0,x1,y0,y1,z0,z1, each pair ascending."))
    return box_cuts((x0, y0, z0), (x1, y1, z1))


def _parse_cuts(text: str | None) -> tuple[Cut, ...]:
    if text is None:
        return ()
    parts = text.split(";")
    if len(parts) > CUTS_LIMIT:
        raise ValidationError(_("cuts: at most %(most)d.") % {"most": CUTS_LIMIT})
    made: list[Cut] = []
    for part in parts:
        x, y, z, distance = _parse_numbers("cuts", part, 4)
        length = float(np.linalg.norm([x, y, z]))
        if length < 1e-6:
            raise ValidationError(_("cuts: a normal must not be zero."))
        made.append(((x / length, y / length, z / length), distance / length))
    return tuple(made)


def _parse_shaded(texts: Mapping[str, str]) -> bool | None:
    if "shaded" not in texts:
        return None
    return read_choice(texts, "shaded", ("true", "false"), "true") == "true"


def _parse_window(text: str | None) -> Window | None:
    if text is None:
        return None
    center, width = _parse_numbers("window", text, 2)
    window = Window(center, width)
    if not window.is_usable:
        raise ValidationError(_("window: the width must be at least 1."))
    return window
