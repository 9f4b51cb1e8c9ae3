"""The permission table's rows on hanging protocols."""

from __future__ import annotations

from typing import Any

from tests.permissions.stage import LAYOUT
from tests.permissions.table import Row, Target

# What a facility shares, its administrators change; to others it is not there to be changed.
MANAGERS_ONLY = {"radiologist": 404, "technologist": 404, "referrer": 404}


def _protocol(target: Target) -> dict[str, Any]:
    return {"protocol_id": target["hanging"]}


def _study(target: Target) -> dict[str, Any]:
    return {"study_id": target["study"]}


def _new(_: Target) -> dict[str, Any]:
    return {"name": "CT", "rules": {"modality": "CT"}, "layout": LAYOUT}


HANGING = [
    Row(route="api:hanging-protocol-list", anonymous=401),
    Row(
        route="api:hanging-protocol-list",
        method="POST",
        data=_new,
        json=True,
        own=201,
        anonymous=401,
    ),
    Row(route="api:hanging-protocol-detail", path=_protocol, anonymous=401),
    Row(
        route="api:hanging-protocol-detail",
        method="PATCH",
        path=_protocol,
        data=lambda _: {"version": 1, "name": "seen"},
        json=True,
        by_role=MANAGERS_ONLY,
        anonymous=401,
    ),
    Row(
        route="api:hanging-protocol-detail",
        method="DELETE",
        path=_protocol,
        json=True,
        own=204,
        by_role=MANAGERS_ONLY,
        anonymous=401,
    ),
    Row(route="api:study-hanging", path=_study, anonymous=401),
]
