"""`manage.py serve` as an administrator meets it: starts, survives, stops, refuses."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from pynetdicom import AE

from tests import migrated
from tests.services import find_free_port, run_redis

ROOT = Path(__file__).parents[2]
VERIFICATION = "1.2.840.10008.1.1"
READY_SECONDS = 60


@dataclass
class House:
    """One `manage.py serve` with a home and ports of its own."""

    home: Path
    http_port: int = field(default_factory=find_free_port)
    dicom_port: int = field(default_factory=find_free_port)
    variables: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        self.home.mkdir(exist_ok=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=ROOT,
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        return self.process

    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NOCTIS_", "DJANGO_", "DATABASE_URL"))
        }
        return {
            **kept,
            "NOCTIS_HOME": str(self.home),
            "NOCTIS_HTTP": f"127.0.0.1:{self.http_port}",
            "NOCTIS_DICOM": f"127.0.0.1:{self.dicom_port}",
            "NOCTIS_DISK_RESERVE_MB": "0",
            **self.variables,
        }

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    def said(self) -> str:
        return self.log.read_text()

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def unwell(self) -> set[str]:
        """Return the parts that /readyz names as not well."""
        status, body = self.get("/readyz")
        if not status:
            return {"web"}
        return {name for name, part in json.loads(body)["parts"].items() if not part["ok"]}

    def wait_until_ready(self) -> None:
        wait_until(self.is_ready, READY_SECONDS, self.said)

    def children(self) -> dict[str, int]:
        """Return what runs below the supervisor: name and pid."""
        assert self.process is not None
        found = {}
        for pid in _children_of(self.process.pid):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_text()
            except FileNotFoundError:
                continue  # It has just ended.
            for name in ("receive", "noctis.web", "celery"):
                if name in command:
                    found[name] = pid
        return found

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(40)

    def echo(self) -> bool:
        entity = AE(ae_title="ECHO")
        entity.add_requested_context(VERIFICATION)
        entity.connection_timeout = entity.acse_timeout = 5
        association = entity.associate("127.0.0.1", self.dicom_port, ae_title="NOCTIS_SCP")
        if not association.is_established:
            return False
        status = association.send_c_echo()
        association.release()
        return bool("Status" in status and status.Status == 0)


def _children_of(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


def descendants_of(parent: int) -> set[int]:
    found: set[int] = set()
    for child in _children_of(parent):
        found |= {child} | descendants_of(child)
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(
    condition: Callable[[], bool], seconds: float, explain: Callable[[], str] = str
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house that isn't started yet; whatever it started is ended afterwards."""
    one = House(tmp_path / "serve")
    yield one
    if one.process is not None and one.process.poll() is None:
        one.process.terminate()
        try:
            one.process.wait(40)
        except subprocess.TimeoutExpired:
            one.process.kill()


@pytest.mark.timeout(300)
def test_one_command_starts_all_keeps_it_running_and_stops_it(house: House) -> None:
    """One story, because starting a house takes longer than any of its chapters."""
    process = house.start()
    house.wait_until_ready()
    wait_until(lambda: "is ready" in house.said(), 10, house.said)
    assert f"http://127.0.0.1:{house.http_port}/" in house.said()
    assert re.search(r"user admin, password \S{12,}", house.said())
    assert house.echo()
    assert house.get("/healthz")[0] == 200
    assert set(house.children()) == {"receive", "noctis.web", "celery"}
    assert (house.home / "db.sqlite3").exists()
    assert (house.home / "logs" / "noctis.log").exists()
    find_it_well(house)
    assert "Traceback" not in house.said()

    kill_every_part(house)

    everything = descendants_of(process.pid)
    begun = time.monotonic()
    assert house.stop() == 0
    assert time.monotonic() - begun < 30
    assert not [pid for pid in everything if is_alive(pid)]
    assert "Traceback" not in house.said()
    stopped = check_system(house)
    assert stopped.returncode == 1
    assert re.search(r"^FAIL +C-ECHO", stopped.stdout, re.MULTILINE)
    assert "make run" in stopped.stdout

    start_again(house)
    kill_the_supervisor(house)


