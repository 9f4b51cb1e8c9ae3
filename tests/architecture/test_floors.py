"""Imports go down only; rooms on one floor never import each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import FLOORS, find_python, parse

# What the cellar does without: frameworks, network, clock, settings.
NOT_IN_IMAGING = {
    *("django", "rest_framework", "celery", "redis", "kombu", "psycopg2", "pynetdicom"),
    *("socket", "ssl", "http", "urllib", "asyncio", "requests", "httpx", "time", "environ"),
}
CLOCKS = {"now", "utcnow", "today"}


def find_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of every import, also those inside functions and by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and _name_of(node.func) in {"import_module", "__import__"}:
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def find_wrong_floors(path: Path, tree: ast.Module) -> list[str]:
    """Return the imports of this file that go up, sideways or nowhere clear."""
    room = path.parts[0]
    wrong = []
    for line, module in find_imports(tree):
        other = module.split(".", maxsplit=1)[0]
        if module.startswith("."):
            wrong.append(f"{path}:{line}: relative import {module}")
        elif other in FLOORS and other != room and FLOORS[other] >= FLOORS[room]:
            wrong.append(f"{path}:{line}: {room} (floor {FLOORS[room]}) imports {module}")
        elif other in {"tests", "bench"}:
            wrong.append(f"{path}:{line}: the house imports {module}")
    return wrong


def find_impurities(path: Path, tree: ast.Module) -> list[str]:
    """Return what a file of the cellar must not use."""
    wrong = [
        f"{path}:{line}: imaging imports {module}"
        for line, module in find_imports(tree)
        if module.split(".", maxsplit=1)[0] in NOT_IN_IMAGING
    ]
    return wrong + [
        f"{path}:{node.lineno}: imaging uses .{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {*CLOCKS, "environ", "getenv"}
    ]


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def test_imports_go_down_only() -> None:
    files = [path for path in find_python(migrations=True) if path.parts[0] in FLOORS]

    assert len(files) > 40
    assert [line for path in files for line in find_wrong_floors(path, parse(path))] == []


def test_imaging_knows_no_django_no_clock_no_network() -> None:
    files = [path for path in find_python() if path.parts[0] == "imaging"]

    assert files
    assert [line for path in files for line in find_impurities(path, parse(path))] == []


def test_every_package_at_the_top_has_a_floor() -> None:
    packages = {path.parts[0] for path in find_python() if path.name == "__init__.py"}

    assert packages - {"tests"} == set(FLOORS)


@pytest.mark.parametrize(
    "source",
    [
        "from worklist.models import WorklistEntry",
        "import noctis.settings",
        "from viewer import page",
        "def late():\n    from worklist import entries",
        "from importlib import import_module\nimport_module('worklist.models')",
        "from . import models",
        "from tests.factories import make_study",
    ],
)
def test_floor_check_can_fail(source: str) -> None:
    assert find_wrong_floors(Path("reconstruction/volume.py"), ast.parse(source))


def test_floor_check_lets_imports_go_down() -> None:
    tree = ast.parse("from archive.models import Study\nimport imaging.text, accounts.models")

    assert find_wrong_floors(Path("viewer/page.py"), tree) == []


@pytest.mark.parametrize(
    "source",
    [
        "from django.conf import settings",
        "import time",
        "from datetime import datetime\ndatetime.now()",
        "import os\nos.environ['HOME']",
        "def late():\n    import socket",
    ],
)
def test_purity_check_can_fail(source: str) -> None:
    assert find_impurities(Path("imaging/text.py"), ast.parse(source))
