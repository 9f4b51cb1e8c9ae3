"""Series of phantoms whose voxels say where they are."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connections
from pydicom import Dataset
from pydicom.uid import generate_uid

from accounts.models import Facility
from archive.decode import close_pool
from archive.ingest import Source, ingest_file
from archive.models import Series
from reconstruction.jobs import INTERACTIVE
from reconstruction.kinds import KINDS
from reconstruction.running import Lane
from tests import factories
from tests.unit.reconstruction.tiny.apps import KIND, MODULE

SHAPE = (7, 12, 10)


Store = Callable[[Iterable[Dataset | Path]], Series]


def index_volume() -> np.ndarray:
    """Return HU that name their voxel: 10,000 for nothing, hundreds slices, tens and ones."""
    k, j, i = np.indices(SHAPE)
    values: np.ndarray = (1000 * k + 40 * j + 3 * i - 1000).astype(np.int32)
    return values


def make_slices(
    values: np.ndarray,
    *,
    origin: tuple[float, float, float] = (-20.0, 30.0, -5.0),
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    spacing_mm: tuple[float, float] = (0.75, 0.5),
    step: tuple[float, float, float] = (0, 0, 2.0),
    **changes: Any,
) -> list[Dataset]:
    """Return CT slices of these HU; the last comes first, numbers run against the positions."""
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    made = []
    for k, plane in enumerate(values):
        one = factories.read_bundled("CT_small.dcm", SOPInstanceUID=generate_uid())
        one.SeriesInstanceUID, one.StudyInstanceUID, one.FrameOfReferenceUID = series, study, frame
        one.Rows, one.Columns = plane.shape
        one.InstanceNumber = len(values) - k
        one.ImageOrientationPatient = list(orientation)
        one.ImagePositionPatient = [round(a + k * b, 6) for a, b in zip(origin, step, strict=True)]
        one.PixelSpacing = list(spacing_mm)
        one.RescaleSlope, one.RescaleIntercept = 1, -1024
        for name in ("PixelPaddingValue", "SliceLocation"):
            if name in one:
                delattr(one, name)
        for name, value in changes.items():
            setattr(one, name, value)
        slope, intercept = float(one.RescaleSlope), float(one.RescaleIntercept)
        one.PixelData = np.rint((plane - intercept) / slope).astype("<i2").tobytes()
        made.append(one)
    return made[::-1]


def store_series(datasets: Iterable[Dataset | Path], facility: Facility | None) -> Series:
    """Store images of one series by the one way in, or in quarantine; return it as it is then."""
    series_id = None
    for one in datasets:
        content = one.read_bytes() if isinstance(one, Path) else factories.as_part10(one)
        facility_id = None if facility is None else facility.pk
        source = Source(door="test", sender="TEST", facility_id=facility_id)
        outcome = ingest_file(source, io.BytesIO(content))
        assert outcome.series_id is not None
        series_id = outcome.series_id
    assert series_id is not None
    return Series.objects.select_related("study__patient").get(pk=series_id)


@pytest.fixture
def store(north: Facility) -> Callable[[Iterable[Dataset | Path]], Series]:
    """Return the function that stores a series in north."""
    return lambda datasets: store_series(datasets, north)


@pytest.fixture(autouse=True, scope="session")
def _no_workers_left() -> Iterator[None]:
    yield
    close_pool()


# --- jobs ---------------------------------------------------------------------------------
@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tiny kind be one of the house's."""
    monkeypatch.setitem(KINDS, KIND, MODULE)


@pytest.fixture
def small(tiny: None, store: Store) -> Series:
    """Return a volume of three slices in north, of which the tiny kind makes things."""
    return store(make_slices(index_volume()[:3]))


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Let child processes live in this test's home, with its database and the tiny kind."""
    database = connections["default"].settings_dict
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.unit.reconstruction.tiny.settings")
    monkeypatch.setenv("NOCTIS_HOME", str(home))
    monkeypatch.setenv("NOCTIS_DISK_RESERVE_MB", "0")
    address = f"sqlite:///{database['NAME']}"
    if not database["ENGINE"].endswith("sqlite3"):
        host = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
        address = f"postgresql://{host}/{database['NAME']}"
    monkeypatch.setenv("DATABASE_URL", address)


@pytest.fixture
def lane(house: None) -> Iterator[Lane]:
    """Run jobs in a thread with a child process, as a worker does."""
    stopped = threading.Event()
    here = Lane(INTERACTIVE, stopped)

    def work() -> None:
        while not stopped.is_set():
            if not here.run_next():
                stopped.wait(0.05)
        here.close()
        connections.close_all()

    thread = threading.Thread(target=work, name="lane")
    thread.start()
    yield here
    stopped.set()
    thread.join(30)
    assert not thread.is_alive()
