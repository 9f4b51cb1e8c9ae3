"""Deflated objects of many frames: inflated once, read in blocks, never shown damaged."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pytest_django import Settings

from archive import storage
from archive.caches import caches
from archive.frames import read_frame
from archive.ingest import Source, ingest_file
from archive.models import Instance
from archive.phantom import PhantomShape, build_datasets
from imaging.errors import UnreadableError
from tests.factories import as_part10

pytestmark = pytest.mark.django_db

# Frames of 450 kB: some lie in one block of a MiB, some in two.
FRAMES, ROWS, COLUMNS = 6, 450, 500


def pixels() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 4000, (FRAMES, ROWS, COLUMNS), dtype="<u2")


@pytest.fixture
def deflated() -> Instance:
    dataset = copy.deepcopy(next(iter(build_datasets(PhantomShape(rows=32, columns=32, slices=1)))))
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = FRAMES, ROWS, COLUMNS
    dataset.PixelData = pixels().tobytes()
    dataset.PixelRepresentation = 0
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ingest_file(Source(door="test", sender="CT1"), io.BytesIO(as_part10(dataset)))
    return Instance.objects.get()


def frame(instance: Instance, number: int) -> np.ndarray:
    return read_frame(instance, number).to_array(ROWS, COLUMNS)


def spoil(path: Path) -> None:
    """Damage a file without changing its size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\x07" * len(content[len(content) // 2 :])
    path.write_bytes(content)


def blocks() -> list[Path]:
    return [path for path in (caches().root / "pieces").glob("??/*") if b"inflated" in _head(path)]


def _head(path: Path) -> bytes:
    return path.read_bytes()[:64]


def test_every_frame_is_right_whether_inflated_or_kept(deflated: Instance) -> None:
    for number in (0, 5, 2, 3, 1, 4):
        assert (frame(deflated, number) == pixels()[number]).all()
    assert len(blocks()) == 3


def test_the_second_frame_needs_no_inflating_and_damage_is_seen(deflated: Instance) -> None:
    frame(deflated, 0)
    # Only who inflates again would notice that the stored bytes are others now.
    spoil(storage.path_of(deflated.storage_key))
    assert (frame(deflated, 2) == pixels()[2]).all()
    for block in blocks():
        spoil(block)
    with pytest.raises(UnreadableError):
        frame(deflated, 4)


def test_without_a_disk_cache_all_works_and_nothing_is_kept(
    deflated: Instance, settings: Settings
) -> None:
    settings.NOCTIS_DISK_CACHE_MB = 0
    assert (frame(deflated, 5) == pixels()[5]).all()
    assert blocks() == []
