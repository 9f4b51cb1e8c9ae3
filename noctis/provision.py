"""Facilities, peers and users from one file: safe to repeat, all or nothing.

What the file names is brought to what the file says; what it doesn't name is
left alone. The whole file is checked before anything is written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit
from accounts.models import Facility, Role, User
from accounts.roles import apply_role
from noctis.provision_peers import (
    CHOICES,
    SERVICES,
    apply_peer,
    apply_web_peer,
    find_facility,
    save_row,
)


class ProvisionError(Exception):
    """Everything that is wrong with the file, one sentence each."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True)
class Key:
    """What one key of an entry must hold."""

    kind: type
    words: str
    is_required: bool = False


TEXT = Key(str, "a text")
NEEDED_TEXT = Key(str, "a text", is_required=True)
YES_OR_NO = Key(bool, "true or false")
TEXTS = Key(list, "a list of texts")
NUMBER = Key(int, "a whole number")
KEYS: dict[str, dict[str, Key]] = {
    "facility": {"code": NEEDED_TEXT, "name": NEEDED_TEXT},
    "peer": {
        "ae_title": NEEDED_TEXT,
        "host": TEXT,
        "port": NUMBER,
        "facility": NEEDED_TEXT,
        "may": TEXTS,
        "tls": YES_OR_NO,
        "certificate": TEXT,
        "check_address": YES_OR_NO,
        "description": TEXT,
        "queried": YES_OR_NO,
        "destination": YES_OR_NO,
        "import_by": TEXT,
        "import_as": TEXT,
        "timeout_seconds": NUMBER,
        "ask_commitment": YES_OR_NO,
    },
    "web_peer": {
        "name": NEEDED_TEXT,
        "url": NEEDED_TEXT,
        "facility": NEEDED_TEXT,
        "description": TEXT,
        "log_in": TEXT,
        "username": TEXT,
        "secret": TEXT,
        "verify_certificate": YES_OR_NO,
        "queried": YES_OR_NO,
        "destination": YES_OR_NO,
        "timeout_seconds": NUMBER,
    },
    "user": {
        "username": NEEDED_TEXT,
        "password": TEXT,
        "role": NEEDED_TEXT,
        "facilities": TEXTS,
    },
}


@dataclass
class Result:
    """What became of one entry: `created`, `changed` or `unchanged`."""

    kind: str
    name: str
    outcome: str


@dataclass
class Plan:
    """A file that has been read and found sound in itself."""

    facilities: list[dict[str, Any]] = field(default_factory=list)
    peers: list[dict[str, Any]] = field(default_factory=list)
    web_peers: list[dict[str, Any]] = field(default_factory=list)
    users: list[dict[str, Any]] = field(default_factory=list)


