"""How pictures reach the page: true, under the right name, without end, and on weak machines."""

from __future__ import annotations

import io
import itertools
import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID

from archive.phantom import PhantomShape, build_datasets
from tests.browser.conftest import ROOT, House
from tests.browser.test_viewer import report, wait_until

pytestmark = pytest.mark.browser

SIZE = 128
RAMP = np.add.outer(np.arange(SIZE) * 3, np.arange(SIZE) * 5)
NOISE = np.random.default_rng(5).integers(0, 200, (SIZE, SIZE))


def base(number: int, name: str) -> FileDataset:
    """Return an image of 128 x 128 whose pixels a test then puts in; a series of its own."""
    shape = PhantomShape(rows=SIZE, columns=SIZE, slices=1, seed=77, patient_name="True^Tom")
    dataset = next(iter(build_datasets(shape)))
    dataset.SeriesInstanceUID = UID(f"{dataset.StudyInstanceUID}.{number}")
    dataset.SOPInstanceUID = UID(f"{dataset.StudyInstanceUID}.{number}.1")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SeriesNumber, dataset.SeriesDescription = number, name
    return dataset


def grey(dataset: FileDataset, values: np.ndarray, bits: int, **also: Any) -> FileDataset:
    """Put grey pixels in; `also` are further attributes."""
    allocated = values.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    for keyword, value in also.items():
        setattr(dataset, keyword, value)
    return dataset


def colours(dataset: FileDataset, photometric: str, samples: np.ndarray) -> FileDataset:
    """Put colour pixels of 8 bits in, shape (rows, columns, 3), colour by pixel."""
    for keyword in (
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
        "WindowCenter",
        "WindowWidth",
    ):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = photometric
    return grey(dataset, samples.astype(np.uint8), 8)


def with_palette(dataset: FileDataset) -> FileDataset:
    """Make it an image whose values are looked up as colours."""
    for keyword in (
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
        "WindowCenter",
        "WindowWidth",
    ):
        if keyword in dataset:
            delattr(dataset, keyword)
    ramp = np.arange(256)
    for name, entries in (("Red", ramp), ("Green", 255 - ramp), ("Blue", ramp * 7 % 256)):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        words = (entries * 257).astype("<u2").tobytes()
        setattr(dataset, f"{name}PaletteColorLookupTableData", words)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    return grey(dataset, (RAMP % 256).astype(np.uint8), 8)


def with_voi_lut(dataset: FileDataset) -> FileDataset:
    """Make it an image whose file says by a table how it is seen."""
    del dataset.WindowCenter, dataset.WindowWidth
    table = Dataset()
    table.LUTDescriptor = [1024, 0, 12]
    table.LUTData = (np.sqrt(np.arange(1024) / 1023) * 4095).astype("<u2").tobytes()
    table.LUTExplanation = "ROOT"
    dataset.VOILUTSequence = Items([table])
    dataset.RescaleIntercept = 0
    return grey(dataset, (RAMP % 1024).astype("<u2"), 12)


