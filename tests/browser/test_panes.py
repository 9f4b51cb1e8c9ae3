"""Panes in a real browser: layouts, links, hanging, priors, several windows."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import House
from tests.browser.panes import ROOT, SIDE, SPACING, write_ct, write_mammograms
from tests.browser.test_viewer import report, wait_until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def ct_uid(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CT in two planes, with a prior."""
    folder = tmp_path_factory.mktemp("planes")
    study_uid = write_ct(folder)
    live_house.manage("import_dicom", folder, "--facility", "north")
    return study_uid


def shows(now: dict[str, Any]) -> list[str]:
    """Return for each pane the number of its image in its series, as `series/image`."""
    uids = [pane["sopInstanceUid"] for pane in now["panes"]]
    return [re.sub(r".*\.(\d+)\.(\d+)$", r"\1/\2", uid) if uid else "" for uid in uids]


def open_study(page: Page, house: House, study_uid: str) -> None:
    """Open a study and wait for its first picture."""
    page.goto(f"{house.url}/viewer/?study={study_uid}")
    wait_until(page, lambda now: now["scene"] == "picture")


def is_saved_to(page: Page, study_uid: str) -> bool:
    """Whether the server has one measurement, and it is of this study."""
    address = "/api/v1/measurements/?study_instance_uid="
    counts = [
        page.request.get(f"{page.url.split('/viewer/')[0]}{address}{uid}").json()["results"]
        for uid in (study_uid, f"{ROOT}.1")
    ]
    return [len(rows) for rows in counts] == [1, 0]


def choose_layout(page: Page, words: str) -> None:
    """Choose a grid in the sheet."""
    page.get_by_role("button", name="Layout", exact=True).click()
    page.get_by_role("button", name=words, exact=True).click()


def stage(page: Page, place: int) -> Locator:
    """Return a pane, counted from 1."""
    return page.locator(".stage").nth(place - 1)


def middle(pane: Locator) -> tuple[float, float]:
    """Return the middle of a pane's picture on the page."""
    box = pane.locator(".picture").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_series_go_into_panes_by_hand_and_key_and_one_pane_alone(
    live_house: House, ct_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, ct_uid)
    choose_layout(page, "2 × 2")
    wait_until(page, lambda now: shows(now) == ["1/1", "2/1", "", ""])
    expect(stage(page, 3)).to_contain_text("Drag a series here")
    page.drag_and_drop("[data-series] >> nth=1", ".stage >> nth=2")
    wait_until(page, lambda now: shows(now) == ["1/1", "2/1", "2/1", ""])
    expect(stage(page, 3)).to_have_attribute("data-active", "")
    page.keyboard.press("B")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("4")
    wait_until(page, lambda now: shows(now) == ["1/1", "2/1", "2/1", "1/1"])
    stage(page, 4).locator(".picture").press("ArrowDown")
    wait_until(page, lambda now: shows(now) == ["1/1", "2/1", "2/1", "1/2"])
    stage(page, 2).locator(".picture").dblclick()
    expect(stage(page, 1)).to_be_hidden()
    expect(stage(page, 2)).to_be_visible()
    page.keyboard.press("M")
    expect(stage(page, 1)).to_be_visible()
    choose_layout(page, "1 × 1")
    wait_until(page, lambda now: shows(now) == ["2/1"])


def test_places_in_the_patient_are_the_same_in_all_panes(
    live_house: House, ct_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, ct_uid)
    choose_layout(page, "1 × 2")
    wait_until(page, lambda now: shows(now) == ["1/1", "2/1"])
    stage(page, 1).locator(".picture").focus()
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    wait_until(page, lambda now: shows(now) == ["1/10", "2/1"])
    # Axial slice 9 lies at z = (9 - 16) * 4; the coronal rows go down from z = 60: row 22.
    line = stage(page, 2).locator(".reference-line")
    x, y = middle(stage(page, 2))
    box = line.bounding_box()
    view = report(page)["panes"][1]["view"]
    assert box is not None
    row = (60 - (9 - SIDE / 2) * SPACING) / SPACING
    assert box["y"] + box["height"] / 2 == pytest.approx(
        y + (row - (SIDE - 1) / 2) * view["scale"], abs=1
    )
    # One press of the cursor in the axial slice brings the coronal series to the same y.
    page.get_by_role("button", name="3D cursor").click()
    left, top = middle(stage(page, 1))
    page.mouse.click(left, top + 5.5 * report(page)["panes"][0]["view"]["scale"])
    # The middle is row 15.5; 5.5 further down is row 21, which is coronal slice 21.
    wait_until(page, lambda now: shows(now) == ["1/10", "2/22"])
    expect(stage(page, 2).locator(".cursor-cross")).to_be_visible()
    expect(stage(page, 2)).to_contain_text("P 20 F 28 mm", use_inner_text=True)
    assert x > left

    # A second window of the same reader hears of the cursor and of linked scrolling.
    page.keyboard.press("Y")
    with page.context.expect_page() as opened:
        page.keyboard.press("|")
    other = opened.value
    other.set_viewport_size({"width": 800, "height": 600})
    wait_until(other, lambda now: now["scene"] == "picture")
    other.keyboard.press("Y")
    page.bring_to_front()
    expect(page.locator("li[data-elsewhere]")).to_have_count(1)
    stage(page, 1).locator(".picture").press("ArrowDown")
    wait_until(page, lambda now: shows(now)[0] == "1/11")
    wait_until(other, lambda now: shows(now)[0] == "1/11")
    other.close()


