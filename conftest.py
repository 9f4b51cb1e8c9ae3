"""What a test needs from the machine: skipped when absent, failed when it was promised.

With NOCTIS_REQUIRE_SERVICES=1 this machine is said to have everything, so a
test that is skipped for want of a service, a browser or a program fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

NEEDS = ("service", "browser", "dcmtk", "dcmjs")
DCMJS = Path(__file__).parent / "tests" / "conformance" / "node" / "node_modules" / "dcmjs-dimse"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
IS_REQUIRED = os.environ.get("NOCTIS_REQUIRE_SERVICES", "") not in {"", "0"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine has no program for."""
    lacking = {}
    if not any(shutil.which(name) for name in CHROMIUM):
        lacking["browser"] = "Chromium is not installed"
    if shutil.which("storescu") is None or shutil.which("dcmdump") is None:
        lacking["dcmtk"] = "DCMTK (storescu, dcmdump) is not installed"
    if not DCMJS.is_dir():
        lacking["dcmjs"] = "dcmjs-dimse is not installed: make packages, with a network"
    for item in items:
        for marker, reason in lacking.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a needed test into a failure when everything should be here."""
    report = yield
    is_needed = any(item.get_closest_marker(name) for name in NEEDS)
    if IS_REQUIRED and is_needed and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"needed here, yet skipped: {report.longreprtext}"
    return report


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """Return the address of a real PostgreSQL; the test needs the marker `service`."""
    return _require("NOCTIS_TEST_POSTGRES_URL", "PostgreSQL")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """Return the address of a real Redis; the test needs the marker `service`."""
    return _require("NOCTIS_TEST_REDIS_URL", "Redis")


def _require(name: str, service: str) -> str:
    url = os.environ.get(name, "")
    if not url:
        pytest.skip(f"{service} is not here: {name} is not set")
    return url
