"""Every door knows what to answer for every error that the house can raise."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from imaging import errors
from tests.architecture.sources import FLOORS, find_python


def find_tables(module: ModuleType) -> dict[str, dict[Any, Any]]:
    """Return the module's tables whose keys are errors."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, dict)
        and any(isinstance(key, type) and issubclass(key, errors.NoctisError) for key in value)
    }


def find_gaps(module: ModuleType) -> list[str]:
    """Return the errors that a table of the module leaves out."""
    tables = find_tables(module)
    gaps = [f"{module.__name__} has no table"] if not tables else []
    return gaps + [
        f"{module.__name__}.{name} lacks {leaf.__name__}"
        for name, table in tables.items()
        for leaf in errors.leaves()
        if leaf not in table
    ]


def test_every_table_of_statuses_is_whole() -> None:
    rooms = [
        path.parts[0]
        for path in find_python()
        if path.parts[0] in FLOORS and path.parts[1:] == ("statuses.py",)
    ]

    assert {"dicom_receiver", "viewer"} <= set(rooms)
    modules = [importlib.import_module(f"{room}.statuses") for room in rooms]
    assert [gap for module in modules for gap in find_gaps(module)] == []


def test_leaves_are_the_whole_tree() -> None:
    def below(kind: type[errors.NoctisError]) -> set[type[errors.NoctisError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    trunk = {errors.NoctisError, errors.PermanentError, errors.TransientError}
    tree = {kind for kind in below(errors.NoctisError) if kind.__module__ == errors.__name__}
    assert set(errors.leaves()) == tree - trunk


def test_status_check_can_fail() -> None:
    module = ModuleType("statuses")
    assert find_gaps(module) == ["statuses has no table"]
    vars(module)["STATUSES"] = {errors.UnreadableError: 1}

    assert "statuses.STATUSES lacks ConflictError" in find_gaps(module)