def make_kinds() -> list[FileDataset]:
    """Return one image of every kind that is drawn by another path."""
    hu = (RAMP * 2 - 1000 + NOISE).astype("<i2")
    ybr = np.stack([RAMP % 256, np.full_like(RAMP, 90), (RAMP // 4) % 256], axis=-1)
    window = {"WindowCenter": 300, "WindowWidth": 700}
    return [
        grey(base(1, "CT signed 16"), hu, 16, RescaleIntercept=0),
        grey(base(2, "MR 12"), (RAMP + NOISE).astype("<u2"), 12, Modality="MR", RescaleIntercept=0, **window),
        grey(base(3, "MONOCHROME1 8"), (RAMP % 256).astype(np.uint8), 8,
             PhotometricInterpretation="MONOCHROME1", RescaleIntercept=0, WindowCenter=128, WindowWidth=200),
        with_palette(base(4, "PALETTE")),
        colours(base(5, "YBR"), "YBR_FULL", ybr),
        with_voi_lut(base(6, "VOI LUT")),
        grey(base(7, "SIGMOID"), (RAMP + NOISE).astype("<u2"), 12, RescaleIntercept=0,
             VOILUTFunction="SIGMOID", **window),
        grey(base(8, "16 of 16, no window"), (RAMP * 60).astype("<u2"), 16, RescaleIntercept=0,
             WindowCenter=None, WindowWidth=None),
    ]  # fmt: skip


@dataclass
class Kinds:
    """A study with a series of every kind."""

    study_uid: str
    series: list[FileDataset]


@pytest.fixture(scope="module")
def kinds(live_house: House, tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    """The kinds, stored."""
    folder = tmp_path_factory.mktemp("kinds")
    made = make_kinds()
    for number, dataset in enumerate(made):
        dcmwrite(folder / f"{number}.dcm", dataset, enforce_file_format=True)
    live_house.manage("import_dicom", folder, "--facility", "north")
    return Kinds(str(made[0].StudyInstanceUID), made)


def on_screen(page: Page) -> np.ndarray:
    """Return the middle of the picture and two pixels around as the screen has it, int, RGB."""
    box = page.locator(".picture").bounding_box()
    assert box is not None
    side = SIZE + 4
    x, y = box["x"] + (box["width"] - side) // 2, box["y"] + (box["height"] - side) // 2
    shot = page.screenshot(clip={"x": x, "y": y, "width": side, "height": side})
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def difference(page: Page, expected: np.ndarray) -> int:
    """Return by how many levels the screen differs; where the middle lies, the layout decides.

    The outermost row and column may lie half on the screen's pixels.
    """
    seen, expected, side = on_screen(page), expected[1:-1, 1:-1], SIZE - 2
    places = [(row, column) for row in range(1, 6) for column in range(1, 6)]
    return min(
        int(np.abs(seen[row : row + side, column : column + side] - expected).max())
        for row, column in places
    )


def by_server(page: Page, house: House) -> np.ndarray:
    """Return the same frame as `imaging.display` draws it, shape (128, 128, 3)."""
    instance, frame = report(page)["imageKey"].split("/")
    address = f"{house.url}/api/v1/instances/{instance}/frames/{frame}/rendered.png"
    response = page.request.get(address)
    assert response.ok
    return np.asarray(Image.open(io.BytesIO(response.body())).convert("RGB")).astype(int)


def open_kinds(page: Page, house: House, kinds: Kinds, query: str) -> None:
    """Open the study, without words over the pictures."""
    page.goto(f"{house.url}/viewer/?study={kinds.study_uid}")
    page.goto(f"{page.url}?{query}")
    wait_until(page, lambda now: now["scene"] == "picture")
    if query == "engine=webgl":
        for _ in range(150):
            if page.evaluate("window.noctis.engine") == "webgl":
                break
            page.wait_for_timeout(100)
        assert page.evaluate("window.noctis.engine") == "webgl"
    page.evaluate("document.querySelector('.overlay').hidden = true")


def show_kind(page: Page, dataset: Dataset) -> None:
    """Open one of the series, each pixel of it as one of the screen."""
    page.locator(".strip-item", has_text=str(dataset.SeriesDescription)).click()
    wanted = dataset.SOPInstanceUID
    wait_until(page, lambda now: now["scene"] == "picture" and now["sopInstanceUid"] == wanted)
    page.keyboard.press("n")
    page.keyboard.press("o")
    page.wait_for_timeout(150)


@pytest.mark.parametrize("query", ["engine=canvas", "engine=webgl", "surface=server"])
def test_every_kind_of_image_is_on_the_canvas_as_the_standard_draws_it(
    live_house: House, kinds: Kinds, open_page: Callable[..., Page], query: str
) -> None:
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_kinds(page, live_house, kinds, query)
    for dataset in kinds.series[:: 3 if query == "surface=server" else 1]:
        show_kind(page, dataset)
        expected = by_server(page, live_house)
        assert len(np.unique(expected)) > 20, "a picture of one grey would prove nothing"
        found = difference(page, expected)
        assert found <= 1, f"{dataset.SeriesDescription}: {found} grey levels"
    if query == "surface=server":
        loads = {url.partition("/frames/?")[2] for url in asked if "/frames/?" in url}
        assert len(loads) <= 1, "a weak machine gets no pixels but those that the page comes with"


def test_the_server_draws_with_the_reader_s_window_and_says_so(
    live_house: House, kinds: Kinds, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_kinds(page, live_house, kinds, "surface=server")
    show_kind(page, kinds.series[0])
    page.evaluate("document.querySelector('.overlay').hidden = false")
    expect(page.locator(".overlay")).to_contain_text("Picture drawn by the server")
    with page.expect_request(re.compile(r"rendered\.png\?window=")) as asked:
        page.get_by_label("Window width").fill("321")
        page.keyboard.press("Enter")
    assert ",321" in asked.value.url.replace("%2C", ",")
    wait_until(page, lambda now: now["voi"]["width"] == 321)
    expect(page.locator(".corner.bottom-left")).to_contain_text("W 321")
    page.evaluate("document.querySelector('.overlay').hidden = true")
    page.wait_for_timeout(150)
    drawn = page.request.get(asked.value.url)
    expected = np.asarray(Image.open(io.BytesIO(drawn.body())).convert("RGB")).astype(int)
    assert difference(page, expected) <= 1


# --- between the pixels -----------------------------------------------------------------
def between(
    values: np.ndarray, view: dict[str, Any], height: int, width: int, smooth: bool
) -> np.ndarray:
    """Return what a screen of this size shows, by the formula; NaN where two pixels meet."""
    column = (np.arange(width) + 0.5 - width / 2) / view["scale"] + view["center"]["x"]
    row = (np.arange(height) + 0.5 - height / 2) / view["scale"] + view["center"]["y"]
    last = len(values) - 1
    inside = (column >= 0) & (column <= last), (row >= 0) & (row <= last)
    column, row = column[inside[0]], row[inside[1]]
    if smooth:
        left, top = np.minimum(column.astype(int), last - 1), np.minimum(row.astype(int), last - 1)
        across, down = column - left, (row - top)[:, None]
        upper = values[top][:, left] * (1 - across) + values[top][:, left + 1] * across
        lower = values[top + 1][:, left] * (1 - across) + values[top + 1][:, left + 1] * across
        return np.asarray(upper * (1 - down) + lower * down)
    nearest: np.ndarray = values[np.rint(row).astype(int)][:, np.rint(column).astype(int)].astype(
        float
    )
    on_edge = [np.abs(np.abs(one - np.floor(one)) - 0.5) < 0.02 for one in (row, column)]
    nearest[on_edge[0]], nearest[:, on_edge[1]] = np.nan, np.nan
    return nearest


def picture_on_screen(page: Page) -> np.ndarray:
    """Return the whole picture as the screen has it, its red alone."""
    box = page.locator(".picture").bounding_box()
    assert box is not None
    shot = page.screenshot(clip=box)
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))[..., 0].astype(int)


def test_between_pixels_the_screen_is_linear_or_the_nearest_pixel_as_one_likes(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    values = np.random.default_rng(5).integers(0, 256, (12, 12))
    dataset = grey(base(91, "Between"), values.astype("<u2"), 12, Modality="MR", Rows=12,
                   Columns=12, RescaleIntercept=0, WindowCenter=128, WindowWidth=256)  # fmt: skip
    dataset.StudyInstanceUID = UID(f"{dataset.StudyInstanceUID}.5")
    dcmwrite(tmp_path / "one.dcm", dataset, enforce_file_format=True)
    live_house.manage("import_dicom", tmp_path, "--facility", "north")
    page = open_page()
    study = Kinds(str(dataset.StudyInstanceUID), [])
    for engine, smooth in itertools.product(("canvas", "webgl"), (True, False)):
        if smooth:
            open_kinds(page, live_house, study, f"engine={engine}")
        end = time.monotonic() + 10
        while True:
            screen = picture_on_screen(page)
            height, width = screen.shape
            wanted = between(values, page.evaluate("window.noctis.view"), height, width, smooth)
            inside = screen[height // 2 - wanted.shape[0] // 2 :][: wanted.shape[0]]
            inside = inside[:, width // 2 - wanted.shape[1] // 2 :][:, : wanted.shape[1]]
            off = float(np.nanmax(np.abs(inside - wanted)))
            # A texture is looked up in steps of 1/256 of a pixel: up to one level, and rounding.
            if off <= (2 if smooth else 0):
                break
            assert time.monotonic() < end, (engine, smooth, off)
        page.keyboard.press("n")


# --- under the right name -------------------------------------------------------------
def store_flat(house: House, folder: Path, name: str, values: dict[int, int]) -> str:
    """Store a study with one series for each value, three slices that are all of that value."""
    folder.mkdir()
    uid = ""
    for number, value in values.items():
        shape = PhantomShape(rows=64, columns=64, slices=3, seed=90 + number, patient_name=name)
        for place, dataset in enumerate(build_datasets(shape)):
            uid = uid or str(dataset.StudyInstanceUID)
            dataset.StudyInstanceUID = UID(uid)
            dataset.SeriesNumber, dataset.SeriesDescription = number, f"{name} {number}"
            dataset.PatientID = name
            dataset.WindowCenter, dataset.WindowWidth = 128, 256
            grey(dataset, np.full((64, 64), value, "<u2"), 12, RescaleIntercept=0)
            dcmwrite(folder / f"{number}-{place}.dcm", dataset, enforce_file_format=True)
    house.manage("import_dicom", folder, "--facility", "north")
    return uid


# Answers come late, each in its own time, and even those that nobody wants any more.
_LATE = """(() => {
  const ask = window.fetch;
  let number = 0;
  window.fetch = async (...words) => {
    const answer = await ask(...words);
    number += 1;
    await new Promise((resolve) => setTimeout(resolve, [400, 30, 250, 90][number % 4]));
    return answer;
  };
})()"""

# What the page says and what its picture is, in one moment; black is no picture.
_SAMPLE = """() => {
  const canvas = window.noctis.canvas;
  const small = document.createElement('canvas');
  small.width = small.height = 1;
  const context = small.getContext('2d');
  const [x, y] = [canvas.width / 2, canvas.height / 2];
  context.drawImage(canvas, x, y, 1, 1, 0, 0, 1, 1);
  return [
    document.querySelector('.banner-name').textContent,
    document.querySelector('.corner.top-left').textContent,
    context.getImageData(0, 0, 1, 1).data[0],
  ];
}"""


def test_late_answers_never_show_one_s_pixels_under_another_s_name(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    values = {1: 60, 2: 120, 3: 180}
    first = store_flat(live_house, tmp_path / "a", "Anna^Flat", values)
    second = store_flat(live_house, tmp_path / "b", "Bert^Flat", {4: 240})
    levels = {f"Anna^Flat {number}": value for number, value in values.items()}
    levels["Bert^Flat 4"] = 240
    page = open_page()
    page.add_init_script(_LATE)
    seen: set[str] = set()

    def look(times: int) -> None:
        for _ in range(times):
            banner, corner, level = page.evaluate(_SAMPLE)
            named = next((name for name in levels if name in corner), None)
            if level > 10 and named is not None:
                assert abs(level - levels[named]) <= 2, (corner, level)
                assert named.partition("^")[0] in banner
                seen.add(named)

    for uid in (first, second, first):
        page.goto(f"{live_house.url}/viewer/?study={uid}")
        look(3)
        strip = page.locator(".strip-item")
        for number in [1, 0, 2, 1, 2, 0][: 6 if strip.count() > 1 else 0]:
            strip.nth(number).click()
            look(4)
    wait_until(page, lambda now: now["scene"] == "picture")
    look(1)
    assert len(seen) >= 3, "something must have been seen"


# --- without end ------------------------------------------------------------------------
SAMPLES = 5


def test_fifty_studies_in_one_tab_give_their_memory_back(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    studies = [
        store_flat(live_house, tmp_path / str(number), f"Many^{number}", {number: 100})
        for number in (11, 12)
    ]
    page = open_page()
    link = page.context.new_cdp_session(page)
    heaps: list[float] = []
    processes: list[float] = []
    documents: list[int] = []
    for turn in range(50):
        page.goto(f"{live_house.url}/viewer/?study={studies[turn % 2]}", wait_until="commit")
        wait_until_quick(page)
        if turn < SAMPLES or turn >= 50 - SAMPLES:
            link.send("HeapProfiler.collectGarbage")
            documents.append(link.send("Memory.getDOMCounters")["documents"])
            heaps.append(link.send("Runtime.getHeapUsage")["usedSize"])
            processes.append(memory_mb(page))
    # Now and then the page is caught with half a megabyte of its start still in hand; what has
    # leaked is there every time.
    assert min(heaps[SAMPLES:]) <= 1.2 * min(heaps[:SAMPLES]), heaps
    assert min(processes[SAMPLES:]) <= 1.2 * min(processes[:SAMPLES]), processes
    assert min(documents[SAMPLES:]) <= min(documents[:SAMPLES]), "pages that were left are let go"


def memory_mb(page: Page) -> float:
    """Return what the processes that draw pages hold: pictures, textures and code too, as PSS."""
    browser = page.context.browser
    assert browser is not None
    link = browser.new_browser_cdp_session()
    found = link.send("SystemInfo.getProcessInfo")["processInfo"]
    link.detach()
    total = 0
    for one in found:
        if one["type"] in ("renderer", "GPU"):
            try:
                lines = Path(f"/proc/{one['id']}/smaps_rollup").read_text().splitlines()
            except OSError:  # it has just ended
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def wait_until_quick(page: Page) -> None:
    """Wait until the page shows its picture; no longer."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if report(page).get("scene") == "picture":
            return
        time.sleep(0.02)
    raise AssertionError(report(page))


@pytest.mark.parametrize("coding", ["br", "gzip", ""])
def test_the_page_s_code_comes_coded_for_whom_takes_it(live_house: House, coding: str) -> None:
    path = next((ROOT / "static" / "build" / "assets").glob("viewer-*.js"))
    request = urllib.request.Request(
        f"{live_house.url}/static/assets/{path.name}", headers={"Accept-Encoding": coding}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        body = answer.read()
        assert answer.headers.get("Content-Encoding", "") == coding
        assert "immutable" in answer.headers["Cache-Control"]
    assert (len(body) < path.stat().st_size / 2) is bool(coding)


# --- when the server is out of reach ------------------------------------------------------
def test_a_lost_server_is_told_and_what_was_missing_comes_when_it_is_back(
    live_house: House, kinds: Kinds, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    open_kinds(page, live_house, kinds, "engine=canvas")
    told = page.locator(".connection")
    expect(told).to_be_hidden()
    page.context.set_offline(True)
    expect(told).to_contain_text("The server cannot be reached.")
    assert report(page)["scene"] == "picture", "what is here can be read on"
    page.context.set_offline(False)
    expect(told).to_be_hidden()


def test_a_picture_whose_file_is_back_is_shown_although_the_browser_kept_the_failure(
    live_house: House, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    before = set((live_house.home / "media").rglob("*.dcm"))
    uid = store_flat(live_house, tmp_path / "gone", "Gone^Gil", {21: 200})
    gone = sorted(set((live_house.home / "media").rglob("*.dcm")) - before)
    for path in gone:
        path.rename(path.with_suffix(".away"))
    page = open_page()
    page.goto(f"{live_house.url}/viewer/?study={uid}")
    wait_until(page, lambda now: now["scene"] == "words")
    for path in gone:
        path.with_suffix(".away").rename(path)
    page.locator(".words:visible").get_by_role("button", name="Try again").click()
    wait_until(page, lambda now: now["scene"] == "picture")
