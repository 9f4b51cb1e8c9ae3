"""Reformatted planes that our own reports name, read as any stranger's bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from rest_framework.exceptions import ValidationError

from imaging.measure_plane import MeasureError
from viewer.mark_planes import MarkPlane
from viewer.plane_form import PlaneField


def read_stored_plane(text: str) -> tuple[MarkPlane, str] | None:
    """Return the plane and the UID of its series; None for what is no plane."""
    try:
        document = json.loads(text)
        series_uid = document.pop("series_instance_uid")
        plane = PlaneField().to_internal_value(document)
    except (ValueError, RecursionError, AttributeError, KeyError, ValidationError):
        return None
    return (plane, series_uid) if isinstance(series_uid, str) else None


def place_on_stored_plane(
    text: str, points_lps_mm: Sequence[Sequence[float]], series: dict[str, str]
) -> dict[str, Any] | None:
    """Return what a row says of its place; None when plane, points and series do not fit.

    `series` are the keys of the study's series by their UIDs.
    """
    found = read_stored_plane(text)
    if found is None or found[1] not in series:
        return None
    plane, series_uid = found
    try:
        points = plane.measured().px_from_lps(np.array(points_lps_mm))
    except (MeasureError, ValueError):
        return None
    if not np.isfinite(points).all():
        return None
    return {
        "instance": None,
        "series": series[series_uid],
        "sop_instance_uid": None,
        "frame": 0,
        "plane": plane.to_json(),
        "points_px": points.tolist(),
    }
