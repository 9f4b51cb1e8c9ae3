"""Window presets, automatic windows, filters with their marks and colours, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.browser.test_viewer import (  # noqa: F401 - phantom is a fixture
    Phantom,
    find_slice,
    grey_by_standard,
    grey_on_screen,
    phantom,
    wait_until,
)

pytestmark = pytest.mark.browser

BONE = (500.0, 2000.0)


def test_presets_filters_and_colours_change_the_pixels_and_say_so(
    live_house: House,
    phantom: Phantom,  # noqa: F811
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    page.goto(phantom.address(live_house))
    wait_until(page, lambda now: now["scene"] == "picture")
    mark = page.locator(".corner.top-right")
    for key in ("n", "o", "2"):
        page.keyboard.press(key)
    now = wait_until(page, lambda now: now["voi"]["label"] == "Bone")
    plain = grey_by_standard(find_slice(phantom, now), *BONE)
    expect(mark).not_to_contain_text("Not the original")

    page.keyboard.press("e")
    panel = page.get_by_role("complementary", name="Window and enhancement")
    panel.get_by_label("Sharpen", exact=True).check()
    expect(mark).to_contain_text("Not the original")
    expect(mark).to_contain_text("Sharpened 1")
    page.evaluate("document.querySelector('.overlay').style.visibility = 'hidden'")
    page.wait_for_timeout(300)
    soft = cv2.GaussianBlur(plain.astype(np.float32), (7, 7), 1)
    sharp = np.clip(2.0 * plain - soft, 0, 255)
    assert np.abs(sharp - plain).max() > 10
    assert np.abs(grey_on_screen(page)[..., 0] - sharp).max() <= 2

    panel.get_by_role("button", name="No filter").click()
    expect(mark).not_to_contain_text("Not the original")
    page.wait_for_timeout(300)
    assert np.abs(grey_on_screen(page)[..., 0] - plain).max() <= 1, (
        "the mark and the filter go together"
    )

    panel.get_by_label("Colour map").select_option("hot_iron")
    expect(mark).to_contain_text("Colours: Hot iron")
    page.wait_for_timeout(300)
    red = np.clip(np.floor(plain * 255 / 128 + 0.5), 0, 255)
    assert np.abs(grey_on_screen(page)[:, :200, 0] - red[:, :200]).max() <= 3

    page.keyboard.press("]")
    wait_until(page, lambda now: now["count"] == 3 and now["scene"] == "picture")
    expect(mark).not_to_contain_text("Not the original")


def test_the_window_moves_by_its_lines_and_automatically(
    live_house: House,
    phantom: Phantom,  # noqa: F811
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    page.goto(phantom.address(live_house))
    wait_until(page, lambda now: now["scene"] == "picture")
    page.keyboard.press("e")
    page.keyboard.press("2")
    wait_until(page, lambda now: now["voi"]["label"] == "Bone")
    line = page.get_by_role("slider", name="White above")
    line.focus()
    page.keyboard.press("ArrowLeft")
    moved = wait_until(page, lambda now: now["voi"]["label"] == "")["voi"]
    assert moved["width"] < 2000
    assert moved["center"] - moved["width"] / 2 == pytest.approx(-500)
    box = line.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] - 40, box["y"] + 20, steps=3)
    page.mouse.up()
    wait_until(page, lambda now: now["voi"]["width"] < moved["width"])
    page.get_by_role("button", name="Automatic").click()
    auto = wait_until(page, lambda now: now["voi"]["label"] == "auto")["voi"]
    assert auto["function"] == "LINEAR_EXACT"