def test_a_prior_stands_beside_in_one_key_and_says_that_it_is_one(
    live_house: House, ct_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, ct_uid)
    page.keyboard.press("/")
    wait_until(page, lambda now: [pane["scene"] for pane in now["panes"]] == ["picture"] * 2)
    uids = [pane["sopInstanceUid"] for pane in report(page)["panes"]]
    assert uids == [f"{ROOT}.1.1.1", f"{ROOT}.2.1.1"]
    expect(stage(page, 1)).not_to_contain_text("PRIOR")
    expect(stage(page, 2)).to_contain_text("PRIOR 2024-01-15")
    expect(stage(page, 2)).to_contain_text("Scrolls by offset")
    banner = page.locator("#patient-banner")
    expect(banner).to_contain_text("2026-03-01")
    stage(page, 1).locator(".picture").press("PageDown")
    wait_until(page, lambda now: shows(now) == ["1/11", "1/11"])
    stage(page, 2).locator(".picture").click()
    expect(banner).to_contain_text("PRIOR 2024-01-15")
    expect(banner).not_to_contain_text("2026-03-01")
    # What is drawn on the prior is the prior's: 10 pixels of 4 mm, there again after a reload.
    page.keyboard.press("m")
    x, y = middle(stage(page, 2))
    scale = report(page)["panes"][1]["view"]["scale"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 10 * scale, y, steps=2)
    page.mouse.up()
    expect(stage(page, 2).locator(".mark-text")).to_contain_text("40.0")
    wait_until(page, lambda _now: is_saved_to(page, f"{ROOT}.2"))
    page.reload()
    wait_until(page, lambda now: now["scene"] == "picture")
    page.keyboard.press("/")
    wait_until(page, lambda now: [pane["scene"] for pane in now["panes"]] == ["picture"] * 2)
    stage(page, 2).locator(".picture").click()
    page.keyboard.press("PageDown")
    expect(stage(page, 2).locator(".mark-text")).to_contain_text("40.0")
    expect(stage(page, 1).locator(".mark-text")).to_have_count(0)
    page.keyboard.press("/")
    wait_until(page, lambda now: shows(now) == ["1/11"])
    expect(banner).to_contain_text("2026-03-01")

    # What is on the screen is saved for studies of its kind, hangs the next time, and is taken back.
    choose_layout(page, "2 × 1")
    wait_until(page, lambda now: shows(now) == ["1/11", "2/1"])
    page.get_by_role("button", name="Layout", exact=True).click()
    page.get_by_role("button", name="Save this layout for CT CHEST").click()
    expect(page.get_by_text("Saved: CT CHEST opens like this.")).to_be_visible()
    page.reload()
    wait_until(page, lambda now: shows(now) == ["1/1", "2/1"])
    page.get_by_role("button", name="Layout", exact=True).click()
    page.get_by_role("button", name="Delete CT CHEST").click()
    expect(page.get_by_text("Deleted: CT CHEST")).to_be_visible()
    page.reload()
    wait_until(page, lambda now: shows(now) == ["1/1"])


def test_mammograms_hang_chest_wall_to_chest_wall_at_one_scale(
    live_house: House, open_page: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("breasts")
    study_uid = write_mammograms(folder)
    live_house.manage("import_dicom", folder, "--facility", "north")
    page = open_page()
    open_study(page, live_house, study_uid)
    # Stored as LMLO, RMLO, LCC, RCC; hung as RCC, LCC above RMLO, LMLO.
    now = wait_until(page, lambda now: shows(now) == ["1/4", "1/3", "1/2", "1/1"])
    scales = {round(pane["view"]["scale"], 6) for pane in now["panes"]}
    assert len(scales) == 1
    for place, wall in enumerate(("right", "left", "right", "left"), 1):
        expect(stage(page, place).locator(f".edge.{wall}")).to_have_text("P")
        # The wall's outer edge lies on the pane's: half a picture beyond the middle.
        view, canvas = now["panes"][place - 1]["view"], stage(page, place).locator(".picture")
        width = canvas.evaluate("one => one.clientWidth")
        sign = 1 if (wall == "right") != view["mirrored"] else -1
        edge = 39.5 if sign > 0 else -0.5
        way = (edge - view["center"]["x"]) * view["scale"] * (-1 if view["mirrored"] else 1)
        assert way == pytest.approx(width / 2 if wall == "right" else -width / 2, abs=0.5)
    expect(stage(page, 3)).to_contain_text("Turned to hang: acquired otherwise")
    assert [pane["view"]["mirrored"] for pane in now["panes"]] == [False, False, True, False]


def test_a_picture_of_one_grey_has_that_grey_on_the_graphics_card_in_every_pane(
    live_house: House, ct_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, ct_uid)
    page.goto(f"{page.url}?engine=webgl")
    wait_until(page, lambda now: now["scene"] == "picture")
    choose_layout(page, "1 × 2")
    # Axial slice 0 is 0 everywhere, coronal slice 0 is 5: black at centre 160, width 320, and nearly so.
    wait_until(page, lambda now: shows(now) == ["1/1", "2/1"])
    for _ in range(100):
        if page.evaluate("window.noctis.engine") == "webgl":
            break
        page.wait_for_timeout(100)
    assert page.evaluate("window.noctis.engine") == "webgl"
    page.evaluate("document.querySelectorAll('.overlay').forEach((one) => { one.hidden = true; })")
    page.evaluate("document.querySelectorAll('.marks').forEach((one) => { one.remove(); })")
    page.wait_for_timeout(400)
    for place, value in ((1, 0), (2, 5)):
        x, y = middle(stage(page, place))
        clip = {"x": x - 20, "y": y - 20, "width": 40, "height": 40}
        seen = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L"))  # type: ignore[arg-type]
        grey = round(((value - 159.5) / 319 + 0.5) * 255)
        assert np.abs(seen.astype(int) - max(0, grey)).max() <= 1
