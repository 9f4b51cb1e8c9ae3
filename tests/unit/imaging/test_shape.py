"""The shape of series: phantoms whose numbers are known, and real scans read by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import cos, radians, sin, tan
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from imaging.image_facts import image_facts
from imaging.ordering import Placement, order_images
from imaging.shape import SeriesShape, examine_shape
from imaging.text_verdict import examine_text
from tests.unit.imaging.build import image, read_bytes, written
from tests.unit.imaging.real_files import all_files, read

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def stack(
    heights: Sequence[float], orientation: Sequence[float] = AXIAL, *, start: int = 0,
    step: Sequence[float] | None = None, **values: object,
) -> list[Placement]:  # fmt: skip
    """Return slices at `heights` mm along `step` (lps), by default along the normal."""
    along = np.cross(orientation[:3], orientation[3:]) if step is None else np.array(step)
    values = {"rows": 8, "columns": 8, "pixel_spacing": (0.5, 0.4), **values}
    return [
        Placement(start + n, orientation, tuple(along * height), start + n, **values)  # type: ignore[arg-type]
        for n, height in enumerate(heights)
    ]


def shape_of(images: list[Placement]) -> SeriesShape:
    shape = examine_shape(images)
    assert examine_shape(images[::-1]) == shape
    ordered = [key for group in shape.groups for key in group.members]
    assert sorted(map(str, ordered)) == sorted(
        str(image.key) for image in order_images(images) if image.orientation is not None
    )
    return shape


def evenly(count: int, spacing: float = 2.5, first: float = -40.0) -> list[float]:
    return [first + n * spacing for n in range(count)]


@pytest.mark.parametrize("orientation", [
    AXIAL, CORONAL, SAGITTAL, (-1, 0, 0, 0, -1, 0), (0, 1, 0, -1, 0, 0),
    (0.8, 0.6, 0, 0, 0, -1), (cos(0.3), sin(0.3), 0, 0, 0, -1),
], ids=["axial", "coronal", "sagittal", "prone", "decubitus", "oblique", "oblique by radians"])  # fmt: skip
def test_an_even_stack_is_a_volume_in_any_position_and_order(
    orientation: tuple[float, ...],
) -> None:
    shape = shape_of(stack(evenly(20)[::-1], orientation))
    assert (shape.is_volume, shape.codes, shape.orientation_groups) == (True, (), 1)
    assert (shape.slice_count, shape.missing_count, shape.duplicate_count) == (20, 0, 0)
    assert shape.is_uniform
    assert shape.slice_spacing_mm == pytest.approx(2.5)
    assert (shape.tilt_deg, shape.time_points) == (0.0, 1)


@pytest.mark.parametrize("angle", [18.5, -18.5, 3.0, -30.0])
def test_tilt_is_shear_with_its_sign(angle: float) -> None:
    # Supine, head first: the table moves along z, the picture's top leans towards the head by
    # the angle, as GantryDetectorTilt +18.5 says with columns (0, 0.948, -0.317).
    tilted = (1.0, 0.0, 0.0, 0.0, cos(radians(angle)), -sin(radians(angle)))
    shape = shape_of(stack(evenly(12, 5.0), tilted, step=(0, 0, 1)))
    assert shape.is_volume
    assert shape.is_uniform
    assert shape.codes == ("tilted",)
    assert shape.tilt_deg == pytest.approx(angle, abs=1e-3)
    assert shape.slice_spacing_mm == pytest.approx(5 * cos(radians(angle)))
    main = shape.main
    assert main is not None
    assert main.shear == pytest.approx((0, -tan(radians(angle))), abs=1e-6)
    affine = np.array(main.lps_from_ijk)
    assert affine[:3, 2] == pytest.approx([0, 0, 5])
    assert affine @ [7, 3, 11, 1] == pytest.approx(
        [2.8, 1.5 * cos(radians(angle)), 15 - 1.5 * sin(radians(angle)), 1]
    )


@pytest.mark.parametrize(
    ("heights", "missing", "code"),
    [
        ([*evenly(5, 2, 0), *evenly(5, 2, 12)], [10], "missing_slices"),
        ([*evenly(5, 2, 0), *evenly(5, 2, 14)], [10, 12], "missing_slices"),
        ([*evenly(5, 2, 0), *evenly(5, 2, 12), *evenly(3, 2, 24)], [10, 22], "missing_slices"),
        ([*evenly(8, 2, 0), *evenly(6, 6, 20)], [], "spacing_changes"),
        ([*evenly(6, 4, 0), *evenly(9, 2, 22)], [], "spacing_changes"),
        ([0, 2, 4.7, 5.9, 9, 10.1, 13.8], [], "uneven"),
    ],
)  # fmt: skip
def test_holes_changes_and_unevenness_are_told_apart(
    heights: list[float], missing: list[float], code: str
) -> None:
    shape = shape_of(stack(heights))
    assert shape.codes == (code,)
    assert (shape.missing_count, shape.is_uniform) == (len(missing), False)
    main = shape.main
    assert main is not None
    assert main.missing == pytest.approx(missing)
    assert main.lps_from_ijk is None
    assert [origin[2] for origin in main.slice_origins_mm] == pytest.approx(heights)


def test_rounded_positions_are_even_and_a_slow_drift_is_not() -> None:
    assert shape_of(stack([round(n * 0.625, 1) for n in range(100)])).is_uniform
    assert not shape_of(stack([n + n * n * 1e-4 for n in range(100)])).is_uniform


def test_duplicates_time_points_and_incomplete_time_points_are_told_apart() -> None:
    base = stack(evenly(6))
    copies = shape_of([*base, *stack(evenly(1), start=50)])
    assert (copies.duplicate_count, copies.time_points, copies.codes) == (1, 1, ("duplicates",))
    assert not copies.is_volume
    phases = [p for t in range(3) for p in stack(evenly(6), start=10 * t, time_point=(float(t),))]
    shape = shape_of(phases)
    assert (shape.is_volume, shape.time_points, shape.duplicate_count) == (True, 3, 0)
    assert shape.slice_count == 6
    assert shape.main is not None
    assert shape.main.passes[1] == (10, 11, 12, 13, 14, 15)
    lacking = shape_of([image for image in phases if image.key != 12])
    assert (lacking.time_points, lacking.missing_count, lacking.duplicate_count) == (3, 1, 0)
    assert "incomplete_time_points" in lacking.codes


def test_a_repeated_slice_of_a_second_acquisition_is_no_time_point() -> None:
    first = stack(evenly(10), time_point=(1.0,))
    second = stack(evenly(10, first=evenly(10)[-1]), start=10, time_point=(2.0,))
    shape = shape_of(first + second)
    assert (shape.slice_count, shape.duplicate_count, shape.time_points) == (19, 1, 1)


def test_several_orientations_are_one_volume_only_beside_a_scout() -> None:
    three = (
        stack(evenly(3))
        + stack(evenly(3), CORONAL, start=10)
        + stack(evenly(3), SAGITTAL, start=20)
    )
    mixed = shape_of(three)
    assert (mixed.is_volume, mixed.orientation_groups) == (False, 3)
    assert "several_orientations" in mixed.codes
    scout = stack([0], CORONAL, start=50, is_localizer=True)
    shape = shape_of(stack(evenly(20)) + scout)
    assert (shape.is_volume, shape.orientation_groups, shape.localizer_count) == (True, 2, 1)
    assert (shape.slice_count, shape.codes) == (20, ("localizers",))
    only = shape_of(stack(evenly(5), is_localizer=True))
    assert not only.is_volume
    assert "only_localizers" in only.codes


def test_wandering_slices_differing_sizes_and_frames_of_reference_are_no_volume() -> None:
    wander = stack(evenly(9))
    x, y, z = wander[4].position or ()
    wander[4] = Placement(4, AXIAL, (x + 3, y, z), 4, rows=8, columns=8, pixel_spacing=(0.5, 0.4))
    for images, code in (
        (wander, "positions_wander"),
        (stack(evenly(5)) + stack(evenly(5, first=90), start=9, rows=16), "sizes_differ"),
        (stack(evenly(5)) + stack(evenly(5, first=90), start=9, pixel_spacing=(1, 1)), "spacings_differ"),
        (stack(evenly(5)) + stack(evenly(5, first=-27.5), start=9, frame_of_reference_uid="1.2"),
         "frames_of_reference_differ"),
        (stack(evenly(5), pixel_spacing=None), "no_pixel_spacing"),
        (stack([1.0]), "too_few_slices"),
        ([], "empty"),
        ([Placement(n, None, None, n) for n in range(3)], "no_geometry"),
        (stack(evenly(5), (2, 0, 0, 0, 1, 0)), "no_geometry"),
        (stack([1e7, float("nan"), 3e7]), "no_geometry"),
    ):  # fmt: skip
        shape = examine_shape(images)
        assert not shape.is_volume, code
        assert code in shape.codes


# --- real scans ---------------------------------------------------------------------
def real(folder: str) -> tuple[list[Placement], list[pydicom.Dataset]]:
    paths = [path for name, path in all_files().items() if name.startswith(f"data/{folder}/")]
    if not paths:
        pytest.skip("the real scans are not here (NOCTIS_TEST_DATA)")
    return [place(path) for path in paths], [
        pydicom.dcmread(path, stop_before_pixels=True) for path in paths
    ]


def place(path: Path) -> Placement:
    header, _index = read(path)
    return Placement.from_image_facts(
        header.text("SOPInstanceUID"), image_facts(header), header.integer("InstanceNumber")
    )


def test_a_real_tilted_ct_of_two_spacings_agrees_with_its_header() -> None:
    images, datasets = real("ct-tilt/neurolabusc+dcm_qa_ct")
    shape = shape_of(images)
    # Gantry tilt +18.5, slices at 4.22 mm and then at 7.38 mm along the table, by the headers.
    assert {float(one.GantryDetectorTilt) for one in datasets} == {18.5}
    assert shape.tilt_deg == pytest.approx(18.5, abs=0.01)
    assert (shape.slice_count, shape.missing_count, shape.duplicate_count) == (28, 0, 0)
    assert shape.is_volume
    assert not shape.is_uniform
    assert "spacing_changes" in shape.codes
    main = shape.main
    assert main is not None
    runs = [run.spacing_mm for run in main.spacing_runs]
    assert runs == pytest.approx([4.22 * cos(radians(18.5)), 7.38 * cos(radians(18.5))], abs=1e-3)


def test_real_slices_lie_where_their_own_headers_say() -> None:
    for folder, tilt, spacing in (
        ("ct-tilt/icometrix+dicom2nifti", 14.0, 5 * cos(radians(14))),
        ("ct-volume/neurolabusc+dcm_qa_ct", 0.0, 1.0),
        ("mr/icometrix+dicom2nifti/ge__anatomical__001", 0.0, 1.0),
    ):
        images, datasets = real(folder)
        shape = shape_of(images)
        assert shape.is_volume, folder
        assert shape.is_uniform, folder
        assert shape.tilt_deg == pytest.approx(tilt, abs=0.01)
        assert shape.slice_spacing_mm == pytest.approx(spacing, abs=1e-3)
        main = shape.main
        assert main is not None
        by_uid = {one.SOPInstanceUID: one for one in datasets}
        for k, uid in enumerate(main.passes[0]):
            own = by_uid[uid]
            row, column = np.split(np.array(own.ImageOrientationPatient, float), 2)
            for i, j in ((0, 0), (own.Columns - 1, own.Rows - 1), (own.Columns - 1, 0)):
                there = (
                    np.array(own.ImagePositionPatient, float)
                    + row * own.PixelSpacing[1] * i
                    + column * own.PixelSpacing[0] * j
                )
                found = np.array(main.lps_from_ijk) @ [i, j, k, 1]
                assert np.abs(found[:3] - there).max() < 1e-3


# --- frames of reference ------------------------------------------------------------
def test_images_of_two_frames_of_reference_are_two_groups_and_no_volume() -> None:
    # Interleaved by instance number: 6 slices of one scan, 6 of another between them.
    one = stack(evenly(6), frame_of_reference_uid="1.2.1")
    other = stack(evenly(6, first=-38.75), start=6, frame_of_reference_uid="1.2.2")
    shape = shape_of([image for pair in zip(one, other, strict=True) for image in pair])
    assert (shape.is_volume, shape.orientation_groups, len(shape.groups)) == (False, 1, 2)
    assert "frames_of_reference_differ" in shape.codes
    assert [group.members for group in shape.groups] == [tuple(range(6)), tuple(range(6, 12))]
    # Two images of another examination beside a stack are left aside, and told.
    few = shape_of(one + stack([99.0], start=20, frame_of_reference_uid="1.2.2"))
    assert (few.is_volume, few.slice_count) == (True, 6)
    assert "other_frames_of_reference" in few.codes


def test_the_frame_of_reference_of_each_file_reaches_its_place() -> None:
    for uid in ("1.2.840.77", ""):
        made = image(np.zeros((4, 4), np.int16), FrameOfReferenceUID=uid)
        place = Placement.from_image_facts(1, image_facts(read_bytes(written(made))), 1)
        assert place.frame_of_reference_uid == uid


# --- the same place, again ------------------------------------------------------------
def again(times: int, *, by_slice: bool = False, count: int = 6) -> list[Placement]:
    """Return `times` stacks that differ in instance number alone, phase by phase or by slice."""
    made = [
        (1 + (n * times + t if by_slice else t * count + n), height)
        for t in range(times)
        for n, height in enumerate(evenly(count))
    ]
    values = {"rows": 8, "columns": 8, "pixel_spacing": (0.5, 0.4)}
    return [Placement(number, AXIAL, (0, 0, z), number, **values) for number, z in made]  # type: ignore[arg-type]


@pytest.mark.parametrize("times", [2, 5])
@pytest.mark.parametrize("by_slice", [False, True], ids=["phase by phase", "slice by slice"])
def test_a_whole_stack_that_comes_again_is_time_points_by_number_alone(
    times: int, by_slice: bool
) -> None:
    shape = shape_of(again(times, by_slice=by_slice))
    assert (shape.time_points, shape.duplicate_count, shape.missing_count) == (times, 0, 0)
    assert (shape.slice_count, shape.is_volume) == (6, True)
    assert {"time_points", "time_points_by_number"} <= set(shape.codes)
    main = shape.main
    assert main is not None
    # The second time point by hand: numbers 7 to 12, or every times-th number from 2.
    expected = range(2, 6 * times + 1, times) if by_slice else range(7, 13)
    assert main.passes[1] == tuple(expected)


def test_a_last_phase_cut_short_lacks_slices_and_two_unequal_halves_are_duplicates() -> None:
    cut = shape_of([one for one in again(4) if one.key <= 21])
    assert (cut.time_points, cut.missing_count, cut.duplicate_count) == (4, 3, 0)
    halves = shape_of([one for one in again(2) if one.key <= 11])
    assert (halves.time_points, halves.duplicate_count, halves.is_volume) == (1, 5, False)


@pytest.mark.parametrize("values", [
    {"TriggerTime": ["0", "40.5", "81"]}, {"AcquisitionNumber": [1, 2, 3]},
    {"DiffusionBValue": [0.0, 500.0, 1000.0]}, {"TemporalPositionIdentifier": [1, 2, 3]},
    {"ContentTime": ["101500", "101502.5", "101505"]},
], ids=lambda values: next(iter(values)))  # fmt: skip
def test_repeats_are_told_apart_by_each_attribute_that_scanners_use(
    values: dict[str, list[Any]],
) -> None:
    # All with instance number 1: nothing but the attribute tells the three phases apart.
    ((keyword, phases),) = values.items()
    placements = []
    for phase, value in enumerate(phases):
        for n in range(4):
            made = image(
                np.zeros((2, 2), np.int16), ImageOrientationPatient=list(AXIAL), InstanceNumber=1,
                ImagePositionPatient=[0, 0, 5 * n], PixelSpacing=[1, 1], **{keyword: value},
            )  # fmt: skip
            facts = image_facts(read_bytes(written(made)))
            placements.append(Placement.from_image_facts((phase, n), facts, 1))
    shape = shape_of(placements)
    assert (shape.time_points, shape.duplicate_count, shape.slice_count) == (3, 0, 4)
    main = shape.main
    assert main is not None
    assert main.passes == tuple(tuple((phase, n) for n in range(4)) for phase in range(3))


def test_directions_of_one_b_value_are_time_points_too() -> None:
    # One b=0 and three directions of b=1000, numbered through: 4 images at each of 5 positions.
    made = [
        place
        for t, b in enumerate((0.0, 1000.0, 1000.0, 1000.0))
        for place in stack(evenly(5), start=5 * t, time_point=(b,))
    ]
    shape = shape_of(made)
    assert (shape.time_points, shape.duplicate_count) == (4, 0)
    assert shape.main is not None
    assert shape.main.passes[0] == (0, 1, 2, 3, 4)


def test_copies_are_told_apart_from_other_pictures_at_their_place() -> None:
    base = stack(evenly(6))
    double = [replace(one, key=one.key + 50, uid="9") for one in base[1:4]]
    digests = {one.key: f"pixels {one.key % 50}" for one in (*base, *double)}
    copies = examine_shape(base + double, digests.get)  # type: ignore[arg-type]
    assert (copies.duplicate_count, copies.identical_count, copies.time_points) == (3, 3, 1)
    assert (copies.codes, copies.is_volume) == (("identical_images",), True)
    digests[52] = "other pixels"
    mixed = examine_shape(base + double, digests.get)  # type: ignore[arg-type]
    assert (mixed.duplicate_count, mixed.identical_count) == (3, 2)
    assert (mixed.codes, mixed.is_volume) == (("duplicates", "identical_images"), False)
    unknown = shape_of(base + double)
    assert (unknown.codes, unknown.identical_count) == (("duplicates",), 0)
    assert not unknown.is_volume


def test_a_whole_series_sent_twice_with_new_numbers_is_no_time_point() -> None:
    twice = again(2)
    shape = examine_shape(twice, lambda key: f"pixels {(key - 1) % 6}")
    assert (shape.time_points, shape.duplicate_count, shape.identical_count) == (1, 6, 6)
    assert shape.codes == ("identical_images",)
    # What the header says outweighs the pixels: phases of a phantom may look alike.
    phases = [replace(one, time_point=(float(one.key > 6),)) for one in twice]
    assert examine_shape(phases, lambda _key: "all alike").time_points == 2


# --- the other sign of tilt -----------------------------------------------------------
@pytest.mark.parametrize(
    ("folder", "tilt"),
    [("ct-tilt/icometrix+dicom2nifti", 14.0), ("ct-tilt/neurolabusc+dcm_qa_ct", 18.5)],
)
def test_a_real_tilted_ct_mirrored_in_its_header_is_tilted_the_other_way(
    folder: str, tilt: float
) -> None:
    _images, datasets = real(folder)
    placements = []
    for number, one in enumerate(datasets):
        x1, y1, z1, x2, y2, z2 = one.ImageOrientationPatient
        one.ImageOrientationPatient = [x1, y1, -z1, x2, y2, -z2]
        facts = image_facts(read_bytes(written(one)))
        placements.append(Placement.from_image_facts(number, facts, one.InstanceNumber))
    shape = shape_of(placements)
    assert shape.tilt_deg == pytest.approx(-tilt, abs=0.01)
    assert shape.is_volume
    # The table still moves along z by whole steps: the shear undoes the slope of the pictures.
    assert shape.main is not None
    steps = np.diff(np.array(shape.main.slice_origins_mm), axis=0)
    assert np.abs(steps[:, :2]).max() < 1e-3


# --- numbers that decide millimetres -------------------------------------------------
@pytest.mark.parametrize(("before", "after"), [
    (b"DS\x08\x000.5\\0.25", b"DS\x08\x000,5\\0,25"), (b"DS\x0a\x000\\0\\-11.5 ", b"DS\x0a\x000\\0\\-11,5 "),
], ids=["pixel spacing", "position"])  # fmt: skip
def test_a_decimal_comma_is_read_and_the_shape_says_that_it_was_unclear(
    before: bytes, after: bytes
) -> None:
    made = image(
        np.zeros((2, 2), np.int16), ImageOrientationPatient=list(AXIAL),
        ImagePositionPatient=["0", "0", "-11.5"], PixelSpacing=["0.5", "0.25"],
    )  # fmt: skip
    content = written(made)
    assert content.count(before) == 1
    shapes = {}
    for name, one in (("point", content), ("comma", content.replace(before, after))):
        header = read_bytes(one)
        place = Placement.from_image_facts(1, image_facts(header), 1)
        assert (place.position, place.pixel_spacing) == ([0, 0, -11.5], (0.5, 0.25))
        assert ("bad_number" in header.flags) == (name == "comma")
        shapes[name] = set(examine_shape([place]).codes)
    assert shapes["comma"] - shapes["point"] == {"numbers_unclear"}
    assert examine_text([{"bad_number"}])["verdict"] == "flagged"
    flat = Placement(1, None, None, is_unclear=True)
    assert examine_shape([flat]).codes == ("no_geometry", "numbers_unclear")


def test_a_real_functional_mri_has_four_time_points_by_its_numbers_alone() -> None:
    # By the headers: instance numbers 1 to 4, then 47 further on each time, at 4 positions; no
    # time, no acquisition number and no echo differs.
    images, datasets = real("mr/icometrix+dicom2nifti/002")
    assert sorted(int(one.InstanceNumber) for one in datasets) == [
        first + n for first in (1, 48, 95, 142) for n in range(4)
    ]
    shape = shape_of(images)
    assert (shape.time_points, shape.slice_count, shape.duplicate_count) == (4, 4, 0)
    number_of = {image.key: image.instance_number for image in images}
    assert shape.main is not None
    assert [sorted(number_of[key] or 0 for key in each) for each in shape.main.passes] == [
        list(range(first, first + 4)) for first in (1, 48, 95, 142)
    ]
