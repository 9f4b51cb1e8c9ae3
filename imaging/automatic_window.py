"""A window from the pixels, for files that carry none and on command.

The same numbers come from `frontend/src/core/automatic-window.ts`; both are held to
`tests/golden/automatic_window.json`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from imaging.lut import LINEAR_EXACT, Window

AUTOMATIC = (0.5, 99.5)
MOST_SAMPLES = 262_144
BINS = 64
# A peak is a background when it holds this share of the pixels and lies in the outer quarter.
PEAK_SHARE = 0.2
FOOT_SHARE = 0.1
# Less than this may not be all that is left: then nothing was a background.
LEAST_LEFT = 0.05


def counted_values(values: np.ndarray, *, padding: tuple[float, float] | None = None) -> np.ndarray:
    """Return the finite values that count, flat: neither padding nor a dominating background.

    The values between the 0.1st and 99.9th percentile are counted in 64 bins of equal width,
    what lies outside in the first and last. When the fullest bin holds a fifth of all values
    and lies in the lowest or highest quarter, it is the foot of a background (air, border,
    collimator): it and its slope, down to a tenth of the peak, do not count, nor does what
    lies beyond.
    """
    numbers = _thinned(_finite(values, padding))
    if not numbers.size:
        numbers = _thinned(_finite(values, None))
    return numbers[~_background(numbers)] if numbers.size else numbers


def _finite(values: np.ndarray, padding: tuple[float, float] | None) -> np.ndarray:
    """Return the finite values that are no padding, flat."""
    numbers = np.asarray(values, np.float64).ravel()
    numbers = numbers[np.isfinite(numbers)]
    if padding is None:
        return numbers
    kept: np.ndarray = numbers[(numbers < padding[0]) | (numbers > padding[1])]
    return kept


def _thinned(numbers: np.ndarray) -> np.ndarray:
    """Return evenly every n-th of many values."""
    return numbers[:: max(1, numbers.size // MOST_SAMPLES)]


def percentile_window(
    values: np.ndarray,
    *,
    padding: tuple[float, float] | None = None,
    percentiles: tuple[float, float] = AUTOMATIC,
) -> Window:
    """Return a LINEAR_EXACT window over percentiles (0 to 100) of modality values that count.

    `padding` is the lowest and highest value that stand for "no pixel".
    """
    numbers = counted_values(values, padding=padding)
    return _over(numbers, percentiles) if numbers.size else Window(0.5, 1.0, LINEAR_EXACT)


def region_window(
    values: np.ndarray,
    region: Sequence[float],
    *,
    padding: tuple[float, float] | None = None,
    percentiles: tuple[float, float] = AUTOMATIC,
) -> Window | None:
    """Return the window over percentiles of a rectangle of an image; None when nothing is in it.

    `values` are modality values of shape (rows, columns). `region` are column and row of two
    opposite corners, the centre of the first pixel being 0; pixels count whose centres lie
    within or on its edge. The reader chose it, so all in it counts but padding: a background,
    too.
    """
    (left, right), (top, bottom) = sorted(region[0::2]), sorted(region[1::2])
    rows, columns = np.asarray(values).shape
    first_row, last_row = max(0, math.ceil(top)), min(rows - 1, math.floor(bottom))
    first_column, last_column = max(0, math.ceil(left)), min(columns - 1, math.floor(right))
    inside = values[first_row : last_row + 1, first_column : last_column + 1]
    numbers = _thinned(_finite(inside, padding))
    return _over(numbers, percentiles) if numbers.size else None


def _over(numbers: np.ndarray, percentiles: tuple[float, float]) -> Window:
    low, high = (float(value) for value in np.percentile(numbers, percentiles))
    if high <= low:
        low, high = float(numbers.min()), float(numbers.max())
    return Window((low + high) / 2, high - low if high > low else 1.0, LINEAR_EXACT)


def _background(numbers: np.ndarray) -> np.ndarray:
    """Return which values are background (bool)."""
    none = np.zeros(numbers.shape, np.bool_)
    low, high = (float(value) for value in np.percentile(numbers, (0.1, 99.9)))
    if not high > low or not np.isfinite(high - low):
        return none
    places = np.clip(np.floor((numbers - low) / (high - low) * BINS), 0, BINS - 1).astype(int)
    counts = np.bincount(places, minlength=BINS)
    peak = int(counts.argmax())
    if counts[peak] < PEAK_SHARE * numbers.size:
        return none
    foot, step = peak, 1 if peak < BINS // 4 else -1
    if BINS // 4 <= peak < BINS - BINS // 4:
        return none
    while 0 <= foot + step < BINS and counts[foot + step] >= FOOT_SHARE * counts[peak]:
        foot += step
    dropped = places <= foot if step == 1 else places >= foot
    return none if dropped.sum() > (1 - LEAST_LEFT) * numbers.size else dropped
