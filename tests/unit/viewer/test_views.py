"""The viewer's page: everything for the first picture, and only for those who may see it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import AuditRow, Facility, User
from archive.models import Series, Study
from tests import factories
from tests.unit.viewer.conftest import SLICES, store, store_slice

pytestmark = pytest.mark.django_db(transaction=True)

Log = Callable[[User], Client]


def page_of(response: Any) -> dict[str, Any]:
    """Return the document inside the page."""
    pattern = r'<script id="noctis-viewer" type="application/json">(.*?)</script>'
    match = re.search(pattern, response.content.decode(), re.DOTALL)
    assert match
    document: dict[str, Any] = json.loads(match[1])
    return document


def test_the_page_carries_study_series_and_first_stack(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    response = client_of(rada).get(f"/viewer/{ct_series.study_id}/")
    page = page_of(response)
    assert page["study"]["study_instance_uid"] == ct_series.study.study_instance_uid
    assert page["study"]["patient_name"] == "CompressedSamples, CT1"
    assert [one["id"] for one in page["series"]] == [str(ct_series.pk)]
    assert page["active_series"] == str(ct_series.pk)
    assert len(page["stack"]["images"]) == 6
    for key in ("thumbnail_url", "stack_url"):
        assert client_of(rada).get(page["series"][0][key]).status_code == 200
    assert 'id="patient-banner"' in response.content.decode()
    assert 'id="viewer-root"' in response.content.decode()


def test_the_first_frames_are_on_their_way_before_the_page_s_code(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    html = client.get(f"/viewer/{ct_series.study_id}/").content.decode()
    preload = re.search(r'<link rel="preload" as="fetch"[^>]* href="([^"]+)"', html)
    assert preload
    response = client.get(preload[1].replace("&amp;", "&"))
    assert response.status_code == 200
    assert preload[1].endswith("images=0")


def test_the_first_picture_is_drawn_by_the_server_and_asked_for_first(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    html = client.get(f"/viewer/{ct_series.study_id}/").content.decode()
    preload = re.search(r'<link rel="preload" as="image"[^>]* href="([^"]+)"', html)
    picture = re.search(r'<img class="first-picture" src="([^"]+)" data-image="([^"]+)"', html)
    assert preload
    assert picture
    assert preload[1] == picture[1]
    assert html.index(preload[0]) < html.index("<script") < html.index('as="fetch"')
    first = page_of(client.get(f"/viewer/{ct_series.study_id}/"))["stack"]["images"][0]
    assert picture[2] == f"{first['instance_id']}/0"
    response = client.get(picture[1].replace("&amp;", "&"))
    assert response["Content-Type"] == "image/jpeg"


def test_text_from_a_sender_stays_text(north: Facility, rada: User, client_of: Log) -> None:
    dataset = factories.read_bundled(
        "CT_small.dcm",
        PatientName="</script><img src=x onerror=alert(1)>",
        StudyDescription="{{7*7}}<script>alert(1)</script>",
    )
    instance = store(factories.as_part10(dataset), north)
    html = client_of(rada).get(f"/viewer/{instance.study_id}/").content.decode()
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    assert "{{7*7}}" in html


def test_a_report_is_listed_and_says_why_it_cannot_be_shown(
    ct_series: Series, rada: User, client_of: Log, north: Facility
) -> None:
    dataset = factories.read_bundled("reportsi.dcm")
    dataset.StudyInstanceUID = ct_series.study.study_instance_uid
    dataset.PatientID = ct_series.study.patient.patient_id
    dataset.SeriesNumber = 0
    report = store(factories.as_part10(dataset), north)
    page = page_of(client_of(rada).get(f"/viewer/{ct_series.study_id}/"))
    listed = {one["id"]: one for one in page["series"]}[str(report.series_id)]
    assert listed["displayable"] is False
    assert listed["why_not"] == (
        "This series holds a structured report; the picture viewer cannot show it."
    )
    assert page["active_series"] == str(ct_series.pk), "pictures are opened first"
    wanted = client_of(rada).get(
        f"/viewer/{ct_series.study_id}/?series={report.series.series_instance_uid}"
    )
    assert page_of(wanted)["active_series"] == str(report.series_id)
    assert page_of(wanted)["stack"]["displayable"] is False


def test_the_page_costs_few_queries(
    ct_series: Series,
    rada: User,
    client_of: Log,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_of(rada)
    # Session, user, facilities; study, newest event, series, their kinds, images; settings; other
    # studies, hanging protocols; the audit's four (five with its lock).
    with django_assert_max_num_queries(16):
        client.get(f"/viewer/{ct_series.study_id}/")


def test_an_open_page_learns_what_has_arrived_since(
    ct_series: Series, rada: User, client_of: Log, north: Facility
) -> None:
    client = client_of(rada)
    page = page_of(client.get(f"/viewer/{ct_series.study_id}/"))
    assert client.get(page["urls"]["series"]).json()["series"] == page["series"]
    store_slice(SLICES, north)
    (series,) = client.get(page["urls"]["series"]).json()["series"]
    assert series["instance_count"] == SLICES + 1
    assert client.get(series["stack_url"]).json()["version"] != page["stack"]["version"]
    assert AuditRow.objects.filter(action="view_study").count() == 1


def test_a_study_is_found_by_its_uid(ct_series: Series, rada: User, client_of: Log) -> None:
    uid = ct_series.study.study_instance_uid
    response = client_of(rada).get(f"/viewer/?study={uid}&series={ct_series.series_instance_uid}")
    assert response.status_code == 302
    assert response["Location"] == (
        f"/viewer/{ct_series.study_id}/?series={ct_series.series_instance_uid}"
    )


def test_of_two_facilities_with_the_same_uid_the_visible_and_newest_is_shown(
    north: Facility, south: Facility, rada: User, fiona: User, admin: User, client_of: Log
) -> None:
    older = factories.make_whole_study(north)
    newer = factories.make_whole_study(
        south,
        study_instance_uid=older.study_instance_uid,
        last_received_at=older.last_received_at + timedelta(days=1),
    )
    address = f"/viewer/?study={older.study_instance_uid}"
    for user, study in ((rada, older), (fiona, newer), (admin, newer)):
        assert client_of(user).get(address)["Location"] == f"/viewer/{study.pk}/"


def test_foreign_is_the_same_page_as_missing(
    ct_series: Series, fiona: User, client_of: Log
) -> None:
    client = client_of(fiona)
    pairs = [
        (f"/viewer/{ct_series.study_id}/", f"/viewer/{uuid.uuid4()}/"),
        (f"/viewer/?study={ct_series.study.study_instance_uid}", "/viewer/?study=1.2.3"),
        ("/viewer/", "/viewer/?study=%27%3B"),
    ]
    for foreign, missing in pairs:
        one, other = client.get(foreign), client.get(missing)
        assert one.status_code == other.status_code == 404
        assert without_tokens(one) == without_tokens(other)
    assert not AuditRow.objects.filter(action="view_study").exists()


def without_tokens(response: Any) -> str:
    """Return the page without what is new in each answer or repeats the address."""
    html = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
    return re.sub(r'name="next" value="[^"]*"', "", html)


def test_who_is_not_logged_in_is_asked_to_log_in(ct_series: Series) -> None:
    response = Client().get(f"/viewer/{ct_series.study_id}/")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=/viewer/")


def test_every_opening_leaves_an_audit_row(ct_series: Series, rada: User, client_of: Log) -> None:
    client = client_of(rada)
    for _ in range(2):
        client.get(f"/viewer/{ct_series.study_id}/")
    assert AuditRow.objects.filter(action="view_study", actor="rada").count() == 2


def test_the_page_is_kept_by_no_cache(ct_series: Series, rada: User, client_of: Log) -> None:
    response = client_of(rada).get(f"/viewer/{ct_series.study_id}/")
    assert "no-store" in response["Cache-Control"]


def test_a_study_without_series_has_a_page(north: Facility, rada: User, client_of: Log) -> None:
    study: Study = factories.make_study(north)
    page = page_of(client_of(rada).get(f"/viewer/{study.pk}/"))
    assert page["series"] == []
    assert page["stack"] is None


def test_a_screen_that_is_not_for_reading_says_so_when_set_up(
    ct_series: Series, rada: User, client_of: Log, settings: Settings
) -> None:
    client = client_of(rada)
    url = f"/viewer/{ct_series.study_id}/"
    assert "Not for diagnosis" not in client.get(url).content.decode()
    settings.NOCTIS_NOT_FOR_DIAGNOSIS = True
    assert "Not for diagnosis" in client.get(url).content.decode()


def test_the_page_brings_the_settings_of_who_looks(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    url = f"/viewer/{ct_series.study_id}/"
    assert page_of(client.get(url))["preferences"] == {"version": 0, "document": {}}
    wish = json.dumps({"version": 0, "document": {"smooth": False}})
    client.put("/api/v1/preferences/", wish, content_type="application/json")
    wanted = {"version": 1, "document": {"smooth": False}}
    assert page_of(client.get(url))["preferences"] == wanted
