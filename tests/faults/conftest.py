"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.receiver import PostgresDatabase

MakeDatabase = Callable[[], PostgresDatabase]


@pytest.fixture(scope="session")
def make_database(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeDatabase]:
    """Return the function that gives a database with all tables: they are made once, and copied."""
    with PostgresDatabase(postgres_url) as template:
        template.migrate(tmp_path_factory.mktemp("template"))
        yield lambda: PostgresDatabase(postgres_url, template.name)
