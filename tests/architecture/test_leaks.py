"""The repository tells nothing of the machines on which it was written, nor where to download."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, project_files

# Written in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile(
    r"(?<![\w.~$}/-])/(?:"
    + "|".join(["work" + "/", "root" + "/", "home" + r"/\w", "Users" + r"/\w"])
    + ")"
)
REGISTRIES = re.compile(
    "|".join(
        [
            "python" + r"hosted\.org",
            "pypi" + r"\.org/simple",
            "registry" + r"\.npmjs",
            "registry" + r"\.yarnpkg",
            r"--(?:extra-)?index" + "-url",
            r"--find" + "-links",
        ]
    )
)
LOCK_FILES = re.compile(r"(^|/)(requirements[\w-]*\.txt|package-lock\.json|.*\.lock)$")
DOWNLOADS = re.compile(r'"resolved":\s*"\w+:|\bhttps?://\S+\.(?:whl|tar\.gz|tgz|zip)\b|@ https?://')


def find_leaks(path: Path, text: str) -> list[str]:
    """Return the lines that name a machine's path, a registry or a download."""
    checks = [MACHINE_PATHS, REGISTRIES]
    if LOCK_FILES.search(str(path)):
        checks.append(DOWNLOADS)
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for number, line in enumerate(text.splitlines(), 1)
        for check in checks
        if check.search(line)
    ]


def test_no_machine_registry_or_download_is_named() -> None:
    leaks = []
    for path in project_files():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        leaks += find_leaks(path, text)

    assert leaks == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "see /wor" + "k/shared/design.md"),
        ("noctis/env.py", "'/roo" + "t/.cache'"),
        ("Makefile", "cp /hom" + "e/ann/x y"),
        ("requirements.txt", "--index" + "-url https://mirror.example/"),
        ("frontend/package-lock.json", '"resolved": "https://mirror.example/a-1.0.0.tgz"'),
        ("requirements.txt", "a @ https://mirror.example/a"),
        ("docs/x.md", "from files.python" + "hosted.org"),
    ],
)
def test_leak_check_can_fail(name: str, text: str) -> None:
    assert find_leaks(Path(name), text)


def test_ordinary_paths_are_no_leaks() -> None:
    text = "/worklist/ ~/home/x $HOME/work/ https://dicom.nema.org/ /var/lib/noctis homework/"

    assert find_leaks(Path("README.md"), text) == []
