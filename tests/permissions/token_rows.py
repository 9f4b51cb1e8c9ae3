"""The permission table's rows on credentials: log-in by token, and one's own tokens."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target


def _token(target: Target) -> dict[str, Any]:
    return {"token_id": target["apitoken"]}


def _open_in(target: Target) -> dict[str, Any]:
    return {"study_id": target["study"], "program": "weasis"}


def _refresh(_: Target) -> dict[str, Any]:
    return {"refresh": "not a token"}


def _wish(_: Target) -> dict[str, Any]:
    return {"name": "script"}


# Everybody has tokens of their own; whose else a token is, it is missing.
THEIR_OWN: dict[str, Any] = {"path": _token, "own": 404, "admin": 404}
TOKENS = [
    Row(
        route="tokens:token",
        method="POST",
        data=lambda _: {"username": "nobody", "password": "wrong"},
        own=401,
        anonymous=401,
    ),
    Row(route="tokens:token", own=405, anonymous=405),
    Row(route="tokens:token-refresh", method="POST", data=_refresh, own=401, anonymous=401),
    Row(route="tokens:token-revoke", method="POST", data=_refresh, own=204, anonymous=204),
    Row(route="api:tokens", anonymous=401),
    Row(route="api:tokens", method="POST", data=_wish, json=True, own=201, anonymous=401),
    Row(route="api:token-detail", method="DELETE", anonymous=401, **THEIR_OWN),
    Row(route="accounts:tokens"),
    Row(route="accounts:tokens", method="POST"),
    Row(route="accounts:token-revoke", method="POST", **THEIR_OWN),
]

# A way into a program on a desk, and links of other systems.
LAUNCHES = [
    Row(route="viewer:open-in", path=_open_in, own=302),
    # Who has no ticket has nothing; it is a ticket that opens, not a person.
    Row(
        route="launch-study",
        path=lambda _: {"ticket": "noctis-ticket_none"},
        names_object=False,
        own=404,
        anonymous=404,
    ),
    Row(
        route="invoke",
        query=lambda target: {"requestType": "STUDY", "studyUID": target["study_uid"]},
        names_object=True,
        own=302,
    ),
]
