"""The second series that lies over exported pictures, in colours as on the page: docs/fusion.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from archive.models import Instance, Series, Study
from archive.plane_values import read_plane_values
from imaging.colour_maps import BY_CODE
from imaging.errors import UnsupportedError
from imaging.measure_plane import MeasureError, Plane
from imaging.plane import PlaneGeometry
from viewer.calibration import usable_facts
from viewer.fused_values import grid_of
from viewer.mark_fields import Strict
from viewer.measured import places

# Below this share of its colours an overlay of uptake fades (frontend/src/core/fusion.ts).
FADED = 0.25
_PROBE = (4, 4)


class FusionForm(Strict):
    """What lies over the pictures: a series of the same study and frame of reference."""

    series = serializers.UUIDField()
    colormap = serializers.ChoiceField(sorted(BY_CODE))
    opacity = serializers.FloatField(min_value=0, max_value=1)
    low = serializers.FloatField(required=False, help_text="Modality value where colours begin.")
    high = serializers.FloatField(required=False, help_text="And where they end.")
    see_through = serializers.BooleanField(default=False, help_text="Low values fade.")
    time_point = serializers.IntegerField(default=0, min_value=0, max_value=10_000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse ends of which one is missing, or that are in the wrong order."""
        attrs = super().validate(attrs)
        ends = [attrs[name] for name in ("low", "high") if name in attrs]
        if len(ends) == 1 or (len(ends) == 2 and ends[0] >= ends[1]):
            raise ValidationError({"high": [_("Give low and high, the lower first.")]})
        return {**attrs, "series": str(attrs["series"])}


def check_fusion(wish: dict[str, Any], study: Study, instance: Instance, frame: int) -> None:
    """Ask for a few values over the first picture, so that no half export ends for want of them.

    Raises UnsupportedError when the series cannot lie over it, BusyError while its volume is
    built, and as `archive.plane_values.read_plane_values`.
    """
    if wish.get("fusion"):
        _values(wish["fusion"], study, instance, frame, _PROBE)


def lay_over(
    wish: dict[str, Any], instance: Instance, frame: int, picture: np.ndarray
) -> np.ndarray:
    """Return the picture, uint8 grey or RGB, as RGB with the second series over it."""
    fusion = wish.get("fusion")
    if not fusion:
        return picture
    rows, columns = picture.shape[:2]
    values = _values(fusion, instance.study, instance, frame, (columns, rows))
    low, high = _ends(fusion, values)
    level = np.clip((values - low) / (high - low), 0, 1)
    share = fusion["opacity"] * (np.minimum(1, level / FADED) if fusion["see_through"] else 1)
    share = np.where(np.isnan(values), 0, share)[..., None]
    index = np.floor(np.nan_to_num(level) * 255 + 0.5).astype(np.uint8)
    above = BY_CODE[fusion["colormap"]].paint(index).astype(float)
    below = picture.astype(float)
    below = below if below.ndim == 3 else np.repeat(below[..., None], 3, axis=2)
    painted = below + (above - below) * share
    return np.asarray(np.floor(painted + 0.5).astype(np.uint8))


def fusion_line(wish: dict[str, Any], study: Study) -> str:
    """Return what the picture says of its overlay; empty without one. One query."""
    fusion = wish.get("fusion")
    found = Series.objects.filter(study=study, pk=fusion["series"]).first() if fusion else None
    return "" if found is None else _("Fused with %(series)s") % {"series": found.modality}


def _values(
    fusion: dict[str, Any], study: Study, instance: Instance, frame: int, size_px: tuple[int, int]
) -> np.ndarray:
    other = Series.objects.select_related("study").filter(study=study, pk=fusion["series"]).first()
    if other is None:
        raise UnsupportedError(_("There is no such series in this study."))
    try:
        plane = Plane.from_image_facts(usable_facts(instance, frame))
        grid = _sized(grid_of(plane, instance), size_px)
    except MeasureError as error:
        raise UnsupportedError(str(error)) from error
    with places.one():
        found = read_plane_values(other, grid, time_point=fusion.get("time_point", 0))
    own_uid = str(instance.image.get("frame_of_reference_uid") or "")
    if not own_uid or own_uid != found.frame_of_reference_uid:
        raise UnsupportedError(_("The two series have no common frame of reference."))
    return found.values


def _sized(grid: PlaneGeometry, size_px: tuple[int, int]) -> PlaneGeometry:
    """Return the same rectangle with so many columns and rows."""
    columns, rows = size_px
    between_rows, between_columns = grid.spacing_mm
    steps = (between_rows * grid.rows / rows, between_columns * grid.columns / columns)
    shift = grid.row_direction * (steps[1] - between_columns) / 2
    shift = shift + grid.column_direction * (steps[0] - between_rows) / 2
    return replace(grid, origin=grid.origin + shift, spacing_mm=steps, rows=rows, columns=columns)


def _ends(fusion: dict[str, Any], values: np.ndarray) -> tuple[float, float]:
    if "low" in fusion:
        return float(fusion["low"]), float(fusion["high"])
    if np.isnan(values).all():
        return 0.0, 1.0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if high > low else (low, low + 1)
