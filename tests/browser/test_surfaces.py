"""Tissue and surfaces in a real browser: a range over the picture, its volume, its triangles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.browser.test_panes import open_study
from tests.unit.imaging.build import image, written

pytestmark = pytest.mark.browser

ROOT = "1.2.826.0.1.3680043.8.498.780"
JOB_MS = 60_000


@pytest.fixture(scope="module")
def study_uid(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A block of 10 x 8 x 6 voxels of bone, each 1 x 1 x 2 mm, in air, and a splinter of 10."""
    values = np.full((12, 24, 32), -1000, np.int16)
    values[3:9, 8:16, 6:16] = 800
    values[5, 10, 20:30] = 700
    folder = tmp_path_factory.mktemp("block")
    for number, plane in enumerate(values):
        made = image(
            plane + np.int16(1024), SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT",
            PatientName="Block^Bo", PatientID="BLOCK-1", StudyInstanceUID=f"{ROOT}.1",
            SeriesInstanceUID=f"{ROOT}.1.1", SOPInstanceUID=f"{ROOT}.1.1.{number + 1}",
            FrameOfReferenceUID=f"{ROOT}.1.9", InstanceNumber=number + 1, SeriesNumber=1,
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, 2 * number],
            PixelSpacing=[1, 1], SliceThickness=2, RescaleSlope=1, RescaleIntercept=-1024,
            RescaleType="HU", WindowCenter=300, WindowWidth=1500,
        )  # fmt: skip
        (folder / f"{number}.dcm").write_bytes(written(made))
    live_house.manage("import_dicom", folder, "--facility", "north")
    return f"{ROOT}.1"


def test_a_range_is_seen_measured_and_becomes_a_surface_that_turns(
    live_house: House, study_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, study_uid)
    page.get_by_role("button", name="Tissue").click()
    panel = page.get_by_role("complementary", name="Tissue")
    expect(page.locator(".tissue-preview")).to_be_attached()

    panel.get_by_label("What counts").select_option(label="The largest connected part")
    panel.get_by_role("button", name="Measure volume").click()
    # By hand: 480 voxels of 2 mm³.
    expect(panel.locator("dd").first).to_have_text("0.96 ml", timeout=JOB_MS)

    panel.get_by_role("button", name="Surface…").click()
    picture = page.get_by_role("img", name="Surface, 226")
    # A vertex for each of the block's 376 outer voxel faces; by Euler 2 V - 4 triangles.
    canvas = picture.locator("canvas")
    expect(canvas).to_have_attribute("data-triangles", "748", timeout=JOB_MS)
    left = picture.locator(".body-left")
    expect(left).to_have_text("R")
    picture.focus()
    page.keyboard.press("3")
    expect(left).to_have_text("A")
