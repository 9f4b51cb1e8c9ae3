"""Objects that are no pictures: what a page gets to show of them, and what never runs."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from django.test import Client
from pydicom import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    generate_uid,
)

from accounts.models import Facility, User
from archive.models import Instance
from tests.unit.imaging.real_files import all_files
from tests.unit.viewer.conftest import store
from tests.unit.viewer.test_measurements import make_image

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]


@pytest.fixture
def image(north: Facility) -> Instance:
    return make_image(north)


def make_object(facility: Facility, sop_class_uid: str, **content: Any) -> Instance:
    """Store an object of the study of `make_image`."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = "1.2.3.100"
    dataset.SeriesInstanceUID = generate_uid()
    dataset.PatientID, dataset.PatientName = "1CT1", "CompressedSamples^CT1"
    dataset.Modality = "OT"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in content.items():
        setattr(dataset, keyword, value)
    content_io = io.BytesIO()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(content_io, dataset, enforce_file_format=True)
    return store(content_io.getvalue(), facility)


def item(**content: Any) -> Dataset:
    """Return a sequence's item."""
    dataset = Dataset()
    for keyword, value in content.items():
        setattr(dataset, keyword, value)
    return dataset


def code(meaning: str, value: str = "1", scheme: str = "99X") -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def read(client: Client, instance: Instance) -> dict[str, Any]:
    answer = client.get(f"/api/v1/instances/{instance.pk}/object/")
    assert answer.status_code == 200, answer.content
    document: dict[str, Any] = answer.json()
    return document


def refer(image: Instance, **more: Any) -> list[Dataset]:
    uids = {
        "ReferencedSOPClassUID": image.sop_class_uid,
        "ReferencedSOPInstanceUID": image.sop_instance_uid,
    }
    return [item(**uids, **more)]


# --- reports ----------------------------------------------------------------------------
def make_report(facility: Facility, children: list[Dataset]) -> Instance:
    return make_object(
        facility,
        ComprehensiveSRStorage,
        ValueType="CONTAINER",
        ConceptNameCodeSequence=code("Findings"),
        CompletionFlag="COMPLETE",
        ContentSequence=children,
    )


def test_a_report_is_a_tree_of_names_and_values(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    hostile = "<img src=x onerror=alert(1)>{{7*7}}\r\nline\u202e 2"
    value = item(NumericValue="12.5", MeasurementUnitsCodeSequence=code("mm", "mm", "UCUM"))
    report = make_report(
        north,
        [
            item(RelationshipType="CONTAINS", ValueType="TEXT", TextValue=hostile,
                 ConceptNameCodeSequence=code("Impression")),
            item(RelationshipType="CONTAINS", ValueType="NUM", MeasuredValueSequence=[value],
                 ConceptNameCodeSequence=code("Diameter")),
            item(RelationshipType="CONTAINS", ValueType="PNAME", PersonName="Doe^Jane",
                 ConceptNameCodeSequence=code("Reader")),
            item(RelationshipType="CONTAINS", ValueType="DATETIME", DateTime="20260304050607",
                 ConceptNameCodeSequence=code("When")),
            item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=refer(image),
                 ConceptNameCodeSequence=code("Picture")),
            item(RelationshipType="CONTAINS", ValueType="IMAGE",
                 ReferencedSOPSequence=[item(ReferencedSOPClassUID="1.2",
                                             ReferencedSOPInstanceUID="2.25.9")]),
        ],
    )  # fmt: skip
    document = read(client_of(rada), report)

    assert (document["kind"], document["title"]) == ("report", "Findings")
    rows = [(one["name"], one["value"]) for one in document["tree"]["children"]]
    assert rows[:4] == [
        ("Impression", "<img src=x onerror=alert(1)>{{7*7}}\nline 2"),
        ("Diameter", "12.5 mm"),
        ("Reader", "Doe, Jane"),
        ("When", "2026-03-04 05:06:07"),
    ]
    (here,) = document["tree"]["children"][4]["images"]
    assert (here["instance"], here["series"]) == (str(image.pk), str(image.series_id))
    (gone,) = document["tree"]["children"][5]["images"]
    assert (gone["instance"], gone["sop_instance_uid"]) == (None, "2.25.9")


