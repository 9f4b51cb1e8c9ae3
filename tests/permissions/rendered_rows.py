"""The permission table's rows on pictures of DICOMweb: rendered resources, thumbnails, by URI."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target


def _study(target: Target) -> dict[str, Any]:
    return {"StudyInstanceUID": target["study_uid"]}


def _series(target: Target) -> dict[str, Any]:
    return {**_study(target), "SeriesInstanceUID": target["series_uid"]}


def _instance(target: Target) -> dict[str, Any]:
    return {**_series(target), "SOPInstanceUID": target["instance_uid"]}


def _frames(target: Target) -> dict[str, Any]:
    return {**_instance(target), "frames": "1"}


def _by_uri(target: Target) -> dict[str, Any]:
    return {
        "requestType": "WADO",
        "studyUID": target["study_uid"],
        "seriesUID": target["series_uid"],
        "objectUID": target["instance_uid"],
    }


RENDERED = [
    Row(route="dicomweb:study-rendered", path=_study, anonymous=401),
    Row(route="dicomweb:series-rendered", path=_series, anonymous=401),
    Row(route="dicomweb:instance-rendered", path=_instance, anonymous=401),
    Row(route="dicomweb:frames-rendered", path=_frames, anonymous=401),
    Row(route="dicomweb:study-thumbnail", path=_study, anonymous=401),
    Row(route="dicomweb:series-thumbnail", path=_series, anonymous=401),
    Row(route="dicomweb:instance-thumbnail", path=_instance, anonymous=401),
    Row(route="dicomweb:frames-thumbnail", path=_frames, anonymous=401),
    Row(route="dicomweb:wado-uri", query=_by_uri, names_object=True, anonymous=401),
]
