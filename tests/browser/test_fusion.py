"""PET over CT in a real browser: the colours lie on the hot ball however the picture is turned."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from archive.pet_phantom import PetShape, build_pet_ct, spheres_of, turned
from archive.phantom import PhantomShape
from tests.browser.conftest import House
from tests.browser.test_panes import open_study, stage
from tests.browser.test_viewer import wait_until

pytestmark = pytest.mark.browser

CT = PhantomShape(
    rows=64, columns=64, slices=9, spacing_mm=(3.0, 3.0), thickness_mm=5.0,
    patient_name="Fused^Fay", patient_id="FUSED", seed=5,
)  # fmt: skip
# Mirrored and turned about the patient's length, with other voxels than the CT's, no cubes.
ROW, COLUMN = turned(20.0, 2)
PET = PetShape(
    rows=48, columns=60, slices=17, spacing_mm=(5.0, 4.0, 4.0),
    row=(-ROW[0], -ROW[1], -ROW[2]), column=COLUMN,
)  # fmt: skip
# 8 of 0 to 10 is entry 204 of hot iron: 12/63 from (255, 128, 0) to white, so (255, 152, 49).
# Seven tenths of it over the CT's bone, which is white: (255, 183, 111).
HOT = (255, 183, 111)


@pytest.fixture(scope="module")
def study_uid(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PET/CT whose left hot ball lies in the CT's bone."""
    folder: Path = tmp_path_factory.mktemp("fused")
    for number, dataset in enumerate(build_pet_ct(CT, PET)):
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    live_house.manage("import_dicom", folder, "--facility", "north")
    return CT.uid("pet-ct", "study")


def view(page: Page) -> dict[str, Any]:
    """Return how the picture on the screen lies."""
    return page.evaluate("window.noctis.view")  # type: ignore[no-any-return]


def screen(page: Page, column: float, row: float) -> tuple[float, float]:
    """Return where a point of the third pane's picture lies on the page."""
    lies = view(page)
    box = stage(page, 3).locator(".picture").bounding_box()
    assert box is not None
    x = (column - lies["center"]["x"]) * lies["scale"] * (-1 if lies["mirrored"] else 1)
    y = (row - lies["center"]["y"]) * lies["scale"]
    turn = math.radians(lies["rotationDeg"])
    return (
        box["x"] + box["width"] / 2 + x * math.cos(turn) - y * math.sin(turn),
        box["y"] + box["height"] / 2 + x * math.sin(turn) + y * math.cos(turn),
    )


def has_moved(page: Page, before: dict[str, Any], _now: dict[str, Any]) -> bool:
    """Whether the picture lies otherwise than before."""
    return view(page) != before


def colour(page: Page, column: float, row: float) -> list[int]:
    """Return the colour on the screen at a point of the picture."""
    x, y = screen(page, column, row)
    shot = page.screenshot(clip={"x": round(x), "y": round(y), "width": 1, "height": 1})
    return [int(one) for one in np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))[0, 0]]


def test_the_colours_lie_on_the_hot_ball_and_a_region_tells_both(
    live_house: House, study_uid: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_study(page, live_house, study_uid)
    fused = stage(page, 3)
    expect(fused).to_contain_text("Fused with Se 2 · PT · PET AC FDG phantom")
    expect(stage(page, 2)).to_contain_text("SUVbw 0 – 7")
    fused.locator(".picture").focus()
    page.keyboard.press("M")
    for _step in range(4):
        page.keyboard.press("ArrowDown")
    wait_until(page, lambda now: now["index"] == 4)
    expect(fused).to_contain_text("SUVbw 0 – 10 · Hot iron")

    x, y, _z = spheres_of(CT)[0].centre_mm
    column, row = x / 3 + 31.5, y / 3 + 31.5
    for key in ("", "r", "h", "+"):
        before = view(page)
        if key:
            page.keyboard.press(key)
            wait_until(page, partial(has_moved, page, before))
        assert colour(page, column, row) == pytest.approx(HOT, abs=3), key
        # Beside the body there is neither bone nor uptake.
        assert colour(page, 52, 14) == [0, 0, 0], key
    page.keyboard.press(")")
    expect(fused).to_contain_text("hidden")
    assert colour(page, column, row) == [255, 255, 255]
    page.keyboard.press(")")
    expect(fused).to_contain_text("SUVbw 0 – 10 · Hot iron")

    # The page's own numbers: those of the server have tests of their own.
    page.route("**/api/v1/measurements/", lambda route: route.abort())
    page.keyboard.press("F8")
    page.mouse.move(*screen(page, column, row))
    page.mouse.down()
    page.mouse.move(*screen(page, column + 2.2, row), steps=3)
    page.mouse.up()
    expect(fused.locator(".mark-text").last).to_contain_text("Mean 1000 HU")
    expect(fused.locator(".mark-text").last).to_contain_text("PT Mean 8 SUVbw")
    # The kind that the reader wants: 59.52483 kg lean, of 75.
    page.keyboard.press("Escape")
    page.keyboard.press("(")
    page.get_by_label("Uptake relative to").select_option("lbm")
    expect(fused).to_contain_text("SUVlbm 0 – 10")
    expect(fused.locator(".mark-text").last).to_contain_text("PT Mean 6.35 SUVlbm")
