"""Calibration lines: a reader says how long something is, and lengths on that image follow.

A line scales images that name no millimetres, or millimetres at the detector. Where the file
gives millimetres in the patient none is taken: a hand must not overrule the scanner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from archive.models import Instance
from imaging.measure import measure
from imaging.measure_geometry import length
from imaging.measure_plane import MeasureError, Plane
from imaging.ordering import frame_view
from viewer.marks import Author
from viewer.models import Annotation, Kept, Measurement

PROVENANCE = "reader_calibrated"
_SCALABLE = frozenset({"uncalibrated", "imager", "imager_corrected"})
# A probe has no length; all other kinds follow the scale.
_WITHOUT_SCALE = frozenset({"probe"})


def usable_facts(instance: Instance, frame: int) -> dict[str, Any]:
    """Return a frame's facts without an aspect ratio that is none."""
    facts = frame_view(instance.image, frame)
    ratio = facts.get("pixel_aspect_ratio")
    if ratio is None or (len(ratio) == 2 and all(float(part) > 0 for part in ratio)):
        return facts
    return {name: value for name, value in facts.items() if name != "pixel_aspect_ratio"}


def calibrate(plane: Plane, instance: Instance) -> Plane:
    """Return the plane scaled by the image's newest calibration line, itself without one.

    Costs a query where a line may scale.
    """
    if plane.provenance not in _SCALABLE:
        return plane
    rows = Annotation.objects.present().filter(instance=instance, kind="calibration")
    line = rows.order_by("-changed_at", "-pk").first()
    if line is None or line.known_mm is None:
        return plane
    facts = usable_facts(instance, line.frame)
    return _scaled(plane, _factor(facts, line.points_px, line.known_mm))


def check_line(instance: Instance, frame: int, points: Sequence[Sequence[float]]) -> None:
    """Raise MeasureError when the points cannot calibrate this image."""
    facts = usable_facts(instance, frame)
    plane = Plane.from_image_facts(facts, points)
    if plane.provenance not in _SCALABLE:
        raise MeasureError(_("This image has millimetres of its own: it needs no calibration."))
    if not _factor(facts, points, 1.0) < float("inf"):
        raise MeasureError(_("A calibration line needs two different points."))


def _factor(facts: dict[str, Any], points: Sequence[Sequence[float]], known_mm: float) -> float:
    """Return how many mm one unit of the uncalibrated plane is."""
    drawn = length(Plane.from_image_facts(facts, points).plane_from_px(np.array(points)))
    return known_mm / drawn if drawn > 0 else float("inf")


def _scaled(plane: Plane, factor: float) -> Plane:
    width, height = (float(step) * factor for step in plane.steps)
    return replace(plane, spacing=(height, width), provenance=PROVENANCE)


# --- what follows a line ----------------------------------------------------------------
def follow(author: Author, line: Kept) -> list[Measurement]:
    """Work out the image's measurements anew after a calibration line changed; returns them.

    Belongs into the transaction of that change. Which pixels count does not depend on the
    scale, so that none is read.
    """
    if not isinstance(line, Annotation) or line.kind != "calibration":
        return []
    rows = Measurement.objects.present().select_for_update(of=("self",))
    rows = rows.filter(instance=line.instance).exclude(kind__in=_WITHOUT_SCALE)
    changed = [row for row in rows.select_related("instance__series") if _remeasure(row)]
    for row in changed:
        row.version += 1
        row.changed_by = author.user
        row.save()
    return changed


def _remeasure(row: Measurement) -> bool:
    """Set the row's numbers by the scale as it is now; returns whether anything changed."""
    facts = usable_facts(row.image, row.frame)
    plane = calibrate(Plane.from_image_facts(facts, row.points_px), row.image)
    result = measure(row.kind, row.points_px, plane)
    kept = [note for note in row.notes if note != "at_detector"]
    statistics = {**row.statistics, **result.statistics}
    if "area_by_count_mm2" in statistics:
        parts = ("count", "padding_count", "not_finite_count")
        count = sum(statistics.get(part) or 0 for part in parts)
        is_mm = plane.spacing is not None
        statistics["area_by_count_mm2"] = count * float(np.prod(plane.steps)) if is_mm else None
    columns = {
        "value": result.value,
        "unit": result.unit,
        "provenance": result.provenance,
        "uncertainty": result.uncertainty,
        "statistics": statistics,
        "notes": [*(note for note in result.notes if note not in kept), *kept],
    }
    is_changed = any(getattr(row, name) != value for name, value in columns.items())
    for name, value in columns.items():
        setattr(row, name, value)
    return is_changed
