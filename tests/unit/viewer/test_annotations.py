"""Annotations, layers, key images: what is kept, what is refused, what others see of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditRow, Facility, User
from archive.models import Event, Instance
from tests.unit.viewer.test_measurements import make_image, send, wish
from viewer.export_marks import scale_of
from viewer.models import Annotation, KeyImage, MarkLayer, Measurement

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]
GOLDEN = Path(__file__).resolve().parents[2] / "golden"
MEASUREMENTS = "/api/v1/measurements/"
ANNOTATIONS = "/api/v1/annotations/"
LAYERS = "/api/v1/mark-layers/"
KEY_IMAGES = "/api/v1/key-images/"


@pytest.fixture
def image(north: Facility) -> Instance:
    return make_image(north)


def drawing(**changes: Any) -> dict[str, Any]:
    """Return the body that asks for an arrow."""
    body = {"sop_instance_uid": "1.2.3.4.1", "kind": "arrow", "points_px": [[10, 10], [22, 18]]}
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def test_a_drawing_keeps_its_words_place_and_style(
    image: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    style = {"colour": "#FFCC00", "line_width": 2.5, "line": "dashed"}
    body = drawing(text="seen\u202e\n on MR", style=style, layer="lung", is_visible=False)
    answer = send(client, "post", ANNOTATIONS, body)

    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made["text"] == "seen\non MR"
    assert made["style"] == {**style, "colour": "#ffcc00"}
    assert (made["layer"], made["is_visible"], made["created_by"]) == ("lung", False, "rada")
    # Columns lie 0.25 mm apart along y, rows 0.5 mm apart against z, from (10, -20, 30).
    assert made["points_lps_mm"] == [[10.0, -17.5, 25.0], [10.0, -14.5, 21.0]]
    assert client.get(f"{ANNOTATIONS}{made['id']}/").json() == made

    lps = [[10.0, -20.0, 30.0], [10.0, -19.75, 30.0]]
    moved = {"version": 1, "points_lps_mm": lps, "is_visible": True}
    changed = send(client, "patch", f"{ANNOTATIONS}{made['id']}/", moved).json()
    assert changed["points_px"] == [[0.0, 0.0], [1.0, 0.0]]
    assert (changed["is_visible"], changed["version"]) == (True, 2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "length"}, "kind"),
        ({"points_px": [[1, 1]]}, "points_px"),
        ({"points_px": None}, "points_px"),
        ({"kind": "polygon"}, "points_px"),
        ({"kind": "text"}, "text"),
        ({"kind": "spine_label", "text": " \u200b"}, "text"),
        ({"text": "x" * 2001}, "text"),
        ({"style": {"colour": "red"}}, "style"),
        ({"style": {"colour": "#12345g"}}, "style"),
        ({"style": {"line_width": 1e9}}, "style"),
        ({"style": {"line_width": True}}, "style"),
        ({"style": {"line": ["solid"]}}, "style"),
        ({"style": {"url": "x"}}, "style"),
        ({"style": []}, "style"),
        ({"kind": "calibration"}, "known_mm"),
        ({"known_mm": 5}, "known_mm"),
        ({"kind": "calibration", "known_mm": 0}, "known_mm"),
        ({"kind": "calibration", "known_mm": float("nan")}, None),
        ({"kind": "calibration", "known_mm": 50}, "points_px"),
        ({"frame": 1}, "frame"),
        ({"value": 5}, "value"),
    ],
)
def test_a_slip_in_a_drawing_is_named_by_its_field(
    image: Instance, rada: User, client_of: Log, changes: dict[str, Any], field: str | None
) -> None:
    answer = send(client_of(rada), "post", ANNOTATIONS, drawing(**changes))

    assert answer.status_code == 400, answer.content
    assert list(answer.json().get("errors", {})) == ([field] if field else [])
    assert not Annotation.objects.exists()


def test_a_text_does_not_lose_its_words_by_a_change(
    image: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    made = send(
        client, "post", ANNOTATIONS, drawing(kind="text", text="L4", points_px=[[1, 1]])
    ).json()
    url = f"{ANNOTATIONS}{made['id']}/"

    assert list(send(client, "patch", url, {"version": 1, "text": ""}).json()["errors"]) == ["text"]
    refused = send(client, "patch", url, {"version": 1, "known_mm": 4})
    assert list(refused.json()["errors"]) == ["known_mm"]
    assert send(client, "patch", url, {"version": 1, "text": "L5"}).json()["text"] == "L5"


# --- two people ---------------------------------------------------------------------
def test_who_is_late_sees_what_the_other_wrote(
    image: Instance, rada: User, tess: User, client_of: Log
) -> None:
    made = send(client_of(rada), "post", ANNOTATIONS, drawing()).json()
    url = f"{ANNOTATIONS}{made['id']}/"
    won = send(client_of(tess), "patch", url, {"version": 1, "label": "hers"}).json()

    late = send(client_of(rada), "patch", url, {"version": 1, "label": "mine"})
    assert late.status_code == 409
    assert late["Content-Type"] == "application/problem+json"
    assert late.json()["current"] == won
    gone = client_of(rada).delete(f"{url}?version=1")
    assert (gone.status_code, gone.json()["current"]) == (409, won)


@pytest.mark.parametrize(
    ("address", "body"),
    [
        (MEASUREMENTS, wish()),
        (ANNOTATIONS, drawing()),
        (KEY_IMAGES, {"sop_instance_uid": "1.2.3.4.1"}),
        (LAYERS, {"name": "lung", "colour": "#00ff00"}),
    ],
    ids=["measurement", "annotation", "key image", "layer"],
)
def test_a_deletion_is_undone_and_all_of_it_is_told(
    image: Instance, rada: User, client_of: Log, address: str, body: dict[str, Any]
) -> None:
    client = client_of(rada)
    body = {**body, "study": str(image.study_id)} if address == LAYERS else body
    made = send(client, "post", address, body).json()
    url = f"{address}{made['id']}/"
    Event.objects.all().delete()

    assert send(client, "post", f"{url}restore/", {}).status_code == 404
    assert client.delete(f"{url}?version=1").status_code == 204
    assert client.get(url).status_code == 404
    assert send(client, "post", f"{url}restore/?version=1", {}).status_code == 409
    back = send(client, "post", f"{url}restore/?version=2", {})
    assert back.status_code == 200
    known = {"version", "changed_at"}
    assert {n: v for n, v in back.json().items() if n not in known} == {
        n: v for n, v in made.items() if n not in known
    }
    assert back.json()["version"] == 3
    assert client.get(url).json() == back.json()

    news = list(Event.objects.order_by("id"))
    assert {event.kind for event in news} == {"marks_changed"}
    assert [(e.payload["what"], e.payload["version"]) for e in news] == [
        ("deleted", 2),
        ("restored", 3),
    ]
    assert {event.payload["id"] for event in news} == {made["id"]}
    # Keys alone: news goes to open pages before anybody asks who may read the row.
    assert set(news[0].payload) <= {"mark", "id", "what", "version", "instance", "series"}
    word = news[0].payload["mark"]
    trail = AuditRow.objects.filter(action__startswith=f"{word}_").order_by("id")
    assert [row.action.removeprefix(f"{word}_") for row in trail] == [
        "created",
        "deleted",
        "restored",
    ]


def test_what_there_is_only_once_answers_with_the_first(
    image: Instance, rada: User, tess: User, client_of: Log
) -> None:
    wanted = {"sop_instance_uid": "1.2.3.4.1", "note": "nodule\nin S2"}
    first = send(client_of(rada), "post", KEY_IMAGES, wanted).json()
    second = send(client_of(tess), "post", KEY_IMAGES, {**wanted, "note": "mine"})
    assert (second.status_code, second.json()["current"]) == (409, first)

    layer = {"study": str(image.study_id), "name": "lung", "colour": "#00FF00"}
    first = send(client_of(rada), "post", LAYERS, layer).json()
    assert (first["colour"], first["is_visible"], first["position"]) == ("#00ff00", True, 0)
    second = send(client_of(tess), "post", LAYERS, layer)
    assert (second.status_code, second.json()["current"]) == (409, first)

    url = f"{LAYERS}{first['id']}/"
    assert client_of(rada).delete(url).status_code == 204
    assert send(client_of(tess), "post", LAYERS, layer).status_code == 201
    assert send(client_of(rada), "post", f"{url}restore/", {}).status_code == 409
    assert (MarkLayer.objects.present().count(), KeyImage.objects.count()) == (1, 1)


def test_foreign_studies_take_no_layer(image: Instance, fiona: User, client_of: Log) -> None:
    body = {"study": str(image.study_id), "name": "lung", "colour": "#00ff00"}
    missing = {**body, "study": "01900000-0000-7000-8000-000000000000"}
    foreign = send(client_of(fiona), "post", LAYERS, body)
    assert (foreign.status_code, foreign.json()) == (
        404,
        send(client_of(fiona), "post", LAYERS, missing).json(),
    )


# --- calibration ----------------------------------------------------------------------
def test_lengths_follow_a_calibration_line_and_its_undoing(
    north: Facility, rada: User, client_of: Log
) -> None:
    make_image(north, PixelSpacing=None)
    client = client_of(rada)
    length = send(client, "post", MEASUREMENTS, wish(points_px=[[0, 0], [3, 4]])).json()
    box = send(
        client, "post", MEASUREMENTS, wish(kind="rectangle", points_px=[[-0.5, -0.5], [3.5, 4.5]])
    ).json()
    assert (length["value"], length["unit"]) == (5.0, "px")

    def read(one: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = client.get(f"{MEASUREMENTS}{one['id']}/").json()
        return answer

    # 20 pixels are 50 mm: a pixel is 2.5 mm.
    line = drawing(kind="calibration", known_mm=50, points_px=[[0, 0], [20, 0]])
    picture = Instance.objects.get()
    assert scale_of(picture, picture.image) is None
    made = send(client, "post", ANNOTATIONS, line)
    assert made.status_code == 201, made.content
    # The scale on exported pictures follows, too.
    assert scale_of(picture, picture.image) == pytest.approx((2.5, 2.5))
    now = read(length)
    assert (now["value"], now["unit"]) == (pytest.approx(12.5), "mm")
    assert (now["provenance"], now["version"]) == ("reader_calibrated", 2)
    scaled = read(box)
    assert (scaled["value"], scaled["unit"]) == (pytest.approx(4 * 5 * 6.25), "mm2")
    assert scaled["statistics"]["area_by_count_mm2"] == pytest.approx(4 * 5 * 6.25)
    assert scaled["statistics"]["mean"] == box["statistics"]["mean"]
    new = send(client, "post", MEASUREMENTS, wish(points_px=[[0, 0], [0, 2]])).json()
    assert (new["value"], new["provenance"]) == (pytest.approx(5.0), "reader_calibrated")

    url = f"{ANNOTATIONS}{made.json()['id']}/"
    send(client, "patch", url, {"version": 1, "known_mm": 100})
    assert read(length)["value"] == pytest.approx(25.0)
    client.delete(url)
    assert (read(length)["value"], read(length)["provenance"]) == (5.0, "uncalibrated")
    assert scale_of(picture, picture.image) is None
    send(client, "post", f"{url}restore/", {})
    assert read(length)["value"] == pytest.approx(25.0)
    assert read(length)["version"] == 5


# --- old rows -------------------------------------------------------------------------
def test_rows_of_version_1_still_load_and_can_be_changed(
    image: Instance, rada: User, client_of: Log
) -> None:
    frozen = json.loads((GOLDEN / "marks_version_1.json").read_text())
    place = {
        "study": image.study,
        "facility": image.facility,
        "instance": image,
        "created_by": rada,
        "changed_by": rada,
    }
    client = client_of(rada)
    for address, model, name in (
        (MEASUREMENTS, Measurement, "measurements"),
        (ANNOTATIONS, Annotation, "annotations"),
    ):
        for row in frozen[name]:
            mark = model.objects.create(**place, **row)
            url = f"{address}{mark.pk}/"
            loaded = client.get(url).json()
            assert {field: loaded[field] for field in row} == row
            changed = send(client, "patch", url, {"version": row["version"], "label": "later"})
            assert changed.status_code == 200, changed.content
            assert changed.json()["label"] == "later"
        assert len(client.get(address).json()["results"]) == len(frozen[name])
