"""Copies in a series are told from other pictures at their place by the stored pixels."""

from __future__ import annotations

import io

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from accounts.models import Facility
from archive.ingest import Source, ingest_file
from archive.passport import make_passport
from archive.phantom import PhantomShape, build_datasets
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def again(dataset: Dataset) -> bytes:
    """Return the image once more, as another instance."""
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return factories.as_part10(dataset)


def test_a_slice_that_came_twice_is_a_copy_and_another_picture_at_its_place_is_not(
    north: Facility,
) -> None:
    datasets = list(build_datasets(PhantomShape(rows=64, columns=64, slices=8)))
    source = Source(door="test", sender="TEST", facility_id=north.pk)
    contents = [factories.as_part10(one) for one in datasets]
    contents += [again(datasets[2]), again(datasets[5])]
    for content in contents:
        series_id = ingest_file(source, io.BytesIO(content)).series_id
    assert series_id is not None
    copies = make_passport(series_id)
    assert (copies["duplicate_count"], copies["identical_count"]) == (2, 2)
    assert (copies["reason_codes"], copies["is_volume"]) == (["identical_images"], True)
    assert (copies["slice_count"], copies["badges"]) == (8, ["duplicates"])
    pixels = bytearray(datasets[5].PixelData)
    pixels[1000] ^= 1
    datasets[5].PixelData = bytes(pixels)
    ingest_file(source, io.BytesIO(again(datasets[5])))
    mixed = make_passport(series_id)
    assert (mixed["duplicate_count"], mixed["identical_count"]) == (3, 2)
    assert set(mixed["reason_codes"]) == {"duplicates", "identical_images"}
    assert not mixed["is_volume"]
