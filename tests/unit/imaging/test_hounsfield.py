"""CT values against air and soft tissue: phantoms whose truth is known, and every real CT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from imaging.body_region import find_region
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


def body(*, noise: float = 12.0, air: bool = True, lung: bool = True) -> np.ndarray:
    """Return a slice in true HU: air, a ring of fat, muscle, lung and bone; float64, 256 x 256."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    radius = np.hypot(x, y * 1.2)
    hu = np.full(x.shape, -1000.0 if air else 40.0)
    hu[radius < 0.9] = -100
    hu[radius < 0.8] = 55
    hu[np.hypot(x - 0.35, y) < 0.2] = -820 if air and lung else 55
    spine = np.hypot(x, y - 0.45) < 0.12
    generator = np.random.default_rng(7)
    hu[spine] = generator.uniform(200, 1400, int(spine.sum()))
    return np.asarray(hu + generator.normal(0, noise, x.shape))


def stored(hu: np.ndarray) -> np.ndarray:
    """Return what a scanner writes with slope 1 and intercept -1024: unsigned 12 bits."""
    return np.asarray(np.clip(np.rint(hu + 1024), 0, 4095), np.uint16)


def judge(
    pixels: np.ndarray, slope: float, intercept: float, region: str = "", **also: Any
) -> HuVerdict:
    image = {"rescale_slope": slope, "rescale_intercept": intercept, **also}
    return judge_pixels([in_hounsfield(pixels, image)], slope=slope, region=region)


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
    also: dict[str, Any] = {"pixel_padding_value": padding} if is_declared else {}
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


@pytest.mark.parametrize("shift", [-110, 80, 110])
@pytest.mark.parametrize("region", ["head", "extremity"])
def test_where_there_is_no_lung_a_small_shift_of_air_is_found(shift: int, region: str) -> None:
    pixels = stored(body(lung=False))
    assert judge(pixels, 1, -1024, region).verdict == "calibrated"
    verdict = judge(pixels, 1, -1024 + shift, region)
    assert (verdict.verdict, verdict.codes) == ("suspect", ("air_misplaced",))
    assert verdict.air_peak_hu == pytest.approx(-1000 + shift, abs=2)


def test_lung_where_the_region_is_not_known_is_no_misplaced_air() -> None:
    """A picture within a lung: much at -900, no air."""
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    hu = np.where(np.hypot(x, y) < 0.7, -900.0, 45.0)
    hu += np.random.default_rng(1).normal(0, 15, hu.shape)
    for region in ("", "chest"):
        assert judge(stored(hu), 1, -1024, region).verdict == "calibrated"


def test_a_phantom_of_plastics_and_metal_is_no_alarm() -> None:
    """Air, Teflon (990), Delrin (340), a titanium rod: nothing of it is soft tissue."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    hu = np.where(np.hypot(x, y) < 0.8, 340.0, -1000.0)
    hu[np.hypot(x - 0.3, y) < 0.2] = 990
    hu[np.hypot(x + 0.3, y) < 0.1] = 3000
    assert judge(stored(hu), 1, -1024).codes == ("no_tissue",)
    assert judge(stored(hu), 1, -1024, "phantom").verdict == "calibrated"
    # A water phantom whose air and water are both shifted is one all the same.
    water = stored(np.where(np.hypot(x, y) < 0.8, 0.0, -1000.0) + 3 * np.sin(40 * x))
    assert judge(water, 1, -1024, "phantom").codes == ("air_and_tissue",)
    assert judge(water, 1, 0, "phantom").codes == ("air_elsewhere",)


def test_a_limb_full_of_bone_needs_less_soft_tissue_than_a_body() -> None:
    generator = np.random.default_rng(3)
    hu = np.full((256, 256), -1000.0)
    hu[40:200, 40:200] = generator.uniform(250, 1500, (160, 160))
    hu[40:200, 40:52] = 50  # 7.5 % of the body
    assert judge(stored(hu), 1, -1024, "extremity").verdict == "calibrated"
    assert judge(stored(hu), 1, -1024).codes == ("no_tissue",)


def test_many_small_details_are_not_judged_together() -> None:
    details = [np.full((16, 16), 900.0 + number) for number in range(9)]
    assert judge_pixels(details, region="head").codes == ("too_few_pixels",)


@pytest.mark.parametrize(
    ("words", "region"),
    [
        (("HEAD",), "head"),
        (("BRAIN", "STD BRAIN 1MM", "", "1A TRAUMA/PLAIN HEAD DM"), "head"),
        (("", "Routine Brain"), "head"),
        (("Schädel",), "head"),
        (("", "Schaedel nativ"), "head"),
        (("HEAD", "CTA Head+Neck"), ""),
        (("HEAD", "Sinus"), ""),
        (("CHEST", "Lung 1 mm"), "chest"),
        (("KNEE",), "extremity"),
        (("HEAD", "PHANTOM_EXAMPLE"), "phantom"),
        (("", "Daily CT QA"), "phantom"),
        (("CHESTABDPELVIS",), ""),
        (("CHEST ABDOMEN",), ""),
        (("", ""), ""),
        (("OVERHEAD", "FOREHEAD"), ""),
    ],
)
def test_a_region_is_named_only_where_that_is_safe(words: tuple[str, ...], region: str) -> None:
    assert find_region(*words) == region


def test_no_real_ct_is_suspect_and_air_is_where_numpy_finds_it() -> None:
    """Each image alone and each series together, by the region that its own words name."""
    checked = 0
    together: dict[tuple[Path, str], list[np.ndarray]] = {}
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
        words = (dataset.get("SeriesDescription", ""), dataset.get("ProtocolName", ""))
        region = find_region(dataset.get("BodyPartExamined", ""), *map(str, words))
        verdict = judge(pixels, image["rescale_slope"], image["rescale_intercept"], region, **also)
        assert verdict.verdict == "calibrated", name
        series = together.setdefault((path.parent, region), [])
        if len(series) < 60:
            series.append(in_hounsfield(pixels, {**image, **also}))
        checked += 1
        if verdict.codes == ("air_and_tissue",):
            hu = pixels * image["rescale_slope"] + image["rescale_intercept"]
            counts, edges = np.histogram(hu, bins=np.arange(-1065, -920, 10))
            top = edges[np.argmax(counts)] + 5
            assert verdict.air_peak_hu == pytest.approx(top, abs=15), name
    assert checked
    for (folder, region), slices in together.items():
        for some in (slices[:9], slices[:: max(1, len(slices) // 8)]):
            assert judge_pixels(some, region=region).verdict == "calibrated", (folder, region)
