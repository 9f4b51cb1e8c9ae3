"""CT values against air and soft tissue: phantoms whose truth is known, and every real CT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from imaging.hounsfield import (
    CT_CLASSES,
    HuVerdict,
    in_hounsfield,
    judge_pixels,
    rescale_fault,
    why_not_hounsfield,
)
from tests.unit.imaging.real_files import all_files

CT = "1.2.840.10008.5.1.4.1.1.2"


def body(*, noise: float = 12.0, air: bool = True) -> np.ndarray:
    """Return a slice in true HU: air, a ring of fat, muscle, lung and bone; float64, 256 x 256."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    radius = np.hypot(x, y * 1.2)
    hu = np.full(x.shape, -1000.0 if air else 40.0)
    hu[radius < 0.9] = -100
    hu[radius < 0.8] = 55
    hu[np.hypot(x - 0.35, y) < 0.2] = -820 if air else 55
    spine = np.hypot(x, y - 0.45) < 0.12
    generator = np.random.default_rng(7)
    hu[spine] = generator.uniform(200, 1400, int(spine.sum()))
    return np.asarray(hu + generator.normal(0, noise, x.shape))


def stored(hu: np.ndarray) -> np.ndarray:
    """Return what a scanner writes with slope 1 and intercept -1024: unsigned 12 bits."""
    return np.asarray(np.clip(np.rint(hu + 1024), 0, 4095), np.uint16)


def judge(pixels: np.ndarray, slope: float, intercept: float, **also: Any) -> HuVerdict:
    image = {"rescale_slope": slope, "rescale_intercept": intercept, **also}
    return judge_pixels([in_hounsfield(pixels, image)], slope=slope)


def test_a_right_rescale_is_calibrated_and_air_is_found_to_a_hounsfield_unit() -> None:
    verdict = judge(stored(body()), 1, -1024)
    assert (verdict.verdict, verdict.codes) == ("calibrated", ("air_and_tissue",))
    assert verdict.air_peak_hu == pytest.approx(-1000, abs=2)
    assert verdict.tissue_peak_hu == pytest.approx(55, abs=3)


@pytest.mark.parametrize(
    ("slope", "intercept", "air_hu"),
    [
        pytest.param(1, 0, 24, id="intercept-lost"),
        pytest.param(1, 1024 - 24, 1024, id="intercept-of-the-wrong-sign"),
        pytest.param(1, -2048, -2024, id="intercept-applied-twice"),
        pytest.param(1, -24, 0, id="air-at-0"),
    ],
)
def test_a_wrong_intercept_is_suspect_and_says_where_air_is(
    slope: float, intercept: float, air_hu: float
) -> None:
    verdict = judge(stored(body()), slope, intercept)
    assert (verdict.verdict, verdict.codes) == ("suspect", ("air_elsewhere",))
    assert verdict.air_peak_hu == pytest.approx(air_hu, abs=12)


@pytest.mark.parametrize("slope", [0.5, 1.3, 2.0, 4.0])
def test_a_wrong_slope_is_suspect(slope: float) -> None:
    assert judge(stored(body()), slope, -1024).verdict == "suspect"


def test_coarse_steps_of_an_extended_scale_are_no_alarm() -> None:
    pixels = np.rint((body() + 10240) / 10).astype(np.uint16)
    assert judge(pixels, 10, -10240).verdict == "calibrated"


def test_saturated_air_is_no_alarm() -> None:
    hu = body()
    hu[hu < -900] = -1024
    assert judge(stored(hu), 1, -1024).verdict == "calibrated"


def test_a_picture_filled_by_the_patient_is_judged_by_soft_tissue() -> None:
    verdict = judge(stored(body(air=False)), 1, -1024)
    assert (verdict.verdict, verdict.codes, verdict.air_peak_hu) == (
        "calibrated",
        ("no_air",),
        None,
    )


