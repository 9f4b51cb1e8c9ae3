"""The permission table's rows on DICOMweb: what scanners ask and tell, and what is deleted."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target

_NOT_THEIRS = {"radiologist": 403, "technologist": 403, "referrer": 403}


def _study(target: Target) -> dict[str, Any]:
    return {"StudyInstanceUID": target["study_uid"]}


def _series(target: Target) -> dict[str, Any]:
    return {**_study(target), "SeriesInstanceUID": target["series_uid"]}


def _instance(target: Target) -> dict[str, Any]:
    return {**_series(target), "SOPInstanceUID": target["instance_uid"]}


# Nobody has asked for this transaction: who asked fetches it, and nobody else has one.
_TRANSACTION: dict[str, Any] = {
    "route": "dicomweb:commitment",
    "path": lambda _: {"transaction_uid": "1.2.3"},
    "names_object": False,
    "by_role": {"referrer": 403},
    "anonymous": 401,
}
_STEP: dict[str, Any] = {
    **_TRANSACTION,
    "route": "dicomweb:performed-step",
    "path": lambda _: {"uid": "1.2.3"},
}
_BODY: dict[str, Any] = {"method": "POST", "data": lambda _: {"nothing": "of DICOM"}, "own": 415}

WORKFLOW = [
    Row(route="dicomweb:scheduled-steps", anonymous=401),
    Row(**_TRANSACTION, own=404),
    Row(**_TRANSACTION, **_BODY),
    Row(**_STEP, own=404),
    Row(**_STEP, **_BODY),
]

# The stage's studies hold marks and work that is under way: for those who may delete, a conflict.
_DELETE: dict[str, Any] = {"method": "DELETE", "own": 409, "by_role": _NOT_THEIRS, "anonymous": 401}
DELETING = [
    Row(route="dicomweb:study", path=_study, **_DELETE),
    Row(route="dicomweb:series-retrieve", path=_series, **_DELETE),
    Row(route="dicomweb:instance", path=_instance, **_DELETE),
]
