"""Log-in by JSON Web Token: five minutes, a refresh token used once, ended at once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts import jwts
from accounts.models import AuditRow, Facility, TokenFamily, User
from tests.factories import PASSWORD, make_whole_study

ME = "/api/v1/me/"


def post(address: str, **body: str) -> Any:
    return Client().post(address, body, content_type="application/json")


def log_in(name: str = "rada", password: str = PASSWORD) -> dict[str, str]:
    answer = post("/api/token/", username=name, password=password)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def ask(word: str, address: str = ME, **also: Any) -> Any:
    return Client(enforce_csrf_checks=True).get(
        address, headers={"Authorization": f"Bearer {word}"}, **also
    )


def read_part(part: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def write_part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_pair_opens_every_interface_for_five_minutes(rada: User, north: Facility) -> None:
    study = make_whole_study(north)
    access = log_in()["access"]
    header, claims, _signature = access.split(".")

    # RFC 7519 4.1: seconds since 1970.
    assert read_part(header)["alg"] == "HS256"
    assert read_part(claims)["exp"] - read_part(claims)["iat"] == 300
    assert abs(read_part(claims)["iat"] - time.time()) < 60
    assert ask(access).json()["username"] == "rada"
    assert ask(access, "/api/dicom/status").json()["storage_info"]["studies_count"] == 1
    found = ask(access, "/dicomweb/studies").json()
    assert [one["0020000D"]["Value"] for one in found] == [[study.study_instance_uid]]


def test_a_refresh_token_is_used_once_and_its_reuse_ends_the_log_in(rada: User) -> None:
    first = log_in()
    second = post("/api/token/refresh/", refresh=first["refresh"]).json()
    assert ask(second["access"]).status_code == 200

    stolen = post("/api/token/refresh/", refresh=first["refresh"])

    assert stolen.status_code == 401
    assert post("/api/token/refresh/", refresh=second["refresh"]).status_code == 401
    assert ask(second["access"]).status_code == ask(first["access"]).status_code == 401
    told = AuditRow.objects.get(action="token_reused")
    assert (told.user_id, told.outcome) == (rada.pk, "failure")


def test_another_log_in_goes_on_when_one_ends(rada: User) -> None:
    here, there = log_in(), log_in()

    assert post("/api/token/revoke/", refresh=here["refresh"]).status_code == 204
    assert ask(here["access"]).status_code == 401
    assert ask(there["access"]).status_code == 200
    assert post("/api/token/revoke/", refresh="nonsense").status_code == 204


@pytest.mark.parametrize("change", ["password", "is_active", "family"])
def test_what_ends_a_log_in_holds_from_the_next_request_on(rada: User, change: str) -> None:
    pair = log_in()
    if change == "password":
        rada.set_password("another one entirely")
        rada.save()
    elif change == "is_active":
        User.objects.filter(pk=rada.pk).update(is_active=False)
    else:
        TokenFamily.objects.all().delete()

    assert ask(pair["access"]).status_code == 401
    assert post("/api/token/refresh/", refresh=pair["refresh"]).status_code == 401


def forge(access: str, kind: str) -> str:
    """Return a token with the good one's claims, signed in another way."""
    header, claims, signature = access.split(".")
    if kind == "none":
        return f"{write_part({'alg': 'none', 'typ': 'JWT'})}.{claims}."
    if kind == "claims":
        return f"{header}.{write_part({**read_part(claims), 'exp': 2**40})}.{signature}"
    if kind == "HS512":
        key = hmac.digest(settings.SECRET_KEY.encode(), b"noctis json web tokens", "sha256")
        body = f"{write_part({'alg': 'HS512', 'typ': 'JWT'})}.{claims}"
        signed = hmac.digest(key, body.encode(), hashlib.sha512)
    else:
        body = f"{header}.{claims}"
        signed = hmac.digest(settings.SECRET_KEY.encode(), body.encode(), hashlib.sha256)
    return f"{body}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"


def test_forged_tokens_open_nothing(rada: User) -> None:
    access = log_in()["access"]
    for kind in ("none", "claims", "HS512", "secret"):
        answer = ask(forge(access, kind))
        assert answer.status_code == 401, kind
        assert answer["WWW-Authenticate"] == 'Bearer realm="Noctis", error="invalid_token"'
        assert answer.json()["code"] == "invalid_token"
    assert ask(access).status_code == 200


def test_an_old_token_and_one_for_another_use_open_nothing(
    rada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = log_in()
    assert ask(pair["refresh"]).status_code == 401
    assert post("/api/token/refresh/", refresh=pair["access"]).status_code == 401

    early = timezone.now() - timedelta(seconds=301)
    monkeypatch.setattr("accounts.jwts.timezone.now", lambda: early)
    family = TokenFamily.objects.get()
    late = jwts._make_pair(family, 0).access
    monkeypatch.undo()
    assert ask(late).status_code == 401
    assert jwt.decode(late, options={"verify_signature": False})["typ"] == "access"


def test_wrong_passwords_read_the_same_and_are_slowed_down(rada: User) -> None:
    wrong = post("/api/token/", username="rada", password="no")
    unknown = post("/api/token/", username="nobody", password="no")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content

    answers = [post("/api/token/", username="rada", password="no") for _ in range(6)]

    assert answers[-1].status_code == 429
    assert int(answers[-1]["Retry-After"]) >= 1
    # Not even the right one is looked at while one has to wait.
    assert post("/api/token/", username="rada", password=PASSWORD).status_code == 429


def test_log_in_and_refusal_are_in_the_trail(rada: User) -> None:
    log_in()
    post("/api/token/", username="rada", password="no")

    rows = AuditRow.objects.filter(action="login").order_by("id")
    assert [(row.outcome, row.detail.get("by")) for row in rows] == [
        ("success", "JWT"),
        ("failure", None),
    ]


def test_old_log_ins_are_forgotten(rada: User, client_of: Callable[[User], Client]) -> None:
    log_in()
    assert jwts.forget_old() == 0
    TokenFamily.objects.update(expires_at=timezone.now() - timedelta(days=2))

    assert jwts.forget_old() == 1
