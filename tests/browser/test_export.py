"""What a reader takes out of the viewer: as it looks on the screen, and playable."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.browser.conftest import House
from tests.browser.test_viewer import wait_until
from tests.unit.imaging.build import image, written

pytestmark = pytest.mark.browser

STUDY = "1.2.826.0.1.3680043.8.498.61"
# A page's own video would need its address in the policy; a bare page has none.
PLAY = """async data => {
  const video = document.createElement("video");
  video.muted = true;
  video.src = "data:video/mp4;base64," + data;
  await new Promise((resolve, reject) => {
    video.onloadeddata = resolve;
    video.onerror = () => reject(new Error(video.error && video.error.message));
  });
  return [video.videoWidth, video.videoHeight, video.duration];
}"""


def test_the_panel_takes_out_what_is_on_the_screen(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    for place in range(4):
        made = image(
            np.full((64, 96), 1000 + 100 * place, np.uint16), WindowCenter=1000, WindowWidth=2000,
            StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.1", InstanceNumber=place + 1,
            SOPInstanceUID=f"{STUDY}.1.{place + 1}", PatientName="Export^Eva", PatientID="E61",
            Modality="DX",
        )  # fmt: skip
        (tmp_path / f"{place}.dcm").write_bytes(written(made))
    live_house.manage("import_dicom", tmp_path, "--facility", "north")
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={STUDY}")
    wait_until(page, lambda now: now["scene"] == "picture")
    page.keyboard.press("i")
    page.keyboard.press("Control+s")
    panel = page.locator(".side-panel.export")
    what, form = panel.locator("select").nth(0), panel.locator("select").nth(1)
    panel.get_by_label("Marks and scale").uncheck()

    with page.expect_download() as taken:
        panel.get_by_role("button", name="Export").click()
    picture = np.asarray(Image.open(io.BytesIO(Path(taken.value.path()).read_bytes())))
    # LINEAR of PS3.3 C.11.2.1.2.1, then inverted.
    wanted = 255 - ((1000 - 999.5) / 1999 + 0.5) * 255
    assert picture.shape == (64, 96)
    assert abs(picture.astype(float) - wanted).max() <= 1

    what.select_option("series")
    form.select_option("mp4")
    with page.expect_download(timeout=60_000) as taken:
        panel.get_by_role("button", name="Export").click()
    assert taken.value.suggested_filename.endswith(".mp4")
    film = base64.b64encode(Path(taken.value.path()).read_bytes()).decode()
    bare = page.context.new_page()
    width, height, seconds = bare.evaluate(PLAY, film)
    assert (width, height) == (96, 64)
    assert seconds > 0
