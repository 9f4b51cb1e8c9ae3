"""The permission table's rows on pages of other archives."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target

# Who refers patients neither asks other archives nor sends to them.
_CALLERS: dict[str, Any] = {"by_role": {"referrer": 403}}


def _archive(target: Target) -> dict[str, Any]:
    return {"peer_id": target["archive"]}


def _study(target: Target) -> dict[str, Any]:
    return {"study": str(target["study"])}


def _wish(target: Target) -> dict[str, Any]:
    return {"study": str(target["study"]), "peer": str(target["archive"])}


def _act(kind: str, what: str) -> Any:
    def make(target: Target) -> dict[str, Any]:
        return {"kind": kind, "key": target[kind], "what": what}

    return make


PEERS = [
    Row(route="peers:list", **_CALLERS),
    # Nobody listens there, which the page says.
    Row(route="peers:test", method="POST", path=_archive, **_CALLERS),
    Row(route="peers:query", **_CALLERS),
    Row(route="peers:query", method="POST", **_CALLERS),
    # What was not found cannot be asked for.
    Row(route="peers:series", method="POST", own=404, **_CALLERS),
    Row(route="peers:import", method="POST", own=404, **_CALLERS),
    Row(route="transfers:list", **_CALLERS),
    Row(route="transfers:rows", **_CALLERS),
    Row(route="transfers:destinations", query=_study, names_object=True, **_CALLERS),
    Row(route="transfers:send", method="POST", data=_wish, names_object=True, own=302, **_CALLERS),
    *(
        Row(route="transfers:act", method="POST", path=_act(kind, what), own=302, **_CALLERS)
        for kind, what in (("transfer", "pause"), ("transfer", "cancel"), ("exchange", "cancel"))
    ),
]
