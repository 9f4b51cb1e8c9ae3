"""A series that the server makes: asked for in the viewer, watched, opened, found on its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.browser.conftest import House
from tests.browser.test_viewer import wait_until
from tests.unit.reconstruction.conftest import make_slices

pytestmark = pytest.mark.browser

# A new home has its kernels compiled first.
MADE_MS = 120_000


def test_a_series_is_made_and_opened_without_loading_the_page_again(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    ball = np.indices((20, 32, 32)) - np.array([9.5, 15.5, 15.5])[:, None, None, None]
    values = np.where((ball**2).sum(0) < 80, 60, -1000)
    slices = make_slices(values, spacing_mm=(1.0, 1.0), step=(0, 0, 1.0), PatientID="Reconstruct")
    for number, one in enumerate(slices):
        (tmp_path / f"{number}.dcm").write_bytes(factories.as_part10(one))
    live_house.manage("import_dicom", tmp_path, "--facility", "north")
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={slices[0].StudyInstanceUID}")
    wait_until(page, lambda now: now["scene"] == "picture")

    page.keyboard.press("Control+j")
    panel = page.locator(".side-panel.reconstruct")
    expect(panel.locator("select").nth(1)).to_have_value("coronal")
    panel.get_by_role("button", name="Reconstruct", exact=True).click()
    job = panel.locator(".reconstruct-list li").first
    expect(job).to_have_class("done", timeout=MADE_MS)
    job.get_by_role("button", name="Open").click()

    corner = page.locator(".corner.top-left")
    expect(corner).to_contain_text("Coronal mean")
    wait_until(page, lambda now: now["scene"] == "picture")
    page.goto(f"{live_house.url}/reconstructions/")
    row = page.locator("#rows tr").first
    expect(row).to_have_attribute("data-status", "done")
    with page.expect_navigation(url="**/viewer/**"):
        page.keyboard.press("j")
        page.keyboard.press("Enter")
    expect(corner).to_contain_text("Coronal mean")
