"""Names say what is inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.sources import project_files

# A drawer for everything is a drawer where nothing is found.
SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def says_nothing(path: Path) -> bool:
    """Whether a folder or file of the path has a name that could hold anything."""
    names = {part.split(".", maxsplit=1)[0].lower() for part in path.parts}
    return bool(names & SAY_NOTHING)


def test_no_module_is_a_drawer_for_everything() -> None:
    sources = [path for path in project_files() if path.suffix in {".py", ".ts", ".css", ".html"}]

    assert len(sources) > 100
    assert [str(path) for path in sources if says_nothing(path)] == []


@pytest.mark.parametrize("name", ["archive/utils.py", "frontend/src/common/x.ts", "a/helpers.ts"])
def test_name_check_can_fail(name: str) -> None:
    assert says_nothing(Path(name))
