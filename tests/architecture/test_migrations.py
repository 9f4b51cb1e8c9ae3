"""Models and migrations agree, and a migration's name says what it does."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.architecture.sources import find_files

SPOKEN = re.compile(r"^\d{4}_[a-z][a-z0-9]*(_[a-z0-9]+)*$")
UNSPOKEN = re.compile(r"_(initial|auto|and_more|merge)\b|auto_\d|_\d{8}")


def find_unspoken(names: list[str]) -> list[str]:
    """Return the names that Django made up, or that break the form."""
    return [name for name in names if not SPOKEN.match(name) or UNSPOKEN.search(name)]


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    said = io.StringIO()
    try:
        call_command("makemigrations", check_changes=True, dry_run=True, stdout=said)
    except SystemExit:
        pytest.fail(f"models changed without a migration:\n{said.getvalue()}")


def test_names_are_spoken() -> None:
    files = [path for path in find_files(".py") if path.parent.name == "migrations"]
    names = [path.stem for path in files if path.name != "__init__.py"]

    assert len(names) > 4
    assert find_unspoken(names) == []


@pytest.mark.parametrize(
    "name", ["0001_initial", "0002_auto_20240101_1200", "0003_study_flags_and_more", "4_flags"]
)
def test_name_check_can_fail(name: str) -> None:
    assert find_unspoken([Path(f"{name}.py").stem]) == [name]
