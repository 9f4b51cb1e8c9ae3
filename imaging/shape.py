"""What a series is in space: one volume or not, and why (PS3.3 C.7.6.2.1.1).

Distances run along the normal of a group, in mm. Nothing is repaired: a stack that is sheared,
uneven or has holes says so with its numbers, and whoever builds a volume uses these.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from imaging.geometry import direction_cosines, lps_from_ijk, plane_name
from imaging.ordering import (
    OrientationGroup,
    Placement,
    group_images,
    number_positions,
    telling_parts,
)

# Scanners write positions with some two decimals; a gap this near to the usual one is equal.
GAP_TOLERANCE_MM = 0.03
GAP_TOLERANCE_PART = 0.02
# A slice may lie this far beside the line through the others: rounding of three coordinates.
SIDEWAYS_TOLERANCE_MM = 0.1
# A smaller tilt is rounding of the cosines.
TILT_TOLERANCE_DEG = 0.1
# Fewer slices are no volume.
LEAST_SLICES = 3
# A stack keeps its name when this part of the other images, at most, stands beside it.
SCOUTS_PART = 0.2
SPACING_TOLERANCE_PART = 1e-3

WORDS = {
    "no_geometry": "The images say nothing of their place in the patient.",
    "some_without_geometry": "Some images say nothing of their place in the patient.",
    "localizer": "These are localizers.",
    "mixed_orientations": "The images have several orientations.",
    "scouts_apart": "Some images have another orientation and stand apart from the stack.",
    "too_few_slices": "There are fewer than three slices.",
    "sizes_differ": "The images differ in rows or columns.",
    "spacing_differs": "The images differ in pixel spacing.",
    "no_pixel_spacing": "The pixel spacing is not known.",
    "sideways": "The slices do not lie on one line: they are shifted against each other.",
    "duplicates": "Several images lie at one position and nothing tells them apart.",
    "incomplete_time_points": "Some positions have fewer images than others.",
    "time_points": "Each position has several images: time points, echoes or phases.",
    "missing_slices": "Slices are missing between the others.",
    "mostly_missing": "More slices are missing than are there.",
    "spacing_changes": "The distance between slices changes along the stack.",
    "uneven": "The distance between slices is uneven.",
    "tilted": "The slices are sheared: the gantry was tilted.",
}
# With one of these the images do not form a volume; the others are to be known.
_PREVENTS = frozenset(
    {
        "no_geometry", "localizer", "mixed_orientations", "too_few_slices", "sizes_differ",
        "spacing_differs", "no_pixel_spacing", "sideways", "duplicates",
        "incomplete_time_points", "mostly_missing",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GroupShape:
    """The slices of one orientation.

    `slice_positions_mm` are the distinct positions along the normal, from the first; `tilt_deg`
    is the angle between the normal and the line of the slices, positive when the next slice is
    shifted against the direction of a column; `lps_from_ijk` has that line as third column.
    """

    orientation: tuple[float, ...]
    plane: str
    image_count: int
    slice_positions_mm: tuple[float, ...]
    slice_spacing_mm: float | None
    is_uniform: bool
    missing_count: int
    duplicate_count: int
    time_points: int
    tilt_deg: float
    is_localizer: bool
    lps_from_ijk: tuple[tuple[float, ...], ...] | None
    codes: tuple[str, ...] = field(default=())

    @property
    def slice_count(self) -> int:
        """The number of distinct positions."""
        return len(self.slice_positions_mm)


@dataclass(frozen=True, slots=True)
class SeriesShape:
    """What `examine_shape` found. The numbers are those of the main group, the largest."""

    is_volume: bool
    codes: tuple[str, ...]
    groups: tuple[GroupShape, ...]
    localizer_count: int
    without_geometry: int

    @property
    def main(self) -> GroupShape | None:
        """The group with the most slices, None when no image has geometry."""
        return self.groups[0] if self.groups else None

    def to_json(self) -> dict[str, Any]:
        """Return the keys of the passport that speak of space."""
        main = self.main
        return {
            "is_volume": self.is_volume,
            "reasons": [WORDS[code] for code in self.codes],
            "reason_codes": list(self.codes),
            "orientation_groups": len(self.groups),
            "slice_count": main.slice_count if main else 0,
            "missing_count": main.missing_count if main else 0,
            "duplicate_count": main.duplicate_count if main else 0,
            "is_uniform": main.is_uniform if main else False,
            "slice_spacing_mm": main.slice_spacing_mm if main else None,
            "tilt_deg": main.tilt_deg if main else 0.0,
            "time_points": main.time_points if main else 0,
            "plane": main.plane if main else "",
            "localizer_count": self.localizer_count,
            "without_geometry": self.without_geometry,
            "lps_from_ijk": [list(row) for row in main.lps_from_ijk]
            if main and main.lps_from_ijk
            else None,
            "slice_positions_mm": [round(z, 4) for z in main.slice_positions_mm] if main else [],
            "groups": [
                {
                    "plane": group.plane,
                    "image_count": group.image_count,
                    "slice_count": group.slice_count,
                    "orientation": list(group.orientation),
                    "is_localizer": group.is_localizer,
                }
                for group in self.groups[:32]
            ],
        }


def examine_shape(images: Sequence[Placement]) -> SeriesShape:
    """Return what the images of a series are in space; the order given does not matter."""
    placed, flat = group_images(images)
    groups = sorted((_examine(group) for group in placed), key=_weight, reverse=True)
    localizers = sum(image.is_localizer for image in images)
    codes: list[str] = []
    if not groups:
        codes.append("no_geometry")
    else:
        main = groups[0]
        others = sum(group.image_count for group in groups[1:])
        if others:
            few = others <= max(1, main.image_count * SCOUTS_PART)
            scouts = all(group.is_localizer for group in groups[1:])
            codes.append("scouts_apart" if few or scouts else "mixed_orientations")
        if flat:
            codes.append("some_without_geometry")
        if main.is_localizer:
            codes.append("localizer")
        codes.extend(main.codes)
    return SeriesShape(
        is_volume=not _PREVENTS.intersection(codes),
        codes=tuple(codes),
        groups=tuple(groups),
        localizer_count=localizers,
        without_geometry=len(flat),
    )


def _weight(group: GroupShape) -> tuple[bool, int, int]:
    return not group.is_localizer, group.slice_count, group.image_count


def _examine(group: OrientationGroup) -> GroupShape:
    distances = [distance for distance, _image in group.members]
    images = [image for _distance, image in group.members]
    steps = number_positions(distances)
    codes = _check_pixels(images)
    heights, points = _positions(group, steps)
    copies = _count_copies(steps, images, codes)
    spacing, missing = _examine_gaps(np.diff(heights), codes)
    step, tilt_deg = _examine_line(group, heights, points, codes)
    if len(heights) < LEAST_SLICES:
        codes.append("too_few_slices")
    affine = None
    if "no_pixel_spacing" not in codes and images[0].pixel_spacing is not None:
        affine = lps_from_ijk(
            [*group.row, *group.column],
            [float(value) for value in points[0]],
            images[0].pixel_spacing,
            None if spacing is None or step is None else [float(v) for v in step * spacing],
        )
    return GroupShape(
        orientation=tuple(float(value) for value in (*group.row, *group.column)),
        plane=plane_name([*group.row, *group.column]),
        image_count=len(images),
        slice_positions_mm=tuple(float(height - heights[0]) for height in heights),
        slice_spacing_mm=spacing,
        is_uniform=len(heights) > 1
        and not {"missing_slices", "spacing_changes", "uneven"}.intersection(codes),
        missing_count=missing,
        duplicate_count=copies[1],
        time_points=copies[0],
        tilt_deg=tilt_deg,
        is_localizer=all(image.is_localizer for image in images),
        lps_from_ijk=None if affine is None else tuple(tuple(map(float, row)) for row in affine),
        codes=tuple(codes),
    )


def _check_pixels(images: list[Placement]) -> list[str]:
    codes = []
    if len({(image.rows, image.columns) for image in images}) > 1:
        codes.append("sizes_differ")
    spacings = [image.pixel_spacing for image in images]
    if any(spacing is None or len(spacing) != 2 for spacing in spacings):
        codes.append("no_pixel_spacing")
    else:
        table = np.array(spacings, np.float64)
        if np.any(np.ptp(table, axis=0) > SPACING_TOLERANCE_PART * table[0]):
            codes.append("spacing_differs")
    return codes


def _positions(group: OrientationGroup, steps: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return height along the normal (slices,) and lps position (slices, 3) of each step."""
    count = max(steps) + 1
    sums, points, seen = np.zeros(count), np.zeros((count, 3)), np.zeros(count)
    for step, (distance, image) in zip(steps, group.members, strict=True):
        sums[step] += distance
        points[step] += np.array(image.position, np.float64)
        seen[step] += 1
    return sums / seen, points / seen[:, None]