def test_a_report_deeper_than_any_is_cut_and_says_so(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    inner = item(RelationshipType="CONTAINS", ValueType="TEXT", TextValue="deep")
    for _ in range(26):
        inner = item(RelationshipType="CONTAINS", ValueType="CONTAINER", ContentSequence=[inner])
    document = read(client_of(rada), make_report(north, [inner]))

    assert len(document["notes"]) == 1
    assert "deep" not in str(document["tree"])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("CT-RDSR-Siemens_Flash-TAP-SS.dcm", "CT Dose Length Product Total"),
        ("RF-RDSR-Siemens-Zee.dcm", "Dose Area Product Total"),
        ("MG-RDSR-Hologic_2D.dcm", "Average Glandular Dose"),
    ],
)
def test_real_dose_reports_tell_their_totals_first(
    north: Facility, rada: User, client_of: Log, name: str, wanted: str
) -> None:
    found = [path for key, path in all_files().items() if key.endswith(name)]
    if not found:
        pytest.skip("the file of NOCTIS_TEST_DATA is not here")
    document = read(client_of(rada), store(found[0].read_bytes(), north))
    reader = pydicom.dcmread(found[0])
    values = [
        float(one.MeasuredValueSequence[0].NumericValue)
        for one in _walk(reader)
        if one.get("ValueType") == "NUM"
        and wanted.lower() in one.ConceptNameCodeSequence[0].CodeMeaning.lower()
        and one.get("MeasuredValueSequence")
    ]
    told = [
        float(fact["value"].split()[0])
        for fact in document["facts"]
        if wanted.lower() in fact["name"].lower()
    ]
    assert told
    assert set(told) <= set(values)


def _walk(dataset: Dataset) -> Any:
    for child in dataset.get("ContentSequence", []):
        yield child
        yield from _walk(child)


