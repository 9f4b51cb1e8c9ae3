"""The viewer in a real browser: the pixels of the file are the pixels on the screen."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect
from pydicom import Dataset, dcmread
from pydicom.uid import UID

from tests.browser.conftest import House

pytestmark = pytest.mark.browser

SLICES = 24
LUNG = (-600.0, 1500.0)


@dataclass
class Phantom:
    """A study of two CT series of the archive, and the files that it was made of."""

    study_uid: str
    slices: Sequence[Dataset]

    def address(self, house: House) -> str:
        """The page that shows it."""
        return f"{house.url}/viewer/?study={self.study_uid}"


@pytest.fixture(scope="module")
def phantom(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    """Two series in one study; the first is a phantom of 24 slices whose voxels tell their place."""
    folder = tmp_path_factory.mktemp("phantom")
    size = ("--rows", 256, "--columns", 256, "--slices", SLICES)
    live_house.manage("create_test_dicom", "--output", folder, *size, "--name", "Viewer^Vera")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    slices = [dcmread(path) for path in files]
    for number, ds in enumerate(slices[:3]):
        ds.SeriesInstanceUID = f"{ds.SeriesInstanceUID}.2"
        ds.SOPInstanceUID = UID(f"{ds.SOPInstanceUID}.2")
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.SeriesNumber, ds.SeriesDescription = 77, "<b>Second</b>"
        ds.save_as(folder / f"second-{number}.dcm")
    live_house.manage("import_dicom", folder, "--facility", "north")
    first = sorted((dcmread(path) for path in files), key=lambda ds: ds.ImagePositionPatient[2])
    return Phantom(first[0].StudyInstanceUID, first)


def report(page: Page) -> dict[str, Any]:
    """Return what the viewer says of itself."""
    return page.evaluate("window.noctis ? window.noctis.report : {}")  # type: ignore[no-any-return]


def wait_until(page: Page, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask the viewer until it is so; the page's policy forbids waiting by strings."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        now = report(page)
        if now and holds(now):
            page.wait_for_timeout(100)
            return now
        time.sleep(0.05)
    raise AssertionError(report(page))


def grey_on_screen(page: Page) -> np.ndarray:
    """Return the middle of the picture as the screen has it, int, shape (256, 256, 3)."""
    box = page.locator(".picture").bounding_box()
    assert box is not None
    clip = {
        "x": box["x"] + box["width"] / 2 - 128,
        "y": box["y"] + box["height"] / 2 - 128,
        "width": 256,
        "height": 256,
    }
    shot = page.screenshot(clip=clip)  # type: ignore[arg-type]
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def grey_by_standard(ds: Dataset, center: float, width: float) -> np.ndarray:
    """Return PS3.3 C.11.2.1.2.1 applied to a slice, by numpy and pydicom alone."""
    hu = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    grey = ((hu - (center - 0.5)) / (width - 1) + 0.5) * 255
    return np.floor(np.clip(grey, 0, 255) + 0.5).astype(int)


def find_slice(phantom: Phantom, now: dict[str, Any]) -> Dataset:
    """Return the file of the image on the screen."""
    return next(ds for ds in phantom.slices if ds.SOPInstanceUID == now["sopInstanceUid"])


@pytest.mark.parametrize("engine", ["canvas", "webgl"])
def test_pixels_on_the_screen_are_those_of_the_file(
    live_house: House, phantom: Phantom, open_page: Callable[..., Page], engine: str
) -> None:
    page = open_page()
    page.goto(phantom.address(live_house))
    page.goto(f"{page.url}?engine={engine}")
    expect(page.locator("#patient-banner")).to_contain_text("Viewer, Vera")
    wait_until(page, lambda now: now["loaded"] == SLICES and now["imageKey"] is not None)
    for _ in range(60):
        if page.evaluate("window.noctis.engine") == engine:
            break
        page.wait_for_timeout(100)
    assert page.evaluate("window.noctis.engine") == engine
    for key in ("n", "o", "1", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    now = wait_until(page, lambda now: now["index"] == 2 and now["scene"] == "picture")
    assert (now["voi"]["center"], now["voi"]["width"]) == LUNG
    page.evaluate("document.querySelector('.overlay').hidden = true")
    page.wait_for_timeout(300)
    expected = grey_by_standard(find_slice(phantom, now), *LUNG)
    seen = grey_on_screen(page)
    assert np.abs(seen - expected[:, :, None]).max() <= 1
    assert len(np.unique(expected)) > 20, "a picture of one grey would prove nothing"


_MARKED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, 1, canvas.height);
  return Array.from({ length: canvas.height }, (_, row) => data[4 * row + 3] > 0);
}"""


