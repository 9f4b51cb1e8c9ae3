"""Overlays and shutters of stored files: in rendered pictures and at their own address."""

from __future__ import annotations

import numpy as np
import pytest

from archive.lookup_tables import read_lookup_tables
from archive.overlays import HEAD, pack_overlays, read_overlays
from archive.rendering import Rendering, render_picture
from archive.stack import build_stack
from imaging.errors import UnsupportedError
from imaging.overlays import OVERLAY_COLOUR
from tests.unit.archive.test_frames import store
from tests.unit.imaging.build import BIG, EXPLICIT, image, written
from tests.unit.imaging.test_functional_groups import CASES, enhanced

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_overlays_in_unused_bits_of_the_pixels_are_drawn(syntax: str) -> None:
    stored = np.array([[0, 4095], [100, 0]], np.uint16)
    words = stored | np.array([[0x8000, 0], [0, 0x8000]], np.uint16)
    made = image(words, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)
    if syntax == BIG:
        made.PixelData = words.astype(">u2").tobytes()
    for element, vr, value in (
        (0x10, "US", 2), (0x11, "US", 2), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
        (0x100, "US", 16), (0x102, "US", 15),
    ):  # fmt: skip
        made.add_new(0x60000000 | element, vr, value)
    made.ShutterShape = "RECTANGULAR"
    made.ShutterLeftVerticalEdge, made.ShutterRightVerticalEdge = 1, 1
    made.ShutterUpperHorizontalEdge, made.ShutterLowerHorizontalEdge = 1, 2
    instance = store(written(made, syntax))
    planes = read_overlays(instance, 0)
    assert [plane.bits.tolist() for plane in planes] == [[[True, False], [False, True]]]
    packed = pack_overlays(planes)
    assert HEAD.unpack_from(packed) == (0x6000, 2, 2, 0, 1, 1, 1)
    assert packed[HEAD.size :] == bytes([0b1001])
    picture = render_picture(instance, 0)
    assert picture.tolist() == [
        [list(OVERLAY_COLOUR), [0] * 3],
        [[6] * 3, list(OVERLAY_COLOUR)],
    ]
    plain = render_picture(instance, 0, Rendering(overlays=False, shutter=False))
    assert plain.tolist() == [[0, 255], [6, 0]]


def test_a_bitmap_shutter_hides_with_and_without_overlays_and_can_be_switched_off() -> None:
    made = image(np.full((2, 2), 255, np.uint16), WindowCenter=128, WindowWidth=256)
    for element, vr, value in (
        (0x10, "US", 2), (0x11, "US", 2), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
        (0x100, "US", 1), (0x102, "US", 0), (0x3000, "OW", bytes([0b1001, 0])),
    ):  # fmt: skip
        made.add_new(0x60000000 | element, vr, value)
    made.ShutterShape, made.ShutterOverlayGroup = ["BITMAP"], 0x6000
    made.ShutterPresentationValue = 0x8000
    made.ShutterPresentationColorCIELabValue = [35580, 53665, 50856]  # red of sRGB
    instance = store(written(made))
    assert HEAD.unpack_from(pack_overlays(read_overlays(instance, 0)))[3] == 2
    red, white = [255, 0, 0], [255] * 3
    for rendering in (Rendering(), Rendering(overlays=False)):
        assert render_picture(instance, 0, rendering).tolist() == [[red, white], [white, red]]
    assert render_picture(instance, 0, Rendering(shutter=False)).tolist() == [[255, 255]] * 2


def test_a_palette_over_grey_is_shown_and_said() -> None:
    stored = np.tile(np.array([0, 100, 200, 201], np.uint16), (64, 16))
    made = image(
        stored, PixelPresentation="COLOR", WindowCenter=100, WindowWidth=200,
        VOILUTFunction="LINEAR_EXACT",
    )  # fmt: skip
    for name, entries in (("Red", [255, 0]), ("Green", [0, 128]), ("Blue", [0, 255])):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [2, 200, 16])
        table = np.array(entries, np.uint16) * 257
        setattr(made, f"{name}PaletteColorLookupTableData", table.tobytes())
    instance = store(written(made))
    picture = render_picture(instance, 0, Rendering(longest_px=64))
    assert picture[0, :4].tolist() == [[0] * 3, [128] * 3, [255, 0, 0], [0, 128, 255]]
    turned = render_picture(instance, 0, Rendering(longest_px=64, invert=True))
    assert turned[0, 2].tolist() == [0, 255, 255]
    # The mark is never cut: a small picture is framed until the words fit.
    assert render_picture(instance, 0).shape[1] > 64
    with pytest.raises(UnsupportedError):
        render_picture(instance, 0, Rendering(colour_map="hot_iron"))
    palette = read_lookup_tables(instance)["supplemental_palette"]
    assert palette == {"first": 200, "rgb": [255, 0, 0, 0, 128, 255]}


def test_tables_of_single_frames_come_with_their_frames() -> None:
    case = next(one for one in CASES if one["name"].startswith("lookup tables of single frames"))
    instance = store(written(enhanced(case)))
    images = build_stack(instance.series)["images"]
    tables = [
        frame["voi_lut"] | {"explanation": ""} for frame in case["frames"] if "voi_lut" in frame
    ]
    assert [one.get("voi_luts") for one in images] == [[tables[0]], None, [tables[1]]]
    for frame, grey in enumerate(case["grey"]):
        assert render_picture(instance, frame).tolist() == [grey]
