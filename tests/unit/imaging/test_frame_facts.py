"""Facts of functional groups and units, held against pydicom's reading of real files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.image_facts import image_facts
from imaging.ordering import frame_view
from tests.unit.imaging.build import image, read_image, written
from tests.unit.imaging.real_files import all_files, read

REAL = [
    name
    for name in all_files()
    if name.endswith(
        ("IM_0027_fMAP.dcm", "XA10/6_1.dcm", "emri_small.dcm", "multiframe/mf.dcm",
         "parametric_map_float.dcm", "seg_image_ct_binary.dcm", "liver_1frame.dcm")
    )
]  # fmt: skip
READ = {
    ("PlanePositionSequence", "ImagePositionPatient"): "image_position_patient",
    ("PlaneOrientationSequence", "ImageOrientationPatient"): "image_orientation_patient",
    ("PixelMeasuresSequence", "PixelSpacing"): "pixel_spacing",
    ("PixelMeasuresSequence", "SliceThickness"): "slice_thickness",
    ("PixelValueTransformationSequence", "RescaleSlope"): "rescale_slope",
    ("PixelValueTransformationSequence", "RescaleIntercept"): "rescale_intercept",
    ("FrameVOILUTSequence", "WindowCenter"): "window_center",
    ("FrameVOILUTSequence", "WindowWidth"): "window_width",
    ("FrameContentSequence", "InStackPositionNumber"): "in_stack_position_number",
    ("FrameContentSequence", "StackID"): "stack_id",
    ("MREchoSequence", "EffectiveEchoTime"): "effective_echo_time",
    ("MRDiffusionSequence", "DiffusionBValue"): "diffusion_b_value",
}


def by_pydicom(ds: Dataset, frame: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    shared = ds.get("SharedFunctionalGroupsSequence") or []
    own = ds.get("PerFrameFunctionalGroupsSequence") or []
    for groups in [*shared[:1], *own[frame : frame + 1]]:
        for (group, keyword), name in READ.items():
            items = groups.get(group) or []
            if not items or items[0].get(keyword) is None:
                continue
            value = items[0].get(keyword)
            is_list = isinstance(value, (list, pydicom.multival.MultiValue))
            values = list(value) if is_list else [value]
            if isinstance(value, str):
                found[name] = value
            elif name.startswith("window_") or is_list:
                found[name] = [float(one) for one in values]
            else:
                found[name] = float(value)
    return found


@pytest.mark.parametrize("name", REAL)
def test_real_functional_groups_say_what_pydicom_reads(name: str) -> None:
    path = all_files()[name]
    header, _ = read(path)
    facts = image_facts(header)
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    last = int(ds.get("NumberOfFrames", 1)) - 1
    for frame in {0, last // 2, last}:
        seen, truth = frame_view(facts, frame), by_pydicom(ds, frame)
        assert {key: seen.get(key) for key in truth} == truth


def test_shutters_and_mappings_of_frames_are_facts_of_frames() -> None:
    units = Dataset()
    units.CodeValue = "mm2/s"
    mapping = Dataset()
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 4095
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5, -1.0
    mapping.MeasurementUnitsCodeSequence = Sequence([units])
    shutter = Dataset()
    shutter.ShutterShape, shutter.CenterOfCircularShutter = "CIRCULAR", [2, 3]
    shutter.RadiusOfCircularShutter, shutter.ShutterPresentationValue = 4, 65535
    own = Dataset()
    own.RealWorldValueMappingSequence = Sequence([mapping])
    own.FrameDisplayShutterSequence = Sequence([shutter])
    made = image(np.zeros((2, 4, 4), np.uint16))
    made.PerFrameFunctionalGroupsSequence = Sequence([own, Dataset()])
    header, _ = read_image(written(made))
    facts = image_facts(header)
    first = frame_view(facts, 0)
    assert first["shutter"] == {"circle": [2, 3, 4], "presentation_value": 65535}
    assert first["real_world_value_mappings"] == [
        {"first": 0, "last": 4095, "units": "mm2/s", "label": "", "slope": 0.5, "intercept": -1.0}
    ]
    assert "shutter" not in frame_view(facts, 1)


def test_a_dose_grid_is_scaled_to_its_units() -> None:
    made = image(np.zeros((2, 2), np.uint16), DoseGridScaling="1e-3", DoseUnits="GY")
    header, _ = read_image(written(made))
    facts = image_facts(header)
    assert (facts["rescale_slope"], facts["rescale_type"]) == (1e-3, "GY")
