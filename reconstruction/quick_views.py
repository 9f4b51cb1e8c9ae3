"""Three planes through a point, side by side: a quick look at a volume, for scripts and pages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from accounts.models import User
from imaging.display import render_frame
from imaging.geometry import edge_letters
from imaging.lut import Window
from imaging.plane import PlaneGeometry, Slab
from imaging.volume import VolumeGeometry
from reconstruction.plane_pictures import find_middle, pipeline_of
from reconstruction.plane_stack import DIRECTIONS, corners_lps, planes_through
from reconstruction.planes import cut_plane, finest_mm, to_int16
from reconstruction.volume_files import Volume

DEFAULT_PX, LEAST_PX, MOST_PX = 512, 16, 1024
GAP_PX = 4


@dataclass(frozen=True, slots=True, eq=False)
class QuickView:
    """One plane and where its picture lies in the picture of all: `left` pixels from the edge."""

    name: str
    plane: PlaneGeometry
    left: int


def choose_views(
    geometry: VolumeGeometry, at: np.ndarray | None, size_px: int
) -> tuple[np.ndarray, list[QuickView]]:
    """Return the point, the volume's middle when none is given, and the planes through it.

    All have square pixels of one size, the voxels' finest unless a side would have more than
    `size_px` of them. Raises `ValidationError` for a point outside of the volume.
    """
    corners = corners_lps(geometry)
    low, high = corners.min(axis=0), corners.max(axis=0)
    point = (low + high) / 2 if at is None else at
    if (point < low).any() or (point > high).any():
        raise ValidationError(_("at: the point lies outside of the volume."))
    pixel_mm = max(finest_mm(geometry), float((high - low).max()) / size_px)
    views: list[QuickView] = []
    left = 0
    for name, (normal, up) in DIRECTIONS.items():
        stack = planes_through(geometry, np.array(normal), np.array(up), pixel_mm=pixel_mm)
        assert stack is not None
        first = stack.first
        depth = float((point - first.origin) @ first.normal)
        plane = replace(first, origin=first.origin + first.normal * depth)
        views.append(QuickView(name, plane, left))
        left += plane.columns + GAP_PX
    return point, views


def draw_views(
    user: User | AnonymousUser, volume: Volume, views: list[QuickView], window: Window | None
) -> np.ndarray:
    """Return the pictures of all planes in one, uint8, black between them.

    Without a window the series' middle image decides; where it says nothing, the pixels of all
    three planes do together. Costs a query.
    """
    cut = [to_int16(cut_plane(volume, one.plane, Slab()), volume.lowest) for one in views]
    instance, frame = find_middle(user, volume)
    pipeline = pipeline_of(instance, frame, volume)
    if window is None and pipeline.window is None and pipeline.voi_lut is None:
        window = pipeline.percentile_window(np.concatenate([one.ravel() for one in cut]))
    shown = [render_frame(one, pipeline, window=window) for one in cut]
    whole = np.zeros(size_of(views)[::-1], np.uint8)
    for view, picture in zip(views, shown, strict=True):
        rows, columns = picture.shape
        whole[:rows, view.left : view.left + columns] = picture
    return whole


def size_of(views: list[QuickView]) -> tuple[int, int]:
    """Return columns and rows of the picture of all."""
    last = views[-1]
    return last.left + last.plane.columns, max(one.plane.rows for one in views)


def describe_view(view: QuickView, point: np.ndarray) -> dict[str, Any]:
    """Return where a picture lies in the picture of all and in the patient, and its letters."""
    plane = view.plane
    away = point - plane.origin
    at_px = [
        float(away @ plane.row_direction) / plane.spacing_mm[1],
        float(away @ plane.column_direction) / plane.spacing_mm[0],
    ]
    return {
        "name": view.name,
        "left": view.left,
        "top": 0,
        "columns": plane.columns,
        "rows": plane.rows,
        "at_px": [round(one, 4) for one in at_px],
        "letters": edge_letters([*plane.row_direction, *plane.column_direction]) or {},
        "origin": plane.origin.tolist(),
        "row_direction": plane.row_direction.tolist(),
        "column_direction": plane.column_direction.tolist(),
        "normal": plane.normal.tolist(),
        "spacing_mm": list(plane.spacing_mm),
    }
