"""A reader's own settings: bounded, whole, and never lost between two pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers

from accounts.models import User
from viewer import preferences_form as form

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]
URL = "/api/v1/preferences/"
GOLDEN = json.loads(
    (Path(__file__).parents[2] / "golden" / "preferences.json").read_text(encoding="utf-8")
)
WISHES = {
    "keys": {"fit": ["f", "Home"], "invert": ["i"]},
    "mouse": {"left": "scroll", "wheel": "zoom", "is_wheel_reversed": True},
    "presets": [{"label": "Liver, mine", "modality": "CT", "center": 90.0, "width": 180.0}],
    "corners": {"CT": {"top_left": ["patient_name", "series"], "top_right": []}},
    "marks": {"colour": "#ffd166", "text_px": 14, "line_px": 1.5},
    "cine": {"frames_per_second": 24, "loops": False},
    "smooth": False,
}


def put(client: Client, document: Any, *, version: int = 0) -> Any:
    body = json.dumps({"version": version, "document": document})
    return client.put(URL, body, content_type="application/json")


def test_are_empty_first_and_come_back_as_they_were_set(rada: User, client_of: Log) -> None:
    client = client_of(rada)
    assert client.get(URL).json() == {"format": 1, "version": 0, "document": {}}
    assert put(client, WISHES).status_code == 200
    assert client.get(URL).json() == {"format": 1, "version": 1, "document": WISHES}


def test_belong_to_one_person(rada: User, tess: User, client_of: Log) -> None:
    put(client_of(rada), WISHES)
    assert client_of(tess).get(URL).json()["document"] == {}


def test_the_slower_of_two_pages_is_told_and_changes_nothing(rada: User, client_of: Log) -> None:
    client = client_of(rada)
    put(client, {"smooth": True})
    assert put(client, {"smooth": False}).status_code == 409
    assert put(client, {"smooth": False}, version=1).json()["version"] == 2
    assert put(client, {"smooth": True}, version=1).status_code == 409
    assert client.get(URL).json()["document"] == {"smooth": False}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"keys": {"fit": ["f"], "invert": ["f"]}}, "keys"),
        ({"keys": {"Fit It": ["f"]}}, "keys"),
        ({"keys": {"fit": ["f" * 30]}}, "keys"),
        ({"keys": {f"c{i}": [] for i in range(301)}}, "keys"),
        ({"mouse": {"left": "explode"}}, "mouse"),
        ({"presets": [{"label": "x", "center": 1, "width": 0}]}, "presets"),
        ({"presets": [{"label": "x", "center": 1, "width": 1}] * 51}, "presets"),
        ({"corners": {"CT": {"middle": []}}}, "corners"),
        ({"corners": {"CT": {"top_left": ["password"]}}}, "corners"),
        ({"marks": {"colour": "red; background: url(x)"}}, "marks"),
        ({"cine": {"frames_per_second": 1000}}, "cine"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(
    document: Any, field: str, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    answer = put(client, document)
    assert answer.status_code == 400
    assert field in json.dumps(answer.json())
    assert client.get(URL).json()["version"] == 0


def test_knows_the_same_lists_and_fields_as_the_page() -> None:
    """frontend/tests/preferences.test.ts reads the same file."""
    assert GOLDEN["drag_tools"] == list(form.DRAG_TOOLS)
    assert GOLDEN["wheel_ways"] == list(form.WHEEL_WAYS)
    assert GOLDEN["corners"] == list(form.CORNERS)
    assert GOLDEN["corner_fields"] == list(form.CORNER_FIELDS)
    wishes = form.PreferencesDocument(data=GOLDEN["document"])
    assert wishes.is_valid(), wishes.errors
    assert wishes.validated_data == GOLDEN["document"]
    parts: dict[str, serializers.Field[Any, Any, Any, Any]] = dict(wishes.fields)
    assert set(GOLDEN["document"]) == set(parts)
    for name, part in parts.items():
        if isinstance(part, serializers.Serializer):
            assert set(GOLDEN["document"][name]) == set(part.fields), name
