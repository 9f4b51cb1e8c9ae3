"""The permission table's rows on what DICOMweb retrieves, and on what it says of itself."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target


def _study(target: Target) -> dict[str, Any]:
    return {"StudyInstanceUID": target["study_uid"]}


def _series(target: Target) -> dict[str, Any]:
    return {**_study(target), "SeriesInstanceUID": target["series_uid"]}


def _instance(target: Target) -> dict[str, Any]:
    return {**_series(target), "SOPInstanceUID": target["instance_uid"]}


def _frame(target: Target) -> dict[str, Any]:
    return {**_instance(target), "frames": "1"}


def _pixels(target: Target) -> dict[str, Any]:
    return {**_instance(target), "path": "7FE00010"}


RETRIEVED = [
    Row(route="dicomweb:capabilities", anonymous=401),
    Row(route="dicomweb:study", path=_study, anonymous=401),
    Row(route="dicomweb:series-retrieve", path=_series, anonymous=401),
    Row(route="dicomweb:instance", path=_instance, anonymous=401),
    Row(route="dicomweb:study-metadata", path=_study, anonymous=401),
    Row(route="dicomweb:series-metadata", path=_series, anonymous=401),
    Row(route="dicomweb:instance-metadata", path=_instance, anonymous=401),
    Row(route="dicomweb:frames", path=_frame, anonymous=401),
    Row(route="dicomweb:bulkdata", path=_pixels, anonymous=401),
]
