"""A whole Noctis on this machine, and people in front of real browsers.

House and browser end with the last test of this package: Playwright keeps an
event loop running in this thread, in which other tests' own loops cannot.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests import migrated

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]
# Two cores carry several houses and browsers at once: slowness decides nothing.
expect.set_options(timeout=15_000)
PASSWORD = "correct horse battery staple"
CAST = f"""
[[facility]]
code = "north"
name = "Hospital North"
[[facility]]
code = "south"
name = "Hospital South"
[[user]]
username = "rada"
password = "{PASSWORD}"
role = "radiologist"
facilities = ["north"]
[[user]]
username = "tess"
password = "{PASSWORD}"
role = "technologist"
facilities = ["north"]
[[user]]
username = "fiona"
password = "{PASSWORD}"
role = "radiologist"
facilities = ["south"]
"""


@dataclass
class House:
    """A running Noctis: web, receiver and worker, with the cast of all tests; admin's too."""

    home: Path
    http_port: int
    dicom_port: int
    environment: dict[str, str] = field(repr=False)
    aet: str = "NOCTIS_SCP"
    password: str = PASSWORD
    seats: dict[str, Any] = field(default_factory=dict, repr=False)
    _manager: subprocess.Popen[str] | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def url(self) -> str:
        """The address of the house, without a slash at the end."""
        return f"http://127.0.0.1:{self.http_port}"

    def manage(self, *words: object) -> str:
        """Run a management command to its end; return what it wrote."""
        with self._lock:
            if self._manager is None:
                self._manager = self._start_manager()
            process = self._manager
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([str(word) for word in words]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        assert line, f"the command ended its process: {words}"
        done = json.loads(line)
        assert done["code"] == 0, done["words"][-4000:]
        return str(done["words"])

    def _start_manager(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.browser.manage_house"],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def dismiss(self) -> None:
        """End the process that runs commands."""
        if self._manager is not None:
            self._manager.communicate(timeout=30)
            self._manager = None

    def log_in(self, page: Page, username: str) -> None:
        """Log in by the page that people use."""
        page.goto(f"{self.url}/accounts/login/")
        page.fill("#id_username", username)
        page.fill("#id_password", self.password)
        page.click("button[type=submit]")
        page.wait_for_url(f"{self.url}/worklist/")


@pytest.fixture(scope="package")
def live_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Start `manage.py serve` on free ports with a home of its own; stop it at the end."""
    if not (ROOT / "static" / "build" / "manifest.json").is_file():
        pytest.skip("the front-end is not built: make build")
    house = _make_house(tmp_path_factory.mktemp("house"))
    migrated.copy_to(house.home)
    plan = house.home / "cast.toml"
    plan.write_text(CAST)
    house.manage("provision", plan)
    log = (house.home / "serve.log").open("w")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "serve"],
        env=house.environment,
        cwd=ROOT,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait_until_up(house, process)
        yield house
    finally:
        house.dismiss()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _make_house(home: Path) -> House:
    http_port, dicom_port = _free_port(), _free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("NOCTIS_") and name != "DATABASE_URL"
    }
    environment |= {
        "DJANGO_SETTINGS_MODULE": "noctis.settings",
        "NOCTIS_HOME": str(home),
        "NOCTIS_HTTP": f"127.0.0.1:{http_port}",
        "NOCTIS_DICOM": f"127.0.0.1:{dicom_port}",
        "NOCTIS_ADMIN_PASSWORD": PASSWORD,
        "NOCTIS_DISK_RESERVE_MB": "0",
        "NOCTIS_RECEIVER_PROCESSES": "1",
    }
    return House(home, http_port, dicom_port, environment)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_up(house: House, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{house.url}/healthz", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError((house.home / "serve.log").read_text()[-4000:])


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser of this machine, the same for all tests."""
    path = next(path for name in CHROMIUM if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(live_house: House, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Return the function that seats somebody, logged in, before a window of their own.

    Who has logged in once, by the page that people use, goes on with that session. At the end no page may have had an error in its scripts or a breach of its policy.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def note_breach(told: ConsoleMessage) -> None:
        if "Content Security Policy" in told.text:
            faults.append(told.text)

    def open_it(username: str = "rada", **also: Any) -> Page:
        also.setdefault("viewport", {"width": 1366, "height": 768})
        seat = live_house.seats.get(username)
        context = chromium.new_context(storage_state=seat, **also)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", note_breach)
        if seat is None:
            live_house.log_in(page, username)
            live_house.seats[username] = context.storage_state()
        else:
            page.goto(f"{live_house.url}/worklist/")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []
