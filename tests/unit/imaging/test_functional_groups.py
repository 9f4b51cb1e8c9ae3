"""The pipeline of enhanced multi-frame objects: phantoms by hand, one golden file with the viewer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.display import Grayscale, render_frame
from imaging.image_facts import image_facts
from imaging.ordering import frame_view
from tests.unit.imaging.build import BIG, EXPLICIT, image, read_bytes, written
from tests.unit.imaging.real_files import GOLDEN

CASES = json.loads((GOLDEN / "presentation.json").read_text())["functional_groups"]
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ENHANCED_XA = "1.2.840.10008.5.1.4.1.1.12.1.1"
ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
ENHANCED_US = "1.2.840.10008.5.1.4.1.1.6.2"
ENHANCED_MR_COLOR = "1.2.840.10008.5.1.4.1.1.4.3"


def lookup_table(first: int, bits: int, entries: list[int], syntax: str = EXPLICIT) -> Dataset:
    table = Dataset()
    table.add_new(0x00283002, "US", [len(entries), first & 0xFFFF, bits])
    order = "<u2" if syntax != BIG else ">u2"
    table.add_new(0x00283006, "OW", np.array(entries, order).tobytes())
    return table


def groups_of(says: dict[str, Any], syntax: str = EXPLICIT) -> Dataset:
    """Return an item of functional groups (PS3.3 C.7.6.16.2.9, C.7.6.16.2.10)."""
    item = Dataset()
    if "slope" in says:
        values = Dataset()
        values.RescaleSlope, values.RescaleIntercept = says["slope"], says["intercept"]
        values.RescaleType = "US"
        item.PixelValueTransformationSequence = Sequence([values])
    voi = Dataset()
    if "center" in says:
        voi.WindowCenter, voi.WindowWidth = says["center"], says["width"]
    if "function" in says:
        voi.VOILUTFunction = says["function"]
    if "voi_lut" in says:
        voi.VOILUTSequence = Sequence([lookup_table(**says["voi_lut"], syntax=syntax)])
    if len(voi):
        item.FrameVOILUTSequence = Sequence([voi])
    return item


def enhanced(case: dict[str, Any], syntax: str = EXPLICIT) -> Dataset:
    stored = np.array(case["stored"], np.uint16)
    made = image(np.stack([stored[None]] * len(case["frames"])), SOPClassUID=ENHANCED_CT)
    if "center" in case["image"]:
        made.WindowCenter, made.WindowWidth = case["image"]["center"], case["image"]["width"]
    if "function" in case["image"]:
        made.VOILUTFunction = case["image"]["function"]
    made.SharedFunctionalGroupsSequence = Sequence([groups_of(case["shared"], syntax)])
    made.PerFrameFunctionalGroupsSequence = Sequence(
        [groups_of(frame, syntax) for frame in case["frames"]]
    )
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_frame_is_shown_by_its_own_groups(case: dict[str, Any]) -> None:
    for syntax in (EXPLICIT, BIG):
        header = read_bytes(written(enhanced(case, syntax), syntax))
        facts = image_facts(header)
        for frame, grey in enumerate(case["grey"]):
            pipeline = Grayscale.from_image_facts(facts, frame=frame).with_tables(header, frame)
            assert pipeline.apply(np.array(case["stored"], np.uint16)).tolist() == grey
        assert "bad_lut" not in header.flags


def test_a_table_that_is_cut_short_in_one_frame_is_flagged_and_leaves_the_window() -> None:
    window = {"center": 128, "width": 256, "function": "LINEAR"}
    says = {**window, "voi_lut": {"first": 0, "bits": 16, "entries": [9, 9]}}
    made = enhanced({"image": {}, "shared": {}, "frames": [says], "stored": [0, 1, 128]})
    voi = made.PerFrameFunctionalGroupsSequence[0].FrameVOILUTSequence[0]
    voi.VOILUTSequence[0].LUTDescriptor = [4, 0, 16]
    header = read_bytes(written(made))
    facts = image_facts(header)
    assert "bad_lut" in header.flags
    assert "has_voi_lut" not in facts
    pipeline = Grayscale.from_image_facts(facts).with_tables(header)
    assert pipeline.apply(np.array([0, 1, 128], np.uint16)).tolist() == [0, 1, 128]


def test_an_enhanced_angiogram_names_the_source_of_its_millimetres() -> None:
    # 0.2 mm at the detector for all; the second frame is calibrated where the vessel lies.
    detector, object_plane, shared, own = Dataset(), Dataset(), Dataset(), Dataset()
    detector.ImagerPixelSpacing, detector.PixelIntensityRelationship = [0.2, 0.2], "LOG"
    object_plane.ObjectPixelSpacingInCenterOfBeam = [0.15, 0.15]
    shared.FramePixelDataPropertiesSequence = Sequence([detector])
    own.ProjectionPixelCalibrationSequence = Sequence([object_plane])
    made = image(np.zeros((2, 4, 4), np.uint16), SOPClassUID=ENHANCED_XA)
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    made.PerFrameFunctionalGroupsSequence = Sequence([Dataset(), own])
    facts = image_facts(read_bytes(written(made)))
    seen = [frame_view(facts, frame) for frame in (0, 1)]
    assert seen[0]["pixel_spacing"] == pytest.approx([0.2, 0.2])
    assert seen[1]["pixel_spacing"] == pytest.approx([0.15, 0.15])
    assert [one["pixel_spacing_source"] for one in seen] == ["imager", "calibrated"]
    assert seen[0]["pixel_intensity_relationship"] == "LOG"


@pytest.mark.parametrize("sop_class", [ENHANCED_PET, ENHANCED_US])
def test_frames_of_enhanced_pet_and_ultrasound_keep_their_own_scale(sop_class: str) -> None:
    made = enhanced(CASES[0])
    made.SOPClassUID = sop_class
    for frame, unit in enumerate(("BQML", "GML")):
        values = made.PerFrameFunctionalGroupsSequence[frame].PixelValueTransformationSequence[0]
        values.RescaleType = unit
    facts = image_facts(read_bytes(written(made)))
    seen = [frame_view(facts, frame) for frame in (0, 1)]
    assert [one["rescale_type"] for one in seen] == ["BQML", "GML"]
    assert [one["rescale_slope"] for one in seen] == [1, 2]


def test_an_enhanced_angiogram_is_shown_by_its_sigmoid_and_by_the_shutter_of_each_frame() -> None:
    # C.11.2.1.3.1 by hand: 255 / (1 + exp(-4 (x - 100) / 50)) of 0, 100, 125 and 150.
    stored = np.array([[0, 100], [125, 150]], np.uint16)
    made = image(np.stack([stored] * 2), SOPClassUID=ENHANCED_XA)
    window = {"center": 100, "width": 50, "function": "SIGMOID"}
    made.SharedFunctionalGroupsSequence = Sequence([groups_of(window)])
    shutter, own = Dataset(), Dataset()
    shutter.ShutterShape, shutter.ShutterPresentationValue = "RECTANGULAR", 0
    shutter.ShutterUpperHorizontalEdge, shutter.ShutterLowerHorizontalEdge = 2, 2
    shutter.ShutterLeftVerticalEdge, shutter.ShutterRightVerticalEdge = 1, 2
    own.FrameDisplayShutterSequence = Sequence([shutter])
    made.PerFrameFunctionalGroupsSequence = Sequence([Dataset(), own])
    header = read_bytes(written(made))
    facts = image_facts(header)
    shown = [
        render_frame(
            stored,
            Grayscale.from_image_facts(facts, frame=frame).with_tables(header, frame),
            shutter=frame_view(facts, frame).get("shutter"),
        ).tolist()
        for frame in (0, 1)
    ]
    assert shown == [[[0, 128], [225, 250]], [[0, 0], [225, 250]]]


def test_colours_of_an_enhanced_mr_are_shown_as_they_are_and_lie_where_frames_say() -> None:
    rgb = np.arange(2 * 2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 2, 3)
    made = image(np.zeros((2, 2, 2), np.uint8), SOPClassUID=ENHANCED_MR_COLOR)
    made.SamplesPerPixel, made.PlanarConfiguration = 3, 0
    made.PhotometricInterpretation, made.PixelData = "RGB", rgb.tobytes()
    frames = []
    for height in (5.0, 7.5):
        place, groups = Dataset(), Dataset()
        place.ImagePositionPatient = [0.0, 0.0, height]
        groups.PlanePositionSequence = Sequence([place])
        frames.append(groups)
    plane, measures, kind, shared = Dataset(), Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    measures.PixelSpacing, kind.PixelPresentation = [0.5, 0.25], "TRUE_COLOR"
    shared.PlaneOrientationSequence = Sequence([plane])
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.MRImageFrameTypeSequence = Sequence([kind])
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    header = read_bytes(written(made))
    facts = image_facts(header)
    for frame, height in enumerate((5.0, 7.5)):
        seen = frame_view(facts, frame)
        assert seen["image_position_patient"] == [0, 0, height]
        assert (seen["pixel_spacing"], seen["pixel_spacing_source"]) == (
            [0.5, 0.25],
            "pixel_spacing",
        )
        pipeline = Grayscale.from_image_facts(facts, frame=frame).with_tables(header, frame)
        assert (render_frame(rgb[frame], pipeline) == rgb[frame]).all()