@pytest.mark.parametrize("padding", [-2000, -3024, -1500])
@pytest.mark.parametrize("is_declared", [True, False])
def test_padding_outside_the_field_counts_for_nothing(padding: int, is_declared: bool) -> None:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    pixels = np.rint(body()).astype(np.int16)
    pixels[np.hypot(x, y) > 1] = padding
    also = {"pixel_padding_value": padding} if is_declared else {}
    verdict = judge(pixels, 1, 0, **also)
    assert (verdict.verdict, verdict.codes) == ("calibrated", ("air_and_tissue",))
    assert verdict.air_peak_hu == pytest.approx(-1000, abs=2)
    share = 0.0 if is_declared else float((np.hypot(x, y) > 1).mean())
    assert verdict.outside_share == pytest.approx(share, abs=0.001)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"image_type": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"image_type": ["DERIVED", "SECONDARY", "MIP"]}, "projection"),
        ({"image_type": ["DERIVED", "PRIMARY", "AXIAL"], "rescale_type": "Z_EFF"}, "other_units"),
        ({"image_type": ["DERIVED", "PRIMARY", "AXIAL"], "rescale_type": "HU_MOD"}, "other_units"),
        ({"image_type": ["ORIGINAL", "PRIMARY", "AXIAL"], "rescale_type": "US"}, "other_units"),
        ({"image_type": ["ORIGINAL", "PRIMARY", "AXIAL"], "rescale_type": "HU"}, ""),
        ({"image_type": ["ORIGINAL", "PRIMARY", "AXIAL"]}, ""),
        ({"image_type": ["DERIVED", "SECONDARY", "MPR"]}, ""),
        ({}, "no_pixels"),
    ],
)
def test_what_is_no_hounsfield_unit_by_the_header(facts: dict[str, Any], code: str) -> None:
    assert why_not_hounsfield(CT, facts) == code


def test_only_ct_objects_are_ct() -> None:
    assert why_not_hounsfield("1.2.840.10008.5.1.4.1.1.7", {"rows": 1}) == "not_ct"


def test_a_rescale_that_is_missing_or_absurd_is_told() -> None:
    assert rescale_fault({}) == "rescale_missing"
    assert rescale_fault({"rescale_slope": 0, "rescale_intercept": 0}) == "rescale_implausible"
    assert rescale_fault({"rescale_slope": -1, "rescale_intercept": 0}) == "rescale_implausible"
    assert rescale_fault({"rescale_slope": 1, "rescale_intercept": -1024}) == ""


def test_no_real_ct_is_suspect_and_air_is_where_numpy_finds_it() -> None:
    checked = 0
    for name, path in all_files().items():
        try:
            dataset = dcmread(path)
        except InvalidDicomError:
            continue
        if dataset.get("SOPClassUID") not in CT_CLASSES or "RescaleSlope" not in dataset:
            continue
        try:
            pixels = np.asarray(dataset.pixel_array)
        except (AttributeError, RuntimeError, ValueError, NotImplementedError):
            continue
        image: dict[str, Any] = {
            "image_type": list(dataset.ImageType),
            "rescale_type": dataset.get("RescaleType", ""),
            "rescale_slope": float(dataset.RescaleSlope),
            "rescale_intercept": float(dataset.RescaleIntercept),
        }
        if why_not_hounsfield(dataset.SOPClassUID, image):
            continue
        padding = dataset.get("PixelPaddingValue")
        also = {} if padding is None else {"pixel_padding_value": int(padding)}
        verdict = judge(pixels, image["rescale_slope"], image["rescale_intercept"], **also)
        assert verdict.verdict == "calibrated", name
        checked += 1
        if verdict.codes == ("air_and_tissue",):
            hu = pixels * image["rescale_slope"] + image["rescale_intercept"]
            counts, edges = np.histogram(hu, bins=np.arange(-1065, -920, 10))
            top = edges[np.argmax(counts)] + 5
            assert verdict.air_peak_hu == pytest.approx(top, abs=15), name
    assert checked
