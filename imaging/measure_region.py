"""Ultrasound regions whose axes are not both lengths: M-mode and spectra (PS3.3 C.8.5.5).

There a line has no length. It has an extent along each axis, each in a unit of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Physical units of a region (C.8.5.5.1.15): the unit that people read, and the factor to it.
_UNITS = {3: ("mm", 10.0), 4: ("ms", 1000.0), 5: ("Hz", 1.0), 7: ("cm/s", 1.0)}
# Each end is known to half a pixel, uniformly.
_EXTENT_PX = math.sqrt(2 / 12)


@dataclass(frozen=True, slots=True)
class Axis:
    """What one pixel is along an axis: `step` of `unit`."""

    unit: str
    step: float


def axes_of_region(region: dict[str, Any]) -> tuple[Axis, Axis] | None:
    """Return the axes along a row and along a column; None where a unit or step is not known."""
    axes = []
    for name in ("x", "y"):
        unit, factor = _UNITS.get(region.get(f"physical_units_{name}_direction", 0), ("", 0.0))
        # A negative delta tells the direction only.
        step = abs(float(region.get(f"physical_delta_{name}") or 0.0)) * factor
        if not (math.isfinite(step) and step > 0):
            return None
        axes.append(Axis(unit, step))
    return axes[0], axes[1]


def extents(points_px: Sequence[Sequence[float]], axes: tuple[Axis, Axis]) -> dict[str, Any]:
    """Return how far two points lie apart along each axis.

    `value`, `unit` and `uncertainty` are those of the axis along which the line runs for more
    pixels; `statistics` has both.
    """
    spans_px = [abs(end - start) for start, end in zip(*points_px, strict=True)]
    main = 0 if spans_px[0] >= spans_px[1] else 1
    (across, down) = (span * axis.step for span, axis in zip(spans_px, axes, strict=True))
    return {
        "value": (across, down)[main],
        "unit": axes[main].unit,
        "uncertainty": axes[main].step * _EXTENT_PX,
        "statistics": {
            "horizontal": across,
            "horizontal_unit": axes[0].unit,
            "vertical": down,
            "vertical_unit": axes[1].unit,
        },
    }
