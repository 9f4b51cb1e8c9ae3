"""The shape of series: phantoms whose numbers are known, and real scans read by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin, tan
from pathlib import Path

import numpy as np
import pydicom
import pytest

from imaging.image_facts import image_facts
from imaging.ordering import Placement, order_images
from imaging.shape import SeriesShape, examine_shape
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
