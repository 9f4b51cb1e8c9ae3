"""The permission table's rows on orders: staff make and change them, referrers may look."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target

_STAFF_ALONE: dict[str, Any] = {"by_role": {"referrer": 403}, "anonymous": 401, "json": True}


def _order(target: Target) -> dict[str, Any]:
    return {"order_id": target["order"]}


def _step(target: Target) -> dict[str, Any]:
    return {"order_id": target["order"], "step_id": target["step"]}


def _new_step(_: Target) -> dict[str, Any]:
    return {
        "modality": "MR",
        "scheduled_procedure_step_start_date": "2024-03-05",
        "scheduled_procedure_step_start_time": "10:00",
    }


def _new_order(_: Target) -> dict[str, Any]:
    return {"patient_id": "P2", "patient_name": "Roe^Richard", "steps": [_new_step(_)]}


def _changed_name(_: Target) -> dict[str, Any]:
    return {"patient_name": "Roe^Richard"}


def _begun(_: Target) -> dict[str, Any]:
    return {"status": "started"}


ORDERS = [
    Row(route="api:orders", anonymous=401),
    # An administrator sees several facilities and must name one; who has none has none to name.
    Row(
        route="api:orders", method="POST", data=_new_order, own=201, admin=400, stranger=403,
        **_STAFF_ALONE,
    ),
    Row(route="api:order", path=_order, anonymous=401),
    Row(route="api:order", method="PATCH", path=_order, data=_changed_name, **_STAFF_ALONE),
    Row(route="api:order-cancel", method="POST", path=_order, **_STAFF_ALONE),
    Row(
        route="api:order-steps", method="POST", path=_order, data=_new_step, own=201,
        **_STAFF_ALONE,
    ),
    Row(route="api:order-step", method="PATCH", path=_step, data=_begun, **_STAFF_ALONE),
    Row(route="api:order-performed", path=_order, anonymous=401),
]  # fmt: skip
