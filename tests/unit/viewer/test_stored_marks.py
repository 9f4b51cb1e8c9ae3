"""Marks that come as DICOM objects: our own come back the same, others' are understood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from django.test import Client
from pydicom.uid import ComprehensiveSRStorage

from accounts.models import Facility, User
from archive.models import Instance
from tests.unit.imaging.real_files import all_files
from tests.unit.viewer.conftest import store
from tests.unit.viewer.test_mark_exports import DRAWN, MEASURED, export, mark_up
from tests.unit.viewer.test_measurements import make_image, send, wish
from tests.unit.viewer.test_objects import code, item, make_object, make_report, refer

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]


@pytest.fixture
def image(north: Facility) -> Instance:
    return make_image(north)


def read(client: Client, image: Instance) -> dict[str, Any]:
    answer = client.get(f"/api/v1/studies/{image.study_id}/stored-marks/")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_what_was_written_is_read_again_with_points_numbers_and_origin(
    image: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    made = mark_up(client, image)
    stored = export(client, image, forms=["report", "presentation", "key_objects"])
    found = read(client, image)

    rows = {row["label"].removeprefix("a "): row for row in found["measurements"]}
    assert set(rows) == {kind for kind, _ in MEASURED}
    for kind, row in made.items():
        back = rows[kind]
        if kind == "circle":
            # Its pixels are not square: DICOM has it as an ellipse of pixels.
            assert back["kind"] == "circle" or back["kind"] == "ellipse"
        else:
            assert back["kind"] == kind
            wanted = row["points_px"]
            if kind == "rectangle":
                (left, top), (right, bottom) = wanted
                wanted = [[left, top], [right, top], [right, bottom], [left, bottom]]
            if kind == "ellipse":
                wanted = [[20, 25], [40, 25], [30, 20], [30, 30]]
            assert np.allclose(back["points_px"], wanted, atol=1e-4), kind
        assert back["value"] == pytest.approx(row["value"], rel=1e-6)
        assert back["unit"] == row["unit"]
        assert (back["mark"], back["read_only"]) == (row["id"], True)
        assert back["provenance"] == row["provenance"]
        assert back["instance"] == str(image.pk)
    assert rows["polygon"]["statistics"]["mean"] == pytest.approx(
        made["polygon"]["statistics"]["mean"], rel=1e-6
    )
    assert rows["ellipse"]["finding"]["meaning"] == "Nodule"
    assert len({one.SeriesNumber for one in stored}) == 3
    report = next(one for one in stored if "CompletionFlag" in one)
    assert rows["length"]["origin"]["sop_instance_uid"] == report.SOPInstanceUID
    assert rows["length"]["origin"]["author"] == "rada"

    texts = {row["text"] for row in found["annotations"] if row["text"]}
    assert "Läsion\nin S2" in texts
    kinds = [row["kind"] for row in found["annotations"] if not row["text"]]
    assert len(kinds) >= len(MEASURED) + len(DRAWN) - 2
    (key_image,) = found["key_images"]
    assert (key_image["instance"], key_image["note"]) == (str(image.pk), "1: the nodule")
    assert found["unread"] == []


def test_coordinates_in_the_patient_find_their_image(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    make_image(north, SOPInstanceUID="1.2.3.4.7", ImagePositionPatient=[40, -20, 30])
    client = client_of(rada)
    points = [[10.0, 10.0], [22.0, 18.0]]
    send(client, "post", "/api/v1/measurements/", wish(points_px=points))
    export(client, image, forms=["report"], coordinates="patient")
    (row,) = read(client, image)["measurements"]

    assert (row["instance"], row["kind"]) == (str(image.pk), "length")
    assert np.allclose(row["points_px"], points, atol=1e-4)


def test_a_length_as_ohif_writes_it_is_a_length(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    # dcmjs, TID300 Length: the number is inferred from a polyline, selected from the image; SRT
    # codes, and the reader's words as a finding of its own.
    place = item(
        RelationshipType="INFERRED FROM", ValueType="SCOORD", GraphicType="POLYLINE",
        GraphicData=[10.5, 10.5, 22.5, 18.5],
        ContentSequence=[item(RelationshipType="SELECTED FROM", ValueType="IMAGE",
                              ReferencedSOPSequence=refer(image))],
    )  # fmt: skip
    number = item(
        RelationshipType="CONTAINS", ValueType="NUM",
        ConceptNameCodeSequence=code("Length", "G-D7FE", "SRT"),
        MeasuredValueSequence=[item(NumericValue="5.0",
                                    MeasurementUnitsCodeSequence=code("mm", "mm", "UCUM"))],
        ContentSequence=[place],
    )  # fmt: skip
    group = item(
        RelationshipType="CONTAINS", ValueType="CONTAINER",
        ConceptNameCodeSequence=code("Measurement Group", "125007", "DCM"),
        ContentSequence=[
            item(RelationshipType="HAS OBS CONTEXT", ValueType="TEXT",
                 TextValue="Cornerstone3DTools@^0.1.0:Length",
                 ConceptNameCodeSequence=code("Tracking Identifier", "112039", "DCM")),
            item(RelationshipType="HAS OBS CONTEXT", ValueType="UIDREF", UID="2.25.77",
                 ConceptNameCodeSequence=code("Tracking UID", "112040", "DCM")),
            item(RelationshipType="CONTAINS", ValueType="CODE",
                 ConceptNameCodeSequence=code("Finding", "121071", "DCM"),
                 ConceptCodeSequence=code("my nodule", "CORNERSTONEFREETEXT", "CORNERSTONEJS")),
            number,
        ],
    )  # fmt: skip
    measurements = item(
        RelationshipType="CONTAINS", ValueType="CONTAINER", ContentSequence=[group],
        ConceptNameCodeSequence=code("Imaging Measurements", "126010", "DCM"),
    )  # fmt: skip
    make_report(north, [measurements])
    (row,) = read(client_of(rada), image)["measurements"]

    assert (row["kind"], row["label"], row["value"], row["unit"]) == (
        "length", "my nodule", 5.0, "mm",
    )  # fmt: skip
    assert row["points_px"] == [[10, 10], [22, 18]]
    assert (row["mark"], row["tracking_uid"]) == (None, "2.25.77")


def test_reports_that_mean_nothing_give_nothing_and_break_nothing(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    def scoord(graphic: str, data: Any, **more: Any) -> pydicom.Dataset:
        return item(RelationshipType="CONTAINS", ValueType="SCOORD", GraphicType=graphic,
                    GraphicData=data, ContentSequence=[
                        item(RelationshipType="SELECTED FROM", ValueType="IMAGE",
                             ReferencedSOPSequence=refer(image, **more))])  # fmt: skip

    def group(*children: pydicom.Dataset) -> pydicom.Dataset:
        return item(RelationshipType="CONTAINS", ValueType="CONTAINER",
                    ConceptNameCodeSequence=code("Measurement Group", "125007", "DCM"),
                    ContentSequence=list(children))  # fmt: skip

    number = item(RelationshipType="CONTAINS", ValueType="NUM",
                  ConceptNameCodeSequence=code("Area", "42798000", "SCT"),
                  MeasuredValueSequence=[item(NumericValue="1")])  # fmt: skip
    make_report(
        north,
        [
            group(),
            group(number),
            group(scoord("POLYLINE", [1.0, 2.0])),
            group(number, scoord("POLYLINE", [float("nan"), 1.0, 2.0])),
            group(number, scoord("ELLIPSE", [1.0])),
            group(number, scoord("NOTHING", [1.0, 2.0, 3.0, 4.0])),
            group(number, scoord("CIRCLE", [1.0, 2.0, 3.0, 4.0], ReferencedFrameNumber=[9])),
        ],
    )
    empty = make_object(north, ComprehensiveSRStorage, ValueType="CONTAINER")
    assert empty.pk is not None
    found = read(client_of(rada), image)

    assert found["measurements"] == []
    assert found["unread"] == []


def test_real_reports_of_others_are_read(north: Facility, rada: User, client_of: Log) -> None:
    files = {
        name: path
        for key, path in all_files().items()
        for name in ("sr_document.dcm", "sr_document_with_multiple_groups.dcm")
        if key.endswith(name) and key.startswith("data/sr")
    }
    if not files:
        pytest.skip("the files of NOCTIS_TEST_DATA are not here")
    for path in files.values():
        report = store(path.read_bytes(), north)
        answer = client_of(rada).get(f"/api/v1/studies/{report.study_id}/stored-marks/").json()
        # Their images are not here: nothing can be drawn, and nothing is wrong.
        assert (answer["measurements"], answer["unread"]) == ([], [])
