"""The permission table's rows on the DICOM file interface."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target, upload


def _path(target: Target) -> dict[str, Any]:
    study, series, instance = (target[name].hex for name in ("study", "series", "instance"))
    return {"file_path": f"studies/{study}/{series}/{instance}.dcm"}


FILES = [
    Row(
        route="files:upload",
        method="POST",
        data=lambda _: {"file": upload("x.dcm", b"not DICOM")},
        own=400,
        by_role={"referrer": 403},
        anonymous=401,
    ),
    Row(route="files:list", anonymous=401),
    Row(route="files:status", anonymous=401),
    Row(route="files:metadata", path=_path, anonymous=401),
    Row(route="files:image", path=_path, anonymous=401),
    Row(route="files:summary", method="POST", path=_path, anonymous=401),
    # Marks of readers hang on the stage's image: those who may delete are told so.
    Row(
        route="files:file",
        method="DELETE",
        path=_path,
        own=409,
        by_role={"radiologist": 403, "technologist": 403, "referrer": 403},
        anonymous=401,
    ),
]
