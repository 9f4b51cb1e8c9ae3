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


Axes = tuple[Axis | None, Axis | None]


def axes_of_region(region: dict[str, Any]) -> Axes | None:
    """Return the axes along a row and along a column; None for what has no known unit or step."""
    axes: list[Axis | None] = []
    for name in ("x", "y"):
        unit, factor = _UNITS.get(region.get(f"physical_units_{name}_direction", 0), ("", 0.0))
        # A negative delta tells the direction only.
        step = abs(float(region.get(f"physical_delta_{name}") or 0.0)) * factor
        is_known = math.isfinite(step) and step > 0
        axes.append(Axis(unit, step) if is_known else None)
    return (axes[0], axes[1]) if any(axes) else None


def extents(points_px: Sequence[Sequence[float]], axes: Axes) -> dict[str, Any]:
    """Return how far two points lie apart along each known axis.

    `value`, `unit` and `uncertainty` are those of the known axis along which the line runs for
    more pixels; `statistics` has all.
    """
    spans_px = [abs(end - start) for start, end in zip(*points_px, strict=True)]
    known = [
        (span, axis, name)
        for span, axis, name in zip(spans_px, axes, ("horizontal", "vertical"), strict=True)
        if axis is not None
    ]
    span_px, main, _name = max(known, key=lambda one: one[0])
    statistics: dict[str, Any] = {}
    for span, axis, name in known:
        statistics |= {name: span * axis.step, f"{name}_unit": axis.unit}
    return {
        "value": span_px * main.step,
        "unit": main.unit,
        "uncertainty": main.step * _EXTENT_PX,
        "statistics": statistics,
    }
