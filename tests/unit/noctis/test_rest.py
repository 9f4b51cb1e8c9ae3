"""What all REST addresses share: tags, pages by key, rates, problems."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditRow, Facility, User
from tests import factories
from tests.stored import store_files
from worklist.models import Order

ClientOf = Callable[[User], Client]
pytestmark = pytest.mark.django_db


def test_lists_are_narrowed_paged_and_see_ones_own_alone(
    north: Facility, south: Facility, rada: User, client_of: ClientOf
) -> None:
    client = client_of(rada)
    for name, facility in (("Doe^Jane", north), ("Müller^Ä", north), ("Roe", south)):
        store_files(
            facility, 2, PatientName=name, PatientID=name[:2], SpecificCharacterSet="ISO_IR 192"
        )
    found = client.get("/api/v1/studies/").json()["results"]
    assert [one["patient_name"] for one in found] == ["Müller^Ä", "Doe^Jane"]
    assert (found[0]["modalities"], found[0]["instance_count"]) == (["CT"], 2)
    asked = {
        "patient_name": "jane doe", "patient_id": "Do", "modality": "CT", "facility": "north",
        "study_date_from": "2004-01-19", "study_date_to": "2004-01-19",
    }  # fmt: skip
    for name, value in asked.items():
        results = client.get("/api/v1/studies/", {name: value}).json()["results"]
        assert "Doe^Jane" in [one["patient_name"] for one in results], name
    assert client.get("/api/v1/studies/", {"modality": "T"}).json()["results"] == []
    assert len(client.get("/api/v1/studies/", {"patient_name": "mueller"}).json()["results"]) == 1
    page = client.get("/api/v1/instances/?page_size=3").json()
    rest = client.get(page["next"]).json()
    assert (len(page["results"]), len(rest["results"]), rest["next"]) == (3, 1, None)
    series = page["results"][0]["series"]
    assert len(client.get("/api/v1/instances/", {"series": series}).json()["results"]) == 2
    entries = client.get("/api/v1/worklist/", {"patient_name": "doe", "status": "new"}).json()
    assert [one["patient_id"] for one in entries["results"]] == ["Do"]
    for address in ("studies", "instances", "series", "worklist", "orders"):
        for position in ("x", "2024-01-01", "\0"):
            word = base64.b64encode(urlencode({"p": position}).encode()).decode()
            answer = client.get(f"/api/v1/{address}/", {"cursor": word})
            assert answer.status_code == 404, (address, position)
            assert answer["Content-Type"] == "application/problem+json"
        assert (
            client.get(f"/api/v1/{address}/", {"study": "x", "facility": "\0"}).status_code == 400
        )


def test_a_tag_saves_reading_and_guards_writing(
    north: Facility, rada: User, tess: User, client_of: ClientOf
) -> None:
    client = client_of(tess)
    instance = store_files(north)[0]
    for address in (
        f"studies/{instance.study_id}", f"series/{instance.series_id}", f"instances/{instance.pk}",
        f"facilities/{north.pk}",
    ):  # fmt: skip
        answer = client.get(f"/api/v1/{address}/")
        assert answer["Cache-Control"] == "private, no-cache"
        again = client.get(f"/api/v1/{address}/", headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = client.get(f"/api/v1/{address}/", headers={"If-None-Match": '"other"'})
        assert other.status_code == 200
    order = Order.objects.create(facility=north, patient_id="P1", patient_name="Doe^Jane")
    address = f"/api/v1/orders/{order.pk}/"

    def change(tag: str, name: str) -> int:
        headers = {"If-Match": tag}
        body = {"patient_name": name}
        answer = client.patch(address, body, content_type="application/json", headers=headers)
        return answer.status_code

    tag = client.get(address)["ETag"]
    assert change(tag, "Doe^Joan") == 200
    assert change(tag, "Doe^June") == 412
    assert change("*", "Doe^Jill") == 200
    assert Order.objects.get().patient_name == "Doe^Jill"


def test_who_asks_too_often_waits(
    north: Facility, rada: User, tess: User, client_of: ClientOf, settings: Settings
) -> None:
    settings.NOCTIS_RATES = {"search": 2, "change": 1}
    client = client_of(rada)
    assert [client.get("/api/v1/studies/").status_code for _ in range(6)].count(429) >= 1
    answer = client.get("/api/v1/studies/")
    if answer.status_code == 429:
        assert 1 <= int(answer["Retry-After"]) <= 60
        assert answer.json()["code"] == "throttled"
    assert client_of(tess).get("/api/v1/studies/").status_code == 200
    study = factories.make_study(north)
    reads = [client.get(f"/api/v1/studies/{study.pk}/").status_code for _ in range(4)]
    assert reads == [200] * 4
    assert client.get("/api/limits").json()["requests_a_minute"] == {"search": 2, "change": 1}


def test_the_trail_is_read_by_those_who_may_and_says_so(
    north: Facility, south: Facility, rada: User, nora: User, admin: User, client_of: ClientOf
) -> None:
    for facility in (north, south):
        store_files(facility)
    assert client_of(rada).get("/api/v1/audit/").status_code == 403
    own = client_of(nora).get("/api/v1/audit/", {"action": "store"}).json()["results"]
    assert {row["facility"] for row in own} == {"north"}
    everything = client_of(admin).get("/api/v1/audit/?action=store&page_size=1").json()
    rest = client_of(admin).get(everything["next"]).json()["results"]
    assert {everything["results"][0]["facility"], rest[0]["facility"]} == {"north", "south"}
    assert AuditRow.objects.filter(action="audit_read", user=nora).count() == 1
