"""What a series is as a body in space: one volume or not, and why.

Nothing is repaired: a series whose geometry is not established is no volume, with the
reason. Conventions and tolerances are explained in docs/geometry.md.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from imaging.geometry import plane_name
from imaging.ordering import (
    OrientationGroup,
    PlacedImage,
    Placement,
    arrange_group,
    group_images,
    is_same_orientation,
)
from imaging.repeats import DigestOf, Repeats, examine_repeats
from imaging.slice_gaps import SpacingRun, examine_gaps

# Fewer slices are no volume.
LEAST_SLICES = 3
# How far a slice may lie beside the line of the others: a quarter of the finest CT pixel.
WANDER_TOLERANCE_MM = 0.1
# A line of slices nearer to the normal than this is not called tilted.
TILT_TOLERANCE_DEG = 0.1
# Groups that the passport describes; a radial localizer has dozens.
MOST_GROUPS_SAID = 32
# Images beside the stack that do not spoil it, at most; and slices that it needs for each.
MOST_STRAY, SLICES_FOR_STRAY = 2, 4

WORDS = {
    "empty": "The series has no images.",
    "no_geometry": "No image says where it lies in the patient.",
    "images_without_geometry": "Some images do not say where they lie.",
    "several_orientations": "The images have several orientations.",
    "other_orientations": "A few images of another orientation are not part of the volume.",
    "localizers": "Localizers are not part of the volume.",
    "only_localizers": "All images are localizers.",
    "too_few_slices": "There are fewer than three slices.",
    "positions_wander": "The slices do not lie on one line.",
    "sizes_differ": "The images have different numbers of rows or columns.",
    "spacings_differ": "The images have different pixel spacings.",
    "no_pixel_spacing": "The images have no pixel spacing.",
    "frames_of_reference_differ": "The images have different frames of reference.",
    "other_frames_of_reference": "A few images of another frame of reference are not part of the "
    "volume.",
    "lateralities_differ": "The images show different sides.",
    "missing_slices": "Slices are missing between the others.",
    "mostly_missing": "More slices are missing than are there.",
    "incomplete_time_points": "Some time points lack slices.",
    "duplicates": "Several images lie at one position and nothing tells them apart.",
    "identical_images": "Some images are there twice: at the same place, with the same pixels.",
    "spacing_changes": "The distance between the slices changes.",
    "uneven": "The slices are unevenly spaced.",
    "tilted": "The gantry was tilted: the slices are shifted against each other.",
    "time_points": "The series has several images at each position (time points or kinds).",
    "time_points_by_number": "Only numbers or times of the images tell the time points apart.",
    "numbers_unclear": "Numbers that decide millimetres are not written as the standard wants "
    "them, with a decimal comma for instance.",
}
_PREVENTING = frozenset(
    {
        "empty", "no_geometry", "several_orientations", "only_localizers", "too_few_slices",
        "positions_wander", "sizes_differ", "spacings_differ", "no_pixel_spacing",
        "frames_of_reference_differ",
        "duplicates", "mostly_missing",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """Something to know of the shape: a stable code and a plain English sentence.

    `prevents_volume` parts what forbids a volume from what is only said.
    """

    code: str
    words: str
    prevents_volume: bool

    @classmethod
    def of(cls, code: str) -> "Reason":
        """Return the reason of a code."""
        return cls(code, WORDS[code], code in _PREVENTING)


@dataclass(frozen=True, slots=True)
class GroupShape:
    """The images of one orientation.

    Attributes
    ----------
    members
        Keys of all images in the order of the stack.
    passes
        Keys of each time point, one for each of `slice_positions_mm`, None where absent.
    orientation, plane
        Unit directions of row and column in lps; `axial`, `coronal`, `sagittal`, `oblique`.
    slice_positions_mm, slice_origins_mm
        Distinct positions, ascending: along the normal, and as lps points (the z table).
    slice_spacing_mm
        Median distance along the normal; None with fewer than two positions.
    spacing_runs
        Every run of equal distances, when the spacing changes.
    tilt_deg
        Angle between the normal and the line of positions; positive when slices further
        along the normal are shifted towards the top of the picture (against the column
        direction), as GantryDetectorTilt of a supine head-first patient.
    shear
        Shift along the row and along the column direction, mm per mm along the normal.
    lps_from_ijk
        Affine with sheared third column; None unless uniform (or a single slice).
    """

    members: tuple[Any, ...]
    passes: tuple[tuple[Any, ...], ...]
    orientation: tuple[float, ...]
    plane: str
    rows: int | None
    columns: int | None
    pixel_spacing_mm: tuple[float, float] | None
    laterality: str
    frame_of_reference_uid: str
    is_localizer: bool
    slice_count: int
    slice_positions_mm: tuple[float, ...]
    slice_origins_mm: tuple[tuple[float, ...], ...]
    missing: tuple[float, ...]
    missing_count: int
    duplicate_count: int
    identical_count: int
    time_points: int
    is_uniform: bool
    slice_spacing_mm: float | None
    spacing_runs: tuple[SpacingRun, ...]
    tilt_deg: float
    shear: tuple[float, float]
    lps_from_ijk: tuple[tuple[float, ...], ...] | None
    reasons: tuple[Reason, ...]

    @property
    def image_count(self) -> int:
        """The number of images, localizers in it included."""
        return len(self.members)

    def to_json(self) -> dict[str, Any]:
        """Return what the passport keeps of a group: all but keys and tables of slices."""
        return {
            "plane": self.plane,
            "orientation": list(self.orientation),
            "image_count": self.image_count,
            "slice_count": self.slice_count,
            "slice_spacing_mm": self.slice_spacing_mm,
            "is_uniform": self.is_uniform,
            "missing_mm": list(self.missing),
            "missing_count": self.missing_count,
            "duplicate_count": self.duplicate_count,
            "identical_count": self.identical_count,
            "time_points": self.time_points,
            "tilt_deg": self.tilt_deg,
            "shear": list(self.shear),
            "spacing_runs": [asdict(run) for run in self.spacing_runs],
            "pixel_spacing_mm": list(self.pixel_spacing_mm) if self.pixel_spacing_mm else None,
            "rows": self.rows,
            "columns": self.columns,
            "laterality": self.laterality,
            "frame_of_reference_uid": self.frame_of_reference_uid,
            "is_localizer": self.is_localizer,
            "reason_codes": [reason.code for reason in self.reasons],
        }


@dataclass(frozen=True, slots=True)
class SeriesShape:
    """The shape of a series; its numbers are those of the main group, the first of `groups`."""

    is_volume: bool
    reasons: tuple[Reason, ...]
    orientation_groups: int
    groups: tuple[GroupShape, ...]
    slice_count: int
    missing_count: int
    duplicate_count: int
    identical_count: int
    is_uniform: bool
    slice_spacing_mm: float | None
    tilt_deg: float
    time_points: int
    localizer_count: int
    without_geometry: int

    @property
    def main(self) -> GroupShape | None:
        """The group that is the volume, if anything is."""
        return self.groups[0] if self.groups else None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons."""
        return tuple(reason.code for reason in self.reasons)

    def to_json(self) -> dict[str, Any]:
        """Return the keys of the passport that speak of space."""
        main = self.main
        return {
            "is_volume": self.is_volume,
            "reasons": [reason.words for reason in self.reasons],
            "reason_codes": list(self.codes),
            "orientation_groups": self.orientation_groups,
            "slice_count": self.slice_count,
            "missing_count": self.missing_count,
            "duplicate_count": self.duplicate_count,
            "identical_count": self.identical_count,
            "is_uniform": self.is_uniform,
            "slice_spacing_mm": self.slice_spacing_mm,
            "tilt_deg": self.tilt_deg,
            "time_points": self.time_points,
            "plane": main.plane if main else "",
            "localizer_count": self.localizer_count,
            "without_geometry": self.without_geometry,
            "lps_from_ijk": [list(row) for row in main.lps_from_ijk]
            if main and main.lps_from_ijk
            else None,
            "slice_positions_mm": [round(z, 4) for z in main.slice_positions_mm] if main else [],
            "groups": [group.to_json() for group in self.groups[:MOST_GROUPS_SAID]],
        }


