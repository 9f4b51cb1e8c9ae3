"""A phone in the hand: what fingers and pen do, and that the whole page is within reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import House
from tests.browser.panes import write_ct
from tests.browser.test_viewer import report, wait_until

pytestmark = pytest.mark.browser

Points = Sequence[tuple[float, float]]
SIZE = {"width": 390, "height": 844}
TABLET = {"width": 820, "height": 1180}


@pytest.fixture(scope="module")
def ct_uid(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CT in two planes."""
    folder = tmp_path_factory.mktemp("touched")
    study_uid = write_ct(folder)
    live_house.manage("import_dicom", folder, "--facility", "north")
    return study_uid


def slide(hand: CDPSession, before: Points, after: Points) -> None:
    """Put fingers down, move them in steps, lift them."""

    def tell(kind: str, points: Points) -> None:
        told = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    for count in range(1, len(before) + 1):
        tell("touchStart", before[:count])
    for step in range(1, 5):
        pairs = zip(before, after, strict=True)
        tell("touchMove", [(x + (u - x) * step / 4, y + (v - y) * step / 4)
                           for (x, y), (u, v) in pairs])  # fmt: skip
    tell("touchEnd", [])


def draw(hand: CDPSession, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a line with a pen."""
    for kind, (x, y), buttons in (
        ("mousePressed", start, 1), ("mouseMoved", end, 1), ("mouseReleased", end, 0),
    ):  # fmt: skip
        hand.send("Input.dispatchMouseEvent", {
            "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1,
            "pointerType": "pen", "force": 0.5})  # fmt: skip


def tap(page: Page, name: str, becomes: str) -> None:
    """Tap a button; the browser takes a tap right after several fingers for one of theirs."""
    button = page.get_by_role("button", name=name, exact=True)
    for _ in range(20):
        button.tap()
        page.wait_for_timeout(250)
        if page.locator(becomes).first.is_visible():
            return
    raise AssertionError(f"{name} does nothing")


def zoom(page: Page) -> str:
    """Return what the corner says of the zoom."""
    found = page.locator(".corner.bottom-left").inner_text()
    return next(line for line in found.splitlines() if "Zoom" in line)


def test_fingers_scroll_zoom_and_window_and_a_pen_draws_on_a_phone(
    live_house: House, ct_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(viewport=SIZE, has_touch=True, is_mobile=True)
    page.goto(f"{live_house.url}/viewer/?study={ct_uid}")
    wait_until(page, lambda now: now["scene"] == "picture")
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide == [390, 390]
    expect(page.locator("#patient-banner")).to_contain_text("Petra")
    box = page.locator(".picture").bounding_box()
    assert box is not None
    assert min(box["width"] - 330, box["height"] - 500) > 0
    hand = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    first: dict[str, Any] = report(page)
    slide(hand, [(x, y)], [(x, y + 120)])
    wait_until(page, lambda now: now["index"] > first["index"])
    seen = zoom(page)
    slide(hand, [(x - 40, y), (x + 40, y)], [(x - 90, y), (x + 90, y)])
    expect(page.locator(".corner.bottom-left")).not_to_contain_text(seen)
    now = report(page)
    assert now["voi"] == first["voi"]
    slide(hand, [(x - 60, y), (x, y), (x + 60, y)], [(x, y), (x + 60, y), (x + 120, y)])
    wait_until(page, lambda after: after["voi"]["width"] > first["voi"]["width"])
    assert report(page)["index"] == now["index"]

    tap(page, "Length", "[aria-label=Length][aria-pressed=true]")
    draw(hand, (x - 60, y), (x + 60, y + 20))
    expect(page.locator(".marks")).to_contain_text("mm")
    count = page.evaluate("noctis.findings.length")
    slide(hand, [(x, y + 90)], [(x, y - 30)])
    wait_until(page, lambda after: after["index"] != now["index"])
    assert page.evaluate("noctis.findings.length") == count == 1
    tap(page, "Series list", ".strip-item")
    page.locator(".strip-item").nth(1).tap()
    wait_until(page, lambda after: after["scene"] == "picture" and after["count"] == 32)
    expect(page.locator(".strip-item").first).to_be_hidden()


def test_a_tablet_has_its_tools_in_one_row_and_the_others_behind_its_last_button(
    live_house: House, ct_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(viewport=TABLET, has_touch=True)
    page.goto(f"{live_house.url}/viewer/?study={ct_uid}")
    wait_until(page, lambda now: now["scene"] == "picture")
    row = page.get_by_role("toolbar", name="Tools", exact=True)
    seen = row.locator("button:visible, select:visible")
    centres = seen.evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(r => [r.y + r.height / 2, r.right])"
    )
    assert len(centres) > 10
    assert max(y for y, _ in centres) - min(y for y, _ in centres) < 2
    assert max(right for _, right in centres) <= TABLET["width"]
    pan = page.get_by_role("button", name="Pan", exact=True)
    expect(pan).to_be_hidden()

    further = page.get_by_role("button", name="Further tools", exact=True)
    further.focus()
    page.keyboard.press("Enter")
    expect(further).to_have_attribute("aria-expanded", "true")
    for _ in range(20):
        if pan.evaluate("one => one === document.activeElement"):
            break
        page.keyboard.press("ArrowDown")
    expect(pan).to_be_focused()
    page.keyboard.press("Enter")
    expect(pan).to_be_hidden()
    expect(further).to_be_focused()
    expect(page.locator(".tools [aria-label=Pan]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(further).to_have_attribute("aria-expanded", "false")

    page.set_viewport_size({"width": 1900, "height": 1000})
    expect(further).to_be_hidden()
    expect(pan).to_be_visible()
