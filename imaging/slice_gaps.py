"""Telling missing slices from changes of spacing, by the distances between slices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Positions are often rounded to a tenth of a millimetre: half of that is no unevenness (the
# rest is the fitted line's own share).
ROUNDING_MM = 0.06
# Nor is a hundredth of the spacing; never is a tenth of it forgiven (finest spacings).
LEAST_PART, MOST_PART = 0.01, 0.1
# A hole wider than this many slices separates two scans.
MOST_MISSING = 200


@dataclass(frozen=True, slots=True)
class SpacingRun:
    """A run of equal distances: `gaps` of them from the slice at `from_mm` on."""

    from_mm: float
    spacing_mm: float
    gaps: int


@dataclass(frozen=True, slots=True)
class SliceGaps:
    """What the positions along the normal say.

    `missing` are the positions in mm at which slices are absent. `runs` is there when the
    spacing changes and holds every run of two gaps or more. `is_uneven` says that some
    distance is neither the spacing, nor a hole in it, nor part of a run.
    """

    spacing_mm: float | None
    is_uniform: bool
    missing: tuple[float, ...] = ()
    runs: tuple[SpacingRun, ...] = ()
    is_uneven: bool = False


def uniform_tolerance(spacing_mm: float) -> float:
    """Return how far, in mm, a slice may lie from its place in an evenly spaced stack."""
    return min(max(ROUNDING_MM, LEAST_PART * spacing_mm), MOST_PART * spacing_mm)


def examine_gaps(positions: Sequence[float]) -> SliceGaps:
    """Examine distinct positions along the normal, in mm and ascending."""
    if len(positions) < 2:
        return SliceGaps(None, is_uniform=False)
    places = np.array(positions, np.float64)
    gaps = np.diff(places)
    spacing = float(np.median(gaps))
    mean = float(gaps.mean())
    if _farthest_off(places) <= uniform_tolerance(mean):
        return SliceGaps(mean, is_uniform=True)
    runs = _runs(gaps)
    long_runs = [run for run in runs if run[1] - run[0] >= 2]
    base = _common_gap(gaps)
    missing: list[float] = []
    uneven = False
    for number, (start, end) in enumerate(runs):
        if end - start >= 2:
            continue
        near = [float(np.mean(gaps[slice(*runs[n])])) for n in (number - 1, number + 1)
                if 0 <= n < len(runs) and runs[n][1] - runs[n][0] >= 2]  # fmt: skip
        gap = float(gaps[start])
        count = _absent(gap, near or [base])
        uneven |= count is None
        missing.extend(
            places[start] + gap * k / ((count or 0) + 1) for k in range(1, (count or 0) + 1)
        )
    found = tuple(
        SpacingRun(float(places[start]), float(np.mean(gaps[start:end])), end - start)
        for start, end in long_runs
    )
    differ = len(found) > 1 and not _alike([run.spacing_mm for run in found])
    return SliceGaps(
        base if missing and not differ else spacing,
        is_uniform=False,
        missing=tuple(float(place) for place in missing),
        runs=found if differ else (),
        is_uneven=bool(uneven),
    )


def _farthest_off(places: np.ndarray) -> float:
    """Return how far a slice lies from its place in the evenly spaced stack that fits best."""
    numbers = np.arange(len(places)) - (len(places) - 1) / 2
    offsets = places - places.mean()
    slope = float(numbers @ offsets / (numbers @ numbers))
    return float(np.abs(offsets - slope * numbers).max())


def _runs(gaps: np.ndarray) -> list[tuple[int, int]]:
    """Return (start, end) of the runs of gaps that are equal within the tolerance."""
    runs: list[tuple[int, int]] = []
    start = 0
    for end in range(1, len(gaps) + 1):
        if end == len(gaps) or not _alike([float(gaps[start]), float(gaps[end])]):
            runs.append((start, end))
            start = end
    return runs


def _alike(values: Sequence[float]) -> bool:
    # Both ends of a distance may be off by the tolerance.
    return max(values) - min(values) <= 2 * uniform_tolerance(min(values))


def _common_gap(gaps: np.ndarray) -> float:
    """Return the distance that most gaps have; of equally common ones the smallest."""
    counts = [sum(_alike([float(gap), float(other)]) for other in gaps) for gap in gaps[:512]]
    most = max(counts)
    return min(float(gap) for gap, count in zip(gaps, counts, strict=False) if count == most)


def _absent(gap: float, spacings: list[float]) -> int | None:
    """Return how many slices are absent in a lone gap; None when it fits no spacing."""
    for spacing in spacings:
        times = round(gap / spacing)
        fits = abs(gap - times * spacing) <= 2 * uniform_tolerance(spacing)
        if fits and 1 <= times <= MOST_MISSING + 1:
            return times - 1
    return None
