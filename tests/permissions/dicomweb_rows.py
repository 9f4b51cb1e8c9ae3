"""The permission table's rows on DICOMweb: searches, alone and below what a path names."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target


def _study(target: Target) -> dict[str, Any]:
    return {"StudyInstanceUID": target["study_uid"]}


def _series(target: Target) -> dict[str, Any]:
    return {**_study(target), "SeriesInstanceUID": target["series_uid"]}


DICOMWEB = [
    Row(route="dicomweb:studies", anonymous=401),
    Row(route="dicomweb:series", anonymous=401),
    Row(route="dicomweb:instances", anonymous=401),
    Row(route="dicomweb:study-series", path=_study, anonymous=401),
    Row(route="dicomweb:study-instances", path=_study, anonymous=401),
    Row(route="dicomweb:series-instances", path=_series, anonymous=401),
]
