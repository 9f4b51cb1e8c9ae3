"""Planes of a volume in a real browser: where they lie, what they show, and who cuts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import cos, radians, sin
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.browser.test_panes import open_study, stage
from tests.browser.test_viewer import report, wait_until
from tests.browser.tilted import BETWEEN_COLUMNS, SHEET, SHEET_DEG, write_tilted

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def study_uid(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tilted CT with a sheet aslant in it, and a series that is no volume."""
    folder = tmp_path_factory.mktemp("tilted")
    uid = write_tilted(folder)
    live_house.manage("import_dicom", folder, "--facility", "north")
    return uid


def open_planes(page: Page) -> None:
    """Show three planes, and wait until they are whole."""
    page.keyboard.press("K")
    wait_until(page, are_whole)


def are_whole(now: dict[str, Any]) -> bool:
    """Whether the three planes are on the screen with all their pixels."""
    planes = [pane["plane"] for pane in now["panes"][:3]]
    return len(now["panes"]) == 4 and all(one and not one["isDraft"] for one in planes)


def plane(page: Page, place: int) -> dict[str, Any]:
    """Return what the viewer says of the plane in a pane, counted from 1."""
    found: dict[str, Any] = report(page)["panes"][place - 1]["plane"]
    return found


def is_at(now: dict[str, Any], *lps: float) -> bool:
    """Whether the planes cross at a point; half a pixel of the screen is less than 0.1 mm."""
    return np.allclose(now["panes"][0]["plane"]["center"], lps, atol=0.1)


def is_mode(mode: str) -> Callable[[dict[str, Any]], bool]:
    """Return what asks whether the third plane is a slab of a kind."""
    return lambda now: now["panes"][2]["plane"]["mode"] == mode


def values_of(page: Page, place: int) -> np.ndarray:
    """Return the values of a pane's plane, (rows, columns), when it is whole."""
    stage(page, place).locator(".picture").focus()
    wait_until(page, lambda now: now["panes"][place - 1]["isActive"] and are_whole(now))
    about = plane(page, place)
    values = np.array(page.evaluate("noctis.planeValues"), float)
    return values.reshape(about["rows"], about["columns"])


def ask_server(page: Page, house: House, place: int) -> np.ndarray:
    """Return the same plane as the server cuts it, built first where need be."""
    about, series = plane(page, place), report(page)["panes"][place - 1]["seriesId"]
    right, down = np.array(about["rowDirection"]), np.array(about["columnDirection"])
    between_rows, between_columns = about["spacingMm"]
    center = np.array(about["origin"]) + right * between_columns * (about["columns"] - 1) / 2
    center = center + down * between_rows * (about["rows"] - 1) / 2
    query = {
        "center": ",".join(f"{one:.9f}" for one in center),
        "normal": ",".join(f"{one:.9f}" for one in np.cross(right, down)),
        "up": ",".join(f"{-one:.9f}" for one in down),
        "width_mm": f"{between_columns * about['columns']:.9f}",
        "height_mm": f"{between_rows * about['rows']:.9f}",
        "columns": f"{about['columns']}",
        "rows": f"{about['rows']}",
        "mode": about["mode"],
        "thickness_mm": f"{about['thicknessMm']}",
    }
    answer = get_plane(page, house, series, query)
    told = json.loads(answer.headers["x-noctis-plane"])
    stored = np.frombuffer(answer.body(), "<i2").astype(float).reshape(about["rows"], -1)
    made: np.ndarray = stored * told["scale"] + told["offset"]
    return made


def get_plane(page: Page, house: House, series: str, query: dict[str, Any]) -> Any:
    """Ask until the volume is built and the kernels compiled, which the first one starts."""
    address = f"{house.url}/api/v1/series/{series}/plane"
    answer = page.request.get(address, params=query)
    while answer.status == 503:
        page.wait_for_timeout(200)
        answer = page.request.get(address, params=query)
    assert answer.status == 200, answer.text()
    return answer


def letters(page: Page, place: int) -> list[str]:
    """Return the letters on a pane's edges: top, right, bottom, left."""
    edges = stage(page, place).locator(".edge")
    return [edges.nth(at).inner_text() for at in range(4)]


