"""check_archive: what is missing, damaged or left over is found; nothing else is touched."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from archive import storage
from archive.ingest import Source, ingest_file
from archive.models import Instance
from tests.factories import as_part10, read_bundled

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored() -> Path:
    """One stored image's path."""
    data = as_part10(read_bundled("CT_small.dcm"))
    ingest_file(Source(door="test", sender="CT1"), io.BytesIO(data))
    return storage.path_of(Instance.objects.get().storage_key)


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("check_archive", *arguments, stdout=out)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_whole_archive_is_well(stored: Path) -> None:
    code, text = run()
    assert code == 0
    assert "missing 0, damaged 0, left-over files 0" in text


def test_finds_a_missing_file(stored: Path) -> None:
    stored.unlink()
    code, text = run("--quick")
    assert code == 1
    assert f"MISSING  {Instance.objects.get().sop_instance_uid}" in text


def test_finds_one_flipped_bit(stored: Path) -> None:
    data = bytearray(stored.read_bytes())
    data[-100] ^= 1
    stored.write_bytes(data)
    assert run("--quick")[0] == 0
    code, text = run()
    assert code == 1
    assert "DAMAGED" in text


@pytest.mark.parametrize("place", ["preamble", "meta"])
def test_finds_a_flipped_bit_before_the_data_set(stored: Path, place: str) -> None:
    data = bytearray(stored.read_bytes())
    data[10 if place == "preamble" else 150] ^= 1
    stored.write_bytes(data)
    assert run()[0] == 1


def test_left_over_files_are_removed_only_when_old_and_asked_for(stored: Path) -> None:
    orphan = stored.with_name("left-over.dcm")
    orphan.write_bytes(b"half")
    assert run("--repair")[0] == 0
    assert orphan.exists()
    long_ago = time.time() - 7200
    os.utime(orphan, (long_ago, long_ago))
    os.utime(stored, (long_ago, long_ago))

    assert run()[0] == 1
    assert orphan.exists()
    assert run("--repair")[0] == 0
    assert not orphan.exists()
    assert stored.exists()
