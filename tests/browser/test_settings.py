"""What a reader sets for themselves, and looks at closely: keys, corners, screen, lens, tags."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from pydicom import dcmread

from tests.browser.conftest import House

pytestmark = pytest.mark.browser

COLUMN_MM = 0.5
SIDE = 128


@pytest.fixture(scope="module")
def address(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three slices, black on the left and white on the right."""
    folder = tmp_path_factory.mktemp("settings")
    live_house.manage(
        "create_test_dicom", "--output", folder, "--rows", SIDE, "--columns", SIDE, "--slices", 3,
        "--spacing", COLUMN_MM, COLUMN_MM, "--name", "Setting^Sam",
    )  # fmt: skip
    stored = np.zeros((SIDE, SIDE), "<i2")
    stored[:, SIDE // 2 :] = 2000
    for path in sorted(folder.rglob("*.dcm")):
        ds = dcmread(path)
        ds.PixelData = stored.tobytes()
        ds.save_as(path)
    live_house.manage("import_dicom", folder, "--facility", "north")
    return f"{live_house.url}/viewer/?study={ds.StudyInstanceUID}"


def wait_for(page: Page, script: str, wanted: Any) -> None:
    """Ask until it is so; the page's policy forbids waiting by strings."""
    end = time.monotonic() + 10
    while (found := page.evaluate(script)) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.05)


def open_study(page: Page, address: str) -> None:
    page.goto(address)
    wait_for(page, "window.noctis?.report.scene ?? ''", "picture")


_SLOWEST_S = """() => Math.max(...[...document.querySelectorAll("*")].flatMap((one) => {
  const { transitionDuration, animationDuration } = getComputedStyle(one);
  return `${transitionDuration}, ${animationDuration}`.split(", ").map(parseFloat);
}))"""


def test_keys_and_corners_are_the_readers_own_on_every_screen(
    address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, address)
    corner = page.locator(".corner.top-right")
    expect(corner).not_to_contain_text("Setting")
    page.keyboard.press("y")
    page.select_option("#settings-corner-patient_name", "top_right")
    expect(corner).to_contain_text("Setting, Sam")
    key = page.locator("#settings-key-invert")
    key.click()
    page.keyboard.press("F8")
    expect(key).to_have_text("F8")
    expect(page.get_by_text("Settings follow your account")).to_be_visible()

    other = open_page()
    open_study(other, address)
    expect(other.locator(".corner.top-right")).to_contain_text("Setting, Sam")
    invert = other.get_by_role("button", name="Invert")
    other.keyboard.press("i")
    expect(invert).to_have_attribute("aria-pressed", "false")
    other.keyboard.press("F8")
    expect(invert).to_have_attribute("aria-pressed", "true")
    expect(other.locator(".corner.bottom-left")).to_contain_text("Inverted")

    # The right button does what the reader wants, the wheel too; nothing moves for whom motion hurts.
    other.keyboard.press("y")
    other.select_option("#settings-right", "window")
    other.select_option("#settings-wheel", "zoom")
    before = other.evaluate("window.noctis.report.voi.width")
    scale = other.evaluate("window.noctis.view.scale")
    box = other.locator(".picture").bounding_box()
    assert box is not None
    other.mouse.move(box["x"] + 50, box["y"] + 50)
    other.mouse.down(button="right")
    other.mouse.move(box["x"] + 150, box["y"] + 90, steps=3)
    other.mouse.up(button="right")
    wait_for(other, f"window.noctis.report.voi.width !== {before}", True)
    other.mouse.wheel(0, -100)
    wait_for(other, f"window.noctis.view.scale > {scale}", True)
    assert other.evaluate("window.noctis.report.index") == 0
    other.emulate_media(reduced_motion="reduce")
    assert other.evaluate(_SLOWEST_S) <= 0.001
    other.keyboard.press("y")

    # The first page has an older version only of what it did not change itself.
    other.keyboard.press("y")
    other.locator("#settings-reset").click()
    expect(other.locator(".corner.top-right")).not_to_contain_text("Setting")
    expect(other.get_by_text("Settings follow your account")).to_be_visible()


def test_a_measured_screen_shows_millimetres_as_they_are(
    address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page("tess")
    open_study(page, address)
    page.keyboard.press("F4")
    expect(page.get_by_text("Measure this screen first")).to_be_visible()
    page.locator("#settings-screen").fill("204")
    expect(page.get_by_text("This screen has been measured.")).to_be_visible()
    page.locator(".picture").focus()
    page.keyboard.press("F4")
    # 204 px are the 53.98 mm of a card; a column is half a millimetre.
    wanted = 204 / 53.98 * COLUMN_MM
    wait_for(page, "window.noctis.view.scale", pytest.approx(wanted, rel=1e-6))


def level_at(page: Page, place: tuple[float, float]) -> int:
    """Return the grey level that the screen has at a place."""
    clip = {"x": place[0], "y": place[1], "width": 1, "height": 1}
    shot = page.screenshot(clip=clip)  # type: ignore[arg-type]
    return int(np.asarray(Image.open(io.BytesIO(shot)).convert("L"))[0, 0])


def test_the_lens_shows_what_lies_under_the_hand(
    address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page("tess")
    open_study(page, address)
    page.keyboard.press("F2")
    box = page.locator(".picture").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    left, right = (middle[0] - 40, middle[1]), (middle[0] + 40, middle[1])
    page.mouse.move(*left)
    page.mouse.down()
    expect(page.locator(".lens")).to_have_count(1)
    # Without the lens it is white there: what it shows is 24 px away from the hand, not 60.
    assert level_at(page, (left[0] + 60, left[1])) == 0
    page.mouse.move(*right, steps=3)
    assert level_at(page, (right[0] - 60, right[1])) == 255
    page.mouse.up()
    expect(page.locator(".lens")).to_have_count(0)


def test_the_tags_of_two_images_are_compared(address: str, open_page: Callable[..., Page]) -> None:
    page = open_page("tess")
    open_study(page, address)
    page.keyboard.press("t")
    rows = page.locator(".tags-row")
    page.get_by_label("Search the tags").fill("0010,0010")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Setting^Sam")
    page.get_by_role("button", name="Compare others with this image").click()
    page.get_by_label("Search the tags").fill("")
    page.get_by_label("Differences only").check()
    expect(rows).to_have_count(0)
    page.locator(".picture").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".tags-row.differs", has_text="Instance Number")).to_contain_text("≠")
    expect(page.locator(".tags-row", has_text="Patient's Name")).to_have_count(0)


def test_no_key_calls_two_commands(address: str, open_page: Callable[..., Page]) -> None:
    page = open_page("tess")
    open_study(page, address)
    page.keyboard.press("?")
    expect(page.locator(".help section").nth(1)).to_be_visible()
    shown: list[str] = page.eval_on_selector_all(
        ".help section:not(:first-child) dd",
        "all => all.map((keys) => [...keys.children].map((key) => key.textContent).join(' '))",
    )
    keys = [key for key in shown if key]
    assert len(keys) > 50
    assert sorted(key for key in set(keys) if keys.count(key) > 1) == []
