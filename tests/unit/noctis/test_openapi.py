"""The OpenAPI document: whole, with examples that are true to it, and kept by every answer.

Schemathesis makes requests from the document, and each answer must be one that it tells: a few
requests an operation as one role here, thousands as every role by `NOCTIS_FUZZ_EXAMPLES=200`.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import drf_spectacular.validation
import jsonschema_rs
import pytest
import requests
from django.db import transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from rest_framework.renderers import JSONRenderer

from accounts.models import Facility, Role, User
from tests import factories
from tests.permissions.stage import lay_out
from tests.permissions.table import OWN

EXAMPLES = int(os.environ.get("NOCTIS_FUZZ_EXAMPLES", "1"))
ROLES = [Role.TECHNOLOGIST] if EXAMPLES == 1 else list(Role)
# Streams that do not end.
ENDLESS = {"events"}
JSON = ("application/json", "application/problem+json")


@cache
def document() -> dict[str, Any]:
    """Return the document as everybody gets it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = JSONRenderer().render(SchemaGenerator().get_schema(request=None, public=True))
    found: dict[str, Any] = json.loads(made)
    return found


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, found in document()["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_says_what_it_does_and_what_it_answers() -> None:
    standard = Path(drf_spectacular.validation.__file__).with_name("openapi_3_1_schema.json")
    jsonschema_rs.validate(json.loads(standard.read_text()), document())
    assert document()["openapi"].startswith("3.1")
    faults = []
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names)) > 100
    for title, operation in operations():
        statuses = {int(status) for status in operation["responses"]}
        is_closed = operation.get("security") != [{}] and "/api/token" not in title
        wanted = {401} if is_closed else set()
        faults += [
            f"{title} lacks {what}"
            for what, is_there in (
                ("summary", operation.get("summary")),
                ("description", operation.get("description")),
                ("success", any(status < 400 for status in statuses)),
                ("refusals", any(status >= 400 for status in statuses) and wanted <= statuses),
            )
            if not is_there
        ]
        faults += [
            f"{title} {name} lacks a description"
            for status, response in operation["responses"].items()
            for name in [status]
            if int(status) >= 400 and not response.get("description")
        ]
    assert faults == []


def test_every_example_is_true_to_its_schema() -> None:
    faults, count = [], 0
    for title, operation in operations():
        contents = [
            (status, media_type, content)
            for status, response in operation["responses"].items()
            for media_type, content in response.get("content", {}).items()
        ]
        body = operation.get("requestBody", {}).get("content", {})
        contents += [("body", media_type, content) for media_type, content in body.items()]
        for place, media_type, content in contents:
            if media_type not in JSON:
                continue
            examples = [content["example"]] if "example" in content else []
            examples += [one["value"] for one in content.get("examples", {}).values()]
            if not examples:
                faults.append(f"{title} {place} has no example")
            for example in examples:
                count += 1
                faults += [
                    f"{title} {place}: {'/'.join(map(str, error.instance_path))} {error.message[:120]}"
                    for error in _errors(content["schema"], example)
                ]
    assert faults == []
    assert count > 300


def _errors(schema: dict[str, Any], example: Any) -> list[Any]:
    return list(_validator(json.dumps(schema)).iter_errors(example))


@cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def test_a_wrong_example_is_found() -> None:
    schema = {"$ref": "#/components/schemas/Problem"}
    assert _errors(schema, {"title": 1})