def drag(page: Page, place: int, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag in a pane from one place to another, px from where the planes cross."""
    box, at = stage(page, place).locator(".picture").bounding_box(), plane(page, place)["centerAt"]
    assert box is not None
    x, y = box["x"] + at["x"], box["y"] + at["y"]
    page.mouse.move(x + start[0], y + start[1])
    page.mouse.down()
    page.mouse.move(x + (start[0] + end[0]) / 2, y + (start[1] + end[1]) / 2)
    page.mouse.move(x + end[0], y + end[1])
    page.mouse.up()


def test_planes_lie_and_turn_in_the_patient_and_have_the_servers_pixels(
    live_house: House, study_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, study_uid)
    open_planes(page)
    wait_until(page, lambda now: is_at(now, 0, 0, 0))
    assert [letters(page, place) for place in (1, 2, 3)] == [
        list("ALPR"),
        list("HLFR"),
        list("HPFA"),
    ]
    expect(stage(page, 1)).to_contain_text("Tilt corrected")
    expect(stage(page, 1)).to_contain_text("Reformatted")

    # A notch of the wheel is a slice; a pixel to the right is so many mm to the left of the patient.
    page.mouse.move(*middle_of(page, 1))
    page.mouse.wheel(0, 100)
    wait_until(page, lambda now: is_at(now, 0, 0, 3))
    assert np.abs(values_of(page, 1) - ask_server(page, live_house, 1)).max() <= 1
    page.mouse.wheel(0, -100)
    scale = report(page)["panes"][0]["view"]["scale"] / BETWEEN_COLUMNS
    drag(page, 1, (0, 0), (30, 20))
    wait_until(page, lambda now: is_at(now, 30 / scale, 20 / scale, 0))
    drag(page, 1, (0, 0), (-30, -20))
    wait_until(page, lambda now: is_at(now, 0, 0, 0))

    # The handle of the coronal line is turned onto the sheet: then that plane shows it alone.
    box = stage(page, 1).locator(".picture").bounding_box()
    assert box is not None
    reach, angle = 0.36 * min(box["width"], box["height"]), radians(SHEET_DEG)
    drag(page, 1, (reach, 0), (reach * cos(angle), reach * sin(angle)))
    wait_until(
        page, lambda now: now["panes"][1]["plane"]["rowDirection"][1] > 0.4 and are_whole(now)
    )
    assert letters(page, 2) == ["H", "LP", "F", "RA"]
    sheet = values_of(page, 2)
    rows, columns = sheet.shape
    assert (
        sheet[rows // 2 - 5 : rows // 2 + 5, columns // 2 - 10 : columns // 2 + 10] == SHEET
    ).all()
    for place in (2, 3):
        assert np.abs(values_of(page, place) - ask_server(page, live_house, place)).max() <= 1

    # Slabs and windows are those of all three.
    page.keyboard.press("*")
    page.locator(".tools").get_by_label("Window width").fill("500")
    page.keyboard.press("Enter")
    for place in (1, 2, 3):
        expect(stage(page, place)).to_contain_text("MIP 10 mm")
        expect(stage(page, place)).to_contain_text("W 500")
    stage(page, 3).locator(".picture").focus()
    for mode in ("mip", "minip", "mean"):
        wait_until(page, is_mode(mode))
        assert np.abs(values_of(page, 3) - ask_server(page, live_house, 3)).max() <= 1
        page.keyboard.press("*")
    page.keyboard.press("~")
    wait_until(page, lambda now: now["panes"][1]["plane"]["rowDirection"] == [1, 0, 0])
    page.keyboard.press("K")
    wait_until(page, lambda now: [pane["shows"] for pane in now["panes"]] == ["stack"])


def test_the_server_cuts_where_it_draws_and_what_is_no_volume_says_why(
    live_house: House, study_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={study_uid}")
    wait_until(page, lambda now: now["seriesId"] != "")
    least = {"center": "0,0,0", "normal": "0,0,1", "up": "0,-1,0", "width_mm": 1, "height_mm": 1}
    get_plane(page, live_house, report(page)["seriesId"], {**least, "columns": 1, "rows": 1})
    page.goto(f"{page.url.split('?')[0]}?surface=server")
    wait_until(page, lambda now: now["scene"] == "picture")
    open_planes(page)
    expect(stage(page, 2)).to_contain_text("Picture drawn by the server")
    assert np.array_equal(values_of(page, 2), ask_server(page, live_house, 2))
    page.keyboard.press("K")
    page.keyboard.press("]")
    page.keyboard.press("K")
    expect(stage(page, 1)).to_contain_text("This series is no volume")
    expect(stage(page, 1)).to_contain_text("There are fewer than three slices.")


def middle_of(page: Page, place: int) -> tuple[float, float]:
    """Return a place within a pane's picture that none of the lines is near."""
    box = stage(page, place).locator(".picture").bounding_box()
    assert box is not None
    return box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"]


def test_what_is_drawn_on_a_plane_is_measured_there_and_found_again(
    live_house: House, study_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, study_uid)
    open_planes(page)
    stage(page, 2).locator(".picture").focus()
    page.keyboard.press("m")
    scale = report(page)["panes"][1]["view"]["scale"]
    pixel_mm = plane(page, 2)["spacingMm"][0]
    # 20 mm across and 15 mm down the coronal plane, drawn on the screen.
    across, down = 20 / pixel_mm * scale, 15 / pixel_mm * scale
    drag(page, 2, (-across / 2, -down / 2), (across / 2, down / 2))
    found = wait_until_saved(page)
    assert found["result"]["value"] == pytest.approx(25, abs=0.1)
    assert found["result"]["provenance"] == "reformatted"
    expect(stage(page, 2).locator(".mark-text")).to_contain_text("reformatted, trilinear")
    expect(stage(page, 1).locator(".mark-text")).to_have_count(0)
    # One step on it is gone, one back it is there; the list leads to it from the images alone.
    stage(page, 2).locator(".picture").press("ArrowDown")
    expect(stage(page, 2).locator(".mark-text")).to_have_count(0)
    stage(page, 2).locator(".picture").press("ArrowUp")
    expect(stage(page, 2).locator(".mark-text")).to_have_count(1)
    page.reload()
    wait_until(page, lambda now: now["scene"] == "picture")
    page.keyboard.press("F9")
    page.locator(".finding-jump").click()
    wait_until(page, are_whole)
    expect(stage(page, 2).locator(".mark-text")).to_contain_text("25.0")


def wait_until_saved(page: Page) -> dict[str, Any]:
    """Wait for the only finding to be on the server; return it."""
    wait_until(page, lambda _now: states(page) == ["saved"])
    (found,) = page.evaluate("window.noctis.findings")
    return dict(found)


def states(page: Page) -> list[str]:
    """Return how it stands with each finding."""
    return [one["state"] for one in page.evaluate("window.noctis.findings")]
