"""Log-in and log-out, as a browser sees them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import get_hasher
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string

from accounts import throttle
from accounts.models import AuditRow, Facility, Role, User
from noctis import settings as house
from tests.factories import PASSWORD, make_whole_study

LOGIN = "/accounts/login/"


def log_in(client: Client, name: str, password: str, **also: Any) -> Any:
    return client.post(LOGIN, {"username": name, "password": password}, **also)


def test_right_password_opens_the_door(client: Client, rada: User) -> None:
    answer = log_in(client, "rada", PASSWORD)

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(rada.pk)


def test_passwords_are_kept_as_argon2() -> None:
    # Tests hash faster; what counts is what the house itself has set.
    first = import_string(house.PASSWORD_HASHERS[0])

    assert first.algorithm == "argon2"


def test_unknown_name_and_wrong_password_read_the_same(client: Client, rada: User) -> None:
    wrong = log_in(client, "rada", "not it")
    unknown = log_in(client, "nobody", "not it")

    assert wrong.status_code == unknown.status_code == 200
    assert _without_secrets(wrong, "rada") == _without_secrets(unknown, "nobody")


def test_deactivated_person_reads_the_same_as_unknown(client: Client, rada: User) -> None:
    User.objects.filter(pk=rada.pk).update(is_active=False)
    off = log_in(client, "rada", PASSWORD)
    unknown = log_in(client, "nobody", PASSWORD)

    assert _without_secrets(off, "rada") == _without_secrets(unknown, "nobody")


def test_password_is_hashed_for_unknown_names_too(
    client: Client, rada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    hasher = get_hasher().__class__
    real = hasher.encode

    def count(self: Any, password: str, *args: Any, **also: Any) -> str:
        hashed.append("unknown")
        return str(real(self, password, *args, **also))

    monkeypatch.setattr(hasher, "encode", count)
    log_in(client, "nobody", "not it")

    assert hashed == ["unknown"]


def test_too_many_failures_answer_429_with_the_time_to_wait(client: Client, rada: User) -> None:
    answers = [log_in(client, "rada", "not it") for _ in range(7)]

    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1]["Retry-After"]) >= 1


def test_right_password_during_a_delay_is_not_looked_at(
    client: Client, rada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(12):
        log_in(client, "rada", "not it")
    monkeypatch.setattr(throttle, "begin_attempt", lambda *_: 60)

    log_in(client, "rada", PASSWORD)

    assert "_auth_user_id" not in client.session


def test_delay_answers_the_same_for_unknown_names(client: Client, rada: User) -> None:
    for _ in range(6):
        known = log_in(client, "rada", "not it", REMOTE_ADDR="192.0.2.1")
        unknown = log_in(client, "nobody", "not it", REMOTE_ADDR="192.0.2.2")

    assert known.status_code == unknown.status_code == 429


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_next_never_leads_to_another_server(client: Client, rada: User, target: str) -> None:
    answer = log_in(client, "rada", PASSWORD, query_params={"next": target})

    assert answer["Location"] == "/"


def test_next_leads_on_within_this_server(client: Client, rada: User) -> None:
    answer = log_in(client, "rada", PASSWORD, query_params={"next": "/worklist/?q=doe"})

    assert answer["Location"] == "/worklist/?q=doe"


def test_session_key_changes_at_log_in(client: Client, rada: User) -> None:
    client.get(LOGIN)
    session = client.session
    session["planted"] = "by an attacker"
    session.save()
    before = session.session_key
    log_in(client, "rada", PASSWORD)

    assert client.session.session_key != before


def test_log_out_ends_the_session_and_needs_post(
    client_of: Callable[[User], Client], rada: User
) -> None:
    client = client_of(rada)

    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/")["Location"] == LOGIN
    assert client.get("/api/v1/me/").status_code == 401


def test_log_in_needs_the_csrf_token(rada: User) -> None:
    client = Client(enforce_csrf_checks=True)

    assert log_in(client, "rada", PASSWORD).status_code == 403


def test_log_in_failure_and_log_out_are_audited(client: Client, rada: User) -> None:
    log_in(client, "rada", "not it", REMOTE_ADDR="192.0.2.1")
    log_in(client, "rada", PASSWORD, REMOTE_ADDR="192.0.2.1")
    client.post("/accounts/logout/", REMOTE_ADDR="192.0.2.1")

    rows = AuditRow.objects.order_by("id").values_list("action", "outcome", "actor", "address")
    assert list(rows) == [
        ("login", "failure", "rada", "192.0.2.1"),
        ("login", "success", "rada", "192.0.2.1"),
        ("logout", "success", "rada", "192.0.2.1"),
    ]


def test_what_was_typed_as_an_unknown_name_is_not_kept(client: Client, rada: User) -> None:
    log_in(client, "hunter2 my password", "rada")

    row = AuditRow.objects.get()
    assert (row.actor, row.user) == ("unknown name", None)


def test_guessing_during_a_delay_does_not_flood_the_trail(client: Client, rada: User) -> None:
    for _ in range(30):
        log_in(client, "rada", "not it")

    assert AuditRow.objects.count() <= 10


def test_deactivation_holds_on_the_next_request(
    client_of: Callable[[User], Client], rada: User
) -> None:
    client = client_of(rada)
    assert client.get("/api/v1/me/").status_code == 200
    User.objects.filter(pk=rada.pk).update(is_active=False)

    assert client.get("/api/v1/me/").status_code == 401


def test_role_and_facility_changes_hold_on_the_next_request(
    client_of: Callable[[User], Client], rada: User, south: Facility
) -> None:
    client = client_of(rada)
    assert client.get("/api/v1/me/").json()["role"] == "radiologist"
    rada.facilities.set([south])
    User.objects.filter(pk=rada.pk).update(role=Role.REFERRER)

    me = client.get("/api/v1/me/").json()
    assert me["role"] == "referrer"
    assert [facility["code"] for facility in me["facilities"]] == ["south"]


def test_closed_facility_is_nobodys(
    client_of: Callable[[User], Client], rada: User, north: Facility
) -> None:
    make_whole_study(north)
    Facility.objects.filter(pk=north.pk).update(is_active=False)

    assert client_of(rada).get("/api/v1/me/").json()["facilities"] == []


def test_new_password_ends_every_other_session(client: Client, rada: User) -> None:
    other = Client()
    other.force_login(rada)
    client.force_login(rada)
    new = {
        "old_password": PASSWORD,
        "new_password1": "zebra-7 piano",
        "new_password2": "zebra-7 piano",
    }
    answer = client.post(reverse("accounts:password_change"), new)

    assert answer.status_code == 302
    assert client.get("/api/v1/me/").status_code == 200
    assert other.get("/api/v1/me/").status_code == 401
    assert AuditRow.objects.filter(action="password_changed", user=rada).count() == 1


def test_admin_has_no_second_log_in(client: Client, rada: User) -> None:
    answer = client.get("/admin/login/?next=/admin/accounts/user/")

    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/admin/accounts/user/"
    client.force_login(rada)
    assert client.get("/admin/", follow=True).status_code == 403


def test_me_tells_name_role_and_facilities(
    client_of: Callable[[User], Client], tess: User, north: Facility
) -> None:
    User.objects.filter(pk=tess.pk).update(first_name="Tess", last_name="Tube")

    assert client_of(tess).get("/api/v1/me/").json() == {
        "id": str(tess.pk),
        "username": "tess",
        "name": "Tess Tube",
        "role": "technologist",
        "facilities": [{"id": str(north.pk), "code": "north", "name": "Hospital North"}],
        "sees_everything": False,
    }


def _without_secrets(answer: Any, name: str) -> str:
    """Return the page without what differs by design: the token and the typed name."""
    text = re.sub(r'(csrf\w*"[^>]*value=)"[^"]*"', r"\1", answer.content.decode())
    return re.sub(r'nonce="[^"]*"', "", text).replace(name, "NAME")
