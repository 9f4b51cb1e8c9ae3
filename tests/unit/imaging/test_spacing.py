"""The size of a pixel and its source, against numbers written into the file by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.dictionary import tag_of
from imaging.header import Header
from imaging.image_facts import image_facts
from imaging.ordering import Placement
from imaging.shape import examine_shape
from imaging.spacing import pixel_aspect
from tests.unit.imaging.build import element, image, read_bytes, written
from tests.unit.imaging.real_files import GOLDEN, all_files, read

PLANES = np.zeros((3, 4, 4), np.uint16)


def facts(**values: Any) -> tuple[dict[str, Any], set[str]]:
    header = read_bytes(written(image(np.zeros((4, 4), np.int16), **values)))
    return image_facts(header), header.flags


CASES = json.loads((GOLDEN / "spacing.json").read_text())["cases"]
_VRS = {
    "PixelSpacingCalibrationType": b"CS", "PixelAspectRatio": b"IS",
}  # fmt: skip


def header_of(attributes: dict[str, str]) -> Header:
    """Return a header with these values, byte for byte as written."""
    made = image(np.zeros((4, 4), np.int16))
    body = written(made).partition(b"DICM")[2]
    for keyword, value in sorted(attributes.items(), key=lambda one: tag_of(one[0])):
        tag, raw = tag_of(keyword), value.encode()
        raw += b" " * (len(raw) % 2)
        new = element(tag >> 16, tag & 0xFFFF, _VRS.get(keyword, b"DS"), raw)
        # Behind all elements of lower tags: group 0018 before 0020, group 0028 before pixels.
        before = element(0x0028, 0x0002, b"US", b"\1\0")
        at = body.index(before) if tag >> 16 < 0x28 else body.index(b"\x28\x00\x00\x01US")
        body = body[:at] + new + body[at:]
    return read_bytes(b"\0" * 128 + b"DICM" + body)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_spacing_names_its_source(case: dict[str, Any]) -> None:
    header = header_of(case["attributes"])
    found = image_facts(header)
    wanted = {name: _near(value) for name, value in case["facts"].items()}
    assert {name: found.get(name) for name in wanted} == wanted
    for name in ("magnification_corrected", "unclear_numbers", "pixel_spacing"):
        assert (name in found) == (name in wanted)
    assert pixel_aspect(found) == pytest.approx(case["aspect"])
    assert ("bad_number" in header.flags) == ("unclear_numbers" in wanted)


def _near(value: Any) -> Any:
    return (
        pytest.approx(value) if isinstance(value, list) and value[0] != "pixel_spacing" else value
    )


@pytest.mark.parametrize("bad", [b"0\\1 ", b"-1\\1", b"1 ", b"nan\\1", b"x\\y "])
def test_what_is_no_spacing_is_flagged_and_not_used(bad: bytes) -> None:
    content = written(image(np.zeros((4, 4), np.int16), PixelSpacing=["7.5", "7.25"]))
    assert content.count(b"DS\x08\x007.5\\7.25") == 1
    header = read_bytes(content.replace(b"DS\x08\x007.5\\7.25", b"DS\x08\x00" + bad.ljust(8)))
    found = image_facts(header)
    assert found["pixel_spacing_source"] == "none"
    assert "bad_pixel_spacing" in header.flags


def region(delta: float, units: int = 3, spatial_format: int = 1) -> Dataset:
    made = Dataset()
    for keyword, bound in (("MinX0", 1), ("MinY0", 2), ("MaxX1", 3), ("MaxY1", 4)):
        setattr(made, f"RegionLocation{keyword}", bound)
    made.RegionSpatialFormat, made.RegionDataType, made.RegionFlags = spatial_format, 1, 2
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = units
    made.PhysicalDeltaX, made.PhysicalDeltaY = delta, -2 * delta
    return made


def test_every_ultrasound_region_keeps_its_own_measure() -> None:
    regions = [region(0.01), region(0.02), region(0.01, units=4), region(0.01, spatial_format=2)]
    found, _flags = facts(SequenceOfUltrasoundRegions=Sequence(regions))
    assert found["pixel_spacing_source"] == "none"
    spacings = [one.get("pixel_spacing") for one in found["ultrasound_regions"]]
    assert spacings == [pytest.approx([0.2, 0.1]), pytest.approx([0.4, 0.2]), None, None]
    assert found["ultrasound_regions"][0]["bounds_px"] == [1, 2, 3, 4]
    assert found["ultrasound_regions"][0]["region_flags"] == 2


@pytest.mark.parametrize(
    ("offsets", "heights"),
    [([0, 4, 8], [-20, -16, -12]), ([-20, -16, -10], [-20, -16, -10]), ([3, 4, 8], None)],
)
def test_planes_of_a_dose_grid_lie_where_their_offsets_say(
    offsets: list[float], heights: list[float] | None
) -> None:
    dose = image(
        PLANES, GridFrameOffsetVector=offsets, PixelSpacing=["2", "2"],
        ImagePositionPatient=[5, 6, -20], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
    )  # fmt: skip
    header = read_bytes(written(dose))
    found = image_facts(header)
    if heights is None:
        assert "frames" not in found
        assert "bad_frame_offsets" in header.flags
        return
    planes = [frame["image_position_patient"] for frame in found["frames"]["per_frame"]]
    assert planes == [[5, 6, height] for height in heights]
    shape = examine_shape([Placement.from_image_facts(n, found, 1, frame=n) for n in range(3)])
    assert shape.slice_count == 3


# Read by hand with pydicom.
REAL = {
    "data/rt/pydicom+pydicom/test_files/rtdose.dcm": ([10.0, 10.0], "pixel_spacing"),
    "pydicom/test_files/CT_small.dcm": ([0.661468, 0.661468], "pixel_spacing"),
    "pydicom/test_files/MR_small.dcm": ([0.3125, 0.3125], "pixel_spacing"),
    "pydicom/charset_files/chrKoreanMulti.dcm": ([0.15, 0.15], "imager"),
    # 0.085 mm at the detector, magnified 1.0433386837881 times.
    "data/mg/fo-dicom+fo-dicom/Test Data/OutOfBoundsOverlay.dcm": (
        [0.0814692, 0.0814692],
        "imager",
    ),
    "data/cr-dx/ImagingDataCommons+highdicom/test_files/dx_image.dcm": ([1.2, 1.2012], "imager"),
    # One 2D region in cm beside one that has seconds: 0.0262288 and 0.0510497 cm.
    "pydicom/test_files/examples_palette.dcm": ([0.262288, 0.262288], "ultrasound_region"),
    "pydicom/test_files/examples_ybr_color.dcm": ([0.510497, 0.510497], "ultrasound_region"),
    "data/syntaxes/pydicom+pydicom-data/data/gdcm-US-ALOKA-16_big.dcm": (
        [0.382653, 0.382653],
        "ultrasound_region",
    ),
    "pydicom/test_files/SC_rgb_small_odd.dcm": ([33.333333, 33.333333], "pixel_spacing"),
}


@pytest.mark.parametrize(("name", "expected"), REAL.items(), ids=REAL)
def test_real_files_have_the_spacing_that_their_headers_say(
    name: str, expected: tuple[list[float] | None, str]
) -> None:
    path = all_files().get(name)
    if path is None:
        pytest.skip("this real file is not here (NOCTIS_TEST_DATA)")
    found = image_facts(read(path)[0])
    spacing, source = expected
    assert found["pixel_spacing_source"] == source
    said = None if spacing is None else pytest.approx(spacing, rel=1e-5)
    assert found.get("pixel_spacing") == said
