"""What the code knows, the documents say: settings, commands, dependencies."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.architecture.sources import FLOORS, find_python, parse, read

READERS = {"getenv", "get", "pop", "setdefault"}
VARIABLE = re.compile(r"^(NOCTIS_[A-Z0-9_]+|DATABASE_URL)$")


def find_variables(tree: ast.Module) -> Iterator[str]:
    """Yield the names of environment variables that a module reads."""
    for node in ast.walk(tree):
        names: Iterable[ast.expr] = ()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called in READERS or called.startswith("read_"):
                names = node.args[:1]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            names = [node.slice]
        for name in names:
            if isinstance(name, ast.Constant) and VARIABLE.match(str(name.value)):
                yield str(name.value)


def find_undocumented(names: Iterable[str], text: str) -> list[str]:
    """Return the names that the text does not show as code."""
    return sorted(
        {
            name
            for name in names
            if not re.search(rf"`(?:[^`]*[^\w`])?{re.escape(name)}(?:\W[^`]*)?`", text)
        }
    )


def find_commands() -> list[str]:
    """Return the names of the house's management commands."""
    return [
        path.stem
        for path in find_python()
        if path.parts[1:3] == ("management", "commands")
        and path.parts[0] in FLOORS
        and not path.stem.startswith("_")
    ]


def find_direct_dependencies() -> list[str]:
    """Return the names in the hand-written lists of requirements."""
    names = []
    for file in ("requirements.in", "requirements-dev.in", "requirements-build.in"):
        for line in read(Path(file)).splitlines():
            match = re.match(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", line)
            if match:
                names.append(match.group(1))
    front = json.loads(read(Path("frontend/package.json")))
    return [*names, *front["dependencies"], *front["devDependencies"]]


def test_every_setting_is_documented() -> None:
    names = {name for path in find_python(tests=True) for name in find_variables(parse(path))}

    assert "NOCTIS_HOME" in names
    assert find_undocumented(names, read(Path("docs/settings.md"))) == []


def test_every_command_is_documented() -> None:
    commands = find_commands()

    assert "verify_audit" in commands
    assert find_undocumented(commands, read(Path("docs/commands.md"))) == []


def test_every_dependency_is_documented() -> None:
    names = find_direct_dependencies()

    assert "django" in names
    assert find_undocumented(names, read(Path("docs/dependencies.md"))) == []


def test_every_threat_has_a_test_that_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", read(Path("docs/hostile-input.md"))))
    defined = {
        node.name
        for path in find_python(tests=True)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef)
    }

    assert len(named) > 40
    assert named - defined == set()


def test_document_checks_can_fail() -> None:
    tree = ast.parse("import os\nos.environ.get('NOCTIS_NEW')\nenv.read_int('NOCTIS_N', 1)\n")

    assert list(find_variables(tree)) == ["NOCTIS_NEW", "NOCTIS_N"]
    assert find_undocumented(["NOCTIS_NEW"], "`NOCTIS_NEWER` and NOCTIS_NEW") == ["NOCTIS_NEW"]
    assert find_undocumented(["NOCTIS_NEW"], "set `NOCTIS_NEW=1`") == []