def examine_shape(images: Sequence[Placement], digest_of: DigestOf | None = None) -> SeriesShape:
    """Return the shape of a series; the result does not depend on the order given.

    `digest_of` gives a digest of an image's pixels by its key; it is asked only for images
    that nothing else tells apart, and tells copies from different pictures.
    """
    groups, flat = group_images(images)
    found = (_examine_group(group, digest_of) for group in groups)
    shapes = tuple(sorted(found, key=_weight, reverse=True))
    main = shapes[0] if shapes else None
    localizers = sum(image.is_localizer for image in images)
    codes = _series_codes(images, shapes, main, flat)
    own = () if main is None else main.reasons
    reasons = tuple(dict.fromkeys((*(Reason.of(code) for code in codes), *own)))
    return SeriesShape(
        is_volume=main is not None and not any(reason.prevents_volume for reason in reasons),
        reasons=reasons,
        orientation_groups=_count_orientations(shapes),
        groups=shapes,
        slice_count=main.slice_count if main else 0,
        missing_count=main.missing_count if main else 0,
        duplicate_count=main.duplicate_count if main else 0,
        identical_count=main.identical_count if main else 0,
        is_uniform=main.is_uniform if main else False,
        slice_spacing_mm=main.slice_spacing_mm if main else None,
        tilt_deg=main.tilt_deg if main else 0.0,
        time_points=main.time_points if main else 0,
        localizer_count=localizers,
        without_geometry=len(flat),
    )


