"""Pages for those who hear them, or see little: axe-core finds nothing, and the picture is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, House
from tests.browser.panes import write_ct
from tests.browser.test_viewer import wait_until

pytestmark = pytest.mark.browser

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_FAULTS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(" ")}`))"""


@pytest.fixture(scope="module")
def ct_uid(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CT in two planes."""
    folder: Path = tmp_path_factory.mktemp("heard")
    study_uid = write_ct(folder)
    live_house.manage("import_dicom", folder, "--facility", "north")
    return study_uid


def faults(page: Page) -> list[str]:
    """Return what axe-core finds on the page as it is."""
    page.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
    found: list[str] = page.evaluate(_FAULTS)
    return found


def test_nothing_on_the_pages_is_out_of_reach_and_the_picture_is_told(
    live_house: House, ct_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(bypass_csp=True, reduced_motion="reduce")
    for address, theme in (("/worklist/", "dark"), ("/worklist/upload/", "light")):
        page.goto(live_house.url + address)
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert faults(page) == []
    page.goto(f"{live_house.url}/viewer/?study={ct_uid}")
    wait_until(page, lambda now: now["scene"] == "picture")
    told = page.locator("p.unseen[role=status]")
    expect(told).to_have_text("Panes, Petra, CT chest 2026-03-01, CT axial, Image 1 of 32, "
                              "Window 320, level 160")  # fmt: skip
    page.keyboard.press("PageDown")
    expect(told).to_have_text("Image 11 of 32")
    page.get_by_role("button", name="Your settings", exact=True).click()
    page.get_by_role("button", name="More of the picture").click()
    assert page.locator(".menu-sheet:visible").evaluate("(sheet) => sheet.offsetWidth") > 200
    assert faults(page) == []
