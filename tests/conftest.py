"""The cast and the stage of every test.

The cast: rada (radiologist) and tess (technologist) of facility north, fiona
(radiologist) of facility south, strange (may log in, belongs nowhere), nora
(facility administrator of north) and admin. The stage: every test has a home
of its own, and the database of a run on SQLite is a file, so that threads
and processes can share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from pytest_django import Settings

from accounts.models import Facility, Role, User
from archive import commit
from tests import factories, migrated


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run take the tests that work on the database, and no others."""
    parser.addoption("--database-only", action="store_true", help="only what uses the database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would be the same on every database."""
    if config.getoption("--database-only"):
        left_out = [item for item in items if not _uses_database(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _uses_database(item)]


def _uses_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db", "live_server"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


# --- the stage -------------------------------------------------------------
@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Put SQLite's test database into a file: memory cannot be shared by threads."""
    chosen = connections["default"].settings_dict
    if chosen["ENGINE"].endswith("sqlite3"):
        folder = tmp_path_factory.mktemp("database")
        if migrated.is_shared():
            migrated.copy_to(folder)
        chosen["TEST"]["NAME"] = str(folder / "db.sqlite3")


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Whether the tables are there already: a copy of those that a whole run makes once."""
    engine = connections["default"].settings_dict["ENGINE"]
    return engine.endswith("sqlite3") and migrated.is_shared()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Let nobody be at the test database when it is dropped: the committing thread may be."""
    yield
    commit.close_connection()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Settings) -> Path:
    """Give the test a home of its own: nothing is read from or left in the real one."""
    path = tmp_path / "home"
    for name in ("media", "queue", "logs"):
        (path / name).mkdir(parents=True)
    settings.NOCTIS_HOME = path
    settings.MEDIA_ROOT = path / "media"
    settings.QUEUE_ROOT = path / "queue"
    settings.LOG_ROOT = path / "logs"
    settings.NOCTIS_STORAGE = f"file:{path / 'media'}"
    settings.NOCTIS_DISK_RESERVE_MB = 0
    cache.clear()
    return path


@pytest.fixture
def test_data() -> Callable[[str], Path]:
    """Return the function that finds a folder of real test files, or skips the test."""
    return factories.real_folder


# --- the cast --------------------------------------------------------------
@pytest.fixture
def north(db: None) -> Facility:
    """Where rada, tess and nora work."""
    return factories.make_facility("north")


@pytest.fixture
def south(db: None) -> Facility:
    """The other facility: fiona's."""
    return factories.make_facility("south")


@pytest.fixture
def rada(north: Facility) -> User:
    """Radiologist of north."""
    return factories.make_user("rada", Role.RADIOLOGIST, [north])


@pytest.fixture
def tess(north: Facility) -> User:
    """Technologist of north."""
    return factories.make_user("tess", Role.TECHNOLOGIST, [north])


@pytest.fixture
def nora(north: Facility) -> User:
    """Facility administrator of north."""
    return factories.make_user("nora", Role.FACILITY_ADMIN, [north], is_staff=True)


@pytest.fixture
def fiona(south: Facility) -> User:
    """Radiologist of south: what is north's does not exist for her."""
    return factories.make_user("fiona", Role.RADIOLOGIST, [south])


@pytest.fixture
def strange(db: None) -> User:
    """May log in, belongs to no facility, sees nothing."""
    return factories.make_user("strange", Role.REFERRER)


@pytest.fixture
def admin(db: None) -> User:
    """Administrator: every facility and the quarantine."""
    return factories.make_user("admin", Role.ADMIN, is_staff=True, is_superuser=True)


@pytest.fixture
def client_of(db: None) -> Callable[[User], Client]:
    """Return the function that gives a browser in which this person is logged in."""

    def log_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return log_in