def _weight(shape: GroupShape) -> tuple[bool, int, int]:
    return not shape.is_localizer, shape.slice_count, shape.image_count


def _series_codes(
    images: Sequence[Placement], shapes: tuple[GroupShape, ...], main: GroupShape | None,
    flat: list[Placement],
) -> list[str]:  # fmt: skip
    codes = ["numbers_unclear"] * any(image.is_unclear for image in images)
    if main is None:
        return ["no_geometry" if images else "empty", *codes]
    localizers = sum(image.is_localizer for image in images)
    if localizers:
        codes.append("only_localizers" if localizers == len(images) else "localizers")
    others = [shape for shape in shapes if shape is not main and not shape.is_localizer]
    elsewhere = [one for one in others if not _is_frame_shared(one, main)]
    if count := sum(one.image_count for one in elsewhere):
        few = _is_stray(count, main)
        codes.append("other_frames_of_reference" if few else "frames_of_reference_differ")
    if count := sum(one.image_count for one in others if _is_frame_shared(one, main)):
        codes.append("other_orientations" if _is_stray(count, main) else "several_orientations")
    if flat:
        codes.append("images_without_geometry")
        if len(flat) > main.image_count:
            codes.append("no_geometry")
    return codes


def _is_frame_shared(one: GroupShape, other: GroupShape) -> bool:
    return one.frame_of_reference_uid == other.frame_of_reference_uid


def _count_orientations(shapes: tuple[GroupShape, ...]) -> int:
    """Return how many orientations there are, whatever the frames of reference."""
    known: list[tuple[np.ndarray, np.ndarray]] = []
    for shape in shapes:
        cosines = np.array(shape.orientation[:3]), np.array(shape.orientation[3:])
        if not any(is_same_orientation(cosines, other) for other in known):
            known.append(cosines)
    return len(known)


def _is_stray(count: int, main: GroupShape) -> bool:
    return count <= MOST_STRAY and main.slice_count >= SLICES_FOR_STRAY * count


# --- one orientation --------------------------------------------------------------
def _examine_group(group: OrientationGroup, digest_of: DigestOf | None) -> GroupShape:
    arranged = arrange_group(group)
    all_keys = tuple(placed.image.key for placed in arranged)
    is_localizer = all(placed.image.is_localizer for placed in arranged)
    if not is_localizer and any(placed.image.is_localizer for placed in arranged):
        kept = [pair for pair in group.members if not pair[1].is_localizer]
        arranged = arrange_group(replace(group, members=kept))
    firsts: dict[int, PlacedImage] = {}
    for placed in arranged:
        firsts.setdefault(placed.step, placed)
    slices = [firsts[step] for step in sorted(firsts)]
    repeats = examine_repeats(arranged, len(slices), digest_of)
    gaps = examine_gaps([placed.distance_mm for placed in slices])
    origins = np.array([placed.image.position for placed in slices], np.float64)
    shear, wander = _shear(group, origins)
    tilt = _tilt_deg(shear)
    measures = _measures([placed.image for placed in arranged])
    codes = list(measures.codes)
    codes += _codes(slices, repeats, tilt, wander)
    codes += ["missing_slices"] * bool(gaps.missing) + ["spacing_changes"] * bool(gaps.runs)
    codes += ["uneven"] * gaps.is_uneven
    codes += ["mostly_missing"] * (len(gaps.missing) > len(slices))
    is_uniform = gaps.is_uniform and wander <= WANDER_TOLERANCE_MM
    spacing = measures.pixel_spacing
    orientation = (*map(float, group.row), *map(float, group.column))
    return GroupShape(
        members=all_keys,
        passes=repeats.passes,
        orientation=orientation,
        plane=plane_name(orientation),
        rows=measures.rows,
        columns=measures.columns,
        pixel_spacing_mm=spacing,
        laterality=measures.laterality,
        frame_of_reference_uid=group.frame_of_reference_uid,
        is_localizer=is_localizer,
        slice_count=len(slices),
        slice_positions_mm=tuple(placed.distance_mm for placed in slices),
        slice_origins_mm=tuple(tuple(map(float, origin)) for origin in origins),
        missing=gaps.missing,
        missing_count=len(gaps.missing) + repeats.absent,
        duplicate_count=repeats.duplicates,
        identical_count=repeats.identical,
        time_points=len(repeats.passes),
        is_uniform=is_uniform,
        slice_spacing_mm=gaps.spacing_mm,
        spacing_runs=gaps.runs,
        tilt_deg=tilt,
        shear=shear,
        lps_from_ijk=_affine(group, origins, spacing) if is_uniform or len(slices) == 1 else None,
        reasons=tuple(Reason.of(code) for code in codes),
    )


