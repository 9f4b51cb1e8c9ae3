"""Findings in a real browser: what the mouse draws measures what the formula says, and is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom import Dataset, dcmread
from pydicom.uid import UID

from tests.browser.conftest import House

pytestmark = pytest.mark.browser

# Rows lie 0.8 mm apart, columns 0.5 mm.
ROW_MM, COLUMN_MM = 0.8, 0.5
SIDE = 256
Point = tuple[float, float]


@dataclass
class Phantom:
    """A study of two series: noise with millimetres, and the same without."""

    study_uid: str
    hu: np.ndarray

    def address(self, house: House) -> str:
        """The page that shows it."""
        return f"{house.url}/viewer/?study={self.study_uid}"


@pytest.fixture(scope="module")
def phantom(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    """Two slices of noise whose HU are 2 x stored - 1000; a second series names no spacing."""
    folder = tmp_path_factory.mktemp("measured")
    live_house.manage(
        "create_test_dicom", "--output", folder, "--rows", SIDE, "--columns", SIDE, "--slices", 2,
        "--spacing", ROW_MM, COLUMN_MM, "--seed", 77, "--name", "Measure^Mia",
    )  # fmt: skip
    stored = np.random.default_rng(7).integers(0, 1200, (SIDE, SIDE)).astype("<i2")
    for path in sorted(folder.rglob("*.dcm")):
        ds = dcmread(path)
        ds.PixelData = stored.tobytes()
        ds.RescaleSlope, ds.RescaleIntercept = 2, -1000
        ds.save_as(path)
    _save_without_spacing(ds, folder / "uncalibrated.dcm")
    live_house.manage("import_dicom", folder, "--facility", "north")
    return Phantom(ds.StudyInstanceUID, 2.0 * stored - 1000)


def _save_without_spacing(ds: Dataset, path: Path) -> None:
    del ds.PixelSpacing
    ds.SeriesInstanceUID = f"{ds.SeriesInstanceUID}.2"
    ds.SOPInstanceUID = UID(f"{ds.SOPInstanceUID}.2")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.SeriesNumber, ds.SeriesDescription = 9, "Uncalibrated"
    ds.save_as(path)


class Reader:
    """Somebody before the viewer, who draws at points of the image."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, address: str) -> None:
        """Open a study and wait for its picture."""
        self.page.goto(address)
        self.wait(lambda: self.page.evaluate("window.noctis?.report.scene ?? ''") == "picture")

    def wait(self, holds: Callable[[], bool]) -> None:
        """Ask until it is so; the page's policy forbids waiting by strings."""
        end = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < end, self.findings()
            time.sleep(0.05)

    def findings(self) -> list[dict[str, Any]]:
        """Return what the page has drawn."""
        return self.page.evaluate("window.noctis.findings")  # type: ignore[no-any-return]

    def texts(self) -> Locator:
        """Return the texts at the marks."""
        return self.page.locator(".mark-text")

    def wait_until_saved(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many findings, all on the server; return them."""
        is_saved = lambda: [one["state"] for one in self.findings()] == ["saved"] * count  # noqa: E731
        self.wait(is_saved)
        return self.findings()

    def view(self) -> dict[str, Any]:
        """Return how the picture on the screen lies."""
        return self.page.evaluate("window.noctis.view")  # type: ignore[no-any-return]

    def screen(self, point: Point, aspect: float = ROW_MM / COLUMN_MM) -> Point:
        """Return where an image point lies on the screen: scaled, mirrored, turned clockwise."""
        view = self.view()
        box = self.page.locator(".picture").bounding_box()
        assert box is not None
        x = (point[0] - view["center"]["x"]) * view["scale"] * (-1 if view["mirrored"] else 1)
        y = (point[1] - view["center"]["y"]) * view["scale"] * aspect
        turn = math.radians(view["rotationDeg"])
        return (
            box["x"] + box["width"] / 2 + x * math.cos(turn) - y * math.sin(turn),
            box["y"] + box["height"] / 2 + x * math.sin(turn) + y * math.cos(turn),
        )

    def drag(self, *points: Point) -> None:
        """Press at the first image point, go through the others, let go at the last."""
        places = [self.screen(point) for point in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=3)
        self.page.mouse.up()

    def click(self, *points: Point) -> None:
        """Press and let go at each image point."""
        for point in points:
            self.page.mouse.move(*self.screen(point))
            self.page.mouse.down()
            self.page.mouse.up()

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def rada(open_page: Callable[..., Page]) -> Reader:
    return Reader(open_page())


def numbers(found: Sequence[dict[str, Any]], kind: str) -> list[float]:
    """Return the values of one kind, in the order of drawing."""
    return [one["result"]["value"] for one in found if one["kind"] == kind]


def test_what_is_drawn_is_true_zoomed_turned_mirrored_and_after_a_reload(
    live_house: House, phantom: Phantom, rada: Reader
) -> None:
    rada.open(phantom.address(live_house))
    rada.press("m")
    rada.drag((20, 20), (220, 20))  # 200 columns of 0.5 mm
    rada.press("r", "h", "m")
    rada.wait(lambda: bool(rada.view()["mirrored"]))
    scale = rada.view()["scale"]
    rada.press("+")
    rada.wait(lambda: rada.view()["scale"] == pytest.approx(1.25 * scale))
    rada.drag((60, 90), (180, 190))  # 60 mm across, 80 mm down
    rada.press("A")
    # Arms along a row and 30 degrees below it on the plane.
    rada.click((180, 70), (100, 70), (100 + 60 / COLUMN_MM * math.cos(math.pi / 6) / 2,
                                      70 + 60 / ROW_MM * math.sin(math.pi / 6) / 2))  # fmt: skip
    rada.press("R")
    rada.drag((130.5, 100.5), (150.5, 130.5))
    rada.press("Q")
    rada.drag((70, 130), (110, 170))
    found = rada.wait_until_saved(5)
    assert numbers(found, "length") == pytest.approx([100.0, 100.0], abs=0.1)
    assert numbers(found, "angle") == pytest.approx([30.0], abs=0.1)
    in_box = phantom.hu[101:131, 131:151]
    row, column = np.mgrid[:SIDE, :SIDE]
    (left, top), (right, bottom) = found[4]["points"]
    assert (left, top, right, bottom) == pytest.approx((70, 130, 110, 170), abs=0.1)
    across = (column - (left + right) / 2) / ((right - left) / 2)
    down = (row - (top + bottom) / 2) / ((bottom - top) / 2)
    in_ellipse = phantom.hu[across**2 + down**2 <= 1]
    means = [one["result"]["statistics"]["mean"] for one in found[3:]]
    assert means == pytest.approx([in_box.mean(), in_ellipse.mean()], abs=0.01)
    rada.open(phantom.address(live_house))
    again = rada.wait_until_saved(5)
    assert [one["result"] for one in again] == [one["result"] for one in found]
    expect(rada.texts()).to_have_count(5)
    expect(rada.texts().first).to_have_text("100.0 ± 0.2 mm")
    expect(rada.texts().nth(3)).to_contain_text(
        f"Mean {in_box.mean():.2f}".rstrip("0").replace("-", "−")
    )


def test_an_uncalibrated_image_says_px_until_a_reader_calibrates_it(
    live_house: House, phantom: Phantom, rada: Reader
) -> None:
    rada.open(phantom.address(live_house))
    rada.page.locator(".strip-item", has_text="Uncalibrated").click()
    expect(rada.page.locator(".corner.top-right")).to_contain_text("Uncalibrated")
    rada.wait(lambda: rada.page.evaluate("window.noctis.report.scene") == "picture")
    square = [rada.screen(point, 1.0) for point in ((50, 50), (150, 50), (50, 90), (130, 90))]
    rada.press("m")
    for start, end in (square[:2], square[2:]):
        rada.page.mouse.move(*start)
        rada.page.mouse.down()
        rada.page.mouse.move(*end, steps=2)
        rada.page.mouse.up()
        rada.press("U")
    expect(rada.texts()).to_have_text("100.0 ± 0.4 px")
    rada.page.get_by_label("True length in mm").fill("40")
    rada.press("Enter")
    expect(rada.texts().first).to_contain_text("50.0 ± 0.2 mm")
    expect(rada.texts().first).to_contain_text("calibrated by user")
    rada.wait(lambda: all(one["state"] == "saved" for one in rada.findings()))
    rada.page.reload()
    rada.page.locator(".strip-item", has_text="Uncalibrated").click()
    expect(rada.texts().first).to_contain_text("calibrated by user")
    # The picture's own scale follows the line: a pixel is 0.5 mm, until the line is gone.
    expect(rada.page.locator(".corner.top-right")).to_contain_text("mm calibrated by rada")
    bar = rada.page.locator(".scale")
    expect(bar).to_be_visible()
    words = bar.inner_text().split()
    shown_mm = float(words[0]) * (10 if words[1] == "cm" else 1)
    width = rada.page.locator(".scale-line").evaluate("one => one.offsetWidth")
    assert width == pytest.approx(shown_mm / 0.5 * rada.view()["scale"], abs=1)
    rada.press("d")
    rada.page.mouse.click(*rada.screen((70, 90), 1.0))
    rada.press("Delete")
    expect(rada.page.locator(".corner.top-right")).to_contain_text("Uncalibrated")
    expect(bar).to_be_hidden()


def test_findings_are_shaped_undone_copied_and_found_again(
    live_house: House, phantom: Phantom, rada: Reader
) -> None:
    rada.open(phantom.address(live_house))
    rada.press("End")
    rada.wait(lambda: rada.page.evaluate("window.noctis.report.index") == 1)
    known = len(rada.findings())
    rada.press("m")
    rada.drag((40, 40), (120, 40))
    rada.press("d")
    rada.drag((120, 40), (140, 40))
    # Shift keeps the line on the screen's horizontal.
    rada.page.keyboard.down("Shift")
    rada.drag((140, 40), (160, 60))
    rada.page.keyboard.up("Shift")
    length = lambda: numbers(rada.wait_until_saved(len(rada.findings())), "length")[-1]  # noqa: E731
    assert length() == pytest.approx(60, abs=0.1)
    rada.press("Control+z")
    assert length() == pytest.approx(50, abs=0.1)
    rada.press("Control+Shift+z", "ArrowRight")
    points = rada.findings()[-1]["points"]
    assert np.ravel(points) == pytest.approx([41, 40, 161, 40], abs=0.1)
    rada.press("Control+c", "PageUp")
    rada.wait(lambda: rada.page.evaluate("window.noctis.report.index") == 0)
    rada.press("Control+v", "Delete", "Control+z")
    rada.wait_until_saved(known + 2)
    rada.press("F9", "End")
    row = rada.page.locator(".finding-jump").last
    expect(row).to_contain_text("60.0 ± 0.2 mm")
    row.click()
    rada.wait(lambda: rada.page.evaluate("window.noctis.report.index") == 0)
    expect(rada.page.locator(".mark.is-selected")).to_have_count(1)
    # Its line is as the reader wants it, on the screen and on the server.
    rada.page.locator(".finding-fields select").select_option("dashed")
    rada.page.get_by_label("Line, px").fill("3")
    rada.page.keyboard.press("Tab")
    rada.wait_until_saved(known + 2)
    query = f"/api/v1/measurements/?study_instance_uid={phantom.study_uid}"
    kept = rada.page.request.get(f"{live_house.url}{query}").json()["results"]
    assert {"line": "dashed", "line_width": 3} in [one["style"] for one in kept]
    line = rada.page.locator(".mark.is-selected .mark-line")
    expect(line).to_have_css("stroke-dasharray", "18px, 12px")


def test_two_readers_see_each_other_and_choose_when_both_change_one(
    live_house: House, phantom: Phantom, open_page: Callable[..., Page], rada: Reader
) -> None:
    tess = Reader(open_page("tess"))
    for reader in (rada, tess):
        reader.open(phantom.address(live_house))
    known = len(rada.findings())
    tess.press("W")
    tess.drag((200, 200), (230, 230))
    rada.wait_until_saved(known + 1)
    # What cannot be sent waits in the page, which says so.
    rada.page.route("**/annotations/**", lambda route: route.abort())
    rada.press("d")
    rada.click((215, 215))
    rada.press("Enter")
    rada.page.get_by_label("Arrow").fill("mine")
    rada.press("Enter")
    expect(rada.page.locator(".saving")).to_have_text("1 not saved")
    tess.press("Enter")
    tess.page.get_by_label("Arrow").fill("theirs")
    tess.press("Enter")
    tess.wait_until_saved(known + 1)
    rada.page.unroute("**/annotations/**")
    rada.press("F9")
    trouble = rada.page.locator(".finding-trouble")
    expect(trouble).to_contain_text("tess has changed this meanwhile.", timeout=15_000)
    expect(trouble).to_contain_text("theirs")
    trouble.get_by_role("button", name="Keep mine").click()
    rada.wait_until_saved(known + 1)
    expect(tess.texts().filter(has_text="mine")).to_have_count(1)
