"""Settings are read from the environment, and a slip is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from noctis import env

NAME = "NOCTIS_TEST_VALUE"


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "  ")

    assert env.read_text(NAME, "default") == "default"
    assert env.read_int(NAME, 7) == 7
    assert env.read_bool(NAME, True) is True
    assert env.read_list(NAME) == []


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("off", False)])
def test_yes_and_no_are_understood(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv(NAME, text)

    assert env.read_bool(NAME, not value) is value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda: env.read_bool(NAME, False), "perhaps"),
        (lambda: env.read_int(NAME, 1), "many"),
        (lambda: env.read_int(NAME, 1, minimum=1), "0"),
        (lambda: env.read_choice(NAME, "a", ("a", "b")), "c"),
        (lambda: env.read_address(NAME, "h:1"), "8000"),
        (lambda: env.read_address(NAME, "h:1"), "host:99999"),
        (lambda: env.read_redis(NAME), "http://cache"),
        (lambda: env.read_storage(NAME, Path("/m")), "s3://bucket"),
        (lambda: env.read_storage(NAME, Path("/m")), "file:media"),
    ],
)
def test_wrong_value_is_refused_by_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, read: object, text: str
) -> None:
    monkeypatch.setenv(NAME, text)

    with pytest.raises(ImproperlyConfigured, match=NAME):
        read()  # type: ignore[operator]


def test_address_of_ipv6_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "[::1]:104")

    assert env.read_address(NAME, "") == ("::1", 104)


def test_postgresql_address_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "DATABASE_URL", "postgresql://pacs:p%40ss@db.example:6432/noctis?sslmode=require"
    )

    settings = env.read_database(Path("/home"))

    assert settings["ENGINE"].endswith("postgresql")
    assert (settings["USER"], settings["PASSWORD"]) == ("pacs", "p@ss")
    assert (settings["HOST"], settings["PORT"], settings["NAME"]) == (
        "db.example",
        "6432",
        "noctis",
    )
    assert settings["OPTIONS"]["sslmode"] == "require"


def test_unknown_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://db/noctis")

    with pytest.raises(ImproperlyConfigured, match="mysql"):
        env.read_database(Path("/home"))


@pytest.mark.parametrize(
    ("host", "answer"), [("127.0.0.2", True), ("::1", True), ("0.0.0.0", False)]
)
def test_loopback_is_recognised(host: str, answer: bool) -> None:
    assert env.is_loopback(host) is answer


SAFE = {
    "NOCTIS_PRODUCTION": "1",
    "NOCTIS_SECRET_KEY": "k" * 60,
    "NOCTIS_ALLOWED_HOSTS": "pacs.example",
}


def start_with(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Load the settings in a fresh process with nothing but these variables."""
    environment = {
        "PATH": os.environ["PATH"],
        "NOCTIS_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "noctis.settings",
        **variables,
    }
    code = "from django.conf import settings; print(settings.SESSION_COOKIE_SECURE)"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_production_with_safe_settings_starts_with_secure_cookies(tmp_path: Path) -> None:
    result = start_with(tmp_path, **SAFE)

    assert result.stdout.strip() == "True", result.stderr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"NOCTIS_SECRET_KEY": ""}, "NOCTIS_SECRET_KEY must be set"),
        ({"NOCTIS_SECRET_KEY": "short"}, "NOCTIS_SECRET_KEY must be set"),
        ({"NOCTIS_DEBUG": "1"}, "NOCTIS_DEBUG must be off"),
        ({"NOCTIS_ALLOWED_HOSTS": ""}, "NOCTIS_ALLOWED_HOSTS must name"),
        ({"NOCTIS_ALLOWED_HOSTS": "*"}, "NOCTIS_ALLOWED_HOSTS must name"),
        ({"NOCTIS_HTTPS": "0", "NOCTIS_HTTP": "0.0.0.0:80"}, "NOCTIS_HTTPS must be on"),
        ({"NOCTIS_ADMIN_PASSWORD": "admin"}, "NOCTIS_ADMIN_PASSWORD"),
    ],
)
def test_production_refuses_to_start_when_unsafe(
    tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    result = start_with(tmp_path, **{**SAFE, **change})

    assert result.returncode != 0
    assert sentence in result.stderr
