"""Marks that came as DICOM objects: read from reports, states and key objects, never changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from accounts.models import User
from archive.models import Instance, Series, Study
from imaging.errors import MissingError, PermanentError
from imaging.header import Header
from imaging.key_objects import KeyObjects, read_key_objects
from imaging.measure_plane import MeasureError, Plane
from imaging.presentation import Graphic, State, Words, read_state
from imaging.sr_marks import ReportMark, find_marks
from imaging.sr_tree import Reference, read_report
from imaging.text import display_name, parse_date, parse_time
from viewer.calibration import usable_facts
from viewer.mark_rows import key_of_uid, uid_of
from viewer.models import Annotation, Measurement
from viewer.object_kinds import KEY_OBJECTS, REPORT, STATE, kind_of, open_header
from viewer.stored_planes import place_on_stored_plane

Row = dict[str, Any]

OBJECTS_LIMIT = 100
SIZE_LIMIT = 32 << 20
IMAGES_LIMIT = 20_000
_KEPT = 64
_GRAPHICS = {
    "POINT": "point",
    "INTERPOLATED": "freehand",
    "CIRCLE": "circle",
    "ELLIPSE": "ellipse",
}


@dataclass(frozen=True)
class _Origin:
    """Where marks were read: of which object, by whom, when."""

    kind: str
    title: str
    author: str
    written_at: str


@dataclass(frozen=True)
class _Read:
    """What one object gives."""

    origin: _Origin
    marks: tuple[ReportMark, ...] = ()
    state: State | None = None
    selection: KeyObjects | None = None


_kept: OrderedDict[str, _Read] = OrderedDict()
_lock = Lock()


def read_stored_marks(user: User | AnonymousUser, study: Study) -> dict[str, Any]:
    """Return the marks of all objects of a study that hold some, in the form of their rows.

    Each has `origin` and `read_only`; `mark` names the row here that it was written from.
    Objects that cannot be read are told in `unread`.
    """
    sources = [
        one
        for one in Instance.objects.visible_to(user)
        .filter(study=study, number_of_frames=0)
        .select_related("series")
        .defer("frame_table", "image")
        .order_by("received_at", "pk")
        if kind_of(one.sop_class_uid, 0) in (REPORT, KEY_OBJECTS, STATE)
    ]
    unread = [_tell(one, _("There are more objects than are read.")) for one in
              sources[OBJECTS_LIMIT:]]  # fmt: skip
    found: list[tuple[Instance, _Read]] = []
    for source in sources[:OBJECTS_LIMIT]:
        try:
            found.append((source, _read(source)))
        except PermanentError as error:
            unread.append(_tell(source, str(error)))
    images = _Images(user, study, [one for _source, one in found])
    rows: dict[str, Any] = {
        "measurements": [], "annotations": [], "key_images": [], "unread": unread,
    }  # fmt: skip
    for source, one in found:
        origin = _describe_origin(source, one.origin)
        rows["measurements"] += _measurements(one, origin, images)
        rows["annotations"] += _annotations(one, origin, images)
        rows["key_images"] += _key_images(one, origin, images)
    return rows


def _tell(source: Instance, reason: str) -> Row:
    return {"instance": str(source.pk), "series": str(source.series_id), "reason": reason}


# --- reading ------------------------------------------------------------------------------
def _read(source: Instance) -> _Read:
    """Return what an object holds; what was read is kept by its content."""
    key = source.dataset_sha256
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    if source.size_bytes > SIZE_LIMIT:
        raise MissingError(_("The object is too large to be read for marks."))
    found = _take(source, open_header(source))
    with _lock:
        _kept[key] = found
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return found


def _take(source: Instance, header: Header) -> _Read:
    kind = kind_of(source.sop_class_uid, 0)
    if kind == STATE:
        state = read_state(header)
        return _Read(_origin(header, kind, state.label, state.creator), state=state)
    if kind == KEY_OBJECTS:
        selection = read_key_objects(header)
        return _Read(
            _origin(header, kind, selection.title, selection.observer), selection=selection
        )
    report = read_report(header)
    authors = [node.value for node in report.root.walk() if node.value_type == "PNAME"]
    marks = tuple(find_marks(report.root))
    return _Read(_origin(header, kind, report.root.name, next(iter(authors), "")), marks=marks)


def _origin(header: Header, kind: str, title: str, author: str) -> _Origin:
    day, _is_exact = parse_date(
        header.text("ContentDate") or header.text("PresentationCreationDate")
    )
    clock, _is_exact = parse_time(
        header.text("ContentTime") or header.text("PresentationCreationTime")
    )
    author = author or display_name(header.text("ContentCreatorName"))
    written_at = " ".join(str(part) for part in (day, clock) if part is not None)
    return _Origin(kind, title, author, written_at)


def _describe_origin(source: Instance, origin: _Origin) -> Row:
    return {
        "instance": str(source.pk),
        "sop_instance_uid": source.sop_instance_uid,
        "series": str(source.series_id),
        "series_description": source.series.series_description,
        "kind": origin.kind,
        "title": origin.title,
        "author": origin.author,
        "written_at": origin.written_at,
    }


# --- images that are named ------------------------------------------------------------------
class _Images:
    """The images of the study that marks lie on, and the rows that marks were written from."""

    def __init__(self, user: User | AnonymousUser, study: Study, found: Sequence[_Read]) -> None:
        marks = [mark for one in found for mark in one.marks]
        rows = Instance.objects.visible_to(user).filter(study=study, number_of_frames__gt=0)
        if not any(mark.points_lps_mm for mark in marks):
            # Only coordinates in the patient may lie on any image.
            rows = rows.filter(sop_instance_uid__in=_named_uids(found))
        rows = rows.select_related("series").defer("frame_table")[:IMAGES_LIMIT]
        self._rows = {row.sop_instance_uid: row for row in rows}
        self.series: dict[str, str] = {}
        if any(mark.plane for mark in marks):
            there = Series.objects.visible_to(user).filter(study=study)
            uids = there.values_list("series_instance_uid", "pk")
            self.series = {uid: str(key) for uid, key in uids}
        self._known = _known_marks(study, {mark.uid for mark in marks if mark.uid})

    def mark_of(self, uid: str) -> str | None:
        """Return the key of the row here that has a tracking UID."""
        return self._known.get(uid)

    def place(self, reference: Reference | None) -> Row | None:
        """Return where a reference lies, None when its image is not here."""
        row = self._rows.get(reference.sop_instance_uid) if reference else None
        if row is None or reference is None:
            return None
        frame = reference.frames[0] - 1 if reference.frames else 0
        if not 0 <= frame < max(row.number_of_frames, 1):
            return None
        return _place(row, frame)

    def all_of(self, reference: Reference) -> list[Row]:
        """Return a place for each frame that is named, the first when none is."""
        row = self._rows.get(reference.sop_instance_uid)
        if row is None:
            return []
        frames = [frame - 1 for frame in reference.frames] or [0]
        return [_place(row, frame) for frame in frames if 0 <= frame < row.number_of_frames]

    def find_plane(
        self, frame_of_reference_uid: str, points: list[tuple[float, ...]]
    ) -> tuple[Row, list[list[float]]] | None:
        """Return the first image on whose plane all points lie, and where in pixels."""
        for row in self._rows.values():
            if row.series.frame_of_reference_uid != frame_of_reference_uid:
                continue
            for frame in range(min(max(row.number_of_frames, 1), 1000)):
                try:
                    plane = Plane.from_image_facts(usable_facts(row, frame))
                    with np.errstate(over="ignore", invalid="ignore"):
                        placed = plane.px_from_lps(np.array(points))
                except MeasureError:
                    continue
                if not np.isfinite(placed).all():
                    continue
                return _place(row, frame), placed.tolist()
        return None


def _named_uids(found: Sequence[_Read]) -> list[str]:
    """Return the images that objects name."""
    references = [mark.reference for one in found for mark in one.marks]
    for one in found:
        if one.state is not None:
            references += one.state.images
            references += [image for mark in one.state.annotations for image in mark.images]
        if one.selection is not None:
            references += one.selection.references
    uids = {reference.sop_instance_uid for reference in references if reference is not None}
    return sorted(uids)[:IMAGES_LIMIT]


def _place(row: Instance, frame: int) -> Row:
    return {
        "instance": str(row.pk),
        "series": str(row.series_id),
        "sop_instance_uid": row.sop_instance_uid,
        "frame": frame,
    }


def _known_marks(study: Study, uids: set[str]) -> dict[str, str]:
    """Return the keys of rows of this study by the tracking UIDs made of them."""
    keys = [key for uid in uids if (key := key_of_uid(uid)) is not None]
    known: dict[str, str] = {}
    for model in (Measurement, Annotation):
        manager: Any = model.objects
        present = manager.present().filter(study=study, pk__in=keys).values_list("pk", flat=True)
        known |= {uid_of(key): str(key) for key in present}
    return known


# --- rows -------------------------------------------------------------------------------------
def _measurements(one: _Read, origin: Row, images: _Images) -> list[Row]:
    rows = []
    for number, mark in enumerate(one.marks):
        place = _find_place(mark, images)
        if place is None:
            continue
        rows.append(
            {
                "id": f"{origin['instance']}/{number}",
                **place,
                "kind": mark.kind,
                "points_lps_mm": [list(point) for point in mark.points_lps_mm] or None,
                "value": mark.value,
                "unit": mark.unit,
                "uncertainty": mark.uncertainty,
                "statistics": mark.statistics,
                "provenance": mark.provenance,
                "notes": [],
                "finding": dict(zip(("value", "scheme", "meaning"), mark.finding, strict=True))
                if mark.finding
                else {},
                "label": mark.label,
                "layer": "",
                "tracking_uid": mark.uid,
                "mark": images.mark_of(mark.uid),
                "read_only": True,
                "origin": origin,
            }
        )
    return rows


def _find_place(mark: ReportMark, images: _Images) -> Row | None:
    """Return where a mark lies: image, or plane, and points in its pixels."""
    if mark.plane:
        return place_on_stored_plane(mark.plane, mark.points_lps_mm, images.series)
    if not mark.points_lps_mm:
        place = images.place(mark.reference)
        points = [list(point) for point in mark.points_px]
        return None if place is None else {**place, "plane": None, "points_px": points}
    found = images.find_plane(mark.frame_of_reference_uid, mark.points_lps_mm)
    return None if found is None else {**found[0], "plane": None, "points_px": found[1]}


def _annotations(one: _Read, origin: Row, images: _Images) -> list[Row]:
    if one.state is None:
        return []
    rows: list[Row] = []
    for annotation in one.state.annotations:
        targets = annotation.images or tuple(one.state.images)
        places = [place for image in targets for place in images.all_of(image)]
        marks: list[Graphic | Words] = [*annotation.graphics, *annotation.words]
        for drawn in marks:
            row = _graphic_row(drawn) if isinstance(drawn, Graphic) else _words_row(drawn)
            if row is None:
                continue
            style = _style_of(drawn, one.state.layers.get(drawn.layer, ""))
            rows += [
                {
                    "id": f"{origin['instance']}/{len(rows) + number}",
                    **place,
                    **row,
                    "layer": drawn.layer,
                    "style": style,
                    "read_only": True,
                    "origin": origin,
                }
                for number, place in enumerate(places)
            ]
    return rows


def _style_of(drawn: Graphic | Words, colour: str) -> Row:
    """Return how a mark looks, in the form of a row's style; its own colour goes before."""
    style: Row = {}
    if isinstance(drawn, Graphic):
        colour, style = drawn.colour or colour, drawn.style.to_json()
    return {**style, "colour": colour} if colour else style


def _graphic_row(graphic: Graphic) -> Row | None:
    if graphic.units != "PIXEL":
        return None
    points = [list(point) for point in graphic.points]
    kind = _GRAPHICS.get(graphic.kind)
    if kind is None:
        is_closed = len(points) > 3 and points[0] == points[-1]
        kind = "polygon" if is_closed else "polyline"
        points = points[:-1] if is_closed else points
    return {"kind": kind, "points_px": points, "text": ""}


def _words_row(words: Words) -> Row | None:
    points = []
    if words.anchor is not None and words.anchor_units == "PIXEL":
        points.append(list(words.anchor))
    if words.box is not None and words.box_units == "PIXEL":
        points.append([words.box[0], words.box[1]])
    return {"kind": "text", "points_px": points, "text": words.text} if points else None


def _key_images(one: _Read, origin: Row, images: _Images) -> list[Row]:
    if one.selection is None:
        return []
    places = [place for image in one.selection.references for place in images.all_of(image)]
    return [
        {
            "id": f"{origin['instance']}/{number}",
            **place,
            "note": one.selection.description,
            "read_only": True,
            "origin": origin,
        }
        for number, place in enumerate(places)
    ]
