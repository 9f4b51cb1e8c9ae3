"""What lies behind the window: padding, presentation LUT, shutters, overlays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.automatic_window import percentile_window
from imaging.display import Grayscale, render_frame
from imaging.image_facts import image_facts
from imaging.lut import LookupTable, Window
from imaging.overlays import (
    Plane,
    bits_of_plane,
    compose,
    draw_overlays,
    frame_of_overlay,
    hidden_bits,
)
from imaging.shutters import apply_shutter, visible_mask
from tests.unit.imaging.build import BIG, EXPLICIT, IMPLICIT, image, read_image, written
from tests.unit.imaging.real_files import GOLDEN, all_files, read

CASES = json.loads((GOLDEN / "presentation.json").read_text())
named = pytest.mark.parametrize


@named("case", CASES["padding"], ids=lambda case: case["name"])
def test_padding_is_black_whatever_is_inverted(case: dict[str, Any]) -> None:
    facts = {
        "rescale_slope": case["slope"], "rescale_intercept": case["intercept"],
        "window_center": [case["center"]], "window_width": [case["width"]],
        "voi_lut_function": case["function"],
        "photometric_interpretation": "MONOCHROME1" if case["invert"] else "MONOCHROME2",
    }  # fmt: skip
    if case["padding_value"] is not None:
        facts["pixel_padding_value"] = case["padding_value"]
    if case["padding_range_limit"] is not None:
        facts["pixel_padding_range_limit"] = case["padding_range_limit"]
    shown = Grayscale.from_image_facts(facts).apply(np.array(case["stored"], np.int16))
    assert shown.tolist() == case["grey"]


@named("case", CASES["presentation_lut"], ids=lambda case: case["name"])
def test_a_presentation_lut_gives_p_values(case: dict[str, Any]) -> None:
    table = LookupTable(0, np.array(case["entries"], np.uint16), case["bits"])
    window = Window(127.5, 255, "LINEAR_EXACT")
    shown = Grayscale(window=window, presentation_lut=table).apply(np.array(case["voi"], np.uint8))
    assert shown.tolist() == case["grey"]


@named("case", CASES["shutter"], ids=lambda case: case["name"])
def test_shutters_leave_the_pixels_of_the_standard(case: dict[str, Any]) -> None:
    visible = visible_mask(
        case["shutter"], case["rows"], case["columns"], row_to_column=case["row_to_column"]
    )
    assert ["".join("#" if seen else "." for seen in line) for line in visible] == case["visible"]


def planes_of(case: dict[str, Any]) -> list[Plane]:
    planes = []
    for facts in case["planes"]:
        bits = bits_of_plane(bytes(facts["data"]), facts, 0)
        assert bits is not None
        row, column = facts["overlay_origin"]
        is_region, is_shutter = facts["overlay_type"] == "R", facts.get("is_shutter", False)
        planes.append(Plane(0x6000, (row, column), is_region, bits, is_shutter))
    return planes


@named("case", CASES["overlay"], ids=lambda case: case["name"])
def test_overlays_lie_where_they_say(case: dict[str, Any]) -> None:
    planes, size = planes_of(case), (case["rows"], case["columns"])
    over, hidden = compose(planes, *size), hidden_bits(planes, *size)
    codes = np.zeros(size, int) if over is None else over.astype(int)
    codes += 0 if hidden is None else 4 * hidden
    assert ["".join(".RG.srg"[code] for code in line) for line in codes] == case["over"]


def test_graphics_are_solid_regions_let_the_picture_through() -> None:
    grey = np.full((1, 3), CASES["colour"]["grey"], np.uint8)
    drawn = draw_overlays(grey, np.array([[0, 1, 2]], np.uint8))
    colour = CASES["colour"]
    assert drawn.tolist() == [[[colour["grey"]] * 3, colour["region"], colour["overlay"]]]


@named("case", CASES["shutter_color"], ids=lambda case: case["name"])
def test_a_shutter_has_its_own_colour_on_a_coloured_screen(case: dict[str, Any]) -> None:
    made = image(np.zeros((1, 2), np.uint16), ShutterShape=["RECTANGULAR"])
    made.ShutterLeftVerticalEdge = made.ShutterRightVerticalEdge = 1
    made.ShutterUpperHorizontalEdge = made.ShutterLowerHorizontalEdge = 1
    made.ShutterPresentationColorCIELabValue = case["cielab"]
    shutter = image_facts(read_image(written(made))[0])["shutter"]
    shown = apply_shutter(np.array([[200, 100]], np.uint8), shutter)
    assert shown.tolist() == [[[200] * 3, case["rgb"]]]


def with_palette(case: dict[str, Any], presentation: str) -> Dataset:
    made = image(
        np.array([case["stored"]], np.uint16), PixelPresentation=presentation,
        PhotometricInterpretation=case["photometric_interpretation"],
        WindowCenter=case["center"], WindowWidth=case["width"], VOILUTFunction="LINEAR_EXACT",
    )  # fmt: skip
    if case["padding_value"] is not None:
        made.add_new(0x00280120, "US", case["padding_value"])
    for number, name in enumerate(("Red", "Green", "Blue")):
        table = np.array(case["rgb"][number::3], np.uint16) * 257
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [len(table), case["first"], 16])
        setattr(made, f"{name}PaletteColorLookupTableData", table.tobytes())
    return made


@named("case", CASES["supplemental_palette"], ids=lambda case: case["name"])
@named("syntax", [EXPLICIT, IMPLICIT])
def test_a_supplemental_palette_lies_over_grey(case: dict[str, Any], syntax: str) -> None:
    header, _ = read_image(written(with_palette(case, "COLOR"), syntax))
    facts = image_facts(header)
    assert facts["has_supplemental_palette"]
    pipeline = Grayscale.from_image_facts(facts).with_tables(header)
    stored = np.array([case["stored"]], np.uint16)
    assert render_frame(stored, pipeline, bits_stored=16).tolist() == [case["colours"]]
    low, high = case["automatic"]
    grey = stored[(stored >= low) & (stored <= high)]
    assert pipeline.percentile_window(stored) == percentile_window(grey)


def test_the_palette_of_a_mixed_object_is_for_the_frames_that_say_so() -> None:
    # An enhanced MR: the first frame in grey, the second with colours (C.8.16.2.1.1.1).
    made = with_palette(CASES["supplemental_palette"][0], "MIXED")
    made.SOPClassUID, made.NumberOfFrames = "1.2.840.10008.5.1.4.1.1.4.1", 2
    stored = np.array([CASES["supplemental_palette"][0]["stored"]], np.uint16)
    made.PixelData = stored.tobytes() * 2
    frames = []
    for presentation in ("MONOCHROME", "COLOR"):
        kind, groups = Dataset(), Dataset()
        kind.PixelPresentation = presentation
        groups.MRImageFrameTypeSequence = Sequence([kind])
        frames.append(groups)
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    header, _ = read_image(written(made))
    facts = image_facts(header)
    shown = []
    for frame in (0, 1):
        pipeline = Grayscale.from_image_facts(facts, frame=frame).with_tables(header, frame)
        shown.append(render_frame(stored, pipeline, bits_stored=16))
    assert shown[0].shape == (1, 7)
    assert shown[1].tolist() == [CASES["supplemental_palette"][0]["colours"]]
    assert "palette_not_applied" not in header.flags


@named(("group", "is_whole"), [(0x6000, True), (0x6002, False), (0x5000, False)])
def test_a_bitmap_shutter_needs_the_overlay_that_it_names(group: int, is_whole: bool) -> None:
    made = with_overlay()
    made.ShutterShape, made.ShutterOverlayGroup = ["BITMAP"], group
    made.ShutterPresentationValue = 0xFFFF
    header, _ = read_image(written(made))
    facts = image_facts(header)
    assert ("bad_shutter" in header.flags) is not is_whole
    whole = {"bitmap_group": "6000", "presentation_value": 0xFFFF}
    assert facts.get("shutter") == (whole if is_whole else None)


def test_a_bitmap_shutter_hides_its_pixels() -> None:
    bits = np.array([[True, False, True]])
    gray = Grayscale(window=Window(128, 256))
    frame = np.full((1, 3), 100, np.uint8)
    planes = [Plane(0x6000, (1, 1), is_region=False, bits=bits, is_shutter=True)]
    shutter = {"bitmap_group": "6000", "presentation_value": 0xFFFF}
    assert render_frame(frame, gray, shutter=shutter, overlays=planes).tolist() == [[255, 100, 255]]
    # Switched off by the reader it is neither a shutter nor graphics.
    assert render_frame(frame, gray, overlays=planes).tolist() == [[100, 100, 100]]


def test_a_shutter_hides_pixels_but_no_overlay() -> None:
    shutter = {"rectangle": [1, 1, 1, 1], "presentation_value": 0x8000}
    over = Plane(0x6000, (1, 3), is_region=False, bits=np.ones((1, 1), bool))
    frame = np.full((1, 3), 255, np.uint8)
    gray = Grayscale(window=Window(128, 256))
    assert apply_shutter(frame, shutter).tolist() == [[255, 128, 128]]
    shown = render_frame(frame, gray, shutter=shutter, overlays=[over])
    assert shown.tolist() == [[[255] * 3, [128] * 3, CASES["colour"]["overlay"]]]


def with_overlay(**changes: Any) -> Dataset:
    made = image(np.zeros((2, 8), np.uint16))
    values = {
        (0x10, "US"): 2, (0x11, "US"): 8, (0x40, "CS"): "G", (0x50, "SS"): [1, -1],
        (0x100, "US"): 1, (0x102, "US"): 0, (0x3000, "OW"): bytes([0b1, 0b10]),
    }  # fmt: skip
    for (element, vr), usual in values.items():
        value = changes.get(f"x{element:x}", usual)
        if value is not None:
            made.add_new(0x60000000 | element, vr, value)
    return made


@named("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_overlays_are_read_in_every_byte_order(syntax: str) -> None:
    made = with_overlay(x3000=bytes([1, 2]) if syntax != BIG else bytes([2, 1]))
    header, _ = read_image(written(made, syntax))
    facts = image_facts(header)["overlays"][0]
    assert facts["overlay_origin"] == [1, -1]
    raw = header.raw(0x60003000)
    assert raw is not None
    bits = bits_of_plane(raw, facts, 0, swapped=syntax == BIG)
    assert bits is not None
    assert np.argwhere(bits).tolist() == [[0, 0], [1, 1]]


@named(
    "changes",
    [{"x3000": b"\1\0"[:0]}, {"x50": None}, {"x10": 0}, {"x10": 60_000}, {"x3000": None}],
    ids=["no bits", "no origin", "no rows", "more rows than bits", "embedded without room"],
)
def test_an_overlay_that_is_not_whole_is_left_out_and_flagged(changes: dict[str, Any]) -> None:
    header, _ = read_image(written(with_overlay(**changes)))
    assert "overlays" not in image_facts(header)
    assert "bad_overlay" in header.flags


def test_overlay_frames_belong_to_frames_of_the_image() -> None:
    one, three = {"number_of_frames_in_overlay": 1}, {"number_of_frames_in_overlay": 3}
    assert [frame_of_overlay(one, frame) for frame in (0, 7)] == [0, 0]
    assert [frame_of_overlay(one | {"image_frame_origin": 2}, at) for at in (0, 1, 2)] == [
        None, 0, None,
    ]  # fmt: skip
    placed = three | {"image_frame_origin": 2}
    assert [frame_of_overlay(placed, frame) for frame in range(5)] == [None, 0, 1, 2, None]


@named(
    ("dtype", "stored", "written_as", "expected"),
    [(np.int16, 16, 63536, -2000), (np.int16, 12, 0x830, -2000), (np.int16, 12, 63536, -2000),
     (np.uint16, 12, 4095, 4095), (np.uint16, 12, 63536, None)],
)  # fmt: skip
def test_padding_is_a_stored_value_or_nothing(
    dtype: type, stored: int, written_as: int, expected: int | None
) -> None:
    made = image(np.zeros((1, 2), dtype), BitsStored=stored, HighBit=stored - 1)
    made.add_new(0x00280120, "US", written_as)
    header, _ = read_image(written(made))
    assert image_facts(header).get("pixel_padding_value") == expected
    assert ("bad_padding" in header.flags) == (expected is None)


def test_no_pixel_of_float_data_is_black() -> None:
    values = np.array([np.nan, 0, 5], np.float32)
    gray = Grayscale(window=Window(0, 10, "LINEAR_EXACT"), invert=True, padding=(5, 5))
    assert gray.apply(values).tolist() == [0, 127, 0]


def test_windows_keep_their_names_when_one_is_unusable() -> None:
    made = image(np.zeros((1, 2), np.uint16), WindowCenter=[1, 2, 3], WindowWidth=[10, 0, 30])
    made.WindowCenterWidthExplanation = ["A", "B", "C"]
    header, _ = read_image(written(made))
    facts = image_facts(header)
    assert facts["window_width"] == [10, 30]
    assert facts["window_center_width_explanation"] == ["A", "C"]
    assert "bad_window" in header.flags


@named("syntax", [EXPLICIT, BIG])
def test_tables_of_eight_bit_entries_and_of_65536_are_read(syntax: str) -> None:
    packed, full = Dataset(), Dataset()
    packed.add_new(0x00283002, "US", [4, 0, 8])
    data = bytes([10, 20, 30, 40])
    words = np.frombuffer(data, "<u2")
    packed.add_new(0x00283006, "OW", data if syntax == EXPLICIT else words.astype(">u2").tobytes())
    full.add_new(0x00283002, "US", [0, 0, 16])
    order = "<u2" if syntax == EXPLICIT else ">u2"
    full.add_new(0x00283006, "OW", np.arange(65536).astype(order).tobytes())
    made = image(np.zeros((1, 2), np.uint16), ModalityLUTSequence=Sequence([packed]))
    made.VOILUTSequence = Sequence([full])
    header, _ = read_image(written(made, syntax))
    gray = Grayscale().with_tables(header)
    assert gray.modality_lut is not None
    assert gray.modality_lut.values.tolist() == [10, 20, 30, 40]
    assert gray.voi_lut is not None
    assert gray.voi_lut.values[[0, 256, 65535]].tolist() == [0, 256, 65535]


def test_a_shutter_that_is_not_whole_is_left_out_and_flagged() -> None:
    made = image(np.zeros((4, 4), np.uint16), ShutterShape=["RECTANGULAR"])
    made.ShutterLeftVerticalEdge, made.ShutterRightVerticalEdge = 3, 2
    made.ShutterUpperHorizontalEdge, made.ShutterLowerHorizontalEdge = 1, 4
    header, _ = read_image(written(made))
    assert "shutter" not in image_facts(header)
    assert "bad_shutter" in header.flags


def test_real_overlays_are_those_that_pydicom_reads() -> None:
    wanted = ("OutOfBoundsOverlay.dcm", "examples_overlay.dcm", "ovly_p01.dcm")
    for path in (path for path in all_files().values() if path.name in wanted):
        header, _ = read(path)
        ds = pydicom.dcmread(path)
        for facts in image_facts(header).get("overlays", []):
            if facts["is_embedded"]:
                continue
            group = int(facts["group"], 16)
            bits = bits_of_plane(ds[group, 0x3000].value, facts, 0)
            assert bits is not None
            assert (bits == ds.overlay_array(group)).all()


def test_a_short_table_and_a_palette_over_grey_are_flagged() -> None:
    table = Dataset()
    table.add_new(0x00283002, "US", [4, 0, 16])
    table.add_new(0x00283006, "OW", bytes(6))
    made = image(np.zeros((1, 2), np.uint16), VOILUTSequence=Sequence([table]))
    made.RedPaletteColorLookupTableDescriptor = [256, 0, 16]
    header, _ = read_image(written(made))
    facts = image_facts(header)
    assert header.flags >= {"bad_lut", "palette_not_applied"}
    assert Grayscale.from_image_facts(facts).with_tables(header).voi_lut is None
