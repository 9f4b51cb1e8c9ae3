"""Stored videos in a real browser: the frame on the screen is the frame of that moment."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

from tests.browser.conftest import House

pytestmark = pytest.mark.browser

CLIP = Path(__file__).parents[1] / "golden" / "colours.mp4"
FRAMES_A_SECOND = 10
MPEG2 = "1.2.840.10008.1.2.4.100"
H264 = "1.2.840.10008.1.2.4.102"
BD = "1.2.840.10008.1.2.4.103"
# 75 frames of interlaced H.264 in a transport stream, which no browser plays.
STREAM = CLIP.parent / "video" / "h264.ts"
NO_VIDEO = b"\0\0\1\xb3" + bytes(400)


def new_object(study: str, number: int) -> Dataset:
    """Return a still picture of a person, number so and so of the study's one series."""
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    dataset = dcmread(path)
    dataset.StudyInstanceUID = dataset.SeriesInstanceUID = study
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientID, dataset.PatientName = "VIDEO", "Video^Vida"
    dataset.InstanceNumber = number
    return dataset


def make_video(
    folder: Path, stream: bytes, syntax: str, *, study: str = "", number: int = 1
) -> str:
    """Write an endoscopic video, in a study of its own if none is named; returns the study's UID."""
    dataset = new_object(study or generate_uid(), number)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.77.1.1.1")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.Modality, dataset.NumberOfFrames, dataset.FrameTime = "ES", 20, "100"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 48, 64, 3
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "YBR_PARTIAL_420", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(folder / f"{dataset.SOPInstanceUID}.dcm")
    return str(dataset.StudyInstanceUID)


@pytest.fixture(scope="module")
def studies(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Studies of an MP4, of what is no video, and of all sorts, by transfer syntax.

    In the last are a transport stream, a still picture and what is no video, in one series.
    """
    folder = tmp_path_factory.mktemp("videos")
    made = {
        H264: make_video(folder, CLIP.read_bytes(), H264),
        MPEG2: make_video(folder, NO_VIDEO, MPEG2),
        BD: make_video(folder, STREAM.read_bytes(), BD),
    }
    still = new_object(made[BD], 2)
    still.save_as(folder / f"{still.SOPInstanceUID}.dcm")
    make_video(folder, NO_VIDEO, MPEG2, study=made[BD], number=3)
    live_house.manage("import_dicom", folder, "--facility", "north")
    return made


def colour_on_screen(page: Page, place: str = ".video-player") -> np.ndarray:
    """Return the colour in the middle of the player, as a person sees it."""
    picture = Image.open(io.BytesIO(page.locator(place).screenshot())).convert("RGB")
    return np.array(picture.getpixel((picture.width // 2, picture.height // 2)), int)


def expect_frame(page: Page, number: int, place: str = ".video-player") -> None:
    """Wait until the screen has the colour of a frame, counted from 0."""
    wanted = np.array([12 * number, 255 - 12 * number, 128])
    expect_colour(page, wanted, 6, place, number)  # neighbours differ by 12


def expect_colour(page: Page, wanted: np.ndarray, limit: float, place: str, number: int) -> None:
    for _ in range(40):
        found = colour_on_screen(page, place)
        if np.abs(found - wanted).max() <= limit:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"frame {number} is {wanted}, on the screen is {found}")


def test_h264_plays_and_every_step_shows_its_frame(
    live_house: House, open_page: Callable[..., Page], studies: dict[str, str]
) -> None:
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={studies[H264]}")
    place = page.get_by_label("Place in the video")
    expect(place).to_have_attribute("max", "2", timeout=15_000)
    expect_frame(page, 0)
    # The middle of frame 13.
    place.evaluate(
        "(input, at) => { input.value = at; input.dispatchEvent(new Event('input')); }",
        13.5 / FRAMES_A_SECOND,
    )
    expect_frame(page, 13)
    page.get_by_label("Next frame").click()
    expect_frame(page, 14)
    page.get_by_label("Previous frame").click()
    page.get_by_label("Previous frame").click()
    expect_frame(page, 12)
    page.get_by_label("Play", exact=True).click()
    expect_frame(page, 19)
    expect(page.locator(".banner-name")).to_contain_text("Video, Vida")


def test_a_played_video_turns_to_its_frames_and_back(
    live_house: House, open_page: Callable[..., Page], studies: dict[str, str]
) -> None:
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={studies[H264]}")
    place = page.get_by_label("Place in the video")
    expect(place).to_have_attribute("max", "2", timeout=15_000)
    place.evaluate(
        "(input, at) => { input.value = at; input.dispatchEvent(new Event('input')); }",
        13.5 / FRAMES_A_SECOND,
    )
    expect_frame(page, 13)
    page.get_by_role("button", name="Frame by frame").click()
    expect(page.locator(".overlay")).to_contain_text("14/20")
    expect_frame(page, 13, ".picture")
    page.keyboard.press("ArrowDown")
    expect_frame(page, 14, ".picture")
    page.get_by_role("button", name="Play as video").click()
    expect_frame(page, 14)


def test_what_no_browser_plays_is_a_stack_of_frames(
    live_house: House, open_page: Callable[..., Page], studies: dict[str, str]
) -> None:
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={studies[BD]}")
    corner = page.locator(".overlay")
    expect(corner).to_contain_text("1/77", timeout=15_000)
    expect(corner).to_contain_text("The file declares 20 frames; its video has 75.")
    parts = page.locator(".strip-part")
    expect(parts).to_have_count(3)
    parts.nth(1).click()
    expect(corner).to_contain_text("76/77")
    expect(page.get_by_role("img", name="Image 76 of 77")).to_be_visible()
    parts.nth(2).click()
    words = page.locator(".stage > .pane > .words")
    expect(words).to_contain_text("The video cannot be decoded.", timeout=15_000)
    expect(words.get_by_role("link", name="Save the stored video")).to_be_visible()
    parts.nth(0).click()
    expect(corner).to_contain_text("1/77")
    page.keyboard.press("End")
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    expect(corner).to_contain_text("75/77")
    # Frame N is 3 N red and 255 - 3 N green; in the middle 3 X + Y is 3 * 32 + 24 blue.
    expect_colour(page, np.array([222, 33, 120]), 6, ".picture", 74)
    thumbnail = page.locator(".strip-picture img")
    expect(thumbnail).to_be_visible(timeout=15_000)


def test_what_cannot_be_decoded_says_so_and_can_be_saved(
    live_house: House, open_page: Callable[..., Page], studies: dict[str, str]
) -> None:
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={studies[MPEG2]}")
    words = page.locator(".video-pane .words")
    expect(words).to_contain_text("The video cannot be decoded.", timeout=15_000)
    with page.expect_download() as saved:
        words.get_by_role("link").click()
    assert Path(saved.value.path()).read_bytes().startswith(NO_VIDEO)
