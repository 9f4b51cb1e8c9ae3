"""How a row of the permission table reads, and how it is played.

A row says for one route and method what each kind of person gets. The object
that the route names belongs to facility north; people of south must get the
same answer for it as for an object that does not exist, and so must everybody
but an administrator for an object in quarantine.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Role, User

OWN = "own"
LOST = "quarantined"
MISSING = "missing"


@dataclass(frozen=True)
class Target:
    """An object that a route may name: its key, and the keys and UIDs above it."""

    keys: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.keys[name]


Maker = Callable[[Target], dict[str, Any]]


def nothing(_: Target) -> dict[str, Any]:
    """Make no arguments."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One route and method, and what each kind of person gets.

    Parameters
    ----------
    route : name of the URL pattern with its namespaces
    path : makes the path's arguments from a target; a row without names no object
    query, data : make the query string and the form
    own : status for people of the object's facility, and for who sees a page without object
    by_role : statuses that differ from `own` for a role
    admin, anonymous : statuses for administrators and for who is not logged in
    missing : status for an object that is foreign, quarantined or not there
    streams : the answer never ends; only its status is looked at
    """

    route: str
    method: str = "GET"
    path: Maker | None = None
    query: Maker = nothing
    data: Maker = nothing
    own: int = 200
    by_role: Mapping[str, int] = field(default_factory=dict)
    admin: int | None = None
    anonymous: int = 302
    stranger: int | None = None
    missing: int = 404
    names_object: bool | None = None
    streams: bool = False
    json: bool = False

    @property
    def has_object(self) -> bool:
        """Whether the request names an object that belongs to a facility."""
        return self.path is not None if self.names_object is None else self.names_object

    @property
    def title(self) -> str:
        """Return how the row is called in a report."""
        return f"{self.method} {self.route}"

    def expect(self, person: User | None, kind: str, *, is_of_north: bool) -> int:
        """Return the status that the table promises."""
        if person is None:
            return self.anonymous
        if person.role == Role.ADMIN:
            wanted = self.own if self.admin is None else self.admin
            return self.missing if self.has_object and kind == MISSING else wanted
        if not self.has_object:
            if self.stranger is not None and not person.facility_keys():
                return self.stranger
            return self.by_role.get(person.role, self.own)
        if person.role in self.by_role and self.by_role[person.role] in {302, 403}:
            # A role that may not do this learns nothing of any object.
            return self.by_role[person.role]
        if kind != OWN or not is_of_north:
            return self.missing
        return self.by_role.get(person.role, self.own)


@dataclass(frozen=True)
class Answer:
    """What came back, without what differs by design."""

    status: int
    body: str


def ask(row: Row, client: Client, target: Target) -> Answer:
    """Send the row's request for a target; whatever it changes is undone."""
    address = reverse(row.route, kwargs=row.path(target) if row.path else {})
    also: dict[str, Any] = {"query_params": row.query(target)}
    if row.method != "GET":
        also["data"] = row.data(target)
        if row.json:
            also["content_type"] = "application/json"
    cookies = copy.deepcopy(client.cookies)
    with transaction.atomic():
        client.raise_request_exception = False
        response = getattr(client, row.method.lower())(address, **also)
        body = "" if row.streams else _read(response)
        transaction.set_rollback(True)
    client.cookies = cookies
    return Answer(response.status_code, _forget(body, target))


def _read(response: HttpResponseBase) -> str:
    if getattr(response, "streaming", False):
        parts = response.streaming_content  # type: ignore[attr-defined]
        return b"".join(parts).decode("latin-1")
    location = response.get("Location", "") if hasattr(response, "get") else ""
    content: bytes = response.content  # type: ignore[attr-defined]
    return f"{location}\n{content.decode('latin-1')}"


def _forget(body: str, target: Target) -> str:
    """Remove the asked keys and the page's secrets, so that answers can be compared."""
    for key in sorted({str(value) for value in target.keys.values()}, key=len, reverse=True):
        if len(key) > 3:
            body = body.replace(key, "KEY")
        # A short number may stand anywhere: only where it is the key.
        body = body.replace(f"/{key}/", "/KEY/").replace(f"\u201c{key}\u201d", "\u201cKEY\u201d")
    body = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", body)
    return re.sub(r'"csrf\w*": ?"[^"]*"|nonce="[^"]*"', "", body)


def find_routes() -> list[str]:
    """Return the name of every URL pattern, with its namespaces."""
    return sorted({name for name, _view in _walk(get_resolver(), ())})


def find_views() -> dict[str, Any]:
    """Return what answers at every URL pattern: the class of a view that has one."""
    views = dict(_walk(get_resolver(), ()))
    return {
        name: getattr(view, "cls", None) or getattr(view, "view_class", view)
        for name, view in views.items()
    }


def _walk(resolver: URLResolver, spaces: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            below = (*spaces, one.namespace) if one.namespace else spaces
            yield from _walk(one, below)
        elif isinstance(one, URLPattern):
            yield ":".join([*spaces, one.name or f"nameless {one.pattern}"]), one.callback


def upload(name: str, content: bytes) -> SimpleUploadedFile:
    """Return a file as a form sends it."""
    return SimpleUploadedFile(name, content, "application/dicom")