# --- answers --------------------------------------------------------------------
class Stage:
    """Who asks, and what there is to ask about."""

    def __init__(self, person: User, facility: Facility) -> None:
        boss = User(username=f"boss of {person.pk}", role=Role.ADMIN, is_superuser=True)
        boss.save()
        self.target = lay_out(facility, boss)[OWN]
        study, series, instance = (
            self.target[name].hex for name in ("study", "series", "instance")
        )
        self.file_path = f"studies/{study}/{series}/{instance}.dcm"
        self.client = Client(raise_request_exception=False)
        self.client.force_login(person)

    def fill(self, case: Any) -> None:
        """Let the path name what is there."""
        kinds = {"mark_id": _MARKS.get(case.operation.path.split("/")[3], "measurement")}
        for name in case.path_parameters:
            if name == "file_path":
                case.path_parameters[name] = self.file_path
            elif name in ("frame", "index", "page"):
                case.path_parameters[name] = 0
            elif name in _KEYS or name in kinds:
                case.path_parameters[name] = str(self.target[kinds.get(name) or _KEYS[name]])

    def ask(self, case: Any) -> Any:
        """Send a request of Schemathesis through the house, and undo what it changed."""
        # It takes a second to load, which other tests need not wait.
        from schemathesis import Response

        asked = case.as_transport_kwargs(base_url="http://testserver")
        sent = requests.Request(
            **{name: value for name, value in asked.items() if name in _PARTS}
        ).prepare()
        headers: dict[str, Any] = dict(sent.headers)
        # Credentials that are made up are refused; what lies behind them is asked for here.
        headers.pop("Authorization", None)
        headers.pop("Cookie", None)
        media_type = headers.pop("Content-Type", "")
        body = sent.body or b""
        with transaction.atomic():
            answer = self.client.generic(
                str(sent.method), sent.path_url, body, content_type=media_type, headers=headers
            )
            content = answer.getvalue()
            transaction.set_rollback(True)
        return Response(
            status_code=answer.status_code,
            headers={name.lower(): [value] for name, value in answer.items()},
            content=content,
            request=sent,
            elapsed=0.0,
            verify=False,
        )


_KEYS = {
    "study_id": "study", "series_id": "series", "instance_id": "instance", "entry_id": "entry",
    "facility_id": "facility", "order_id": "order", "step_id": "step", "peer_id": "destination",
    "transfer_id": "transfer", "job_id": "reconstruction", "export_id": "export",
    "protocol_id": "hanging",
}  # fmt: skip
_MARKS = {
    "annotations": "annotation", "key-images": "keyimage", "mark-layers": "marklayer",
    "centrelines": "centreline",
}  # fmt: skip
_PARTS = {"method", "url", "headers", "params", "data", "json", "files"}


def find_undocumented(stage: Stage, examples: int) -> list[str]:
    """Return the answers that the document does not tell, and those that are failures."""
    import schemathesis
    from schemathesis.specs.openapi import checks

    wanted = [
        schemathesis.checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    faults: list[str] = []
    schema = schemathesis.openapi.from_dict(document())
    # Every second operation where there is one request of each: it is to take few seconds.
    step = 2 if examples == 1 else 1
    for found in list(schema.get_all_operations())[::step]:
        operation: Any = found.ok()  # type: ignore[union-attr]
        if operation.definition.raw.get("operationId") in ENDLESS:
            continue
        for number, case in enumerate(_cases(operation, examples)):
            # Some requests name what is not there: every third, of several.
            if examples == 1 or number % 3:
                stage.fill(case)
            answer = stage.ask(case)
            if answer.status_code == 503 and "retry-after" in answer.headers:
                continue
            try:
                case.validate_response(answer, checks=wanted)
            except BaseExceptionGroup as group:
                faults += [f"{operation.label}: {one}"[:1500] for one in group.exceptions]
    return sorted(set(faults))


def _cases(operation: Any, examples: int) -> list[Any]:
    """Return requests that Schemathesis makes of an operation, the same each time.

    One alone is as the document wants it; of several, as many again break its rules.
    """
    from schemathesis import GenerationMode

    made = _gather(operation.as_strategy(), examples)
    if examples > 1:
        made += _gather(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), examples)
    return made


def _gather(strategy: Any, examples: int) -> list[Any]:
    made: list[Any] = []

    @seed(20251106)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def gather(case: Any) -> None:
        made.append(case)

    # Some operations have no rule that could be broken.
    with suppress(Unsatisfiable):
        gather()
    return made


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_no_answer_is_a_failure_or_undocumented(north: Facility, role: Role) -> None:
    is_boss = role == Role.ADMIN
    person = factories.make_user("asker", role, [north], is_staff=is_boss, is_superuser=is_boss)

    assert find_undocumented(Stage(person, north), EXAMPLES) == []
