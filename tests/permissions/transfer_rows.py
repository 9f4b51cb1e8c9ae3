"""The permission table's rows on what goes to other archives."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target

_MAY_LOOK: dict[str, Any] = {"anonymous": 401}
_MAY_SEND: dict[str, Any] = {"by_role": {"referrer": 403}, "anonymous": 401}


def _transfer(target: Target) -> dict[str, Any]:
    return {"transfer_id": target["transfer"]}


def _wish(target: Target) -> dict[str, Any]:
    return {"study": str(target["study"]), "peer": str(target["destination"])}


def _destination(target: Target) -> dict[str, Any]:
    return {"peer_id": target["destination"]}


_ADMINS_ONLY: dict[str, Any] = {
    "names_object": False,
    "own": 403,
    "by_role": dict.fromkeys(("radiologist", "technologist", "referrer", "facility_admin"), 403),
    "admin": 204,
    "anonymous": 401,
}

TRANSFERS = [
    Row(route="api:transfers", **_MAY_LOOK),
    Row(
        route="api:transfers", method="POST", data=_wish, json=True, names_object=True, own=202,
        **_MAY_SEND,
    ),
    Row(route="api:transfer-peers", **_MAY_LOOK),
    Row(route="api:transfer", path=_transfer, **_MAY_LOOK),
    Row(route="api:transfer", method="DELETE", path=_transfer, own=204, **_MAY_SEND),
    # It waits already: there is nothing to try again.
    Row(route="api:transfer-retry", method="POST", path=_transfer, own=409, **_MAY_SEND),
    Row(route="api:transfer-pause", method="POST", path=_transfer, **_MAY_SEND),
    Row(route="api:transfer-resume", method="POST", path=_transfer, **_MAY_SEND),
    Row(route="api:transfer-peer-pause", method="POST", path=_destination, **_ADMINS_ONLY),
    Row(route="api:transfer-peer-resume", method="POST", path=_destination, **_ADMINS_ONLY),
]  # fmt: skip
