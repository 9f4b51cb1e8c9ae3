"""A volume seen as a body in a real browser, as the server draws it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.browser.test_panes import open_study
from tests.unit.imaging.build import image, written

pytestmark = pytest.mark.browser

ROOT = "1.2.826.0.1.3680043.8.498.781"
SIDE = 20
# Where the bright part of the picture is: -1 left or up, 1 right or down; nothing when it is black.
BRIGHT = """canvas => {
  const {width, height} = canvas;
  const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
  let [x, y, count] = [0, 0, 0];
  for (let n = 0; n < data.length; n += 4) {
    if (data[n] > 150) { x += (n / 4) % width; y += Math.floor(n / 4 / width); count += 1; }
  }
  return count === 0 ? [] : [Math.sign(x / count - width / 2), Math.sign(y / count - height / 2)];
}"""


@pytest.fixture(scope="module")
def study_uid(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CT with one dense block: on the patient's left, in front, towards the head; two slices more."""
    folder: Path = tmp_path_factory.mktemp("body")
    values = np.zeros((SIDE, SIDE, SIDE), np.int16)
    values[13:17, 3:7, 13:17] = 2200
    for series, count in ((1, SIDE), (2, 2)):
        for number in range(count):
            made = image(
                values[number], SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT",
                PatientName="Body^Bo", PatientID="BODY-1", SeriesNumber=series,
                StudyInstanceUID=f"{ROOT}.1", SeriesInstanceUID=f"{ROOT}.1.{series}",
                SOPInstanceUID=f"{ROOT}.1.{series}.{number + 1}", InstanceNumber=number + 1,
                FrameOfReferenceUID=f"{ROOT}.1.9", ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                ImagePositionPatient=[0, 0, 2 * number], PixelSpacing=[2, 2], SliceThickness=2,
                RescaleSlope=1, RescaleIntercept=-1000, RescaleType="HU",
            )  # fmt: skip
            (folder / f"{series}-{number}.dcm").write_bytes(written(made))
    live_house.manage("import_dicom", folder, "--facility", "north")
    return f"{ROOT}.1"


def shows(page: Page, *place: int) -> None:
    """Wait until the bright part of the picture is there."""
    canvas = page.locator(".body-picture")
    end = time.monotonic() + 20
    while canvas.evaluate(BRIGHT) != list(place):
        assert time.monotonic() < end, canvas.evaluate(BRIGHT)
        page.wait_for_timeout(50)


def test_a_body_is_turned_cut_and_lettered_and_no_volume_says_why(
    live_house: House, study_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, study_uid)
    page.keyboard.press("!")
    preset = page.get_by_label("Preset", exact=True)
    expect(preset.locator("option[value=mip]")).to_have_count(1)
    preset.select_option("mip")
    # From in front: the patient's left is on the right, the head is up.
    shows(page, 1, -1)
    expect(page.locator(".body-right")).to_have_text("L")
    expect(page.locator(".body-top")).to_have_text("H")
    field = page.locator(".body-field")
    field.press("3")
    shows(page, -1, -1)
    expect(page.locator(".body-left")).to_have_text("A")
    page.get_by_role("button", name="From behind").click()
    shows(page, -1, -1)
    expect(page.locator(".body-left")).to_have_text("L")
    # The hand pulls the front upwards, halfway round the ball: from the feet.
    field.press("x")
    shows(page, 1, -1)
    box = field.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - min(box["width"], box["height"]) / 2 * np.sin(np.pi / 4))
    page.mouse.up()
    expect(page.locator(".body-top")).to_have_text("A")
    shows(page, 1, -1)
    expect(page.locator("canvas.body-picture")).to_have_attribute("data-quality", "fine")
    # What is cut away from the left is gone.
    page.get_by_role("button", name="Colours and cutting").click()
    page.get_by_role("slider", name="From the left").fill("20")
    shows(page)
    expect(field).to_contain_text("Cut open")

    page.keyboard.press("Escape")
    page.locator("[data-series] >> nth=1").click()
    expect(page.get_by_role("img", name="Image 1 of 2")).to_be_visible()
    page.locator(".picture").press("!")
    expect(page.locator(".body-words")).to_contain_text("There are fewer than three slices.")