def _count_copies(steps: list[int], images: list[Placement], codes: list[str]) -> tuple[int, int]:
    """Return how many images each position has by right, and how many are one too many."""
    counts = Counter(steps)
    most = max(counts.values())
    if most == 1:
        return 1, 0
    if telling_parts(steps, images):
        codes.append("time_points")
        if min(counts.values()) < most:
            codes.append("incomplete_time_points")
        return most, 0
    codes.append("duplicates")
    return 1, sum(counts.values()) - len(counts)


def _examine_gaps(gaps: np.ndarray, codes: list[str]) -> tuple[float | None, int]:
    """Return the usual gap and how many slices are missing.

    A lone gap of two or more usual ones is a hole; a run of equal gaps is another spacing.
    """
    if not gaps.size:
        return None, 0
    usual = float(np.median(gaps))
    tolerance = max(GAP_TOLERANCE_MM, GAP_TOLERANCE_PART * usual)
    odd = np.abs(gaps - usual) > tolerance
    if not odd.any():
        return float(np.mean(gaps)), 0
    # The even ones alone say it best.
    usual = float(np.mean(gaps[~odd])) if not odd.all() else usual
    missing = 0
    for number in np.flatnonzero(odd):
        gap = gaps[number]
        in_run = any(
            0 <= beside < len(gaps) and odd[beside] and abs(gaps[beside] - gap) <= tolerance
            for beside in (number - 1, number + 1)
        )
        times = round(gap / usual)
        if in_run:
            codes.append("spacing_changes")
        elif times >= 2 and abs(gap - times * usual) <= times * tolerance:
            missing += times - 1
            codes.append("missing_slices")
        else:
            codes.append("uneven")
    if missing > gaps.size:
        codes.append("mostly_missing")
    codes[:] = list(dict.fromkeys(codes))
    return usual, missing