def test_scrolls_by_key_wheel_and_slider_and_names_the_slice(
    live_house: House, phantom: Phantom, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    held: list[Route] = []
    frames = re.compile(r"/frames/\?")
    page.route(frames, lambda route: held.append(route))
    page.goto(phantom.address(live_house))
    # The server's small picture stands there until the pixels have come.
    preview = page.locator("img.preview")
    expect(preview).to_be_visible()
    assert preview.evaluate("one => one.decode().then(() => one.naturalWidth)") == 256
    assert report(page)["scene"] == "loading"
    for route in held:
        route.continue_()
    page.unroute(frames)
    wait_until(page, lambda now: now["scene"] == "picture" and now["loaded"] == SLICES)
    expect(preview).to_have_count(0)
    # The slider's marks: every image has come.
    marks = page.locator(".slider-marks")
    wait_until(page, lambda _now: marks.evaluate(_MARKED) == [True] * SLICES)
    corner = page.locator(".corner.top-left")
    page.keyboard.press("End")
    wait_until(page, lambda now: now["index"] == SLICES - 1 and now["scene"] == "picture")
    expect(corner).to_contain_text(f"{SLICES}/{SLICES}")
    page.locator(".picture").hover()
    page.mouse.wheel(0, -100)
    now = wait_until(page, lambda now: now["index"] == SLICES - 2 and now["scene"] == "picture")
    assert find_slice(phantom, now).InstanceNumber
    page.locator(".slider-input").fill("3")
    wait_until(page, lambda now: now["index"] == 2 and now["scene"] == "picture")
    expect(corner).to_contain_text(f"3/{SLICES}")


def test_windows_by_drag_preset_and_number(
    live_house: House, phantom: Phantom, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(phantom.address(live_house))
    before = wait_until(page, lambda now: now["scene"] == "picture")["voi"]
    page.locator(".picture").hover()
    page.mouse.down()
    page.mouse.move(900, 500, steps=4)
    page.mouse.up()
    wait_until(page, lambda now: now["voi"]["width"] != before["width"])
    page.get_by_label("Window presets").select_option(label="Bone")
    wait_until(page, lambda now: now["voi"]["label"] == "Bone")
    page.get_by_label("Window width").fill("321")
    page.keyboard.press("Enter")
    wait_until(page, lambda now: now["voi"]["width"] == 321)
    expect(page.locator(".corner.bottom-left")).to_contain_text("W 321")
    page.keyboard.press("x")
    wait_until(page, lambda now: now["voi"] == before)


def test_letters_turn_with_the_picture(
    live_house: House, phantom: Phantom, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(phantom.address(live_house))
    wait_until(page, lambda now: now["scene"] == "picture")
    expect(page.locator(".edge.left")).to_have_text("R")
    expect(page.locator(".edge.top")).to_have_text("A")
    page.keyboard.press("r")
    expect(page.locator(".edge.top")).to_have_text("R")
    page.keyboard.press("v")
    expect(page.locator(".edge.top")).to_have_text("L")
    page.keyboard.press("x")
    page.keyboard.press("h")
    expect(page.locator(".edge.left")).to_have_text("L")


def test_switches_series_and_shows_hostile_words_as_words(
    live_house: House, phantom: Phantom, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(phantom.address(live_house))
    first = wait_until(page, lambda now: now["scene"] == "picture")
    second = page.locator(".strip-item", has_text="<b>Second</b>")
    second.click()
    now = wait_until(page, lambda now: now["count"] == 3 and now["scene"] == "picture")
    assert now["seriesId"] != first["seriesId"]
    expect(second).to_have_attribute("aria-current", "true")
    expect(page.locator(".corner.top-left")).to_contain_text("<b>Second</b>")
    assert page.locator("b").count() == 0


def test_a_missing_file_shows_words_and_never_the_picture_before(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    live_house.manage(
        "create_test_dicom", "--output", tmp_path, "--slices", 3, "--rows", 64, "--columns", 64,
        "--seed", 9, "--name", "Lost^Lena", "--patient-id", "LOST",
    )  # fmt: skip
    study_uid = dcmread(next(path for path in tmp_path.rglob("*.dcm"))).StudyInstanceUID
    kept = set((live_house.home / "media").rglob("*.dcm"))
    live_house.manage("import_dicom", tmp_path, "--facility", "north")
    stored = {dcmread(p, stop_before_pixels=True).InstanceNumber: p
              for p in set((live_house.home / "media").rglob("*.dcm")) - kept}  # fmt: skip
    stored[2].unlink()
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={study_uid}")
    wait_until(page, lambda now: now["scene"] == "picture")
    page.keyboard.press("ArrowDown")
    wait_until(page, lambda now: now["scene"] == "words")
    expect(page.locator(".words:visible")).to_contain_text("This image's file is missing.")
    expect(page.locator(".words:visible").get_by_role("button", name="Try again")).to_be_visible()
    assert report(page)["imageKey"] is None
    box = page.locator(".picture").bounding_box()
    assert box is not None
    # By a style, for news may draw the page again at any moment.
    page.evaluate("""() => {
        const style = new CSSStyleSheet();
        style.replaceSync('.words, .overlay { display: none !important; }');
        document.adoptedStyleSheets = [style];
    }""")
    black = Image.open(io.BytesIO(page.screenshot(clip=box)))
    assert np.asarray(black.convert("L")).max() <= 1, "something of another picture is left"
    page.keyboard.press("ArrowDown")
    wait_until(page, lambda now: now["scene"] == "picture")


def test_a_broken_connection_shows_words_and_can_be_tried_again(
    live_house: House, phantom: Phantom, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    frames = re.compile(r"/frames/\?")
    page.route(frames, lambda route: route.abort())
    page.goto(phantom.address(live_house))
    wait_until(page, lambda now: now["scene"] == "words")
    expect(page.locator(".words:visible")).to_contain_text("This image could not be loaded.")
    page.unroute(frames)
    page.get_by_role("button", name="Try again").click()
    wait_until(page, lambda now: now["scene"] == "picture")


def test_all_keys_are_shown_on_question_mark(
    live_house: House, phantom: Phantom, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(phantom.address(live_house))
    wait_until(page, lambda now: now["scene"] == "picture")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys and mouse")).to_be_visible()
    rows = page.locator(".help section + section dd")
    keys = rows.evaluate_all("rows => rows.map((row) => row.innerText)")
    assert len(keys) > 50
    assert sorted(keys) == sorted(set(keys)), "two commands have one key"
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Keys and mouse")).to_be_hidden()


def test_images_that_arrive_join_the_open_study_around_the_reader(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    size = ("--rows", 64, "--columns", 64, "--slices", 8, "--seed", 41)
    live_house.manage("create_test_dicom", "--output", tmp_path, *size, "--name", "Late^Lars")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    slices = sorted((dcmread(path) for path in files), key=lambda ds: ds.ImagePositionPatient[2])
    by_uid = {dcmread(path).SOPInstanceUID: path for path in files}
    paths = [by_uid[ds.SOPInstanceUID] for ds in slices]
    live_house.manage("import_dicom", *paths[2:6], "--facility", "north")
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={slices[0].StudyInstanceUID}")
    page.keyboard.press("ArrowDown")
    before = wait_until(
        page, lambda now: now["count"] == 4 and now["index"] == 1 and now["loaded"] == 4
    )
    live_house.manage("import_dicom", *paths[:2], *paths[6:], "--facility", "north")
    now = wait_until(page, lambda now: now["count"] == 8 and now["index"] == 3)
    assert now["sopInstanceUid"] == before["sopInstanceUid"]
    expect(page.locator(".strip-count")).to_have_text("8 images")
