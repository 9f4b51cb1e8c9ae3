"""A study's marks gathered for those who write them out: reports, tables, presentation states."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archive.models import Instance, Series, Study
from imaging.drawn import CIRCLE, CORNER_PX, ELLIPSE, Drawn, ImageRef, ellipse_ends, graphics_of
from imaging.mark_style import MarkStyle
from imaging.measure_plane import MeasureError, Plane
from viewer.calibration import calibrate, usable_facts
from viewer.mark_planes import MarkPlane
from viewer.marks import related_of
from viewer.models import Annotation, KeyImage, Mark, MarkLayer, Measurement

# More than any person draws; a report beyond this is refused, not cut.
MARKS_LIMIT = 5000


@dataclass(frozen=True)
class StudyMarks:
    """What is marked in a study, as it is now, in the order in which it was made."""

    measurements: list[Measurement]
    annotations: list[Annotation]
    key_images: list[KeyImage]
    layers: list[MarkLayer]

    @property
    def drawings(self) -> list[Measurement | Annotation]:
        """Return what is drawn with points."""
        return [*self.measurements, *self.annotations]

    @property
    def on_images(self) -> StudyMarks:
        """Return the marks that lie on images; the others lie on reformatted planes."""
        return StudyMarks(
            [mark for mark in self.measurements if mark.instance_id],
            [mark for mark in self.annotations if mark.instance_id],
            self.key_images,
            self.layers,
        )

    @property
    def on_planes(self) -> list[Measurement | Annotation]:
        """Return what is drawn on reformatted planes."""
        return [mark for mark in self.drawings if not mark.instance_id]

    def instances(self) -> dict[uuid.UUID, Instance]:
        """Return the images that anything lies on."""
        marks: list[Mark] = [*self.drawings, *self.key_images]
        found = (mark.find_home()[0] for mark in marks)
        return {instance.pk: instance for instance in found if instance is not None}


def gather_marks(study: Study, wanted: Sequence[uuid.UUID] | None = None) -> StudyMarks:
    """Return the marks of a study that the person may see; four queries.

    `wanted` are keys of marks; None is all.
    """

    def rows(model: Any) -> list[Any]:
        found = model.objects.present().filter(study=study)
        if wanted is not None:
            found = found.filter(pk__in=wanted)
        placed = related_of(model)
        found = found.select_related(*placed, "created_by", "changed_by", "study")
        return list(found.defer("instance__frame_table").order_by("id")[: MARKS_LIMIT + 1])

    layers = MarkLayer.objects.present().filter(study=study).order_by("position", "name")
    return StudyMarks(rows(Measurement), rows(Annotation), rows(KeyImage), list(layers))


def image_of(mark: Measurement | Annotation | KeyImage) -> ImageRef:
    """Return how DICOM names the frame of a mark that lies on one."""
    instance = mark.find_home()[0]
    assert instance is not None
    return ImageRef(
        instance.sop_class_uid,
        instance.sop_instance_uid,
        mark.frame,
        max(instance.number_of_frames, 1),
    )


def drawn_of(mark: Measurement | Annotation) -> Drawn:
    """Return a row as reports carry it."""
    style = mark.style or {}
    series = mark.find_home()[1]
    shared: dict[str, Any] = {
        "kind": mark.kind,
        "points_px": mark.points_px,
        "points_lps_mm": mark.points_lps_mm,
        "frame_of_reference_uid": series.frame_of_reference_uid,
        "uid": uid_of(mark.pk),
        "label": mark.label,
        "layer": mark.layer,
        "colour": style.get("colour", ""),
        "style": MarkStyle.from_json(style),
    }
    if mark.plane is None:
        shared |= {"image": image_of(mark), "steps": _steps(mark)}
    else:
        shared |= _on_plane(mark, MarkPlane.from_json(mark.plane), series)
    if isinstance(mark, Annotation):
        return Drawn(**shared, text=mark.text)
    found = mark.finding
    return Drawn(
        **shared,
        value=mark.value,
        unit=mark.unit,
        statistics=mark.statistics,
        provenance=mark.provenance,
        uncertainty=mark.uncertainty,
        notes=mark.notes,
        finding=(found["value"], found["scheme"], found["meaning"]) if found else None,
    )


def _on_plane(mark: Measurement | Annotation, plane: MarkPlane, series: Series) -> dict[str, Any]:
    """Return what reports carry of a mark on a plane; a query for an image of its series."""
    grid = plane.measured()
    steps = (float(grid.steps[0]), float(grid.steps[1]))
    images = Instance.objects.filter(series=series, number_of_frames__gt=0)
    first = (
        images.order_by("instance_number", "pk").only("sop_class_uid", "sop_instance_uid").first()
    )
    image = ImageRef(first.sop_class_uid, first.sop_instance_uid) if first else ImageRef("", "")
    flat = Drawn(kind=mark.kind, points_px=mark.points_px, image=image, steps=steps)
    outline = [
        (ELLIPSE, ellipse_ends(points, steps)) if kind == CIRCLE else (kind, points)
        for kind, points in graphics_of(flat)
    ]
    kept = {**plane.to_json(), "series_instance_uid": series.series_instance_uid}
    return {
        "image": image,
        "steps": steps,
        "frame_of_reference_uid": plane.frame_of_reference_uid,
        "plane": json.dumps(kept, separators=(",", ":")),
        "outline_lps_mm": [
            (kind, grid.lps_from_px(points - CORNER_PX)) for kind, points in outline
        ],
    }


def uid_of(key: uuid.UUID) -> str:
    """Return the UID that tells a row apart for ever (PS3.5 B.2)."""
    return f"2.25.{key.int}"


def key_of_uid(uid: str) -> uuid.UUID | None:
    """Return the key that `uid_of` made a UID of; None for a UID from elsewhere."""
    number = uid.removeprefix("2.25.")
    is_ours = number != uid and number.isascii() and number.isdigit() and len(number) < 40
    return uuid.UUID(int=int(number)) if is_ours and int(number) < 2**128 else None


def _steps(mark: Measurement | Annotation) -> tuple[float, float]:
    try:
        plane = Plane.from_image_facts(usable_facts(mark.image, mark.frame), mark.points_px)
    except MeasureError:
        return 1.0, 1.0
    width, height = (float(step) for step in calibrate(plane, mark.image).steps)
    return width, height
