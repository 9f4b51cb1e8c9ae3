"""The scale under points of an ultrasound picture: millimetres, other units, pixels, or none."""

from __future__ import annotations

from typing import Any

import pytest

from imaging.measure import measure
from imaging.measure_plane import MeasureError, Plane

# A 2D picture of 0.2 mm x 0.2 mm; below it a Doppler spectrum: 4 ms a column, -0.5 cm/s a row.
FACTS: dict[str, Any] = {
    "pixel_spacing_source": "ultrasound_region",
    "pixel_spacing": [0.2, 0.2],
    "ultrasound_regions": [
        {"bounds_px": [0, 0, 199, 99], "pixel_spacing": [0.2, 0.2]},
        {
            "bounds_px": [0, 100, 199, 199],
            "physical_units_x_direction": 4,
            "physical_units_y_direction": 7,
            "physical_delta_x": 0.004,
            "physical_delta_y": -0.5,
        },
        {"bounds_px": [0, 200, 199, 219], "physical_units_x_direction": 1},
        # An ECG, whose height has no unit; and a frame around all, which says nothing.
        {
            "bounds_px": [0, 220, 199, 239],
            "physical_units_x_direction": 4,
            "physical_units_y_direction": 0,
            "physical_delta_x": 0.005,
        },
        {"bounds_px": [0, 0, 199, 239], "physical_units_x_direction": 0},
    ],
}


@pytest.mark.parametrize(
    ("points", "value", "unit", "provenance"),
    [
        ([[10, 10], [40, 50]], 10.0, "mm", "ultrasound_region"),
        ([[10, 150], [60, 140]], 200.0, "ms", "ultrasound_region"),
        ([[10, 190], [11, 110]], 40.0, "cm/s", "ultrasound_region"),
        ([[10, 225], [12, 235]], 10.0, "ms", "ultrasound_region"),
        ([[300, 10], [303, 14]], 5.0, "px", "uncalibrated"),
    ],
)
def test_a_line_is_measured_in_the_units_of_its_region(
    points: list[list[float]], value: float, unit: str, provenance: str
) -> None:
    found = measure("length", points, Plane.from_image_facts(FACTS, points))
    assert found.value == pytest.approx(value)
    assert (found.unit, found.provenance) == (unit, provenance)


@pytest.mark.parametrize(
    "points", [[[10, 90], [10, 110]], [[10, 210], [20, 210]]], ids=["two regions", "unknown unit"]
)
def test_a_line_without_one_scale_is_refused(points: list[list[float]]) -> None:
    with pytest.raises(MeasureError):
        Plane.from_image_facts(FACTS, points)
