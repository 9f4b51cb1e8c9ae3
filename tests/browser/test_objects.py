"""Objects that are no pictures, in front of a real browser: read, laid over a picture, applied."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from pydicom import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RTStructureSetStorage,
)

from tests.browser.conftest import House
from tests.browser.test_viewer import wait_until
from tests.unit.imaging.build import dataset, image, written
from tests.unit.viewer.test_objects import code, item

pytestmark = pytest.mark.browser

STUDY = "1.2.826.0.1.3680043.8.498.70"
HOSTILE = "<img src=x onerror=alert(1)>"
SIZE = 256


def make_object(number: int, sop_class_uid: str, modality: str, **content: Any) -> Dataset:
    return dataset(
        SOPClassUID=sop_class_uid, SOPInstanceUID=f"{STUDY}.{number}.1", StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{STUDY}.{number}", SeriesNumber=number, Modality=modality,
        PatientName="Objects^Olga", PatientID="O70", **content,
    )  # fmt: skip


def make_study() -> list[Dataset]:
    """Return a CT image, structures on it, a state for it, a report about it, and who chose it."""
    picture = image(
        np.full((SIZE, SIZE), 1000, np.uint16), SOPClassUID=CTImageStorage,
        SOPInstanceUID=f"{STUDY}.1.1", StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.1",
        SeriesNumber=1, Modality="CT", PatientName="Objects^Olga", PatientID="O70",
        WindowCenter=1000, WindowWidth=2000, PixelSpacing=[0.5, 0.5], SliceThickness=1,
        ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        FrameOfReferenceUID=f"{STUDY}.9",
    )  # fmt: skip
    reference = [item(ReferencedSOPClassUID=CTImageStorage,
                      ReferencedSOPInstanceUID=f"{STUDY}.1.1")]  # fmt: skip
    # Pixels (100, 60), (140, 60), (140, 90), (100, 90): half a millimetre each.
    corners = [50, 30, 0, 70, 30, 0, 70, 45, 0, 50, 45, 0]
    contour = item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=4,
                   ContourData=[str(value) for value in corners])  # fmt: skip
    structures = make_object(
        2, RTStructureSetStorage, "RTSTRUCT", StructureSetLabel="Plan",
        StructureSetROISequence=[item(ROINumber=1, ROIName="Cord",
                                      ReferencedFrameOfReferenceUID=f"{STUDY}.9")],
        ROIContourSequence=[item(ReferencedROINumber=1, ROIDisplayColor=[255, 0, 0],
                                 ContourSequence=[contour])],
    )  # fmt: skip
    state = make_object(
        3, GrayscaleSoftcopyPresentationStateStorage, "PR", ContentLabel="SOFT",
        ReferencedSeriesSequence=[item(SeriesInstanceUID=f"{STUDY}.1",
                                       ReferencedImageSequence=reference)],
        SoftcopyVOILUTSequence=[item(WindowCenter="700", WindowWidth="300")],
        ImageRotation=90, ImageHorizontalFlip="N", PresentationLUTShape="IDENTITY",
    )  # fmt: skip
    text = item(RelationshipType="CONTAINS", ValueType="TEXT", TextValue=HOSTILE,
                ConceptNameCodeSequence=code("Impression"))  # fmt: skip
    named = item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=reference,
                 ConceptNameCodeSequence=code("Seen on"))  # fmt: skip
    place = item(RelationshipType="INFERRED FROM", ValueType="SCOORD", GraphicType="POLYLINE",
                 GraphicData=[10.5, 20.5, 50.5, 20.5],
                 ContentSequence=[item(RelationshipType="SELECTED FROM", ValueType="IMAGE",
                                       ReferencedSOPSequence=reference)])  # fmt: skip
    number = item(RelationshipType="CONTAINS", ValueType="NUM", ContentSequence=[place],
                  ConceptNameCodeSequence=code("Length", "410668003", "SCT"),
                  MeasuredValueSequence=[item(NumericValue="20", MeasurementUnitsCodeSequence=code(
                      "mm", "mm", "UCUM"))])  # fmt: skip
    report = make_object(
        4, BasicTextSRStorage, "SR", ValueType="CONTAINER", CompletionFlag="COMPLETE",
        ConceptNameCodeSequence=code("Findings"), ContentSequence=[text, named, number],
    )  # fmt: skip
    chosen = item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=reference)
    selection = make_object(
        5, KeyObjectSelectionDocumentStorage, "KO", ValueType="CONTAINER", ContentSequence=[chosen],
        ConceptNameCodeSequence=code("For Teaching", "113004", "DCM"),
    )  # fmt: skip
    return [picture, structures, state, report, selection]


def test_objects_are_read_laid_over_and_applied(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    for number, made in enumerate(make_study()):
        (tmp_path / f"{number}.dcm").write_bytes(written(made))
    live_house.manage("import_dicom", tmp_path, "--facility", "north")
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={STUDY}")
    wait_until(page, lambda now: now["scene"] == "picture")

    # Outlines: where the contour lies on the screen is what the view says of its pixels.
    page.keyboard.press("Shift+O")
    page.get_by_label("Outlines on the pictures").check()
    outline = page.locator(".object-outlines path")
    expect(outline).to_have_count(1)
    assert outline.get_attribute("stroke") == "#ff0000"
    view = page.evaluate("window.noctis.view")
    box = page.evaluate("document.querySelector('.picture').getBoundingClientRect().toJSON()")
    on_screen = outline.evaluate("one => one.getBoundingClientRect().toJSON()")
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    left = middle[0] + (100 - view["center"]["x"]) * view["scale"]
    top = middle[1] + (60 - view["center"]["y"]) * view["scale"]
    assert abs(on_screen["x"] - left) <= 2
    assert abs(on_screen["y"] - top) <= 2
    assert abs(on_screen["width"] - 40 * view["scale"]) <= 4
    page.get_by_label("Cord").uncheck()
    expect(outline).to_have_count(0)

    # A measurement of a report, from column 10 to 50 of row 20.
    page.get_by_label("Measurements on the pictures: 1").check()
    expect(outline).to_have_attribute("d", "M10 20L50 20")
    expect(page.locator(".object-words text")).to_have_text("20 mm")
    page.get_by_label("Measurements on the pictures: 1").uncheck()
    expect(outline).to_have_count(0)

    # A presentation state: its window and rotation, said on the picture; then as before.
    page.get_by_role("button", name="Apply").click()
    applied = wait_until(page, lambda now: now["voi"] and now["voi"]["center"] == 700)
    assert applied["voi"]["width"] == 300
    assert page.evaluate("window.noctis.view.rotationDeg") == 90
    expect(page.get_by_text("Presentation state: SOFT")).to_be_visible()
    page.get_by_role("button", name="Take off").click()
    wait_until(page, lambda now: now["voi"]["center"] == 1000)
    assert page.evaluate("window.noctis.view.rotationDeg") == 0
    expect(page.get_by_text("Presentation state: SOFT")).to_have_count(0)

    # A selection of key objects: its images are key images on this page, and lead there.
    told = page.get_by_text("Key image", exact=True)
    expect(told).to_have_count(0)
    page.get_by_role("button", name="Show as key images").click()
    expect(told).to_be_visible()
    row = page.locator(".key-images-body li")
    expect(row).to_contain_text("For Teaching")
    expect(row.get_by_role("button")).to_have_text(re.compile("Series 1, image"))
    page.keyboard.press("Shift+O")
    page.get_by_role("button", name="Show as key images").click()
    expect(told).to_have_count(0)

    # A report is read as text, whatever it holds; what it names is opened.
    page.locator(".objects-list li", has_text="Findings").or_(
        page.locator(".objects-list li", has_text="Structured report")
    ).get_by_role("button", name="Read").click()
    document = page.locator(".object-document")
    expect(document.get_by_role("heading", name="Findings")).to_be_visible()
    expect(document).to_contain_text(HOSTILE)
    document.get_by_role("button", name="Series 1, image").first.click()
    wait_until(page, lambda now: now["sopInstanceUid"] == f"{STUDY}.1.1")
    expect(document).to_be_hidden()
