"""Peers of both kinds, as a provisioning file names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from accounts.models import Facility
from dicom_receiver.models import Line, Peer, RetrieveMethod, RetrieveSyntaxes
from dicom_receiver.remote.models import WebPeer
from dicom_receiver.remote.secrets import SecretLostError, seal, unseal

SERVICES = ("store", "find", "move", "get", "mwl", "mpps", "commit")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "import_by": tuple(RetrieveMethod.values),
    "import_as": tuple(RetrieveSyntaxes.values),
    "log_in": tuple(WebPeer.Authentication.values),
}

# Key of the file to field. What the file does not name stays as an administrator has left it.
_PEER_FIELDS = {
    "tls": "use_tls",
    "certificate": "certificate",
    "check_address": "check_address",
    "description": "description",
    "queried": "is_queried",
    "destination": "is_destination",
    "import_by": "retrieve_method",
    "import_as": "retrieve_syntaxes",
    "timeout_seconds": "timeout_seconds",
}
_WEB_PEER_FIELDS = {
    "description": "description",
    "log_in": "authentication",
    "username": "username",
    "verify_certificate": "verify_certificate",
    "queried": "is_queried",
    "destination": "is_destination",
    "timeout_seconds": "timeout_seconds",
}


def apply_peer(entry: dict[str, Any]) -> str:
    """Bring a DICOM peer, and the way out to it, to what the file says."""
    peer = Peer.objects.filter(ae_title=entry["ae_title"]).first()
    peer = peer or Peer(ae_title=entry["ae_title"])
    may = set(entry.get("may", []))
    values = {
        "host": entry.get("host", ""),
        "port": entry.get("port"),
        "facility": find_facility(entry["facility"]),
        "is_active": True,
        **{f"may_{service}": service in may for service in SERVICES},
        **{field: entry[key] for key, field in _PEER_FIELDS.items() if key in entry},
    }
    outcome = save_row(peer, values)
    if "ask_commitment" in entry:
        line = Line.objects.filter(peer=peer).first() or Line(peer=peer)
        if save_row(line, {"asks_commitment": entry["ask_commitment"]}) != "unchanged":
            outcome = "changed" if outcome == "unchanged" else outcome
    return outcome


def apply_web_peer(entry: dict[str, Any]) -> str:
    """Bring a DICOMweb peer to what the file says; its secret is kept sealed.

    Raises ValidationError when it has nothing to log in with, or its address is new and the
    secret is not given again: else the secret could be sent to whom it was not meant for.
    """
    known = WebPeer.objects.filter(name=entry["name"]).first()
    peer = known or WebPeer(name=entry["name"])
    values = {
        "base_url": entry["url"],
        "facility": find_facility(entry["facility"]),
        "is_active": True,
        **{field: entry[key] for key, field in _WEB_PEER_FIELDS.items() if key in entry},
    }
    kinds = WebPeer.Authentication
    way, secret = values.get("authentication", peer.authentication), entry.get("secret", "")
    if way == kinds.NONE:
        values["sealed_secret"] = ""
    elif secret:
        if _opened(peer.sealed_secret) != secret:
            values["sealed_secret"] = seal(secret)
    elif not peer.sealed_secret or peer.base_url != entry["url"]:
        raise ValidationError("'secret' is missing, and the peer or its address is new.")
    if way == kinds.BASIC and not values.get("username", peer.username):
        raise ValidationError("'username' is missing.")
    return save_row(peer, values)


def _opened(sealed: str) -> str | None:
    try:
        return unseal(sealed) if sealed else None
    except SecretLostError:
        return None


def find_facility(code: str) -> Facility:
    """Return the facility of a code. Raises ValidationError."""
    facility = Facility.objects.filter(code=code).first()
    if facility is None:
        raise ValidationError(f"facility {code!r} is neither in the file nor in the database.")
    return facility


def save_row(row: models.Model, values: dict[str, Any]) -> str:
    """Bring a row to these values; say whether that made, changed or left it."""
    is_new = row._state.adding
    is_changed = is_new or any(getattr(row, name) != value for name, value in values.items())
    if not is_changed:
        return "unchanged"
    for name, value in values.items():
        setattr(row, name, value)
    row.full_clean()
    row.save()
    return "created" if is_new else "changed"
