"""The permission table's rows on exports: the stage's are the administrator's own."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target


def _export(target: Target) -> dict[str, Any]:
    return {"export_id": target["export"]}


def _picture(target: Target) -> dict[str, Any]:
    return {"export_id": target["export"], "place": 0}


def _new(target: Target) -> dict[str, Any]:
    return {"study": str(target["study"]), "format": "dicom"}


EXPORTS = [
    Row(route="api:exports", anonymous=401),
    Row(
        route="api:exports",
        method="POST",
        data=_new,
        json=True,
        names_object=True,
        own=201,
        anonymous=401,
    ),
    # To everybody but who asked for it an export is not there.
    Row(route="api:export", path=_export, own=404, admin=200, anonymous=401),
    Row(route="api:export", method="DELETE", path=_export, own=404, admin=204, anonymous=401),
    Row(route="api:export-picture", path=_picture, own=404, admin=200, anonymous=401),
    # A page to print has no file: missing even to who may see it.
    Row(route="api:export-file", path=_export, own=404, admin=404, anonymous=401),
    Row(route="viewer:print", path=_export, own=404, admin=200),
]
