"""Which pixels lie within a shape, and what their values say.

A pixel belongs to a shape when its centre does. Polygons and rectangles count by the even-odd
rule and are half-open: a centre on the left or upper edge is in, on the right or lower edge it
is out, so that shapes side by side share no pixel. A centre on the rim of an ellipse is in.
Masks are (rows, columns) of the whole image; what lies beyond the image does not count.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

HISTOGRAM_BINS = 32
# On the rim of an ellipse, within rounding.
RIM = 1e-9


def polygon_mask(points_px: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the pixels within a closed polygon of (column, row) corners."""
    crossings = np.zeros((rows, columns + 1), np.int32)
    for start, end in zip(points_px, np.roll(points_px, -1, axis=0), strict=True):
        # The same numbers whichever way the side runs, so that neighbours agree about it.
        (x0, y0), (x1, y1) = (start, end) if start[1] <= end[1] else (end, start)
        first, beyond = (int(v) for v in np.clip(np.ceil([y0, y1]), 0, rows))
        if first >= beyond:
            continue
        inner = np.arange(first, beyond)
        x = (x1 - x0) * (inner - y0) / (y1 - y0) + x0
        left_of = np.clip(np.ceil(x), 0, columns).astype(np.int64)
        np.add.at(crossings, (inner, left_of), 1)
    to_the_right = crossings[:, ::-1].cumsum(axis=1)[:, ::-1]
    mask: np.ndarray = to_the_right[:, 1:] % 2 == 1
    return mask


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse on a plane: its centre and two perpendicular half axes, in mm or px."""

    center: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @property
    def semi_axes(self) -> tuple[float, float]:
        """The lengths of the half axes."""
        return float(np.hypot(*self.first)), float(np.hypot(*self.second))


def ellipse_mask(ellipse: Ellipse, steps: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the pixels within an ellipse; `steps` is [width, height] of a pixel."""
    x = np.arange(columns) * steps[0] - ellipse.center[0]
    y = np.arange(rows)[:, None] * steps[1] - ellipse.center[1]
    total = np.zeros((rows, columns))
    for axis in (ellipse.first, ellipse.second):
        square = float(axis @ axis)
        if square == 0:
            return np.zeros((rows, columns), bool)
        total += ((x * axis[0] + y * axis[1]) / square) ** 2
    return total <= 1 + RIM


def statistics(
    values: np.ndarray,
    mask: np.ndarray,
    *,
    padding: np.ndarray | None = None,
    bins: int = HISTOGRAM_BINS,
) -> dict[str, Any]:
    """Return what the values under a mask say.

    `sd` is the population's (divided by n); `standard_error` is sd / sqrt(n). Pixels marked in
    `padding` and values that are not finite do not count and are told apart. The histogram has
    equal bins from the smallest to the largest value, each with its lower edge, the last with
    both. Without any pixel there are no numbers, only counts of 0.

    Parameters
    ----------
    values
        Values after the modality step, shape (rows, columns).
    mask, padding
        bool, same shape.
    bins
        Of the histogram; one when all values are equal.
    """
    taken = mask if padding is None else mask & ~padding
    inside = np.asarray(values[taken], np.float64)
    finite = inside[np.isfinite(inside)]
    counts = {
        "count": int(finite.size),
        "padding_count": int(mask.sum() - taken.sum()),
        "not_finite_count": int(inside.size - finite.size),
    }
    if not finite.size:
        nothing = dict.fromkeys(("mean", "sd", "min", "max", "median", "standard_error"))
        return {**counts, **nothing, "histogram": None}
    low, high = float(finite.min()), float(finite.max())
    numbers, _edges = np.histogram(finite, bins=bins if high > low else 1, range=(low, high))
    sd = float(finite.std())
    return {
        **counts,
        "mean": float(finite.mean()),
        "sd": sd,
        "min": low,
        "max": high,
        "median": float(np.median(finite)),
        "standard_error": sd / float(np.sqrt(finite.size)),
        "histogram": {
            "low": low,
            "bin_width": float(high - low) / len(numbers),
            "counts": [int(number) for number in numbers],
        },
    }


def value_unit(facts: dict[str, Any], modality: str) -> str:
    """Return the unit of values after the modality step: HU, what the file names, or `stored`.

    A CT whose file names no type is in HU when it has a rescale (PS3.3 C.8.2.1.1). `unnamed`
    is a rescale or table whose output the file does not name.
    """
    named = facts.get("rescale_type") or facts.get("units") or ""
    if named and named not in ("US", "PIXELVALUE"):
        return "HU" if named == "HU" else str(named)
    if facts.get("rescale_slope") is None and not facts.get("has_modality_lut"):
        return "stored"
    return "HU" if modality == "CT" and named != "US" else "unnamed"
