"""Pages for machines: alive, ready, numbers, limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from archive.models import Heartbeat, Job
from dicom_receiver.doctor.models import RefusalCount
from dicom_receiver.models import SenderStatistics

pytestmark = pytest.mark.django_db


def beat(role: str, *, seconds_ago: float = 0) -> None:
    now = timezone.now()
    seen_at = now - timedelta(seconds=seconds_ago)
    Heartbeat.objects.create(role=role, host="h", pid=1, started_at=now, seen_at=seen_at)


def parts_of(client: Client) -> dict[str, bool]:
    return {name: part["ok"] for name, part in client.get("/readyz").json()["parts"].items()}


@pytest.fixture
def queue(home: Path) -> Path:
    """The folder of the embedded broker, as `serve` makes it."""
    folder = home / "queue" / "messages"
    folder.mkdir()
    return folder


def test_alive_asks_no_other_part(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz", headers={"host": "10.1.2.3"})

    assert response.status_code == 200


def test_ready_when_every_part_is_well(client: Client, queue: Path) -> None:
    beat("receiver")
    beat("worker")

    response = client.get("/readyz")

    assert response.status_code == 200, response.json()
    assert set(response.json()["parts"]) == {"database", "storage", "receiver", "queue", "worker"}


def test_not_ready_when_a_part_fell_silent(client: Client, queue: Path) -> None:
    beat("receiver", seconds_ago=60)
    beat("worker")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert parts_of(client) == {
        "database": True,
        "storage": True,
        "receiver": False,
        "worker": True,
        "queue": True,
    }


def test_not_ready_when_the_storage_cannot_be_written(
    client: Client, queue: Path, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings.NOCTIS_STORAGE = f"file:{tmp_path / 'file'}"

    assert parts_of(client)["storage"] is False


def test_not_ready_when_redis_is_down(client: Client, settings: Settings) -> None:
    settings.NOCTIS_REDIS_URL = "redis://127.0.0.1:1/0"

    assert parts_of(client)["queue"] is False


def test_not_ready_when_jobs_are_long_overdue(client: Client, queue: Path) -> None:
    Job.objects.create(kind="x", key="1", due_at=timezone.now() - timedelta(minutes=10))

    assert parts_of(client)["queue"] is False


def test_metrics_are_for_this_machine_and_administrators(
    client: Client, client_of: Callable[[User], Client], admin: User, rada: User, settings: Settings
) -> None:
    far: Any = {"REMOTE_ADDR": "203.0.113.9"}

    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", **far).status_code == 404
    assert client.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"}).status_code == 404
    assert client_of(rada).get("/metrics", **far).status_code == 404
    assert client_of(admin).get("/metrics", **far).status_code == 200
    settings.NOCTIS_METRICS_PUBLIC = True
    assert client.get("/metrics", **far).status_code == 200


def test_metrics_tell_counts_by_sender_and_jobs_by_state(client: Client) -> None:
    now = timezone.now()
    for day in (now.date(), now.date() - timedelta(days=1)):
        SenderStatistics.objects.create(
            day=day,
            ae_title="CT1",
            address="a",
            objects_stored=3,
            bytes_stored=10,
            last_seen_at=now,
        )
    Job.objects.create(kind="x", key="1", due_at=now, state=Job.State.FAILED)
    RefusalCount.objects.create(cause="limit", count=7)
    for pid, seen_at in ((1, now), (2, now), (3, now - timedelta(hours=1))):
        Heartbeat.objects.create(
            role="receiver",
            host="h",
            pid=pid,
            started_at=now,
            seen_at=seen_at,
            detail={"associations": 2},
        )

    lines = client.get("/metrics").content.decode().splitlines()

    assert 'noctis_sender_objects_stored_total{ae_title="CT1"} 6.0' in lines
    assert 'noctis_sender_bytes_stored_total{ae_title="CT1"} 20.0' in lines
    assert 'noctis_jobs{state="failed"} 1.0' in lines
    assert "noctis_instances 0.0" in lines
    assert 'noctis_refused_associations_total{cause="limit"} 7.0' in lines
    assert 'noctis_refused_associations_total{cause="tls"} 0.0' in lines
    assert "noctis_open_associations 4.0" in lines


def test_limits_are_public(client: Client) -> None:
    limits = client.get("/api/limits").json()

    # threats.md, "Parsing and pixels" and "Port 11112"
    assert limits["header"]["depth"] == 32
    assert limits["header"]["elements"] == 1_000_000
    assert limits["header"]["header_bytes"] == 64 * 2**20
    assert limits["dicom_port"]["presentation_contexts"] == 128
    assert limits["dicom_port"]["command_bytes"] == 64 * 1024
    # reconstruction.md: one job may take a quarter of what all may.
    files = limits["reconstructions"]
    assert files["files_bytes_a_job"] * 4 == files["files_bytes"]


def test_unknown_address_of_the_api_is_a_problem_document(client: Client) -> None:
    response = client.get("/api/v1/nothing/")

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


def test_schema_is_for_people_who_logged_in(
    client: Client, client_of: Callable[[User], Client], rada: User
) -> None:
    refused = client.get("/api/v1/schema/")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer realm="Noctis"')
    assert refused.json()["code"] == "not_authenticated"
    schema = client_of(rada).get("/api/v1/schema/").json()
    assert schema["openapi"].startswith("3.")
    assert client_of(rada).get("/api/docs/").status_code == 200


def test_every_page_forbids_foreign_and_inline_script(client: Client) -> None:
    policy = client.get("/accounts/login/")["Content-Security-Policy"]

    directives = dict(part.strip().split(" ", 1) for part in policy.split(";") if part.strip())
    assert directives["script-src"] == "'self'"
    assert directives["style-src"] == "'self'"
    assert directives["default-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
