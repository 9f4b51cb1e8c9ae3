"""What a series may be seen as, and a wanted view made of it: look, picture, bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from archive.models import Series
from archive.presets import WHY_SUSPECT
from imaging.display import encode_jpeg, encode_png, encode_webp
from imaging.lut import LINEAR_EXACT, Window
from imaging.plane import PlaneGeometry
from imaging.rendering import (
    COMPOSITE,
    FLAT,
    MODES,
    SHADED,
    UNIT_MM,
    Rendering,
    own_span,
    renderings_for,
    view_around,
)
from reconstruction.bricks import bricks_of
from reconstruction.casting import Look, corners_of
from reconstruction.planes import to_int16
from reconstruction.view_form import PNG, WEBP, WantedView
from reconstruction.volume_files import Volume

BINS = 256


@dataclass(frozen=True, slots=True)
class Offer:
    """The presets of a series in modality values, and why those in HU are missing."""

    renderings: tuple[Rendering, ...]
    why_not: str

    def find(self, code: str) -> Rendering | None:
        """Return the offered preset of this code."""
        return next((one for one in self.renderings if one.code == code), None)


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """All that decides a picture."""

    plane: PlaneGeometry
    look: Look
    window: Window
    preset: str


def offer_renderings(series: Series, volume: Volume) -> Offer:
    """Return what a series may be seen as: in HU only where the passport calls them HU."""
    verdict = (((series.passport or {}).get("hu")) or {}).get("verdict", "")
    has_hu = verdict == "calibrated"
    return Offer(
        renderings_for(has_hu=has_hu, span=_span(volume)),
        _(WHY_SUSPECT) if verdict == "suspect" else "",
    )


def _span(volume: Volume) -> tuple[float, float]:
    bricks, scale = bricks_of(volume), volume.scale
    low, high = own_span(bricks.values, bricks.counts)
    return low * scale.scale + scale.offset, high * scale.scale + scale.offset


def choose_sight(series: Series, volume: Volume, wanted: WantedView) -> Sight:
    """Return what is seen. Raises `ValidationError` for a preset that the series is not offered."""
    offer = offer_renderings(series, volume)
    preset = _choose_preset(offer, wanted)
    mode = wanted.mode or preset.mode
    points = wanted.points or preset.points
    if mode == COMPOSITE and not points:
        points = next(one.points for one in offer.renderings if one.points)
    shade = preset.shade if wanted.is_shaded is None else SHADED
    if wanted.is_shaded is False or mode != COMPOSITE:
        shade = FLAT
    plane = view_around(
        corners_of(volume.geometry),
        direction=wanted.direction,
        up=wanted.up,
        size_px=wanted.size_px,
        center=wanted.center,
        width_mm=wanted.width_mm,
    )
    if plane is None:
        raise ValidationError(_("up: it must not be parallel to direction."))
    look = Look(mode, points if mode == COMPOSITE else (), shade, wanted.cuts, wanted.quality)
    return Sight(plane, look, _choose_window(offer, mode, wanted), preset.code)


def _choose_preset(offer: Offer, wanted: WantedView) -> Rendering:
    if wanted.preset:
        found = offer.find(wanted.preset)
        if found is None:
            reason = _(offer.why_not) if offer.why_not else _("This series has no such preset.")
            raise ValidationError(_("preset: %(reason)s") % {"reason": reason})
        return found
    if wanted.mode not in {None, COMPOSITE}:
        return next(one for one in offer.renderings if one.mode == wanted.mode)
    return offer.renderings[0]


def _choose_window(offer: Offer, mode: str, wanted: WantedView) -> Window:
    if wanted.window is not None:
        return wanted.window
    fitting = next((one for one in offer.renderings if one.mode == mode), None)
    center, width = fitting.window if fitting and fitting.window else (0.0, 1.0)
    return Window(center, width, LINEAR_EXACT)


def encode_view(volume: Volume, picture: np.ndarray, sight: Sight, kind: str) -> bytes:
    """Return a picture of `reconstruction.casting.render_view` as PNG, WebP or JPEG."""
    shown = to_shown(volume, picture, sight)
    if kind == PNG:
        return encode_png(shown)
    return encode_webp(shown) if kind == WEBP else encode_jpeg(shown)


def to_shown(volume: Volume, picture: np.ndarray, sight: Sight) -> np.ndarray:
    """Return colours as they are, and greys of a projection behind the window, uint8."""
    if picture.ndim == 3:
        return picture
    stored = np.nan_to_num(picture, nan=volume.lowest).astype(np.float64)
    grey = sight.window.apply(stored * volume.scale.scale + volume.scale.offset)
    shown: np.ndarray = np.floor(grey + 0.5).astype(np.uint8)
    shown[np.isnan(picture)] = 0
    return shown


def raw_view(volume: Volume, picture: np.ndarray) -> bytes:
    """Return a projection as int16, little endian, or colours as bytes, row after row."""
    if picture.ndim == 3:
        return picture.tobytes()
    return to_int16(picture, volume.lowest).tobytes()


def describe_offer(series: Series, volume: Volume) -> dict[str, Any]:
    """Return what a page needs to draw by itself or to ask for views."""
    offer, corners = offer_renderings(series, volume), corners_of(volume.geometry)
    geometry = volume.geometry
    return {
        "presets": [describe_rendering(one) for one in offer.renderings],
        "why_not": _(offer.why_not) if offer.why_not else "",
        "modes": list(MODES),
        "shade": [SHADED.ambient, SHADED.diffuse, SHADED.specular],
        "unit_mm": UNIT_MM,
        "histogram": _histogram(volume),
        "corners_mm": corners.tolist(),
        "shape": list(geometry.shape),
        "spacing_mm": list(geometry.spacing_mm),
        "lps_from_ijk": None if geometry.lps_from_ijk is None else geometry.lps_from_ijk.tolist(),
        "is_even": geometry.is_even,
        "notes": volume.about["notes"],
        "frame_of_reference_uid": volume.about["frame_of_reference_uid"],
    }


def describe_rendering(one: Rendering) -> dict[str, Any]:
    """Return a preset as the page gets it; `points` are [value, opacity, "rrggbb"]."""
    return {
        "code": one.code,
        "label": _(one.label),
        "unit": one.unit,
        "mode": one.mode,
        "points": [point.to_json() for point in one.points],
        "is_shaded": one.shade != FLAT,
        "window": None if one.window is None else list(one.window),
    }


def _histogram(volume: Volume) -> dict[str, Any]:
    """Return counts between the lowest and the highest modality value, in equal bins."""
    bricks, scale = bricks_of(volume), volume.scale
    values = bricks.values * scale.scale + scale.offset
    low, high = float(values.min()), float(values.max())
    high = max(high, low + 1e-6)
    counts, _edges = np.histogram(values, BINS, (low, high), weights=bricks.counts)
    return {"low": low, "high": high, "counts": counts.astype(int).tolist()}
