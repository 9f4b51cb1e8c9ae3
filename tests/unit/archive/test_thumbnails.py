"""Thumbnails: made once, made again when the series has grown or the file is gone."""

from __future__ import annotations

import io
import uuid

import numpy as np
import pytest
from PIL import Image

from accounts.models import Facility
from archive import jobs, storage
from archive.models import Job, Series
from archive.thumbnails import make_thumbnail, run_thumbnail_job
from imaging.errors import MissingError
from tests import factories
from tests.unit.viewer.conftest import store, store_slice

pytestmark = pytest.mark.django_db(transaction=True)


def files(home_of: Series) -> list[str]:
    return sorted(
        str(path.relative_to(storage.root()))
        for path in (storage.root() / "thumbnails").rglob("*.jpg*")
    )


def test_shows_the_middle_image_in_the_patient_s_proportions(north: Facility) -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    dataset.Rows, dataset.Columns = 64, 128
    dataset.PixelSpacing = [2, 1]
    dataset.PixelData = np.zeros((64, 128), "<i2").tobytes()
    content = make_thumbnail(store(factories.as_part10(dataset), north).series_id)
    assert Image.open(io.BytesIO(content)).size == (128, 128)


def test_running_twice_makes_one_file(north: Facility) -> None:
    series = store_slice(0, north).series
    assert make_thumbnail(series.pk) == make_thumbnail(series.pk)
    series.refresh_from_db()
    assert files(series) == [series.thumbnail_key]


def test_a_file_that_is_gone_is_made_again(north: Facility) -> None:
    series = store_slice(0, north).series
    first = make_thumbnail(series.pk)
    series.refresh_from_db()
    storage.path_of(series.thumbnail_key).unlink()
    assert make_thumbnail(series.pk) == first


def test_a_series_that_has_grown_a_lot_gets_a_new_one_and_the_old_one_goes(
    north: Facility,
) -> None:
    series = store_slice(0, north).series
    make_thumbnail(series.pk)
    series.refresh_from_db()
    before = series.thumbnail_key
    for number in (1, 2):
        store_slice(number, north)
    make_thumbnail(series.pk)
    series.refresh_from_db()
    assert series.thumbnail_key != before
    assert files(series) == [series.thumbnail_key]


def test_the_name_tells_nothing_of_the_patient(north: Facility) -> None:
    series = store_slice(0, north).series
    make_thumbnail(series.pk)
    series.refresh_from_db()
    assert series.series_instance_uid not in series.thumbnail_key
    assert str(series.pk) not in series.thumbnail_key


def test_a_series_that_is_gone_or_has_no_picture_is_no_failure_of_the_job(
    north: Facility,
) -> None:
    run_thumbnail_job(str(uuid.uuid4()))
    report = store(factories.bundled("reportsi.dcm").read_bytes(), north)
    run_thumbnail_job(str(report.series_id))
    with pytest.raises(MissingError):
        make_thumbnail(uuid.uuid4())


def test_a_series_that_arrived_has_its_thumbnail_after_the_job(north: Facility) -> None:
    series = store_slice(0, north).series
    Job.objects.update(due_at=series.last_received_at)
    jobs.run_due()
    assert not Job.objects.filter(kind="thumbnail").exists()
    series.refresh_from_db()
    assert series.thumbnail_key
