"""What tests over real connections share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.inside import InsidePort, inside_port
from tests.conformance.port import Port

StartPort = Callable[..., Port]
HASTY = {"DJANGO_SETTINGS_MODULE": "tests.hasty.settings"}


@pytest.fixture
def start_port(transactional_db: None, home: Path) -> Iterator[StartPort]:
    """Return the function that starts a receiver with more settings; all stop at the end."""
    started: list[Port] = []

    def start(**variables: str) -> Port:
        port = Port(home, **variables)
        started.append(port)
        return port.start()

    yield start
    for port in started:
        port.stop()


@pytest.fixture
def port(start_port: StartPort) -> Port:
    """Return a receiver with its ordinary settings."""
    return start_port()


@pytest.fixture
def inside(transactional_db: None, home: Path) -> Iterator[InsidePort]:
    """Return a port in this process, where neither front door nor processes matter."""
    with inside_port() as port:
        yield port


@pytest.fixture(scope="module")
def shared_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    """Return one receiver, with a database of its own, for tests that look at no rows."""
    port = Port(tmp_path_factory.mktemp("shared"), DATABASE_URL="")
    try:
        port.migrate()
        yield port.start()
    finally:
        port.stop()
