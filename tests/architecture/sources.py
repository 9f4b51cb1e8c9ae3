"""The files of the project, as the checks of the architecture read them."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FLOORS = {
    "imaging": 0,
    "accounts": 1,
    "archive": 2,
    "viewer": 3,
    "reconstruction": 3,
    "worklist": 4,
    "dicom_receiver": 5,
    "dicomweb": 5,
    "noctis": 6,
}


@cache
def project_files() -> tuple[Path, ...]:
    """Return every file that is, or would be, in the repository, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = sorted({name for name in listed.split("\0") if name})
    return tuple(path for path in map(Path, names) if (ROOT / path).is_file())


def find_files(*suffixes: str, within: str = "") -> list[Path]:
    """Return the project's files with one of these endings, below a folder."""
    return [
        path
        for path in project_files()
        if path.name.endswith(suffixes) and path.is_relative_to(within)
    ]


def find_python(*, tests: bool = False, migrations: bool = False) -> list[Path]:
    """Return the Python sources; those of tests and migrations only when asked for."""
    beside = {"tests", "bench", "deploy", ".ci"}
    return [
        path
        for path in find_files(".py")
        if (tests or path.parts[0] not in beside)
        and (migrations or "migrations" not in path.parts)
        and path.parts[0] != "frontend"
    ]


def read(path: Path) -> str:
    """Return the text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file of the project."""
    return ast.parse(read(path), str(path))
