"""The OpenAPI document: what each operation shares with all others is added here.

An operation says what is its own (`extend_schema`); its summary is the first sentence of what it
says, refusals that any request can meet are listed with their document, single resources carry
tags, and every answer in JSON has an example (`openapi_examples`).
"""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS

from accounts.etags import Tagged
from noctis.openapi_examples import add_examples
from noctis.rest import PROBLEM
from noctis.throttling import scope_of

Document = dict[str, Any]

_REF = {"$ref": "#/components/schemas/Problem"}
_FILES = "/api/dicom/"
_WORDS = {
    400: "A parameter or field is wrong; `errors` says which and why.",
    401: "Nobody is logged in, or the token is not good.",
    403: "The role or the token may not, or the request may be forged (CSRF).",
    404: "It is not there, or belongs to another facility.",
    412: "It has changed since it was read.",
    413: "The request is larger than one may be.",
    415: "The body's media type is not read here.",
    429: "Too many requests in a minute; `Retry-After` says when to come again.",
    503: "The database or the storage does not answer, or too much is asked at once.",
}
_TAG_HEADER = {
    "ETag": {"schema": {"type": "string"}, "description": "Tag of this content (RFC 9110 8.8.3)."}
}


class OperationSchema(AutoSchema):
    """How one operation is described."""

    def get_summary(self) -> str | None:
        """Return the summary that was told, else the first sentence of the description."""
        told = super().get_summary()
        if told:
            return told
        words = re.sub(r"\s+", " ", self.get_description() or "").strip()
        return re.split(r"(?<=[.;:]) ", words)[0].rstrip(".;:") or None

    def get_operation_id(self) -> str:
        """Return the name that was told, else one made from the path."""
        return super().get_operation_id().removeprefix("v1_")

    def _get_paginator(self) -> Any:
        """Return what pages lists: only lists that are read come in pages."""
        reads = self.method == "GET"
        return super()._get_paginator() if reads else None  # type: ignore[no-untyped-call]

    def get_operation(self, *args: Any, **kwargs: Any) -> Document | None:
        """Return the operation with what all share."""
        operation: Document | None = super().get_operation(*args, **kwargs)
        if operation is None or self.path.startswith(_FILES):
            return operation
        responses = operation["responses"]
        for status in self._usual_refusals(operation):
            responses.setdefault(str(status), {"description": _WORDS[status]})
        for status, response in responses.items():
            if int(status) >= 400:
                response["description"] = response.get("description") or _WORDS.get(int(status), "")
                response["content"] = {PROBLEM: {"schema": _REF}}
        if isinstance(self.view, Tagged):
            self._tell_tags(operation)
        operation["responses"] = dict(sorted(responses.items()))
        return operation

    def _usual_refusals(self, operation: Document) -> list[int]:
        """Return the statuses that such a request can meet anywhere."""
        has_body = "requestBody" in operation
        parameters = operation.get("parameters", [])
        found = [503]
        if has_body or any(one["in"] in ("query", "header") for one in parameters):
            found.append(400)
        if has_body:
            found += [413, 415]
        if self.view.permission_classes:
            found += [401, 403]
        if any(one["in"] == "path" for one in parameters) or self._has_pages():
            found.append(404)
        if scope_of(self.method, self.view):
            found.append(429)
        return found

    def _has_pages(self) -> bool:
        return isinstance(self.view, ListAPIView) and self.method == "GET"

    def _tell_tags(self, operation: Document) -> None:
        responses = operation["responses"]
        if self.method in SAFE_METHODS:
            responses["200"]["headers"] = _TAG_HEADER
            responses.setdefault(
                "304", {"description": "It has not changed since (`If-None-Match`)."}
            )
            name, words = "If-None-Match", "Tags of what is known already."
        else:
            responses["412"] = {"description": _WORDS[412], "content": {PROBLEM: {"schema": _REF}}}
            name, words = "If-Match", "Tag of what was read: change that, or nothing."
        operation.setdefault("parameters", []).append(
            {"in": "header", "name": name, "schema": {"type": "string"}, "description": words}
        )


PROBLEM_SCHEMA = {
    "type": "object",
    "description": "Why the answer is no (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "code": {"type": "string", "description": "A word for programs."},
        "errors": {
            "type": "object",
            "additionalProperties": {},
            "description": "What is wrong, by field.",
        },
    },
}
# The event stream is no view of the framework.
EVENTS: Document = {
    "get": {
        "operationId": "events",
        "summary": "News as they happen",
        "description": (
            "Server-Sent Events: `id`, `event` (the kind) and `data`, a JSON document with the "
            "keys `study` and `payload`. Come back with `Last-Event-ID` to miss nothing; `reset` "
            "says that something was missed. A session is needed."
        ),
        "tags": ["events"],
        "parameters": [
            {
                "in": "header",
                "name": "Last-Event-ID",
                "schema": {"type": "integer", "minimum": 0},
                "description": "The last id that was heard.",
            }
        ],
        "security": [{"session": []}],
        "responses": {
            "200": {
                "description": "The stream; it does not end by itself.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            "401": {"description": "Nobody is logged in."},
        },
    }
}


def finish(result: Document, **_: Any) -> Document:
    """Add what no view says: problems, events, examples; called by drf-spectacular at the end."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    if "/api/v1/me/" in result["paths"]:
        result["paths"]["/api/v1/events/"] = EVENTS
    _mend_times(result)
    result["paths"] = dict(sorted(result["paths"].items()))
    add_examples(result)
    return result


def _mend_times(part: Any) -> None:
    """Say what a time of day looks like: JSON Schema's own format wants an offset from UTC."""
    if isinstance(part, list):
        for one in part:
            _mend_times(one)
    elif isinstance(part, dict):
        if part.get("format") == "time":
            del part["format"]
            part["pattern"] = r"^\d{2}:\d{2}:\d{2}(\.\d{1,6})?$"
        for one in part.values():
            _mend_times(one)
