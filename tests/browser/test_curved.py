"""A line through a bent tube in a real browser: drawn, seen along and across, and its width."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.browser.test_panes import open_study, stage
from tests.browser.test_viewer import report, wait_until
from tests.browser.tube import INSIDE, MIDDLE, OUTSIDE, RADIUS_MM, WIDTH_MM, write_tube

pytestmark = pytest.mark.browser

# From the feet to the head, radians on the tube's circle.
ANGLES = (-0.8, -0.4, 0.0, 0.4, 0.8)
CORONAL, CURVED, SECTION = 2, 3, 4


def on_tube(angle: float) -> tuple[float, float, float]:
    """Return a point of the tube's middle line, lps in mm."""
    return MIDDLE[0] + RADIUS_MM * cos(angle), MIDDLE[1], MIDDLE[2] + RADIUS_MM * sin(angle)


def is_whole(now: dict[str, Any]) -> bool:
    """Whether the plane across the line is there, cut where the whole picture says."""
    section = now["panes"][SECTION - 1]["plane"] if len(now["panes"]) == 4 else None
    return section is not None and not section["isDraft"]


def click_at(page: Page, lps: tuple[float, float, float]) -> None:
    """Press on the coronal plane where a point of the patient is seen."""
    pane = report(page)["panes"][CORONAL - 1]
    about, box = pane["plane"], stage(page, CORONAL).locator(".picture").bounding_box()
    assert box is not None
    px = pane["view"]["scale"] / about["spacingMm"][0]
    x = box["x"] + about["centerAt"]["x"] + (lps[0] - about["center"][0]) * px
    y = box["y"] + about["centerAt"]["y"] - (lps[2] - about["center"][2]) * px
    page.mouse.click(x, y)


def section(page: Page) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the values across the line, and where they lie."""
    stage(page, SECTION).locator(".picture").focus()
    now = wait_until(page, lambda now: is_whole(now) and now["panes"][SECTION - 1]["isActive"])
    about = now["panes"][SECTION - 1]["plane"]
    values = np.array(page.evaluate("noctis.planeValues"), float)
    return values.reshape(about["rows"], about["columns"]), about


def check_across(page: Page) -> float:
    """Check the tube's width both ways and by its area; return the place's angle on the circle."""
    values, about = section(page)
    spacing = about["spacingMm"][0]
    mask = values > (INSIDE + OUTSIDE) / 2
    assert 2 * sqrt(mask.sum() * spacing**2 / pi) == pytest.approx(WIDTH_MM, abs=1)
    for axis in (0, 1):
        assert mask.any(axis=axis).sum() * spacing == pytest.approx(WIDTH_MM, abs=1)

    # The plane stands on the circle at right angles: its normal is the circle's tangent there.
    right, down = np.array(about["rowDirection"]), np.array(about["columnDirection"])
    center = np.array(about["origin"]) + spacing * (about["columns"] - 1) / 2 * (right + down)
    angle = float(np.arctan2(center[2] - MIDDLE[2], center[0] - MIDDLE[0]))
    assert np.allclose(center, on_tube(angle), atol=0.5)
    assert np.allclose(np.cross(right, down), (-sin(angle), 0, cos(angle)), atol=0.05)
    return angle


def test_a_bent_tube_is_as_wide_across_its_line_as_it_was_made(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    uid = write_tube(tmp_path)
    live_house.manage("import_dicom", tmp_path, "--facility", "north")
    page = open_page()
    open_study(page, live_house, uid)
    page.keyboard.press("F6")
    wait_until(
        page, lambda now: len(now["panes"]) == 4 and bool(now["panes"][CORONAL - 1]["plane"])
    )
    expect(stage(page, CURVED)).to_contain_text("Draw a line")
    for angle in ANGLES:
        click_at(page, on_tube(angle))

    expect(stage(page, CURVED)).to_contain_text("Curved, reformatted", timeout=60_000)
    # The line is as long as the arc between its ends.
    length = RADIUS_MM * (ANGLES[-1] - ANGLES[0])
    wait_until(page, is_whole)
    told = stage(page, CURVED).locator(".corner.top-right").inner_text()
    assert float(told.split(" of ")[1].split(" mm")[0]) == pytest.approx(length, abs=1)
    edges = stage(page, CURVED).locator(".edge")
    assert [edges.nth(at).inner_text() for at in range(4)] == [""] * 4
    assert check_across(page) == pytest.approx(0, abs=0.05)

    # Near its end the tube leans most: a plane that were not at right angles would be a third wider.
    before = report(page)["panes"][SECTION - 1]["plane"]["origin"]
    page.keyboard.press("End")
    wait_until(page, lambda now: now["panes"][SECTION - 1]["plane"]["origin"] != before)
    end = report(page)["panes"][SECTION - 1]["plane"]["origin"]
    page.keyboard.press("PageUp")
    wait_until(page, lambda now: now["panes"][SECTION - 1]["plane"]["origin"] != end)
    assert check_across(page) > 0.4
