"""How a rendered resource is asked for: window, viewport, quality, annotation (PS3.18 8.3.5).

What is none of these is ignored, as the standard wants it; a slip in one of them is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.http import QueryDict

from imaging.errors import QueryError
from imaging.lut import LINEAR, LINEAR_EXACT, SIGMOID, Window
from imaging.viewport import PIXELS_LIMIT, SIDE_LIMIT_PX, Viewport

PATIENT, TECHNIQUE = "patient", "technique"
NO_PROFILE, ANY_PROFILE, SRGB = "no", "yes", "srgb"
_FUNCTIONS = {"linear": LINEAR, "linear-exact": LINEAR_EXACT, "sigmoid": SIGMOID}
_DECIMAL = re.compile(r"[+-]?(?:\d{1,10}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][+-]?\d{1,2})?", re.ASCII)
_WORD = re.compile(r"[\w-]{1,32}", re.ASCII)
_UINT = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RenderedWish:
    """What is asked for.

    `annotations` are those of `PATIENT` and `TECHNIQUE` that are to be burned in,
    `unknown_annotations` words that mean nothing here. `profile` is an ICC profile to be
    embedded: one of the three above.
    """

    window: Window | None = None
    viewport: Viewport | None = None
    quality: int | None = None
    annotations: frozenset[str] = frozenset()
    unknown_annotations: tuple[str, ...] = ()
    profile: str = NO_PROFILE


def parse_rendered(query: QueryDict) -> RenderedWish:
    """Read the parameters of a rendered resource. Raises QueryError, as all of these."""
    annotations, unknown = parse_annotation(read_once(query, "annotation"))
    return RenderedWish(
        window=_parse_window(read_once(query, "window")),
        viewport=parse_viewport(read_once(query, "viewport")),
        quality=parse_quality(read_once(query, "quality"), "quality"),
        annotations=annotations,
        unknown_annotations=unknown,
        profile=_parse_profile(read_once(query, "iccprofile")),
    )


def parse_thumbnail(query: QueryDict) -> Viewport | None:
    """Read the one parameter of a thumbnail: a viewport of two numbers."""
    text = read_once(query, "viewport")
    if text is not None and text.count(",") != 1:
        raise QueryError("viewport: a thumbnail takes width and height, such as 128,128.")
    return parse_viewport(text)


def read_once(query: QueryDict, name: str) -> str | None:
    """Return the value of a parameter, None when it is not there."""
    values = query.getlist(name)
    if len(values) > 1:
        raise QueryError(f"{name}: it is given twice.")
    return values[0] if values else None


def read_decimal(text: str, name: str) -> float:
    """Return a decimal number."""
    if not _DECIMAL.fullmatch(text):
        raise QueryError(f"{name}: give decimal numbers.")
    return float(text)


def read_uint(text: str, name: str) -> int:
    """Return a whole number above zero."""
    if not _UINT.fullmatch(text) or int(text) < 1:
        raise QueryError(f"{name}: give whole numbers above 0.")
    return int(text)


def read_window(center: str, width: str, function: str = LINEAR) -> Window:
    """Return a window that the standard allows (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    window = Window(read_decimal(center, "window"), read_decimal(width, "window"), function)
    if not window.is_usable:
        raise QueryError("window: the width is at least 1 for linear, above 0 for the others.")
    return window


def parse_viewport(text: str | None) -> Viewport | None:
    """Return the viewport of `vw,vh[,sx,sy,sw,sh]`; a value may be left out, its comma not."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not 2 <= len(parts) <= 6:
        raise QueryError("viewport: give vw,vh or vw,vh,sx,sy,sw,sh.")
    width, height = (read_uint(part, "viewport") for part in parts[:2])
    check_size(width, height, "viewport")
    rest = [read_decimal(part, "viewport") if part else None for part in parts[2:]]
    left, top, across, down = [*rest, None, None, None, None][:4]
    if across == 0 or down == 0:
        raise QueryError("viewport: the region must not be empty.")
    return Viewport(
        width_px=width,
        height_px=height,
        left=abs(left or 0.0),
        top=abs(top or 0.0),
        region_width=None if across is None else abs(across),
        region_height=None if down is None else abs(down),
        is_mirrored=across is not None and across < 0,
        is_upside_down=down is not None and down < 0,
    )


def check_size(width: int, height: int, name: str) -> None:
    """Refuse a picture that is too large."""
    if max(width, height) > SIDE_LIMIT_PX or width * height > PIXELS_LIMIT:
        raise QueryError(f"{name}: at most {SIDE_LIMIT_PX} pixels a side, {PIXELS_LIMIT} in all.")


def parse_quality(text: str | None, name: str) -> int | None:
    """Return the quality of a lossy picture, from 1 to 100."""
    if text is None:
        return None
    value = read_uint(text, name)
    if value > 100:
        raise QueryError(f"{name}: give a whole number from 1 to 100.")
    return value


def parse_annotation(text: str | None) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return what is to be burned in, and the words of the list that are not known."""
    if text is None:
        return frozenset(), ()
    words = [word.strip() for word in text.split(",")]
    if not all(map(_WORD.fullmatch, words)):
        raise QueryError("annotation: give patient, technique or both.")
    known = {PATIENT, TECHNIQUE}
    unknown = tuple(dict.fromkeys(word for word in words if word not in known))
    return frozenset(known.intersection(words)), unknown


def _parse_window(text: str | None) -> Window | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (2, 3):
        raise QueryError("window: give center,width,function.")
    function = _FUNCTIONS.get(parts[2]) if len(parts) == 3 else LINEAR
    if function is None:
        raise QueryError(f"window: the function is one of {', '.join(_FUNCTIONS)}.")
    return read_window(parts[0], parts[1], function)


def _parse_profile(text: str | None) -> str:
    if text is not None and text not in {NO_PROFILE, ANY_PROFILE, SRGB}:
        raise QueryError(f"iccprofile: use {NO_PROFILE}, {ANY_PROFILE} or {SRGB}.")
    return text or NO_PROFILE