def find_it_well(house: House) -> None:
    running = check_system(house)
    assert running.returncode == 0, running.stdout
    assert "FAIL " not in running.stdout
    for subject in ("migrations", "durability", "storage", "C-ECHO", "worker", "queue", "clock"):
        assert re.search(rf"^(OK|WARN) +{subject}", running.stdout, re.MULTILINE), running.stdout


def check_system(house: House) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check_system"],
        cwd=ROOT,
        env=house.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def kill_every_part(house: House) -> None:
    """What is killed is started again."""
    before = house.children()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: (
            len(house.children()) == 3 and not set(house.children().values()) & set(before.values())
        ),
        30,
        house.said,
    )
    wait_until(house.echo, 30, house.said)
    house.wait_until_ready()
    assert "starting it again in 0.5 s" in house.said()


def start_again(house: House) -> None:
    """The second start is quick and tells no password."""
    house.start()
    wait_until(lambda: "is ready" in house.said(), READY_SECONDS, house.said)
    assert "password" not in house.said()
    found = re.search(r"ready in ([\d.]+) s", house.said())
    assert found is not None
    # Five seconds on a quiet machine; a test run shares it.
    assert float(found.group(1)) < 15


def kill_the_supervisor(house: House) -> None:
    """Nothing lingers without it."""
    assert house.process is not None
    house.wait_until_ready()
    everything = descendants_of(house.process.pid)
    house.process.kill()
    house.process.wait(10)
    wait_until(lambda: not [pid for pid in everything if is_alive(pid)], 30)


@pytest.mark.parametrize("variable", ["NOCTIS_HTTP", "NOCTIS_DICOM"])
def test_taken_port_is_one_sentence_and_exit_code_1(house: House, variable: str) -> None:
    port = house.http_port if variable == "NOCTIS_HTTP" else house.dicom_port
    with socket.create_server(("127.0.0.1", port)):
        process = house.start()
        assert process.wait(30) == 1

    lines = [line for line in house.said().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert f"Port {port} on 127.0.0.1 is already in use" in lines[0]
    assert variable in lines[0]
    assert not _children_of(process.pid)


def test_unwritable_home_is_one_sentence_and_exit_code_1(house: House) -> None:
    # A file in the way stops root as well, whom permissions don't.
    house.home.mkdir()
    (house.home / "queue").write_text("")

    process = house.start()

    assert process.wait(30) == 1
    lines = [line for line in house.said().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "cannot be written" in lines[0]
    assert "NOCTIS_HOME" in lines[0]


def test_unusable_setting_is_one_sentence_and_exit_code_1(house: House) -> None:
    house.variables["NOCTIS_STORAGE"] = "s3://bucket"

    process = house.start()

    assert process.wait(30) == 1
    lines = [line for line in house.said().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "NOCTIS_STORAGE" in lines[0]


@pytest.mark.service
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Redis is not installed")
def test_without_redis_only_the_queue_is_unwell_and_it_heals_by_itself(house: House) -> None:
    """The site has chosen the password of its first administrator, too."""
    port = find_free_port()
    house.variables["NOCTIS_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    house.variables["NOCTIS_ADMIN_PASSWORD"] = "chosen by the site 1"
    migrated.copy_to(house.home)

    house.start()
    wait_until(lambda: house.unwell() == {"queue"}, READY_SECONDS, house.said)

    assert house.get("/readyz")[0] == 503
    assert house.echo()
    assert house.get("/accounts/login/")[0] == 200
    with run_redis(port):
        wait_until(house.is_ready, 30, house.said)
        assert house.stop() == 0

    assert "chosen by the site" not in house.said()
    with closing(sqlite3.connect(house.home / "db.sqlite3")) as database:
        ((name, role, is_superuser, kept),) = database.execute(
            "SELECT username, role, is_superuser, password FROM accounts_user"
        )
    assert (name, role, is_superuser) == ("admin", "admin", True)
    assert PasswordHasher().verify(kept.removeprefix("argon2"), "chosen by the site 1")
