"""Annotations as the server keeps them: their points are checked and placed in the patient."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from imaging.measure_plane import MeasureError, Plane
from viewer import marks
from viewer.calibration import check_line, follow, usable_facts
from viewer.mark_planes import OnPlane, Spot, place_on_plane
from viewer.marks import Author
from viewer.measured import Shape
from viewer.measurements import place_points, spot_of
from viewer.models import Annotation

# Kind -> the least and the most points of it.
_COUNTS = {
    "arrow": (2, 2),
    "text": (1, 2),
    "spine_label": (1, 2),
    "point": (1, 1),
    "polyline": (2, 1024),
    "freehand": (2, 1024),
    "polygon": (3, 1024),
    "rectangle": (2, 4),
    "ellipse": (2, 4),
    "circle": (2, 2),
    "calibration": (2, 2),
}


def create(author: Author, spot: Spot, shape: Shape, words: dict[str, Any]) -> Annotation:
    """Store a drawing. Raises MeasureError for points that make none."""
    columns = {**_place(spot, shape), **words, **spot.columns}
    return marks.create(author, Annotation, spot.study_id, columns, follow=follow)


def change(
    author: Author, mark: Annotation, version: int, shape: Shape | None, words: dict[str, Any]
) -> Annotation:
    """Replace points or words of the version seen. Raises as `create` and `marks.change`."""
    columns = {} if shape is None else _place(spot_of(mark), shape)
    return marks.change(author, mark, version, {**columns, **words}, follow=follow)


def _place(spot: Spot, shape: Shape) -> dict[str, Any]:
    least, most = _COUNTS[shape.kind]
    if not least <= len(shape.points) <= most:
        raise MeasureError(_("This kind of annotation has another number of points."))
    if isinstance(spot, OnPlane):
        if shape.kind == "calibration":
            raise MeasureError(_("A reformatted plane has millimetres: it needs no calibration."))
        return {"kind": shape.kind, **place_on_plane(spot, shape)}
    instance, frame = spot.instance, spot.frame
    facts = usable_facts(instance, frame)
    points = [[float(number) for number in point] for point in shape.points]
    if shape.is_lps:
        points = Plane.from_image_facts(facts).px_from_lps(np.array(points)).tolist()
    if shape.kind == "calibration":
        check_line(instance, frame, points)
    # No lengths are taken: points may lie in any region of the picture.
    plane = Plane.from_image_facts(facts)
    return {
        "kind": shape.kind,
        "points_px": points,
        "points_lps_mm": place_points(plane, points),
    }
