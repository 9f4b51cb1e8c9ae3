"""The real files that the tests of this room read, and what is known of them."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path

import pydicom
import pytest

from imaging.frames import FrameIndex, index_frames
from imaging.header import Header, read_header

PROJECT = Path(__file__).resolve().parents[3]
BUNDLED = Path(pydicom.__file__).parent / "data"
GOLDEN = PROJECT / "tests" / "golden"
NOT_DICOM = {".md", ".zip", ".gz", ".txt", ".json", ".py", ".pyc", ".icc", ".dump", ".toml"}


def read(path: Path) -> tuple[Header, FrameIndex]:
    with path.open("rb") as file:
        header = read_header(file, size=path.stat().st_size)
        return header, index_frames(file, header)


def bundled(name: str) -> Path:
    """Return one of pydicom's own test files."""
    return BUNDLED / "test_files" / name


@lru_cache
def all_files() -> dict[str, Path]:
    """Return every real file by a short name: pydicom's own, and those of NOCTIS_TEST_DATA."""
    # Listed, not asked of pydicom: that would fetch what is not bundled.
    roots = {"pydicom": BUNDLED}
    outside = Path(os.environ.get("NOCTIS_TEST_DATA") or PROJECT.parent / "shared" / "dicom")
    if outside.is_dir():
        roots["data"] = outside
    return {
        f"{name}/{path.relative_to(root).as_posix()}": path
        for name, root in roots.items()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix not in NOT_DICOM and path.name != "README"
    }


@lru_cache
def known() -> dict[str, dict[str, str]]:
    """Return the manifest of real files: section, then file name to reason."""
    manifest: dict[str, dict[str, str]] = json.loads((GOLDEN / "real_files.json").read_text())
    return manifest


def every_file() -> pytest.MarkDecorator:
    files = all_files()
    return pytest.mark.parametrize("path", files.values(), ids=files.keys())
