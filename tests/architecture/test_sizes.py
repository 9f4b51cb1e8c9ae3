"""Files, functions and templates stay small enough to be read."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.sources import ROOT, find_files, find_python, read

FILE_LINES = 500
FUNCTION_LINES = 60
TEMPLATE_LINES = 150

# A function may be longer where calls would cost too much: its first line names
# ruff's rule on length and, after a dash, the reason.
EXCUSE = re.compile(r"# noqa: .*PLR0915.* - \w+ \w+")

# Tables that a program wrote.
GENERATED = {Path("imaging/dictionary.py")}


def count_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without decorators and docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def find_long_functions(path: Path, text: str) -> list[str]:
    """Return the functions that are too long to be read at once, and do not say why."""
    lines = text.splitlines()
    return [
        f"{path}:{node.lineno}: {node.name} has {count_lines(node)} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and count_lines(node) > FUNCTION_LINES
        and not EXCUSE.search(lines[node.lineno - 1])
    ]


def find_long_files(paths: list[Path], most: int) -> list[str]:
    """Return the files with more lines than `most`."""
    counted = [(path, read(path).count("\n")) for path in paths if path not in GENERATED]
    return [f"{path} has {lines} lines" for path, lines in counted if lines > most]


def find_tangled(path: Path) -> list[str]:
    """Return what ruff says of functions with a complexity above 10."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--no-cache",
            "--isolated",
            "--select",
            "C901",
            "--output-format",
            "concise",
            "--exclude",
            ".venv,frontend,migrations",
            str(path),
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    return [line for line in done.stdout.splitlines() if "C901" in line]


def test_files_are_short() -> None:
    sources = [*find_python(tests=True), *find_files(".ts", ".css", within="frontend")]

    assert find_long_files(sources, FILE_LINES) == []


def test_templates_are_short() -> None:
    assert find_long_files(find_files(".html"), TEMPLATE_LINES) == []


def test_functions_are_short() -> None:
    files = [path for path in find_python() if path not in GENERATED]

    assert [line for path in files for line in find_long_functions(path, read(path))] == []


def test_functions_are_simple() -> None:
    assert find_tangled(ROOT) == []


def test_size_checks_can_fail(tmp_path: Path) -> None:
    long = "def long():\n" + "    pass\n" * FUNCTION_LINES
    tangled = tmp_path / "tangled.py"
    tangled.write_text("def f(x):\n" + "".join(f"    if x == {n}: return\n" for n in range(12)))

    assert find_long_functions(Path("x.py"), long)
    assert find_long_functions(Path("x.py"), long.replace(":", ":  # noqa: PLR0915", 1))
    assert find_long_files([Path("accounts/models.py")], 3)
    assert find_tangled(tangled)


def test_docstrings_do_not_count() -> None:
    text = 'def told():\n    """Say.\n' + "    word\n" * 80 + '    """\n    return 1\n'

    assert find_long_functions(Path("x.py"), text) == []
