"""Tokens for programs: shown once, kept as a hash, bounded, ended at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import api_tokens
from accounts.api_tokens import Wish, make_token, read_token
from accounts.models import ApiToken, AuditRow, Facility, Role, User
from tests import factories
from tests.factories import make_whole_study

PAGE = "/accounts/tokens/"
REST = "/api/v1/tokens/"
FORM = {"name": "nightly script", "scope": "read", "days": "30"}


def make(user: User, scope: str = "read", facility: Facility | None = None, days: int = 7) -> str:
    return make_token(user, Wish(name="script", scope=scope, days=days, facility=facility))[1]


def bearer(word: str) -> Client:
    """Return a program: no cookies, and nothing that a form would bring."""
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {word}"})


def find_studies(client: Client) -> set[str]:
    answer = client.get("/dicomweb/studies")
    assert answer.status_code == 200, answer.content
    return {one["0020000D"]["Value"][0] for one in answer.json()}


def test_the_page_shows_a_new_token_once_and_keeps_a_hash(
    client_of: Callable[[User], Client], rada: User
) -> None:
    client = client_of(rada)
    page = client.post(PAGE, FORM)
    words = re.findall(r"noctis_[\w-]{43}", page.content.decode())

    assert len(words) == 1
    assert page["Cache-Control"].startswith("max-age=0")
    token = ApiToken.objects.get()
    assert token.secret_hash == hashlib.sha256(words[0].encode()).hexdigest()
    assert "noctis_" not in client.get(PAGE).content.decode()
    days = (token.expires_at - token.created_at).days
    assert (token.name, token.scope, days) == ("nightly script", "read", 30)
    assert bearer(words[0]).get("/api/v1/me/").json()["username"] == "rada"


def test_rest_makes_lists_and_revokes_tokens(
    client_of: Callable[[User], Client], rada: User
) -> None:
    client = client_of(rada)
    wish = {"name": "viewer", "scope": "write", "days": 1, "facility": "north"}
    made = client.post(REST, wish, content_type="application/json")
    assert made.status_code == 201
    program = bearer(made.json()["token"])
    assert program.get("/api/v1/me/").status_code == 200

    (listed,) = client.get(REST).json()
    assert "token" not in listed
    assert (listed["name"], listed["facility"]) == ("viewer", "north")
    assert listed["last_used_at"] is not None
    assert client.delete(f"{REST}{listed['id']}/").status_code == 204
    refused = program.get("/api/v1/me/")
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")


def test_wrong_wishes_are_refused_by_field(
    client_of: Callable[[User], Client], rada: User, south: Facility
) -> None:
    wish = {"name": "", "scope": "all", "days": 9999, "facility": "south"}
    answer = client_of(rada).post(REST, wish, content_type="application/json")

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == set(wish)


def test_a_token_that_reads_changes_nothing(rada: User) -> None:
    reader, writer = bearer(make(rada)), bearer(make(rada, "write"))
    body: dict[str, Any] = {
        "data": {"version": 0, "document": {"smooth": True}},
        "content_type": "application/json",
    }

    refused = reader.put("/api/v1/preferences/", **body)
    assert (refused.status_code, refused.json()["code"]) == (403, "read_only_token")
    assert writer.put("/api/v1/preferences/", **body).status_code == 200


def test_a_token_makes_and_ends_no_tokens(rada: User) -> None:
    program = bearer(make(rada, "write"))
    token = ApiToken.objects.get()

    assert program.post(REST, FORM, content_type="application/json").status_code == 403
    assert program.delete(f"{REST}{token.pk}/").status_code == 403


def test_a_token_sees_what_its_person_sees_within_its_facility(
    rada: User, north: Facility, south: Facility
) -> None:
    rada.facilities.add(south)
    here, there = make_whole_study(north), make_whole_study(south)
    both = {here.study_instance_uid, there.study_instance_uid}

    assert find_studies(bearer(make(rada))) == both
    assert find_studies(bearer(make(rada, facility=south))) == {there.study_instance_uid}
    rada.facilities.remove(south)
    assert find_studies(bearer(make(rada))) == {here.study_instance_uid}


def test_an_administrators_token_can_be_bound_to_a_facility(
    north: Facility, south: Facility
) -> None:
    boss = factories.make_user("boss", Role.ADMIN, is_superuser=True)
    here, lost = make_whole_study(north), make_whole_study(None)
    whole, bound = bearer(make(boss)), bearer(make(boss, facility=north))
    assert find_studies(whole) == {here.study_instance_uid, lost.study_instance_uid}

    assert find_studies(bound) == {here.study_instance_uid}
    assert bound.get("/api/v1/me/").json()["sees_everything"] is False


@pytest.mark.parametrize("change", ["password", "is_active", "expires_at", "facility"])
def test_what_ends_a_token_holds_from_the_next_request_on(
    rada: User, north: Facility, change: str
) -> None:
    study = make_whole_study(north)
    program = bearer(make(rada, facility=north))
    assert find_studies(program) == {study.study_instance_uid}
    if change == "facility":
        rada.facilities.clear()
        assert find_studies(program) == set()
        return
    if change == "password":
        rada.set_password("another one entirely")
        rada.save()
    elif change == "is_active":
        User.objects.filter(pk=rada.pk).update(is_active=False)
    else:
        ApiToken.objects.update(expires_at=timezone.now())

    assert program.get("/dicomweb/studies").status_code == 401


def test_the_header_wins_over_the_cookie(client_of: Callable[[User], Client], rada: User) -> None:
    answer = client_of(rada).get("/api/v1/me/", headers={"Authorization": "Bearer noctis_no"})

    assert answer.status_code == 401


def test_pages_take_no_token(rada: User) -> None:
    program = bearer(make(rada, "write"))

    assert program.get("/worklist/").status_code == 302
    assert program.get(PAGE).status_code == 302


def test_the_trail_names_the_token(rada: User, north: Facility) -> None:
    make_whole_study(north)
    find_studies(bearer(make(rada)))
    token = ApiToken.objects.get()
    api_tokens.revoke_token(rada, token)

    rows = {row.action: row.detail for row in AuditRow.objects.filter(user=rada)}
    assert rows["search"]["token"] == "script"
    assert {"token_made", "token_revoked"} <= set(rows)
    assert (rows["token_made"]["name"], rows["token_made"]["scope"]) == ("script", "read")


def test_a_facility_administrator_revokes_only_tokens_of_own_people(
    client_of: Callable[[User], Client], nora: User, rada: User, south: Facility
) -> None:
    both = factories.make_user("both", Role.RADIOLOGIST, [south, *rada.facilities.all()])
    words = {person: make(person) for person in (rada, both)}
    chosen = list(ApiToken.objects.values_list("pk", flat=True))
    form = {"action": "revoke", "_selected_action": chosen}

    client_of(nora).post("/admin/accounts/apitoken/", form)

    assert read_token(words[rada]) is None
    assert read_token(words[both]) is not None


def test_too_many_tokens_and_old_ones(rada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "MOST_TOKENS", 1)
    make(rada)
    client = Client()
    client.force_login(rada)
    assert client.post(REST, FORM, content_type="application/json").status_code == 409

    ApiToken.objects.update(expires_at=timezone.now() - timedelta(days=91))
    assert api_tokens.forget_old() == 1
