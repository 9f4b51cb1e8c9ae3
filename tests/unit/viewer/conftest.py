"""Real files, stored by the one way in, for the tests of pages and addresses."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest

from accounts.models import Facility
from archive.decode import close_pool
from archive.ingest import Source, ingest_file
from archive.models import Instance, Series
from archive.video_frames import close_video_pool
from tests import factories

SLICES = 6


def store(content: bytes, facility: Facility) -> Instance:
    """Store a file by the one way in."""
    source = Source(door="test", sender="TEST", facility_id=facility.pk)
    outcome = ingest_file(source, io.BytesIO(content))
    assert outcome.instance_id is not None
    return Instance.objects.get(pk=outcome.instance_id)


def store_slice(number: int, facility: Facility) -> Instance:
    """Store slice `number` of the CT: every pixel says the number, the last slice is stored first.

    Positions run against instance numbers, so that the order shows itself.
    """
    dataset = factories.read_bundled("CT_small.dcm", SOPInstanceUID=f"1.2.3.4.{number + 1}")
    dataset.InstanceNumber = SLICES - number
    dataset.ImagePositionPatient = [0, 0, 5 * number]
    dataset.PixelData = np.full((128, 128), number, "<i2").tobytes()
    return store(factories.as_part10(dataset), facility)


@pytest.fixture
def ct_series(north: Facility) -> Series:
    """A CT of six slices in north, whose pixels are their place along the patient."""
    for number in (3, 1, 5, 0, 2, 4):
        instance = store_slice(number, north)
    return instance.series


@pytest.fixture(autouse=True, scope="session")
def _no_workers_left() -> Iterator[None]:
    yield
    close_pool()
    close_video_pool()
