"""The passport in a real browser: marks that appear by themselves, and the panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydicom import dcmread

from tests.browser.conftest import House

pytestmark = pytest.mark.browser

# The series must be quiet for two seconds before it is examined.
PATIENCE_MS = 20_000


def test_what_is_wrong_with_a_series_is_marked_by_itself_and_told_in_the_viewer(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    size = ("--rows", 64, "--columns", 64, "--slices", 10)
    live_house.manage("create_test_dicom", "--output", tmp_path, *size, "--name", "Pass^Paula")
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    for path in files:
        dataset = dcmread(path)
        dataset.RescaleIntercept = 0
        dataset.save_as(path)
    files[4].unlink()
    page = open_page()
    live_house.manage("import_dicom", tmp_path, "--facility", "north")
    row = page.locator("tr.row", has_text="Pass, Paula")
    marks = row.locator(".passport-mark")
    expect(marks).to_have_text(["HU suspect", "Missing slices"], timeout=PATIENCE_MS)
    row.locator("a.open").click()
    expect(page.locator(".strip-badge")).to_have_text(["HU suspect", "Missing slices"])
    panel = page.locator("aside.passport")
    expect(panel).to_be_hidden()
    page.keyboard.press("k")
    expect(panel).to_contain_text("Suspect: do not trust HU values")
    expect(panel).to_contain_text("24.0 HU")
    page.keyboard.press("k")
    expect(panel).to_be_hidden()
    page.locator(".strip-badge").first.click()
    expect(panel).to_be_visible()
