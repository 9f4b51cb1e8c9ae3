"""What a file lays over its image and hides of it, on the canvas of a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import House
from tests.browser.test_viewer import grey_on_screen, wait_until
from tests.unit.imaging.build import image, written

pytestmark = pytest.mark.browser

OVERLAY = [255, 190, 0]
SIZE = 256


@pytest.mark.parametrize("engine", ["canvas", "webgl"])
def test_overlays_and_shutter_are_drawn_and_can_be_switched_off(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path, engine: str
) -> None:
    stored = np.full((SIZE, SIZE), 2048, np.uint16)
    study_uid = "1.2.826.0.1.3680043.8.498.60"
    made = image(
        stored, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096,
        StudyInstanceUID=study_uid, SeriesInstanceUID=f"{study_uid}.1",
        SOPInstanceUID=f"{study_uid}.1.1", PatientName="Layers^Lena", PatientID="L60",
        Modality="DX", ShutterShape="RECTANGULAR", ShutterPresentationValue=0x4000,
        ShutterLeftVerticalEdge=65, ShutterRightVerticalEdge=192,
        ShutterUpperHorizontalEdge=33, ShutterLowerHorizontalEdge=224,
    )  # fmt: skip
    plane = np.zeros((8, 16), bool)
    plane[:, :8] = True
    for element, vr, value in (
        (0x10, "US", 8), (0x11, "US", 16), (0x40, "CS", "G"), (0x50, "SS", [101, 121]),
        (0x100, "US", 1), (0x102, "US", 0),
        (0x3000, "OW", np.packbits(plane, bitorder="little").tobytes()),
    ):  # fmt: skip
        made.add_new(0x60000000 | element, vr, value)
    (tmp_path / "layers.dcm").write_bytes(written(made))
    live_house.manage("import_dicom", tmp_path, "--facility", "north")

    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={study_uid}")
    page.goto(f"{page.url}?engine={engine}")
    wait_until(page, lambda now: now["scene"] == "picture")
    for _ in range(60):
        if page.evaluate("window.noctis.engine") == engine:
            break
        page.wait_for_timeout(100)
    page.keyboard.press("n")
    page.keyboard.press("o")
    page.evaluate("document.querySelector('.overlay').hidden = true")

    def seen() -> np.ndarray:
        page.wait_for_timeout(300)
        return grey_on_screen(page)

    grey, hidden = [128] * 3, [64] * 3
    shown = seen()
    expected = np.full((SIZE, SIZE, 3), hidden)
    expected[32:224, 64:192] = grey
    expected[100:108, 120:128] = OVERLAY
    assert np.abs(shown - expected).max() <= 1
    page.keyboard.press("g")
    expected[100:108, 120:128] = grey
    assert np.abs(seen() - expected).max() <= 1
    page.keyboard.press("u")
    assert np.abs(seen() - 128).max() <= 1
