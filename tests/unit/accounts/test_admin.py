"""Looking after people: within one's own facilities, and never above one's own rights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit import record_for_user
from accounts.models import AuditRow, Facility, Role, User
from tests.factories import PASSWORD, make_user

PEOPLE = "/admin/accounts/user/"
ClientOf = Callable[[User], Client]


def change_url(person: User) -> str:
    return reverse("admin:accounts_user_change", args=[person.pk])


def facts_of(person: User, **changes: Any) -> dict[str, Any]:
    facts = {
        "username": person.username,
        "role": person.role,
        "facilities": [str(key) for key in person.facilities.values_list("pk", flat=True)],
        "is_active": "on",
    }
    return {**facts, **changes}


def add(client: Client, **facts: Any) -> Any:
    form = {
        "username": "newcomer",
        "usable_password": "true",
        "password1": "zebra-7 piano",
        "password2": "zebra-7 piano",
        "role": "technologist",
    }
    return client.post(f"{PEOPLE}add/", {**form, **facts})


def test_facility_admin_adds_a_person_to_own_facility(
    client_of: ClientOf, nora: User, north: Facility
) -> None:
    answer = add(client_of(nora), facilities=[str(north.pk)])

    assert answer.status_code == 302
    person = User.objects.get(username="newcomer")
    assert (person.role, person.is_staff, person.is_superuser) == ("technologist", False, False)
    assert list(person.facilities.all()) == [north]


def test_facility_admin_grants_no_foreign_facility(
    client_of: ClientOf, nora: User, south: Facility
) -> None:
    answer = add(client_of(nora), facilities=[str(south.pk)])

    assert answer.status_code == 200
    assert not User.objects.filter(username="newcomer").exists()


def test_facility_admin_makes_no_administrator(
    client_of: ClientOf, nora: User, north: Facility
) -> None:
    answer = add(client_of(nora), facilities=[str(north.pk)], role="admin")

    assert answer.status_code == 200
    assert not User.objects.filter(username="newcomer").exists()


def test_marks_of_power_in_the_form_are_not_read(
    client_of: ClientOf, nora: User, north: Facility
) -> None:
    add(client_of(nora), facilities=[str(north.pk)], is_superuser="on", is_staff="on")

    person = User.objects.get(username="newcomer")
    assert (person.is_staff, person.is_superuser) == (False, False)


def test_facility_admin_must_choose_a_facility(client_of: ClientOf, nora: User) -> None:
    add(client_of(nora))

    assert not User.objects.filter(username="newcomer").exists()


def test_facility_admin_raises_nobody_to_administrator(
    client_of: ClientOf, nora: User, rada: User
) -> None:
    client_of(nora).post(change_url(rada), facts_of(rada, role="admin", is_superuser="on"))

    rada.refresh_from_db()
    assert (rada.role, rada.is_superuser) == ("radiologist", False)


def test_facility_admin_changes_own_people(
    client_of: ClientOf, nora: User, rada: User, north: Facility
) -> None:
    client_of(nora).post(change_url(rada), facts_of(rada, role="referrer"))

    rada.refresh_from_db()
    assert rada.role == "referrer"
    row = AuditRow.objects.get(action="admin_change")
    assert (row.actor, row.facility, row.detail["name"]) == ("nora", north, "rada")
    assert (row.detail["role"], row.detail["facilities"]) == ("referrer", ["north"])


def test_foreign_person_answers_as_missing(client_of: ClientOf, nora: User, fiona: User) -> None:
    client = client_of(nora)
    key = str(fiona.pk)
    fiona_answer = client.get(change_url(fiona), follow=True)
    User.objects.filter(pk=fiona.pk).delete()
    missing_answer = client.get(f"{PEOPLE}{key}/change/", follow=True)

    assert fiona_answer.redirect_chain == missing_answer.redirect_chain
    assert "fiona" not in fiona_answer.content.decode()


def test_foreign_person_keeps_their_password(client_of: ClientOf, nora: User, fiona: User) -> None:
    new = {"usable_password": "true", "password1": "zebra-7 piano", "password2": "zebra-7 piano"}
    answer = client_of(nora).post(f"{PEOPLE}{fiona.pk}/password/", new)

    fiona.refresh_from_db()
    assert answer.status_code in {302, 403, 404}
    assert fiona.check_password(PASSWORD)


def test_administrator_of_the_same_facility_is_out_of_reach(
    client_of: ClientOf, nora: User, north: Facility
) -> None:
    boss = make_user("boss", Role.ADMIN, [north], is_staff=True, is_superuser=True)
    client = client_of(nora)
    client.post(change_url(boss), facts_of(boss, role="referrer"))
    new = {"usable_password": "true", "password1": "zebra-7 piano", "password2": "zebra-7 piano"}
    client.post(f"{PEOPLE}{boss.pk}/password/", new)

    boss.refresh_from_db()
    assert boss.role == "admin"
    assert boss.check_password(PASSWORD)


def test_person_who_works_elsewhere_too_is_seen_but_not_changed(
    client_of: ClientOf, nora: User, north: Facility, south: Facility
) -> None:
    both = make_user("both", Role.RADIOLOGIST, [north, south])
    client = client_of(nora)

    assert client.get(change_url(both)).status_code == 200
    assert client.post(change_url(both), facts_of(both, role="referrer")).status_code == 403
    both.refresh_from_db()
    assert both.role == "radiologist"


def test_nobody_changes_their_own_rights(
    client_of: ClientOf, nora: User, admin: User, south: Facility
) -> None:
    client_of(nora).post(change_url(nora), facts_of(nora, facilities=[str(south.pk)]))
    client_of(admin).post(change_url(admin), facts_of(admin, role="referrer", is_active=""))

    assert [facility.code for facility in nora.facilities.all()] == ["north"]
    admin.refresh_from_db()
    assert (admin.role, admin.is_active, admin.is_superuser) == ("admin", True, True)


def test_role_lost_closes_the_door_at_once(client_of: ClientOf, nora: User) -> None:
    client = client_of(nora)
    assert client.get(PEOPLE).status_code == 200
    User.objects.filter(pk=nora.pk).update(role=Role.TECHNOLOGIST)

    assert client.get(PEOPLE).status_code == 302
    assert client.get("/admin/", follow=True).status_code == 403


def test_administrator_makes_an_administrator(client_of: ClientOf, admin: User) -> None:
    assert add(client_of(admin), role="admin").status_code == 302

    person = User.objects.get(username="newcomer")
    assert (person.is_staff, person.is_superuser) == (True, True)


def test_people_are_not_deleted(client_of: ClientOf, admin: User, rada: User) -> None:
    assert client_of(admin).post(f"{PEOPLE}{rada.pk}/delete/", {"post": "yes"}).status_code == 403


def test_list_shows_own_people_alone(
    client_of: ClientOf, nora: User, rada: User, fiona: User, admin: User
) -> None:
    page = client_of(nora).get(PEOPLE).content.decode()

    assert "rada" in page
    assert "fiona" not in page


def test_facilities_are_the_administrators_to_change(
    client_of: ClientOf, nora: User, admin: User, north: Facility, south: Facility
) -> None:
    base = "/admin/accounts/facility/"
    page = client_of(nora).get(base).content.decode()

    assert "Hospital North" in page
    assert "Hospital South" not in page
    assert client_of(nora).get(f"{base}add/").status_code == 403
    client_of(admin).post(f"{base}{north.pk}/change/", {"code": "west", "name": "Northern"})
    north.refresh_from_db()
    assert (north.code, north.name) == ("north", "Northern")


# --- the audit trail ---------------------------------------------------------
AUDIT = "/admin/accounts/auditrow/"


def test_audit_trail_is_read_only(client_of: ClientOf, admin: User) -> None:
    record_for_user(admin, "study_opened")
    row = AuditRow.objects.get(action="study_opened")
    client = client_of(admin)

    assert client.get(f"{AUDIT}add/").status_code == 403
    assert client.post(f"{AUDIT}{row.pk}/change/", {"actor": "nobody"}).status_code == 403
    assert client.post(f"{AUDIT}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in client.get(AUDIT).content.decode()


def test_reading_the_audit_trail_is_audited(client_of: ClientOf, admin: User) -> None:
    record_for_user(admin, "study_opened")
    row = AuditRow.objects.get(action="study_opened")
    client = client_of(admin)
    client.get(AUDIT, {"q": "rada"})
    client.get(f"{AUDIT}{row.pk}/change/")

    listed = AuditRow.objects.get(action="admin_list")
    assert listed.detail == {"page": "accounts.auditrow", "query": {"q": "rada"}}
    assert AuditRow.objects.get(action="admin_view").detail["row"] == str(row.pk)


def test_facility_admin_reads_own_facilitys_trail_alone(
    client_of: ClientOf, nora: User, rada: User, fiona: User, north: Facility, south: Facility
) -> None:
    record_for_user(rada, "study_opened", facility=north, patient_id="NORTHERN")
    record_for_user(fiona, "study_opened", facility=south, patient_id="SOUTHERN")
    page = client_of(nora).get(AUDIT).content.decode()

    assert "NORTHERN" in page
    assert "SOUTHERN" not in page


@pytest.mark.parametrize("name", ["rada", "tess", "strange"])
def test_admin_pages_are_closed_to_others(
    client_of: ClientOf, request: pytest.FixtureRequest, name: str
) -> None:
    client = client_of(request.getfixturevalue(name))

    assert client.get(AUDIT).status_code == 302
    assert client.get("/admin/", follow=True).status_code == 403


def test_audit_list_costs_few_queries(
    client_of: ClientOf, admin: User, north: Facility, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        record_for_user(admin, "study_opened", facility=north)
    client = client_of(admin)
    with django_assert_max_num_queries(20):
        client.get(AUDIT)