# --- key objects and presentation states ------------------------------------------------
def test_a_selection_lists_its_images(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    selection = make_object(
        north,
        KeyObjectSelectionDocumentStorage,
        ValueType="CONTAINER",
        ConceptNameCodeSequence=code("For Teaching", "113004", "DCM"),
        ContentSequence=[
            item(RelationshipType="CONTAINS", ValueType="TEXT", TextValue="rare",
                 ConceptNameCodeSequence=code("Key Object Description", "113012", "DCM")),
            item(RelationshipType="CONTAINS", ValueType="IMAGE",
                 ReferencedSOPSequence=refer(image, ReferencedFrameNumber=[1])),
        ],
    )  # fmt: skip
    document = read(client_of(rada), selection)

    assert document["title"] == "For Teaching"
    assert document["facts"][0]["value"] == "rare"
    (one,) = document["images"]
    assert (one["instance"], one["frames"]) == (str(image.pk), [0])


def test_a_state_tells_what_it_applies_to_which_image(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    line = item(GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2,
                GraphicData=[10.5, 20.5, 30.5, 40.5], GraphicType="POLYLINE", GraphicFilled="N",
                TrackingUID=f"2.25.{uuid.UUID(int=7).int}", TrackingID="a")  # fmt: skip
    words = item(AnchorPointAnnotationUnits="PIXEL", UnformattedTextValue="here\r\nit is",
                 AnchorPoint=[1.5, 2.5], AnchorPointVisibility="Y")  # fmt: skip
    state = make_object(
        north,
        GrayscaleSoftcopyPresentationStateStorage,
        Modality="PR",
        ContentLabel="LUNG",
        ContentCreatorName="Doe^Jane",
        ReferencedSeriesSequence=[item(SeriesInstanceUID=image.series.series_instance_uid,
                                       ReferencedImageSequence=refer(image))],
        SoftcopyVOILUTSequence=[
            item(WindowCenter="-600", WindowWidth="1500"),
            item(WindowCenter="40", WindowWidth="400", VOILUTFunction="SIGMOID"),
        ],
        ImageRotation=90,
        ImageHorizontalFlip="Y",
        PresentationLUTShape="INVERSE",
        DisplayedAreaSelectionSequence=[item(DisplayedAreaTopLeftHandCorner=[1, 1],
                                             DisplayedAreaBottomRightHandCorner=[64, 64],
                                             PresentationSizeMode="SCALE TO FIT")],
        GraphicLayerSequence=[item(GraphicLayer="ONE", GraphicLayerOrder=1,
                                   GraphicLayerRecommendedDisplayCIELabValue=[65535, 32896, 32896])],
        GraphicAnnotationSequence=[item(GraphicLayer="ONE", ReferencedImageSequence=refer(image),
                                        GraphicObjectSequence=[line], TextObjectSequence=[words])],
        MaskSubtractionSequence=[item(MaskOperation="AVG_SUB")],
    )  # fmt: skip
    document = read(client_of(rada), state)
    applies = document["applies"]

    assert document["title"] == "LUNG"
    assert [one["instance"] for one in document["images"]] == [str(image.pk)]
    assert [(one["window"], one["images"]) for one in applies["greys"]] == [
        ([-600, 1500], []),
        ([40, 400], []),
    ]
    assert (applies["rotation_deg"], applies["flipped"], applies["inverted"]) == (90, True, True)
    assert applies["areas"][0]["bottom_right"] == [64, 64]
    # L* 100 without colour is white.
    assert applies["layers"] == [{"name": "ONE", "colour": "#ffffff"}]
    (drawn,) = applies["annotations"]
    # DICOM counts from the corner of the first pixel, this interface from its centre.
    assert drawn["graphics"][0]["points"] == [[10, 20], [30, 40]]
    # Its tracking UID is made of the key of the mark that it was written from.
    assert drawn["graphics"][0]["mark"] == str(uuid.UUID(int=7))
    assert drawn["words"][0] == {
        "text": "here\nit is", "anchor": [1, 2], "anchor_units": "PIXEL", "box": None,
        "box_units": "", "layer": "ONE", "mark": None,
    }  # fmt: skip
    assert [one["function"] for one in applies["greys"]] == ["LINEAR", "SIGMOID"]
    assert document["notes"] == ["Not applied here: subtraction."]


# --- outlines ----------------------------------------------------------------------------
def outlines(client: Client, outlined: Instance, image: Instance) -> list[dict[str, Any]]:
    url = f"/api/v1/instances/{outlined.pk}/outlines/"
    answer = client.get(url, {"instance": str(image.pk)})
    assert answer.status_code == 200, answer.content
    shapes: list[dict[str, Any]] = answer.json()["shapes"]
    return shapes


def segment(north: Facility, image: Instance, **changes: Any) -> Instance:
    """Store a segmentation of 128 x 128: rows 10 to 12 of columns 20 to 24."""
    mask = np.zeros((128, 128), np.uint8)
    mask[10:13, 20:25] = 1
    place = image.image
    frame = item(
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
        PlanePositionSequence=[item(ImagePositionPatient=place["image_position_patient"])],
        DerivationImageSequence=[item(SourceImageSequence=refer(image))],
    )
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=["0.5", "0.25"], SliceThickness="5")],
        PlaneOrientationSequence=[item(ImageOrientationPatient=place["image_orientation_patient"])],
    )
    facts: dict[str, Any] = {
        "Modality": "SEG",
        "SegmentationType": "BINARY",
        "SegmentSequence": [
            item(SegmentNumber=1, SegmentLabel="Liver", SegmentAlgorithmType="MANUAL",
                 SegmentedPropertyTypeCodeSequence=code("Liver"))
        ],
        "Rows": 128, "Columns": 128, "NumberOfFrames": 1, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 1, "BitsStored": 1,
        "HighBit": 0, "PixelRepresentation": 0,
        "FrameOfReferenceUID": image.series.frame_of_reference_uid,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": [frame],
        "PixelData": np.packbits(mask.ravel(), bitorder="little").tobytes(),
    }  # fmt: skip
    made = item(**{**facts, **changes})
    return make_object(north, SegmentationStorage, **{one.keyword: one.value for one in made})


BOX = [[19.5, 9.5], [24.5, 9.5], [24.5, 12.5], [19.5, 12.5]]