def _examine_line(
    group: OrientationGroup, heights: np.ndarray, points: np.ndarray, codes: list[str]
) -> tuple[np.ndarray | None, float]:
    """Return the lps step for each mm along the normal, and the tilt in degrees."""
    if len(heights) < 2:
        return None, 0.0
    line = (points[-1] - points[0]) / (heights[-1] - heights[0])
    ideal = points[0] + (heights - heights[0])[:, None] * line
    if float(np.linalg.norm(points - ideal, axis=1).max()) > SIDEWAYS_TOLERANCE_MM:
        codes.append("sideways")
    along_row, along_column = float(line @ group.row), float(line @ group.column)
    tilt_deg = float(np.degrees(np.arctan(np.hypot(along_row, along_column))))
    if tilt_deg < TILT_TOLERANCE_DEG:
        return group.normal.copy(), 0.0
    if "sideways" not in codes:
        codes.append("tilted")
    return line, round(tilt_deg if along_column <= 0 else -tilt_deg, 3)


def slice_affine(image: Placement) -> np.ndarray | None:
    """Return the affine of a single image by its own position and orientation."""
    if image.orientation is None or image.position is None or image.pixel_spacing is None:
        return None
    if direction_cosines(image.orientation) is None:
        return None
    return lps_from_ijk(image.orientation, image.position, image.pixel_spacing)
