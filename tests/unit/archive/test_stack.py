"""The stack of a series: complete, in order, cheap also for very long objects."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from accounts.models import Facility
from archive.models import Instance, Series
from archive.stack import build_stack, find_reasons, read_stack
from tests import factories
from tests.unit.archive.test_frames import store

pytestmark = pytest.mark.django_db(transaction=True)


def merged(series: Series) -> list[dict[str, Any]]:
    stack = build_stack(series)
    return [{**stack["shared"], **image} for image in stack["images"]]


def test_a_multi_frame_object_has_an_image_for_each_frame_with_its_own_geometry() -> None:
    files = factories.real_files("mr-enhanced")
    checked = 0
    for path in files:
        dataset = dcmread(path)
        groups = dataset.get("PerFrameFunctionalGroupsSequence", [])
        if not groups or "PlanePositionSequence" not in groups[0]:
            continue
        images = merged(store(path.read_bytes()).series)
        truth = [
            list(map(float, item.PlanePositionSequence[0].ImagePositionPatient)) for item in groups
        ]
        assert len(images) == dataset.NumberOfFrames
        for image in images:
            assert image["image_position_patient"] == truth[image["frame"]]
        checked += 1
    assert checked


def test_twenty_thousand_frames_stay_cheap() -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    dataset.Rows = dataset.Columns = 8
    dataset.NumberOfFrames = 20_000
    dataset.PixelData = np.zeros(20_000 * 64, "<i2").tobytes()
    series = store(factories.as_part10(dataset)).series
    started = time.monotonic()
    stack = build_stack(series)
    assert time.monotonic() - started < 1
    assert [image["frame"] for image in stack["images"]] == list(range(20_000))
    assert len(json.dumps(stack)) < 400_000


def test_a_header_that_claims_more_frames_than_the_file_holds_costs_nothing(
    north: Facility,
) -> None:
    study = factories.make_study(north)
    series = factories.make_series(study)
    factories.make_instance(
        series, number_of_frames=2**31 - 1, image={"rows": 1, "columns": 1, "bits_allocated": 8}
    )
    assert len(build_stack(series)["images"]) <= 20_000


def test_the_version_changes_when_facts_or_images_change(north: Facility) -> None:
    study = factories.make_study(north)
    series = factories.make_series(study)
    one = factories.make_instance(series, image={"rows": 2, "columns": 2, "bits_allocated": 8})
    versions = [build_stack(series)["version"], build_stack(series)["version"]]
    assert versions[0] == versions[1]
    Instance.objects.filter(pk=one.pk).update(image={"rows": 2, "columns": 3, "bits_allocated": 8})
    versions.append(build_stack(series)["version"])
    factories.make_instance(series, image={"rows": 2, "columns": 2, "bits_allocated": 8})
    versions.append(build_stack(series)["version"])
    assert len(set(versions)) == 3


def test_an_order_that_was_remembered_serves_only_its_own_version(north: Facility) -> None:
    study = factories.make_study(north)
    series = factories.make_series(study)
    one = factories.make_instance(series, image={"rows": 2, "columns": 2, "bits_allocated": 8})
    old = build_stack(series)["version"]
    Instance.objects.filter(pk=one.pk).update(image={"rows": 2, "columns": 3, "bits_allocated": 8})
    assert read_stack(series, old).version == old
    assert read_stack(series, "another").version != old


@pytest.mark.parametrize(
    ("sop_class", "syntax", "frames", "words"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.1.2.1", 0, "a structured report"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.1.2.1", 0, "a selection of key images"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.1.2.1", 0, "a PDF document"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.1.2.1", 0, "radiotherapy structures"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "1.2.840.10008.1.2.1", 0, "a radiotherapy plan"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.1.2.1", 0, "a waveform"),
        ("1.2.3.4", "1.2.840.10008.1.2.1", 0, "objects without pictures"),
        ("1.2.840.10008.5.1.4.1.1.2", "1.2.3.999", 1, "transfer syntax 1.2.3.999"),
    ],
)
def test_what_cannot_be_shown_says_why(
    north: Facility, sop_class: str, syntax: str, frames: int, words: str
) -> None:
    study = factories.make_study(north)
    series = factories.make_series(study)
    factories.make_instance(
        series, sop_class_uid=sop_class, transfer_syntax_uid=syntax, number_of_frames=frames
    )
    stack = build_stack(series)
    assert stack["displayable"] is False
    assert stack["images"] == []
    assert words in stack["why_not"]
    assert find_reasons(study) == {series.pk: stack["why_not"]}


def test_lookup_tables_travel_with_the_stack() -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    item = Dataset()
    item.LUTDescriptor = [4, 0, 8]
    item["LUTDescriptor"].VR = "US"
    item.LUTExplanation = "BONE"
    item.add_new("LUTData", "OW", np.array([0, 10, 100, 255], "<u2").tobytes())
    dataset.VOILUTSequence = [item]
    stack = build_stack(store(factories.as_part10(dataset)).series)
    assert stack["shared"]["voi_luts"] == [
        {"first": 0, "bits": 8, "entries": [0, 10, 100, 255], "explanation": "BONE"}
    ]
