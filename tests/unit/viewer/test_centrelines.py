"""Lines through volumes are kept for the reader who drew them, as marks are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditRow, Facility, User
from archive.models import Event, Series
from tests.unit.viewer.test_measurements import make_image, send

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]
URL = "/api/v1/centrelines/"
POINTS = [[0.5, -20.25, 3.0], [1.0, -18.0, 9.0], [2.0, -17.5, 21.0]]


@pytest.fixture
def series(north: Facility) -> Series:
    return make_image(north).series


def keep(client: Client, series: Series, **also: Any) -> Any:
    body = {"series_id": str(series.pk), "points_lps_mm": POINTS, **also}
    return send(client, "post", URL, body)


def test_a_line_comes_back_as_it_was_drawn_and_each_change_has_its_version_and_its_trail(
    series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    slab = {"mode": "mip", "thickness_mm": 4.0}
    made = keep(client, series, form="stretched", width_mm=42.5, angle_deg=-30.0, slab=slab)
    assert made.status_code == 201, made.content
    (row,) = client.get(URL, {"series": str(series.pk), "mine": "true"}).json()["results"]
    assert row == made.json()
    assert (row["points_lps_mm"], row["form"], row["slab"]) == (POINTS, "stretched", slab)
    assert (row["width_mm"], row["angle_deg"], row["version"]) == (42.5, -30.0, 1)

    one = f"{URL}{row['id']}/"
    moved = [[9.0, 9.0, 9.0], *POINTS[1:]]
    changed = send(client, "patch", one, {"version": 1, "points_lps_mm": moved})
    assert (changed.json()["points_lps_mm"], changed.json()["version"]) == (moved, 2)
    late = send(client, "patch", one, {"version": 1, "width_mm": 50})
    assert late.status_code == 409
    assert late.json()["current"]["points_lps_mm"] == moved
    again = keep(client, series)
    assert (again.status_code, again.json()["current"]["id"]) == (409, row["id"])

    assert client.delete(f"{one}?version=2").status_code == 204
    assert client.get(URL).json()["results"] == []
    assert client.post(f"{one}restore/").json()["points_lps_mm"] == moved
    trail = AuditRow.objects.filter(action__startswith="centreline_").order_by("pk")
    words = [row.action.removeprefix("centreline_") for row in trail]
    assert words == ["created", "changed", "deleted", "restored"]
    assert {row.study_instance_uid for row in trail} == {series.study.study_instance_uid}
    news = [one.payload for one in Event.objects.filter(kind="marks_changed").order_by("pk")]
    assert [(one["mark"], one["what"]) for one in news] == [("centreline", word) for word in words]


def test_each_reader_has_a_line_and_no_one_elsewhere_knows_of_it(
    series: Series, rada: User, tess: User, fiona: User, client_of: Log
) -> None:
    mine = keep(client_of(rada), series).json()
    theirs = keep(client_of(tess), series, points_lps_mm=POINTS[:2])
    assert theirs.status_code == 201
    colleague = client_of(tess)
    assert len(colleague.get(URL).json()["results"]) == 2
    assert [one["id"] for one in colleague.get(URL, {"mine": "false"}).json()["results"]] == [
        mine["id"]
    ]
    stranger = client_of(fiona)
    assert stranger.get(URL).json()["results"] == []
    assert stranger.get(f"{URL}{mine['id']}/").status_code == 404
    assert keep(stranger, series).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"points_lps_mm": []}, {"points_lps_mm": [[0, 0]]}, {"points_lps_mm": [[0, 0, 0]] * 501},
        {"width_mm": 501}, {"form": "bent"}, {"slab": {"mode": "thick", "thickness_mm": 1}},
        {"length_mm": 3},
    ],
)  # fmt: skip
def test_what_is_no_line_is_refused_by_its_field(
    wrong: dict[str, Any], series: Series, rada: User, client_of: Log
) -> None:
    answer = keep(client_of(rada), series, **wrong)
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.json()["errors"]