def read_plan(path: Path) -> Plan:
    """Read and check a file. Raises ProvisionError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProvisionError([f"{path} cannot be read: {error.strerror}."]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProvisionError([f"{path} is not valid TOML: {error}."]) from error
    sentences = list(_find_faults(document))
    if sentences:
        raise ProvisionError(sentences)
    return Plan(
        facilities=document.get("facility", []),
        peers=document.get("peer", []),
        web_peers=document.get("web_peer", []),
        users=document.get("user", []),
    )


def apply_plan(plan: Plan) -> list[Result]:
    """Write the plan in one transaction. Raises ProvisionError, with nothing written."""
    faults: list[str] = []
    results: list[Result] = []
    steps: list[tuple[str, list[dict[str, Any]], Callable[[dict[str, Any]], str]]] = [
        ("facility", plan.facilities, _apply_facility),
        ("peer", plan.peers, apply_peer),
        ("web_peer", plan.web_peers, apply_web_peer),
        ("user", plan.users, _apply_user),
    ]
    with transaction.atomic():
        for kind, entries, apply in steps:
            for entry in entries:
                name = str(next(iter(entry[key] for key in KEYS[kind])))
                try:
                    results.append(Result(kind, name, apply(entry)))
                except ValidationError as error:
                    faults.extend(f"{kind} {name}: {words}" for words in _spell(error))
        if faults:
            raise ProvisionError(faults)
        _write_audit(results)
    return results


def _find_faults(document: dict[str, Any]) -> Iterator[str]:
    for kind, entries in document.items():
        if kind not in KEYS:
            known = ", ".join(f"[[{name}]]" for name in KEYS)
            yield f"[{kind}] is not known; the file may hold {known}."
        elif not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            yield f"{kind} must be written as [[{kind}]]."
        else:
            yield from _find_entry_faults(kind, entries)


def _find_entry_faults(kind: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    identity = next(iter(KEYS[kind]))
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        name = entry.get(identity)
        label = f"{kind} {name}" if isinstance(name, str) and name else f"{kind} number {number}"
        yield from (f"{label}: {fault}" for fault in _find_key_faults(KEYS[kind], entry))
        if isinstance(name, str):
            if name in seen:
                yield f"{label}: named twice."
            seen.add(name)
    if kind == "user":
        yield from _find_role_faults(entries)
    if kind == "peer":
        yield from _find_service_faults(entries)
    for entry in entries:
        yield from _find_choice_faults(kind, identity, entry)


def _find_key_faults(keys: dict[str, Key], entry: dict[str, Any]) -> Iterator[str]:
    for unknown in entry.keys() - keys.keys():
        yield f"{unknown!r} is not known; known are {', '.join(keys)}."
    for name, key in keys.items():
        if name not in entry:
            if key.is_required:
                yield f"{name!r} is missing."
            continue
        value = entry[name]
        fits = isinstance(value, key.kind) and isinstance(value, bool) == (key.kind is bool)
        if fits and key.kind is list:
            fits = all(isinstance(part, str) for part in value)
        if not fits:
            yield f"{name!r} must be {key.words}."
        elif key.is_required and not value:
            yield f"{name!r} is empty."


def _find_role_faults(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry.get("role"), str) and entry["role"] not in Role.values:
            known = ", ".join(Role.values)
            yield f"user {entry.get('username')}: role {entry['role']!r} is none of {known}."


def _find_choice_faults(kind: str, identity: str, entry: dict[str, Any]) -> Iterator[str]:
    for name, choices in CHOICES.items():
        value = entry.get(name)
        if name in KEYS[kind] and isinstance(value, str) and value not in choices:
            known = ", ".join(choices)
            yield f"{kind} {entry.get(identity)}: {name} {value!r} is none of {known}."


def _find_service_faults(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        services = entry.get("may", [])
        for service in services if isinstance(services, list) else []:
            if service not in SERVICES:
                known = ", ".join(SERVICES)
                yield f"peer {entry.get('ae_title')}: may {service!r} is none of {known}."


def _apply_facility(entry: dict[str, Any]) -> str:
    facility = Facility.objects.filter(code=entry["code"]).first() or Facility(code=entry["code"])
    return save_row(facility, {"name": entry["name"], "is_active": True})


def _apply_user(entry: dict[str, Any]) -> str:
    user = User.objects.filter(username=entry["username"]).first()
    is_new = user is None
    user = user or User(username=entry["username"])
    facilities = [find_facility(code) for code in entry.get("facilities", [])]
    password = entry.get("password")
    if is_new and not password:
        raise ValidationError("'password' is missing, and the user is new.")
    before = (user.role, user.is_staff, user.is_superuser)
    apply_role(user, entry["role"])
    is_changed = is_new or before != (user.role, user.is_staff, user.is_superuser)
    if password and (is_new or not user.check_password(password)):
        if settings.NOCTIS_PRODUCTION:
            validate_password(password, user)
        user.set_password(password)
        is_changed = True
    if is_changed:
        user.full_clean()
        user.save()
    if set(user.facilities.all()) != set(facilities):
        user.facilities.set(facilities)
        is_changed = True
    return "created" if is_new else "changed" if is_changed else "unchanged"


def _spell(error: ValidationError) -> list[str]:
    """Return a validation's sentences, each with the key it is about."""
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    return [
        words if name == "__all__" else f"{name!r}: {words}"
        for name, sentences in error.message_dict.items()
        for words in sentences
    ]


def _write_audit(results: list[Result]) -> None:
    entries = [
        audit.AuditEntry(
            action=f"provision {result.kind}",
            actor="manage.py provision",
            detail={"name": result.name, "outcome": result.outcome},
        )
        for result in results
        if result.outcome != "unchanged"
    ]
    if entries:
        audit.record(entries)
