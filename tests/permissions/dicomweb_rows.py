"""The permission table's rows on DICOMweb: searches, alone and below what a path names."""

from __future__ import annotations

from typing import Any

from tests.permissions.rendered_rows import RENDERED
from tests.permissions.retrieve_rows import RETRIEVED
from tests.permissions.table import Row, Target
from tests.permissions.workflow_rows import DELETING, WORKFLOW


def _study(target: Target) -> dict[str, Any]:
    return {"StudyInstanceUID": target["study_uid"]}


def _series(target: Target) -> dict[str, Any]:
    return {**_study(target), "SeriesInstanceUID": target["series_uid"]}


# A body that is none: who may store is told so, of whatever study.
STORING = [
    Row(
        route="dicomweb:studies",
        method="POST",
        data=lambda _: {"nothing": "of DICOM"},
        own=415,
        by_role={"referrer": 403},
        anonymous=401,
    ),
    Row(
        route="dicomweb:study",
        method="POST",
        path=_study,
        data=lambda _: {"nothing": "of DICOM"},
        own=415,
        by_role={"referrer": 403},
        names_object=False,
        anonymous=401,
    ),
]

DICOMWEB = [
    Row(route="dicomweb:studies", anonymous=401),
    *STORING,
    *WORKFLOW,
    *DELETING,
    Row(route="dicomweb:series", anonymous=401),
    Row(route="dicomweb:instances", anonymous=401),
    Row(route="dicomweb:study-series", path=_study, anonymous=401),
    Row(route="dicomweb:study-instances", path=_study, anonymous=401),
    Row(route="dicomweb:series-instances", path=_series, anonymous=401),
    *RENDERED,
    *RETRIEVED,
]
