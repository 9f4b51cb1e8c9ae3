"""Filters, presets, colours and the automatic window, against formulas and other programs."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr._snomed_dict import mapping

from imaging.automatic_window import percentile_window
from imaging.body_parts import _PARTS_OF_CODE, PARTS, find_parts
from imaging.colour_maps import COLOUR_MAPS
from imaging.display import Grayscale
from imaging.enhance import FILTERS, Filter, apply_filters
from imaging.image_facts import image_facts
from imaging.marks import draw_mark
from imaging.ordering import frame_view
from imaging.presets import CT_PRESETS, offer_presets
from tests.unit.imaging.build import image, read_bytes, written
from tests.unit.imaging.real_files import GOLDEN

_AUTOMATIC = json.loads((GOLDEN / "automatic_window.json").read_text())
WINDOWS, REGIONS = _AUTOMATIC["cases"], _AUTOMATIC["regions"]
ENHANCED = json.loads((GOLDEN / "enhance.json").read_text())
CT = "1.2.840.10008.5.1.4.1.1.2"
HU = {"rescale_slope": 1.0, "rescale_intercept": -1024.0}


def unroll(runs: list[list[float]]) -> np.ndarray:
    """Return the values of runs: [value, count] or [first, last, step]."""
    parts = [
        np.full(int(run[1]), run[0]) if len(run) == 2 else np.arange(run[0], run[1] + 1e-9, run[2])
        for run in runs
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("case", WINDOWS, ids=lambda case: case["name"])
def test_a_window_from_the_pixels_leaves_padding_and_background_out(case: dict[str, Any]) -> None:
    padding = tuple(case["padding"]) if case["padding"] else None
    window = percentile_window(
        unroll(case["runs"]), padding=padding, percentiles=tuple(case["percentiles"])
    )
    low, high = window.center - window.width / 2, window.center + window.width / 2
    assert (low, high) == pytest.approx((case["low"], case["high"]), abs=1e-6)


@pytest.mark.parametrize("case", ENHANCED["cases"], ids=lambda case: case["name"])
def test_filters_give_what_other_programs_give(case: dict[str, Any]) -> None:
    picture = np.array(ENHANCED["pictures"][case["picture"]], np.uint8)
    filtered = apply_filters(picture, tuple(Filter(*one) for one in case["filters"]))
    assert filtered.dtype == np.uint8
    assert np.abs(filtered.astype(int) - np.array(case["grey"])).max() <= 1
    assert np.abs(filtered.astype(int) - picture).max() > 5, "a filter that does nothing"


def test_colour_is_filtered_in_its_luminance_alone() -> None:
    picture = np.array(ENHANCED["pictures"]["steps"], np.uint8)
    colour = np.clip(np.stack([picture, picture // 2 + 40, picture // 3], axis=2), 60, 190)
    filtered = apply_filters(colour.astype(np.uint8), (Filter("sharpen", 0.2),))
    change = filtered.astype(int) - colour
    inside = (filtered > 0).all(axis=2) & (filtered < 255).all(axis=2)
    assert (np.ptp(change, axis=2)[inside] == 0).all()
    assert np.abs(change).max() > 2


def test_a_large_picture_is_filtered_in_bounded_time() -> None:
    picture = np.random.default_rng(4).integers(0, 256, (2048, 2048), np.uint8)
    start = time.perf_counter()
    apply_filters(picture, tuple(Filter(name) for name in FILTERS))
    seconds = time.perf_counter() - start
    print(f"4 megapixels, four filters: {seconds:.2f} s")
    assert seconds < 30


@pytest.mark.parametrize("case", REGIONS, ids=lambda case: case["name"])
def test_the_window_of_a_region_is_over_what_lies_in_it(case: dict[str, Any]) -> None:
    stored = np.array(case["pixels"], np.uint16).reshape(case["rows"], case["columns"])
    padding = None if case["padding"] is None else (case["padding"], case["padding"])
    pipeline = Grayscale(slope=case["slope"], intercept=case["intercept"], padding=padding)
    window = pipeline.region_window(stored, case["region"])
    if case["low"] is None:
        assert window is None
        return
    assert window is not None
    ends = window.center - window.width / 2, window.center + window.width / 2
    assert ends == pytest.approx((case["low"], case["high"]))


# --- presets ---------------------------------------------------------------------------
def test_presets_of_the_region_come_first() -> None:
    head = offer_presets("CT", [(CT, HU)], body_part="HEAD").presets
    chest = offer_presets("CT", [(CT, HU)], body_part="CHEST").presets
    assert [one.code for one in head][:3] == ["brain", "stroke", "subdural"]
    assert [one.code for one in chest][:2] == ["lung", "mediastinum"]
    assert {one.code for one in head} == {one.code for one in chest}
    keys = [one.key for one in head if one.key]
    assert sorted(keys) == list(range(1, 10)), "every key means one preset"


# Words of annex L and of other languages; the parts are read off a dictionary by hand.
@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("HEAD", {"HEAD"}), ("Sch\u00e4del", {"HEAD", "SKULL"}), ("CRANE", {"HEAD", "SKULL"}),
        ("CSPINE", {"SPINE"}), ("C SPINE", {"SPINE"}), ("HWS", {"SPINE"}),
        ("CHESTABDPELVIS", {"CHEST", "PELVIS"}), ("ABDOMENPELVIS", {"ABDOMEN", "PELVIS"}),
        ("T\u00f3rax", {"CHEST"}), ("ADDOME", {"ABDOMEN"}), ("Beckenuebersicht", {"PELVIS"}),
        ("PESCO\u00c7O", {"NECK"}), ("\u0413\u041e\u041b\u041e\u0412\u0410", {"HEAD"}),
        ("\u80f8\u90e8\u5358\u7d14", {"CHEST"}), ("RODILLA", {"EXTREMITY"}),
        # An ear is no part of a heart, nor an inner ear of the ileum.
        ("HEART", {"HEART"}), ("CARDIAC", {"HEART"}), ("ILIAC", set()), ("", set()),
        ("INTERNAL AUDITORY CANAL", {"EAR"}), ("CORONARY", {"HEART", "VESSELS"}),
    ],
)  # fmt: skip
def test_a_body_part_is_known_in_several_languages(words: str, parts: set[str]) -> None:
    assert find_parts(words) == parts


def test_codes_of_both_schemes_name_the_same_part_as_pydicoms_table() -> None:
    checked = 0
    for code, own in _PARTS_OF_CODE.items():
        other = mapping["SCT" if code.isdigit() else "SRT"].get(code)
        if other in _PARTS_OF_CODE:
            assert _PARTS_OF_CODE[other] == own, code
            checked += 1
    assert checked > 120
    assert find_parts("", [("T-D3000", "SRT", ""), ("10200004", "SCT", "")]) == {"CHEST", "LIVER"}
    # Codes that are new, or of a scheme of their own, are read by their words.
    assert find_parts("", [("L77", "99HOSPITAL", "Kniegelenk")]) == set()
    assert find_parts("", [("T-D3000", "99HOSPITAL", "Left knee")]) == {"EXTREMITY"}


@pytest.mark.parametrize("is_frame", [False, True], ids=["image", "functional group"])
def test_presets_follow_the_anatomic_region_sequence(is_frame: bool) -> None:
    region, groups, anatomy = Dataset(), Dataset(), Dataset()
    region.CodeValue, region.CodingSchemeDesignator = "T-A0100", "SRT"
    region.CodeMeaning = "Brain"
    made = image(np.zeros((2, 2, 2), np.int16), RescaleSlope=1, RescaleIntercept=-1024)
    if is_frame:
        anatomy.AnatomicRegionSequence = Sequence([region])
        groups.FrameAnatomySequence = Sequence([anatomy])
        made.SharedFunctionalGroupsSequence = Sequence([groups])
    else:
        made.AnatomicRegionSequence = Sequence([region])
    facts = frame_view(image_facts(read_bytes(written(made))), 1)
    assert facts["anatomic_regions"] == [["T-A0100", "SRT", "Brain"]]
    presets = offer_presets("CT", [(CT, facts)]).presets
    assert [one.code for one in presets][:3] == ["brain", "stroke", "subdural"]


def test_every_window_that_readers_ask_for_is_there_and_fits_only_parts_that_exist() -> None:
    wanted = {
        "lung",
        "bone",
        "brain",
        "stroke",
        "mediastinum",
        "abdomen",
        "liver",
        "angio",
        "subdural",
    }
    assert wanted <= {one.code for one in CT_PRESETS}
    assert {part for one in CT_PRESETS for part in one.regions} <= set(PARTS)


@pytest.mark.parametrize(
    ("facts", "words"),
    [({}, "pixels"), ({"bits_stored": 12}, "Rescale"), ({**HU, "rescale_type": "US"}, "not HU"),
     ({**HU, "image_type": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer")],
)  # fmt: skip
def test_values_that_are_not_hu_get_no_preset_in_hu(facts: dict[str, Any], words: str) -> None:
    offer = offer_presets("CT", [(CT, HU), (CT, facts)])
    assert offer.find("lung") is None
    assert words in offer.why_not
    assert offer.find("full") is not None


def test_suv_presets_need_a_known_factor() -> None:
    assert offer_presets("PT", [("", {"units": "BQML"})]).find("suv5") is None
    offer = offer_presets("PT", [("", {"units": "BQML"})], suv_factor=0.0002)
    preset = offer.find("suv5")
    assert preset is not None
    assert offer.levels(preset) == pytest.approx((12_500, 25_000))
    # Grams a millilitre may be SUV of a kind that the passport does not know: it says the factor.
    assert offer_presets("PT", [("", {"units": "GML"})]).find("suv5") is None
    made = offer_presets("PT", [("", {"units": "GML"})], suv_factor=1.0)
    preset = made.find("suv5")
    assert preset is not None
    assert made.levels(preset) == pytest.approx((2.5, 5.0))


# --- colours and marks -------------------------------------------------------------------
def test_colour_maps_run_from_black_through_their_stops() -> None:
    for one in COLOUR_MAPS:
        table = one.table()
        assert table[0].tolist() == [0, 0, 0]
        for place, rgb in one.stops:
            assert tuple(table[place]) == rgb
    hot = COLOUR_MAPS[0].table()
    assert hot[64].tolist() == [128, 0, 0]
    assert hot[160].tolist() == [255, 64, 0]


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("size", [(512, 512), (40, 30)])
def test_a_mark_is_readable_on_black_and_white_and_never_cut(
    level: int, size: tuple[int, int]
) -> None:
    marked = draw_mark(np.full(size, level, np.uint8), ("SHARPENED", "NOT THE ORIGINAL"))
    box = marked[-20:, :30].astype(int)
    assert box.max(axis=2).max() > 200
    assert box.max(axis=2).min() == 0
    wide = draw_mark(np.zeros((600, 600), np.uint8), ("NOT THE ORIGINAL",))
    assert wide.shape == (600, 600, 3)
    assert marked.shape[1] >= 80
