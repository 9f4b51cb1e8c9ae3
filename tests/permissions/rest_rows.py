"""The permission table's rows on the REST lists: studies, instances, worklist, peers, trail."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Maker, Row, Target

READERS_ONLY = {"radiologist": 403, "technologist": 403, "referrer": 403}


def _key(name: str, of: str) -> Maker:
    def make(target: Target) -> dict[str, Any]:
        return {name: target[of]}

    return make


REST = [
    Row(route="api:study-list", anonymous=401),
    Row(route="api:study-detail", path=_key("study_id", "study"), anonymous=401),
    Row(route="api:instance-list", anonymous=401),
    Row(route="api:instance-detail", path=_key("instance_id", "instance"), anonymous=401),
    Row(route="api:worklist", anonymous=401),
    Row(route="api:worklist-entry", path=_key("entry_id", "entry"), anonymous=401),
    Row(route="api:facilities", anonymous=401),
    Row(route="api:facility", path=_key("facility_id", "facility"), anonymous=401),
    Row(route="api:audit", by_role=READERS_ONLY, anonymous=401),
    Row(route="api:peers", anonymous=401),
    # Who refers patients calls no other archive: there are no peers.
    Row(
        route="api:peer",
        path=_key("peer_id", "destination"),
        by_role={"referrer": 404},
        anonymous=401,
    ),
    Row(route="api:uploads", anonymous=401),
    # Nobody has one on the stage: each sees their own alone.
    Row(
        route="api:uploads",
        method="POST",
        data=lambda _: {"name": "x.dcm", "size_bytes": 0},
        json=True,
        own=400,
        by_role={"referrer": 403},
        anonymous=401,
    ),
    Row(
        route="api:upload",
        path=_key("upload_id", "study"),
        own=404,
        anonymous=401,
    ),
    Row(
        route="api:upload",
        method="PATCH",
        path=_key("upload_id", "study"),
        own=404,
        by_role={"referrer": 403},
        anonymous=401,
    ),
    Row(
        route="api:upload",
        method="DELETE",
        path=_key("upload_id", "study"),
        own=404,
        by_role={"referrer": 403},
        anonymous=401,
    ),
    Row(route="api:upload-verdicts", path=_key("upload_id", "study"), own=404, anonymous=401),
]
