"""The permission table's rows on marks and on objects that are no pictures."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Maker, Row, Target

READS_ONLY = {"referrer": 403}


def _of(target: Target, **more: Any) -> dict[str, Any]:
    return {"sop_instance_uid": target["instance_uid"], **more}


def _mark(name: str) -> Maker:
    return lambda target: {"mark_id": target[name]}


def _study(target: Target) -> dict[str, Any]:
    return {"study_id": target["study"]}


def _rows(name: str, key: str, change: dict[str, Any], new: Maker) -> list[Row]:
    """Return the rows of one kind of marks."""
    shared: dict[str, Any] = {"json": True, "by_role": READS_ONLY, "anonymous": 401}
    one: dict[str, Any] = {"route": f"api:{name}-detail", "path": _mark(key)}
    return [
        Row(route=f"api:{name}-list", anonymous=401),
        Row(route=f"api:{name}-list", method="POST", data=new, names_object=True, own=201,
            **shared),
        Row(**one, anonymous=401),
        Row(**one, method="PATCH", data=lambda _: {"version": 1, **change}, **shared),
        Row(**one, method="DELETE", own=204, **shared),
        Row(route=f"api:{name}-restore", method="POST", path=_mark(f"deleted_{key}"), **shared),
    ]  # fmt: skip


MARKS = [
    *_rows(
        "measurement",
        "measurement",
        {"label": "seen"},
        lambda target: _of(target, kind="length", points_px=[[0, 0], [3, 4]]),
    ),
    *_rows(
        "annotation",
        "annotation",
        {"text": "seen"},
        lambda target: _of(target, kind="text", text="here", points_px=[[0, 0]]),
    ),
    *_rows(
        "mark-layer",
        "marklayer",
        {"colour": "#00ff00"},
        lambda target: {"study": target["study"], "name": "new", "colour": "#ff0000"},
    ),
    *_rows("key-image", "keyimage", {"note": "seen"}, _of),
    *_rows(
        "centreline",
        "centreline",
        {"width_mm": 40},
        lambda target: {"series_id": target["series"], "points_lps_mm": [[0, 0, 0], [0, 0, 9]]},
    ),
    Row(
        route="api:mark-exports",
        method="POST",
        path=_study,
        data=lambda _: {"forms": ["report"]},
        json=True,
        own=201,
        by_role=READS_ONLY,
        anonymous=401,
    ),
    Row(route="api:study-key-images", path=_study, anonymous=401),
    # Its frame is none that the image has: whoever may see it learns no more than the others.
    Row(route="api:key-image-picture", path=_mark("keyimage"), own=404, anonymous=401),
    Row(route="api:marks-csv", path=_study, anonymous=401),
    Row(route="api:marks-json", path=_study, anonymous=401),
]


def _instance(target: Target) -> dict[str, Any]:
    return {"instance_id": target["instance"]}


# The stage holds a CT: to those who may see it, it is no waveform and encapsulates nothing.
OBJECTS = [
    Row(route="api:study-objects", path=_study, anonymous=401),
    Row(route="api:stored-marks", path=_study, anonymous=401),
    Row(route="api:instance-object", path=_instance, anonymous=401),
    Row(
        route="api:instance-outlines",
        path=_instance,
        query=lambda target: {"instance": target["instance"]},
        own=422,
        anonymous=401,
    ),
    Row(route="api:instance-waveform", path=_instance, own=404, anonymous=401),
    Row(route="api:instance-document", path=_instance, own=404, anonymous=401),
    Row(
        route="api:instance-page",
        path=lambda target: {"instance_id": target["instance"], "page": 0},
        own=404,
        anonymous=401,
    ),
    Row(route="api:instance-file", path=_instance, anonymous=401),
]
