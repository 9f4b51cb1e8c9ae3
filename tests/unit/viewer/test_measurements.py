"""Measurements over REST: the server's numbers, for those who may, and none lost between two."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connections
from django.test import Client

from accounts.audit import find_breaks
from accounts.models import AuditRow, Facility, Role, User
from archive.models import Event, Instance
from tests import factories
from tests.unit.viewer.conftest import store
from viewer.models import Measurement

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]
URL = "/api/v1/measurements/"
# Of the picture below: rows lie 0.5 mm apart, columns 0.25 mm; along a row the patient's y grows,
# along a column z falls.
ROW_MM, COLUMN_MM = 0.5, 0.25
ORIGIN = (10.0, -20.0, 30.0)
PADDING = -2000


def make_image(facility: Facility, **changes: Any) -> Instance:
    """Store a CT whose stored value is 100 * row + column, two of them padding; HU = 2 s - 1000."""
    rows, columns = np.mgrid[0:128, 0:128]
    stored = (100 * rows + columns).astype("<i2")
    stored[10, 10:12] = PADDING
    uids = {"StudyInstanceUID": "1.2.3.100", "SOPInstanceUID": "1.2.3.4.1"}
    facts = {
        "PixelSpacing": [ROW_MM, COLUMN_MM],
        "ImagePositionPatient": list(ORIGIN),
        "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
        "RescaleSlope": 2,
        "RescaleIntercept": -1000,
        "PixelPaddingValue": PADDING,
    }
    dataset = factories.read_bundled("CT_small.dcm", **{**uids, **facts, **changes})
    dataset.PixelData = stored.tobytes()
    return store(factories.as_part10(dataset), facility)


@pytest.fixture
def image(north: Facility) -> Instance:
    return make_image(north)


def send(client: Client, method: str, url: str, body: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body)
    return getattr(client, method)(url, content, content_type="application/json")


def wish(**changes: Any) -> dict[str, Any]:
    """Return the body that asks for a length of 3 mm by 4 mm."""
    body = {
        "sop_instance_uid": "1.2.3.4.1",
        "frame": 0,
        "kind": "length",
        "points_px": [[10, 10], [22, 18]],
        "layer": "",
        "label": "",
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def hu(rows: slice, columns: slice) -> np.ndarray:
    """Return the values of the picture, by the formula alone."""
    row, column = np.mgrid[rows, columns]
    return np.asarray(2.0 * (100 * row + column) - 1000)


# --- numbers ------------------------------------------------------------------------
def test_a_length_is_worked_out_and_kept_with_its_origin(
    image: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    answer = send(client, "post", URL, wish(label="  Nodule ", layer="lung"))

    assert answer.status_code == 201
    body = answer.json()
    # 12 columns of 0.25 mm and 8 rows of 0.5 mm: 3, 4, 5.
    assert body["value"] == pytest.approx(5.0, abs=1e-9)
    assert (body["unit"], body["provenance"]) == ("mm", "pixel_spacing")
    assert (body["label"], body["layer"], body["version"]) == ("Nodule", "lung", 1)
    assert (body["created_by"], body["changed_by"], body["format_version"]) == ("rada", "rada", 1)
    assert body["series"] == str(image.series_id)
    assert body["study"] == str(image.study_id)
    expected = [[10.0, -17.5, 25.0], [10.0, -14.5, 21.0]]
    assert np.allclose(body["points_lps_mm"], expected, atol=1e-9)
    assert client.get(f"{URL}{body['id']}/").json() == body


def test_millimetres_of_the_patient_and_pixels_say_the_same(
    image: Instance, rada: User, client_of: Log
) -> None:
    lps = [[10.0, -17.5, 25.0], [10.0, -14.5, 21.0]]
    body = wish(points_px=None, points_lps_mm=lps)
    answer = send(client_of(rada), "post", URL, body).json()

    assert np.allclose(answer["points_px"], [[10, 10], [22, 18]], atol=1e-9)
    assert answer["value"] == pytest.approx(5.0, abs=1e-9)


def test_statistics_are_those_of_the_stored_pixels_without_padding(
    image: Instance, rada: User, client_of: Log
) -> None:
    corners = [[9.5, 9.5], [13.5, 12.5]]
    answer = send(client_of(rada), "post", URL, wish(kind="rectangle", points_px=corners)).json()

    # 4 columns by 3 rows, of which (10, 10) and (10, 11) are padding.
    inside = hu(slice(10, 13), slice(10, 14)).ravel()[2:]
    found = answer["statistics"]
    assert (found["count"], found["padding_count"], found["unit"]) == (10, 2, "HU")
    for name, value in {
        "mean": inside.mean(),
        "sd": inside.std(),
        "min": inside.min(),
        "max": inside.max(),
        "median": np.median(inside),
        "area_mm2": 12 * ROW_MM * COLUMN_MM,
    }.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert (answer["value"], answer["unit"]) == (pytest.approx(1.5), "mm2")


@pytest.mark.parametrize(
    ("kind", "points", "value", "unit"),
    [
        ("probe", [[40.4, 20.4]], 2.0 * 2040 - 1000, "HU"),
        ("polyline", [[0, 0], [4, 0], [4, 2]], 2.0, "mm"),
        ("circle", [[60, 60], [68, 60]], np.pi * 4, "mm2"),
        ("angle", [[8, 0], [0, 0], [0, 4]], 90.0, "deg"),
    ],
)
def test_other_kinds_are_kept_too(
    image: Instance, rada: User, client_of: Log, kind: str, points: Any, value: float, unit: str
) -> None:
    answer = send(client_of(rada), "post", URL, wish(kind=kind, points_px=points))

    assert answer.status_code == 201
    assert answer.json()["value"] == pytest.approx(value)
    assert (answer.json()["kind"], answer.json()["unit"]) == (kind, unit)


def test_without_calibration_it_is_pixels(north: Facility, rada: User, client_of: Log) -> None:
    make_image(north, PixelSpacing=None)
    client = client_of(rada)

    answer = send(client, "post", URL, wish(points_px=[[0, 0], [3, 4]])).json()
    assert (answer["value"], answer["unit"], answer["provenance"]) == (5.0, "px", "uncalibrated")
    assert answer["points_lps_mm"] is None

    lps = [[0, 0, 0], [1, 0, 0]]
    refused = send(client, "post", URL, wish(points_px=None, points_lps_mm=lps))
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["points_lps_mm"]


# --- slips and hostility ------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "volume"}, "kind"),
        ({"kind": None}, "kind"),
        ({"sop_instance_uid": None}, "sop_instance_uid"),
        ({"frame": 1}, "frame"),
        ({"frame": -1}, "frame"),
        ({"frame": 10**30}, "frame"),
        ({"points_px": [[0, 0]]}, "points_px"),
        ({"points_px": [[0, 0], [1, 1e7]]}, "points_px"),
        ({"points_px": [[0, 0], [1, 10**400]]}, "points_px"),
        ({"points_px": [[0, 0], [1, True]]}, "points_px"),
        ({"points_px": [[0, 0], [1, "2"]]}, "points_px"),
        ({"points_px": [[0, 0], [1, 2, 3]]}, "points_px"),
        ({"points_px": {"0": 1}}, "points_px"),
        ({"points_px": []}, "points_px"),
        ({"points_px": None}, "points_px"),
        ({"points_lps_mm": [[0, 0, 0], [1, 1, 1]]}, "points_px"),
        ({"points_px": None, "points_lps_mm": [[99, 0, 0], [99, 1, 1]]}, "points_lps_mm"),
        ({"kind": "polygon", "points_px": [[0, 0]] * 1025}, "points_px"),
        ({"kind": "cobb", "points_px": [[0, 0], [1, 1], [2, 2]]}, "points_px"),
        ({"label": "x" * 201}, "label"),
        ({"label": 5}, "label"),
        ({"label": "a\ud800b"}, "label"),
        ({"value": 12.5}, "value"),
        ({"statistics": {"mean": 1}}, "statistics"),
    ],
)
def test_a_slip_is_named_by_its_field(
    image: Instance, rada: User, client_of: Log, changes: dict[str, Any], field: str
) -> None:
    answer = send(client_of(rada), "post", URL, wish(**changes))

    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert list(answer.json()["errors"]) == [field]
    assert not Measurement.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b"[" * 200_000,
        b'{"points_px": [[NaN, 0], [1, 1]]}',
        b'{"kind": "length", "sop_instance_uid": "1.2.3.4.1", "points_px": [[1e999, 0], [1, 1]]}',
    ],
)
def test_a_body_that_is_no_request_is_refused(
    image: Instance, rada: User, client_of: Log, body: bytes
) -> None:
    assert send(client_of(rada), "post", URL, body).status_code == 400


def test_a_label_keeps_its_letters_and_loses_what_reorders_them(
    image: Instance, rada: User, client_of: Log
) -> None:
    label = "<b>Müller\u202e\x07\n 結節</b>'; DROP TABLE"
    answer = send(client_of(rada), "post", URL, wish(label=label))

    assert answer.json()["label"] == "<b>Müller 結節</b>'; DROP TABLE"


# --- who may ------------------------------------------------------------------------
def test_foreign_is_missing_and_referrers_only_read(
    image: Instance, rada: User, fiona: User, north: Facility, client_of: Log
) -> None:
    own = send(client_of(rada), "post", URL, wish()).json()
    url = f"{URL}{own['id']}/"
    foreign = client_of(fiona)
    for slip in ({}, {"frame": 1}, {"points_px": [[0, 0]]}):
        answer = send(foreign, "post", URL, wish(**slip))
        missing = send(foreign, "post", URL, wish(**slip, sop_instance_uid="2.25.1"))
        assert (answer.status_code, answer.json()) == (404, missing.json())
    assert send(foreign, "patch", url, {"version": 1, "label": "x"}).status_code == 404
    assert foreign.delete(url).status_code == 404
    assert foreign.get(URL).json()["results"] == []

    reader = client_of(factories.make_user("refa", Role.REFERRER, [north]))
    assert reader.get(url).json() == own
    assert send(reader, "post", URL, wish()).status_code == 403
    assert send(reader, "patch", url, {"version": 1, "label": "x"}).status_code == 403
    assert reader.delete(url).status_code == 403
    assert Measurement.objects.get().version == 1


def test_who_sees_an_image_twice_says_which(
    image: Instance, south: Facility, admin: User, client_of: Log
) -> None:
    other = make_image(south)
    client = client_of(admin)

    refused = send(client, "post", URL, wish())
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["instance_id"])
    answer = send(client, "post", URL, wish(instance_id=str(other.pk)))
    assert answer.json()["instance"] == str(other.pk)
    assert Measurement.objects.get().facility == south


def test_the_list_is_narrowed_by_study_series_and_image(
    image: Instance, rada: User, client_of: Log, north: Facility
) -> None:
    make_image(
        north, StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", SOPInstanceUID="1.2.9.2"
    )
    client = client_of(rada)
    first = send(client, "post", URL, wish()).json()
    second = send(client, "post", URL, wish(sop_instance_uid="1.2.9.2")).json()

    def ask(**query: str) -> list[str]:
        return [one["id"] for one in client.get(URL, query).json()["results"]]

    assert ask() == [first["id"], second["id"]]
    assert ask(study=first["study"]) == [first["id"]]
    assert ask(series=second["series"]) == [second["id"]]
    assert ask(sop_instance_uid="1.2.9.2") == [second["id"]]
    assert ask(study=first["study"], series=second["series"]) == []
    assert client.get(URL, {"study": "x"}).status_code == 400


# --- changes ------------------------------------------------------------------------
def test_a_change_measures_anew_and_an_old_version_is_refused(
    image: Instance, rada: User, tess: User, client_of: Log
) -> None:
    own = send(client_of(rada), "post", URL, wish()).json()
    url = f"{URL}{own['id']}/"
    moved = {"version": 1, "points_px": [[0, 0], [40, 0]]}

    answer = send(client_of(tess), "patch", url, moved)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["value"], body["version"]) == (pytest.approx(10.0), 2)
    assert (body["created_by"], body["changed_by"]) == ("rada", "tess")

    late = send(client_of(rada), "patch", url, {"version": 1, "label": "mine"})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert late.json()["current"] == body
    assert client_of(rada).delete(f"{url}?version=1").status_code == 409
    assert client_of(rada).get(url).json() == body
    wrong = send(client_of(rada), "patch", url, {"version": 2, "kind": "angle"})
    assert list(wrong.json()["errors"]) == ["kind"]
    assert send(client_of(rada), "patch", url, {"version": 2}).status_code == 400


def test_a_deleted_measurement_is_gone_but_tells_who_and_when(
    image: Instance, rada: User, tess: User, client_of: Log
) -> None:
    own = send(client_of(rada), "post", URL, wish()).json()
    url = f"{URL}{own['id']}/"

    assert client_of(tess).delete(f"{url}?version=1").status_code == 204
    assert client_of(rada).get(url).status_code == 404
    assert client_of(rada).delete(url).status_code == 404
    assert client_of(rada).get(URL).json()["results"] == []
    row = Measurement.objects.get()
    assert row.deleted_by == tess
    assert row.deleted_at is not None


def test_each_write_leaves_a_trail_and_news(image: Instance, rada: User, client_of: Log) -> None:
    client = client_of(rada)
    Event.objects.all().delete()
    own = send(client, "post", URL, wish()).json()
    url = f"{URL}{own['id']}/"
    send(client, "patch", url, {"version": 1, "label": "x"})
    send(client, "patch", url, {"version": 1, "label": "too late"})
    client.delete(url)

    wanted = ["measurement_created", "measurement_changed", "measurement_deleted"]
    trail = AuditRow.objects.filter(action__startswith="measurement_").order_by("id")
    assert [row.action for row in trail] == wanted
    assert {row.study_instance_uid for row in trail} == {"1.2.3.100"}
    assert {row.detail["measurement"] for row in trail} == {own["id"]}
    news = Event.objects.order_by("id")
    assert {event.kind for event in news} == {"marks_changed"}
    assert [event.payload for event in news] == [
        {
            "mark": "measurement",
            "id": own["id"],
            "what": what,
            "version": version,
            "instance": str(image.pk),
            "series": str(image.series_id),
        }
        for what, version in (("created", 1), ("changed", 2), ("deleted", 3))
    ]
    assert {event.study_id for event in news} == {image.study_id}


@pytest.mark.django_db(transaction=True)
def test_of_two_writers_at_once_one_is_told(image: Instance, rada: User, client_of: Log) -> None:
    own = send(client_of(rada), "post", URL, wish()).json()
    url = f"{URL}{own['id']}/"
    start = threading.Barrier(4)
    statuses: list[int] = []

    def write(number: int, client: Client) -> None:
        try:
            start.wait(10)
            body = {"version": 1, "label": f"of {number}"}
            statuses.append(send(client, "patch", url, body).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=(n, client_of(rada))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(statuses) == [200, 409, 409, 409]
    assert Measurement.objects.get().version == 2
    assert list(find_breaks(AuditRow.objects.order_by("id").iterator())) == []
