"""The phantom is what it says: geometry, HU and validity judged from outside."""

from __future__ import annotations

import math
import shutil
import subprocess

import numpy as np
import pytest
from pydicom import dcmread

from archive.glyphs import text_dots
from archive.phantom import (
    AIR_HU,
    BONE_HU,
    FAT_HU,
    RULER_PX,
    PhantomShape,
    build_datasets,
    build_hu,
)
from imaging.errors import UnsupportedError
from tests.factories import as_part10


def hu_of(dataset) -> np.ndarray:
    stored = np.asarray(dataset.pixel_array, dtype=np.float64)
    return stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("tilt_deg", [0, -12.5])
def test_is_valid_for_dciodvfy(tmp_path, tilt_deg):
    shape = PhantomShape(slices=3, tilt_deg=tilt_deg, spacing_mm=(0.7, 1 / 3), thickness_mm=0.6)
    for number, dataset in enumerate(build_datasets(shape)):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(as_part10(dataset))
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert "Error" not in said.stdout + said.stderr
        assert "Warning" not in said.stdout + said.stderr


def test_equal_shapes_give_equal_bytes_and_another_seed_another_study():
    shape = PhantomShape(slices=2)
    first = [as_part10(one) for one in build_datasets(shape)]
    assert first == [as_part10(one) for one in build_datasets(PhantomShape(slices=2))]
    other = next(iter(build_datasets(PhantomShape(slices=2, seed=1))))
    assert other.StudyInstanceUID != shape.uid("study")


def test_uids_are_of_the_uuid_root():
    dataset = next(iter(build_datasets(PhantomShape())))
    for uid in (dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID):
        assert uid.startswith("2.25.")
        assert uid.is_valid


def test_rulers_hold_their_own_index():
    shape = PhantomShape(rows=100, columns=150, slices=20)
    for slice_index, dataset in enumerate(build_datasets(shape)):
        hu = hu_of(dataset)
        assert hu[0, 0] == slice_index
        assert hu[0, 37] == 37
        assert hu[0, 149] == 149
        assert hu[61, 0] == 61
        assert hu[99, 0] == 99


def test_materials_have_their_hu():
    shape = PhantomShape(slices=9)
    hu = build_hu(shape, 4)
    radius_px = 0.42 * 256
    middle = 128
    right, left = middle - int(0.55 * radius_px), middle + int(0.55 * radius_px)
    assert hu[middle, left] == BONE_HU
    assert hu[middle, right] == AIR_HU
    assert hu[middle + int(0.5 * radius_px), middle] == FAT_HU
    assert hu[middle, middle - 15] == 0
    assert hu[200, 250] == AIR_HU
    ring = hu[middle, middle - int(0.96 * radius_px)]
    assert ring == FAT_HU


def test_the_ramp_rises_to_the_left_of_the_patient():
    hu = build_hu(PhantomShape(), 4)
    row = 128 + round(0.22 * 0.42 * 256)
    bar = hu[row, 100:156]
    assert (np.diff(bar) > 0).all()


def test_every_axis_and_mirror_is_told_apart():
    volume = np.stack(
        [build_hu(PhantomShape(rows=64, columns=64, slices=64), k) for k in range(64)]
    )
    inner = volume[:, RULER_PX:, RULER_PX:]
    for axis in range(3):
        assert not np.array_equal(inner, np.flip(inner, axis))


def test_the_label_can_be_read_from_the_voxels():
    shape = PhantomShape(rows=512, columns=512)
    hu = build_hu(shape, 20)
    letters = (hu == 500)[RULER_PX:300, RULER_PX:]
    rows = np.flatnonzero(letters[:, 150:362].any(axis=1))
    dot_px = 0.42 * 512 / 50 * 1.4
    top, left = 256 - 0.42 * 0.42 * 512 - 3.5 * dot_px, 256 - 41 / 2 * dot_px
    dots = text_dots("PHANTOM")
    read = np.array(
        [[hu[int(top + (j + 0.5) * dot_px), int(left + (i + 0.5) * dot_px)] == 500
          for i in range(dots.shape[1])] for j in range(dots.shape[0])]
    )  # fmt: skip
    assert rows.size
    assert np.array_equal(read, dots)


def test_head_and_feet_are_lettered():
    volume = [build_hu(PhantomShape(slices=9), k) for k in range(9)]
    middle = np.s_[100:125, 118:138]
    lettered = [bool((slice_hu[middle] == 500).any()) for slice_hu in volume]
    assert lettered == [True] * 3 + [False] * 3 + [True] * 3
    assert not np.array_equal(volume[0][middle], volume[8][middle])


def test_geometry_is_what_was_asked_for():
    shape = PhantomShape(
        rows=40, columns=50, slices=5, spacing_mm=(0.5, 0.75), thickness_mm=3, slice_spacing_mm=2
    )
    datasets = list(build_datasets(shape))
    positions = np.array([one.ImagePositionPatient for one in datasets], float)
    assert np.allclose(np.diff(positions, axis=0), [0, 0, 2])
    assert np.allclose(positions[2], [-24.5 * 0.75, -19.5 * 0.5, 0])
    assert datasets[0].PixelSpacing == [0.5, 0.75]
    assert datasets[0].SliceThickness == 3
    assert (datasets[0].Rows, datasets[0].Columns) == (40, 50)


def test_a_tilted_stack_is_sheared():
    shape = PhantomShape(slices=3, tilt_deg=20, thickness_mm=5)
    first, second, _ = build_datasets(shape)
    orientation = np.array(first.ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    step = np.array(second.ImagePositionPatient, float) - np.array(
        first.ImagePositionPatient, float
    )
    assert np.allclose(step, [0, 0, 5])
    assert math.degrees(math.acos(normal @ step / 5)) == pytest.approx(20)
    assert first.GantryDetectorTilt == 20
    assert first.SpacingBetweenSlices == pytest.approx(5 * math.cos(math.radians(20)))


def test_a_tilted_slice_cuts_the_same_body_elsewhere():
    """Where a tilted slice crosses z = 0 it shows what the straight slice there shows."""
    straight = build_hu(PhantomShape(slices=61, thickness_mm=1), 30)
    tilted = build_hu(PhantomShape(slices=61, thickness_mm=1, tilt_deg=15), 30)
    assert np.array_equal(straight[126:130, 10:], tilted[126:130, 10:])


@pytest.mark.parametrize(
    "wrong",
    [{"rows": 0}, {"columns": 5000}, {"slices": 0}, {"spacing_mm": (0, 1)}, {"thickness_mm": -1},
     {"tilt_deg": 90}],
)  # fmt: skip
def test_impossible_shapes_are_refused_in_words(wrong):
    with pytest.raises(UnsupportedError):
        PhantomShape(**wrong)


def test_the_file_reads_back_with_pixels(tmp_path):
    path = tmp_path / "x.dcm"
    path.write_bytes(as_part10(next(iter(build_datasets(PhantomShape(patient_name="Tést^Ü"))))))
    dataset = dcmread(path)
    assert str(dataset.PatientName) == "Tést^Ü"
    assert dataset.pixel_array.shape == (256, 256)