def test_a_segmentation_is_outlined_along_the_edges_of_its_pixels(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    made = segment(north, image)
    client = client_of(rada)
    (shape,) = outlines(client, made, image)

    assert (shape["part"], shape["closed"]) == (1, True)
    assert np.reshape(shape["points"], (-1, 2)).tolist() == BOX
    document = read(client, made)
    assert [(one["name"], one["count"]) for one in document["parts"]] == [("Liver", 1)]


@pytest.mark.parametrize("kind", ["FRACTIONAL", "LABELMAP"])
def test_other_kinds_of_segmentation_are_outlined_too(
    image: Instance, north: Facility, rada: User, client_of: Log, kind: str
) -> None:
    pixels = np.zeros((128, 128), np.uint8)
    # A half counts, less does not; a label that no segment has is nothing.
    pixels[10:13, 20:25] = 100 if kind == "FRACTIONAL" else 1
    pixels[40:50, 40:50] = 99 if kind == "FRACTIONAL" else 7
    made = segment(
        north, image, SegmentationType=kind, BitsAllocated=8, BitsStored=8, HighBit=7,
        MaximumFractionalValue=200, PixelData=pixels.tobytes(),
    )  # fmt: skip
    (shape,) = outlines(client_of(rada), made, image)

    assert shape["part"] == 1
    assert np.reshape(shape["points"], (-1, 2)).tolist() == BOX


def test_a_segmentation_on_another_grid_lies_at_the_same_millimetres(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    # Half of the picture's rows and columns, pixels twice as large: their centres lie half a
    # pixel of the picture further in. y grows along a row, z falls along a column.
    x, y, z = image.image["image_position_patient"]
    mask = np.zeros((64, 64), np.uint8)
    mask[5, 10:12] = 1
    frame = item(
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
        PlanePositionSequence=[item(ImagePositionPatient=[x, y + 0.125, z - 0.25])],
    )
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=["1", "0.5"], SliceThickness="5")],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])],
    )
    made = segment(
        north, image, Rows=64, Columns=64, PerFrameFunctionalGroupsSequence=[frame],
        SharedFunctionalGroupsSequence=[shared],
        PixelData=np.packbits(mask.ravel(), bitorder="little").tobytes(),
    )  # fmt: skip
    client = client_of(rada)
    (shape,) = outlines(client, made, image)
    corners = [[19.5, 9.5], [23.5, 9.5], [23.5, 11.5], [19.5, 11.5]]
    assert np.allclose(np.reshape(shape["points"], (-1, 2)), corners, atol=1e-3)

    elsewhere = make_image(north, SOPInstanceUID="1.2.3.4.2", ImagePositionPatient=[x + 3, y, z])
    assert outlines(client, made, elsewhere) == []
    moved = make_image(
        north, SOPInstanceUID="1.2.3.4.3", SeriesInstanceUID="1.2.3.5", FrameOfReferenceUID="1.9.9"
    )
    assert outlines(client, made, moved) == []


def test_structures_lie_on_their_image_in_its_pixels(
    image: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    # Pixels (10, 10), (22, 10), (22, 18): 0.25 mm along y, 0.5 mm against z, from (10, -20, 30).
    corners = [10, -17.5, 25, 10, -14.5, 25, 10, -14.5, 21]
    contour = item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=3,
                   ContourData=[str(value) for value in corners])  # fmt: skip
    off = item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=3,
               ContourData=["14", "0", "0", "14", "1", "0", "14", "1", "1"])  # fmt: skip
    far = item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=3,
               ContourData=["10", "1e308", "0", "10", "0", "1e308", "10", "1e9", "1"])  # fmt: skip
    made = make_object(
        north,
        RTStructureSetStorage,
        Modality="RTSTRUCT",
        StructureSetLabel="Plan 1",
        ReferencedFrameOfReferenceSequence=[
            item(FrameOfReferenceUID=image.series.frame_of_reference_uid)
        ],
        StructureSetROISequence=[item(ROINumber=7, ROIName="Cord")],
        RTROIObservationsSequence=[
            item(ReferencedROINumber=7, ObservationNumber=1, RTROIInterpretedType="ORGAN")
        ],
        ROIContourSequence=[
            item(
                ReferencedROINumber=7,
                ROIDisplayColor=[255, 128, 0],
                ContourSequence=[contour, off, far],
            )
        ],
    )
    client = client_of(rada)
    (shape,) = outlines(client, made, image)

    assert (shape["part"], shape["closed"]) == (7, True)
    assert np.allclose(np.reshape(shape["points"], (-1, 2)), [[10, 10], [22, 10], [22, 18]])
    (part,) = read(client, made)["parts"]
    assert part == {
        "number": 7, "name": "Cord", "words": "ORGAN", "colour": "#ff8000", "count": 3,
    }  # fmt: skip


# --- access ---------------------------------------------------------------------------
def test_foreign_objects_are_missing_even_as_the_image_of_outlines(
    image: Instance, north: Facility, south: Facility, rada: User, client_of: Log
) -> None:
    made = segment(north, image)
    foreign = make_image(south, SOPInstanceUID="1.2.3.4.9")
    url = f"/api/v1/instances/{made.pk}/outlines/"
    client = client_of(rada)
    assert client.get(url, {"instance": str(foreign.pk)}).status_code == 404
    assert client.get(url, {"instance": "x"}).status_code == 400
    assert client.get(url, {"instance": str(image.pk), "frame": "1"}).status_code == 404