def _codes(slices: list[PlacedImage], repeats: Repeats, tilt: float, wander: float) -> list[str]:
    return [
        code
        for code, holds in (
            ("too_few_slices", len(slices) < LEAST_SLICES),
            ("positions_wander", wander > WANDER_TOLERANCE_MM),
            ("duplicates", repeats.duplicates > repeats.identical),
            ("identical_images", repeats.identical > 0),
            ("time_points", len(repeats.passes) > 1),
            ("time_points_by_number", repeats.by_number),
            ("incomplete_time_points", repeats.absent > 0),
            ("tilted", abs(tilt) > TILT_TOLERANCE_DEG and wander <= WANDER_TOLERANCE_MM),
        )
        if holds
    ]


@dataclass(frozen=True, slots=True)
class _Measures:
    """What all images of a group must share; None or empty where they do not."""

    rows: int | None
    columns: int | None
    pixel_spacing: tuple[float, float] | None
    laterality: str
    codes: tuple[str, ...]


def _measures(images: list[Placement]) -> _Measures:
    sizes = {(image.rows, image.columns) for image in images}
    spacings = {_rounded(image.pixel_spacing) for image in images}
    sides = {image.laterality for image in images if image.laterality}
    spacing = spacings.pop() if len(spacings) == 1 else None
    codes = []
    if len(sizes) > 1:
        codes.append("sizes_differ")
    if spacings:
        codes.append("spacings_differ")
    elif spacing is None:
        codes.append("no_pixel_spacing")
    if len(sides) > 1:
        codes.append("lateralities_differ")
    rows, columns = sizes.pop() if len(sizes) == 1 else (None, None)
    return _Measures(
        rows, columns, spacing,
        sides.pop() if len(sides) == 1 else "",
        tuple(codes),
    )  # fmt: skip


def _rounded(spacing: Sequence[float] | None) -> tuple[float, float] | None:
    """Return a spacing to six digits after the point: a voxel in a thousand is not moved."""
    return None if spacing is None else (round(spacing[0], 6), round(spacing[1], 6))


def _shear(group: OrientationGroup, origins: np.ndarray) -> tuple[tuple[float, float], float]:
    """Return the shift per mm along the normal, and the farthest slice beside the line, mm."""
    if len(origins) < 2:
        return (0.0, 0.0), 0.0
    offsets = origins - origins.mean(axis=0)
    along = offsets @ group.normal
    across = offsets @ np.stack([group.row, group.column], axis=1)
    slope = along @ across / float(along @ along)
    beside = np.linalg.norm(across - along[:, None] * slope, axis=1)
    return (round(float(slope[0]), 9), round(float(slope[1]), 9)), float(beside.max())


def _tilt_deg(shear: tuple[float, float]) -> float:
    size = float(np.degrees(np.arctan(np.hypot(*shear))))
    leading = shear[1] if abs(shear[1]) >= abs(shear[0]) else shear[0]
    return round(size if leading <= 0 else -size, 4) + 0.0


def _affine(
    group: OrientationGroup, origins: np.ndarray, spacing: tuple[float, float] | None
) -> tuple[tuple[float, ...], ...] | None:
    """Return lps_from_ijk of a uniform stack, through its first and last slice."""
    if spacing is None or min(spacing) <= 0:
        return None
    affine = np.eye(4)
    affine[:3, 0] = group.row * spacing[1]
    affine[:3, 1] = group.column * spacing[0]
    last = len(origins) - 1
    affine[:3, 2] = (origins[last] - origins[0]) / last if last else group.normal
    affine[:3, 3] = origins[0]
    return tuple(tuple(map(float, line)) for line in affine)
