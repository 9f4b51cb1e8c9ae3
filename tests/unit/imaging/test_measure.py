"""Measurements against values from outside: `tests/golden/measure.json` and chance."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from imaging.measure import Pixels, measure
from imaging.measure_plane import MeasureError, Plane
from imaging.measure_region import Axis
from imaging.measure_roi import Ellipse, ellipse_mask, polygon_mask, statistics, value_unit
from tests.unit.imaging.real_files import GOLDEN

golden = json.loads((GOLDEN / "measure.json").read_text())
ROW, COLUMN = np.mgrid[:24, :32]
PHANTOM = Pixels(((7 * COLUMN + 13 * ROW) % 101 - 50).astype(np.float64), "HU")


def plane_of(name: str) -> Plane:
    facts: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in golden["planes"][name].items()
    }
    if "axes" in facts:
        across, down = facts["axes"]
        facts["axes"] = (Axis(**across), Axis(**down) if down else None)
    return Plane(**facts)


def title(case: dict[str, Any]) -> str:
    return f"{case['kind']}-{case['plane']}-{case['points_px']}"


@pytest.mark.parametrize("case", golden["cases"], ids=title)
def test_measures_what_the_formula_says(case: dict[str, Any]) -> None:
    result = measure(case["kind"], case["points_px"], plane_of(case["plane"]), PHANTOM)
    assert result.value == pytest.approx(case["value"], rel=1e-9, abs=1e-9)
    assert result.unit == case["unit"]
    assert result.provenance == golden["planes"][case["plane"]]["provenance"]
    if case["uncertainty"] is not None:
        assert result.uncertainty == pytest.approx(case["uncertainty"], rel=1e-9)
    expected = dict(case["statistics"])
    if bins := expected.pop("histogram", None):
        assert result.statistics["histogram"]["counts"] == bins
    for name, number in expected.items():
        found = result.statistics[name]
        assert found == (number and pytest.approx(number, rel=1e-9, abs=1e-9)), name
    if "notes" in case:
        assert list(result.notes) == case["notes"]


@pytest.mark.parametrize("case", golden["refused"], ids=title)
def test_refuses_points_that_make_no_such_thing(case: dict[str, Any]) -> None:
    with pytest.raises(MeasureError):
        measure(case["kind"], case["points_px"], plane_of(case["plane"]), PHANTOM)


@pytest.mark.parametrize("case", golden["lps"], ids=lambda case: str(case["px"]))
def test_an_oblique_plane_leads_to_the_patient_and_back(case: dict[str, Any]) -> None:
    plane = plane_of(case["plane"])
    assert plane.lps_from_px(np.array([case["px"]]))[0] == pytest.approx(case["lps"])
    assert plane.px_from_lps(np.array([case["lps"]]))[0] == pytest.approx(case["px"])
    with pytest.raises(MeasureError):
        plane.px_from_lps(np.array([case["lps"]]) + np.array([-0.6, 0, 0.8]))


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("length", [[3.0, 4.0], [60.0, 31.0]]),
        ("polyline", [[3.0, 4.0], [60.0, 31.0], [20.0, 70.0]]),
        ("angle", [[3.0, 4.0], [60.0, 31.0], [20.0, 70.0]]),
        ("cobb", [[0.0, 0.0], [80.0, 9.0], [0.0, 90.0], [75.0, 40.0]]),
    ],
)
def test_chance_agrees_with_the_uncertainty_of_points(kind: str, points: list[Any]) -> None:
    plane = Plane(spacing=(1.4, 0.6), provenance="pixel_spacing")
    promised = measure(kind, points, plane).uncertainty
    chance = np.random.default_rng(7)
    drawn = np.array(points) + chance.uniform(-0.5, 0.5, (4000, *np.shape(points)))
    values = [measure(kind, one, plane).value or 0.0 for one in drawn.tolist()]
    assert np.std(values) == pytest.approx(promised, rel=0.04)


def test_chance_agrees_with_the_uncertainty_of_an_area() -> None:
    # A square drawn too large or too small by up to half a pixel all around.
    off = np.random.default_rng(7).uniform(-0.5, 0.5, 20000)
    areas = (40 + 2 * off) * 0.6 * (30 + 2 * off) * 1.4
    promised = measure("rectangle", [[0, 0], [40, 30]], Plane(spacing=(1.4, 0.6))).uncertainty
    assert areas.std() == pytest.approx(promised, rel=0.02)


def test_shapes_side_by_side_share_no_pixel_and_leave_none() -> None:
    corners = np.array(
        [[1.0, 1.0], [13.0, 2.0], [29.0, 5.0], [27.0, 20.0], [9.5, 22.0], [2.0, 12.0]]
    )
    middle = np.array([13.0, 11.0])
    whole = polygon_mask(corners, 24, 32).astype(int)
    parts = [
        polygon_mask(np.array([middle, one, two]), 24, 32).astype(int)
        for one, two in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    ]
    assert whole.sum() > 300
    assert (np.sum(parts, axis=0) == whole).all()


def test_padding_and_what_is_no_number_are_counted_apart() -> None:
    values = np.array([[1.0, 2.0, np.nan, -2000.0]])
    padding = values == -2000
    found = statistics(values, np.ones((1, 4), bool), padding=padding)
    assert (found["count"], found["padding_count"], found["not_finite_count"]) == (2, 1, 1)
    assert (found["mean"], found["sd"], found["max"]) == (1.5, 0.5, 2.0)


def test_a_factor_makes_other_units() -> None:
    suv = Pixels(PHANTOM.values, "SUVbw", factor=0.5)
    found = measure("probe", [[7, 4]], plane_of("square"), suv)
    assert (found.value, found.unit) == (PHANTOM.values[4, 7] / 2, "SUVbw")


def test_an_ellipse_equals_the_usual_mask() -> None:
    inside = ellipse_mask(
        Ellipse(np.array([16.0, 12.0]), np.array([9.0, 0.0]), np.array([0.0, 7.0])),
        np.ones(2), 24, 32,
    )  # fmt: skip
    assert (inside == (((COLUMN - 16) / 9) ** 2 + ((ROW - 12) / 7) ** 2 <= 1)).all()


REGIONS = {
    "pixel_spacing_source": "none",
    "ultrasound_regions": [
        {"bounds_px": [0, 0, 99, 99], "pixel_spacing": [0.2, 0.2]},
        {"bounds_px": [0, 100, 99, 199]},
    ],
}


def test_an_ultrasound_picture_has_the_scale_of_the_region_under_the_points() -> None:
    inside = Plane.from_image_facts(REGIONS, [[10, 10], [60, 10]])
    assert measure("length", [[10, 10], [60, 10]], inside).value == pytest.approx(10.0)
    assert inside.provenance == "ultrasound_region"
    for points in ([[10, 10], [10, 150]], [[10, 150], [20, 150]], [[10, 10], [300, 10]]):
        with pytest.raises(MeasureError):
            Plane.from_image_facts(REGIONS, points)
    assert Plane.from_image_facts(REGIONS, [[300, 10], [310, 10]]).unit == "px"


def test_where_the_scale_comes_from_is_said() -> None:
    def provenance(**facts: Any) -> str:
        return Plane.from_image_facts({"pixel_spacing": [0.1, 0.1], **facts}).provenance

    assert provenance(pixel_spacing_source="pixel_spacing") == "pixel_spacing"
    fiducial = {"pixel_spacing_calibration_type": "FIDUCIAL"}
    assert provenance(pixel_spacing_source="pixel_spacing", **fiducial) == "calibrated"
    assert provenance(pixel_spacing_source="imager") == "imager"
    assert provenance(pixel_spacing_source="imager", magnification_corrected=True) == (
        "imager_corrected"
    )
    assert Plane.from_image_facts({"pixel_aspect_ratio": [2, 1]}).aspect == 2
    assert Plane.from_image_facts({}).provenance == "uncalibrated"


def test_values_have_the_unit_of_the_file() -> None:
    assert value_unit({"rescale_slope": 1.0}, "CT") == "HU"
    assert value_unit({"rescale_slope": 1.0, "rescale_type": "HU"}, "OT") == "HU"
    assert value_unit({"rescale_slope": 1.0, "rescale_type": "US"}, "CT") == "unnamed"
    assert value_unit({"rescale_slope": 2.0, "units": "BQML"}, "PT") == "BQML"
    assert value_unit({}, "MR") == "stored"
