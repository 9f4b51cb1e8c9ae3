"""Tissue by threshold: the right voxels, their volume, and a segmentation that says so."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import EnhancedCTImageStorage
from rest_framework.exceptions import ValidationError
from skimage.measure import label

from accounts.models import User
from archive.models import Series
from imaging.errors import UnsupportedError
from reconstruction import kind_segmentation, tissue
from reconstruction.tissue import Found, Wish, nearest_voxel, segment
from reconstruction.volume_files import Volume
from reconstruction.work import Work
from tests.unit.reconstruction.conftest import make_slices
from tests.unit.reconstruction.test_surfaces import SHEARED, make_volume

Store = Callable[[Iterable[Dataset]], Series]


def mask_of(found: Found) -> np.ndarray:
    return found.mask.read(0, found.mask.shape[0])


@pytest.fixture(autouse=True)
def _thin_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pieces reach over several slabs."""
    monkeypatch.setattr(tissue, "SLICES_A_SLAB", 3)


@pytest.fixture
def noise() -> Volume:
    values = np.random.default_rng(3).integers(-1000, 1000, (11, 13, 9))
    return make_volume(values, SHEARED)


def test_voxels_and_numbers_are_those_of_numpy(noise: Volume, tmp_path: Path) -> None:
    found = segment(noise, Wish(-100.5, 300), tmp_path / "mask")

    expected = (noise.voxels >= -100) & (noise.voxels <= 300)
    values = noise.voxels[expected].astype(float)
    assert np.array_equal(mask_of(found), expected)
    assert (found.mean, found.sd) == pytest.approx((values.mean(), values.std()))
    assert (found.lowest, found.highest) == (values.min(), values.max())
    # By hand: the determinant of the sheared affine is 0.8 * 1.1 * 1.7 mm³.
    assert found.volume_ml == pytest.approx(expected.sum() * 0.8 * 1.1 * 1.7 / 1000)


def test_pieces_are_those_of_scikit_image_whatever_the_slabs(noise: Volume, tmp_path: Path) -> None:
    wanted = (noise.voxels >= -400) & (noise.voxels <= 1000)
    pieces = label(wanted, connectivity=1)
    sizes = np.bincount(pieces[wanted])
    k, j, i = np.argwhere(pieces == np.argsort(sizes)[-2])[-1]
    seed = SHEARED[:3, :3] @ (i, j, k) + SHEARED[:3, 3]

    largest = segment(noise, Wish(-400, 1000, largest=True), tmp_path / "one")
    seeded = segment(noise, Wish(-400, 1000, seed=seed), tmp_path / "two")

    assert np.array_equal(mask_of(largest), pieces == sizes.argmax())
    assert np.array_equal(mask_of(seeded), pieces == pieces[k, j, i])


def test_cavities_are_filled_but_not_what_is_open_to_the_border(tmp_path: Path) -> None:
    values = np.zeros((9, 10, 10), int)
    values[1:8, 1:9, 1:9] = 100
    values[3:6, 3:5, 3:5] = 0  # a cavity
    values[4:, 6, 6] = 0  # a way out through the top
    found = segment(make_volume(values, np.eye(4)), Wish(50, 200, fill=True), tmp_path / "mask")

    expected = values == 100
    expected[3:6, 3:5, 3:5] = True
    assert np.array_equal(mask_of(found), expected)


def test_a_box_and_a_z_table_count_in_the_patients_millimetres(tmp_path: Path) -> None:
    full = np.full((5, 4, 6), 100)
    # Slices at 0, 1, 3 and, after a gap, 9 and 10 mm; the usual spacing is 1.
    volume = make_volume(full, np.diag([2.0, 3.0, 1.0, 1.0]), np.array([0.0, 1, 3, 9, 10]), (2,))
    whole = segment(volume, Wish(0, 200), tmp_path / "whole")
    box = np.array([[9.0, 0, 3], [1.5, 20, -1]])
    part = segment(volume, Wish(0, 200, box=box), tmp_path / "part")

    one = segment(volume, Wish(0, 200, box=np.array([[0, 0, 0.5], [99, 99, 2]])), tmp_path / "one")

    # By hand: slices stand for 1, 1.5, 1.5, 1 and 1 mm of 2 x 3 mm voxels.
    assert whole.volume_ml == pytest.approx(24 * 6 * (1 + 1.5 + 1.5 + 1 + 1) / 1000)
    assert one.volume_ml == pytest.approx(24 * 6 * 1.5 / 1000)
    expected = np.zeros(full.shape, bool)
    expected[:3, :, 1:5] = True
    assert np.array_equal(mask_of(part), expected)
    assert nearest_voxel(volume.geometry, np.array([10.9, 0, 9.4])) == (3, 0, 5)
    assert nearest_voxel(volume.geometry, np.array([11.1, 0, 9.4])) is None
    assert nearest_voxel(volume.geometry, np.array([0, 0, 6.0])) is None
    # Beside the gap half the usual spacing counts, on the other side half the way.
    assert nearest_voxel(volume.geometry, np.array([0, 0, 3.4])) == (2, 0, 0)
    assert nearest_voxel(volume.geometry, np.array([0, 0, 3.9])) is None
    assert nearest_voxel(volume.geometry, np.array([0, 0, 8.3])) is None
    assert nearest_voxel(volume.geometry, np.array([0, 0, 2.1])) == (2, 0, 0)


def test_a_seed_that_is_out_of_the_range_is_refused(noise: Volume, tmp_path: Path) -> None:
    lps = SHEARED[:3, :3] @ (2, 3, 4) + SHEARED[:3, 3]
    value = int(noise.voxels[4, 3, 2])
    with pytest.raises(UnsupportedError, match=f"at the seed is {value}"):
        segment(noise, Wish(value + 1, 5000, seed=lps), tmp_path / "one")
    with pytest.raises(UnsupportedError, match="outside the volume"):
        segment(noise, Wish(0, 1, seed=lps + 1000), tmp_path / "two")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "lowest:"),
        ({"lowest": 5, "highest": 4}, "highest:"),
        ({"lowest": 5, "seed": [1, 2]}, "seed:"),
        ({"lowest": 5, "seed": [1, 2, 3], "largest": True}, "largest:"),
        ({"lowest": 5, "fill": "yes"}, "fill:"),
        ({"lowest": 5, "property": "hair"}, "property:"),
        ({"lowest": 5, "label": "a\nb"}, "label:"),
        ({"lowest": 5, "box": [[1, 2, 3]]}, "box:"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        kind_segmentation.parse(parameters)


# --- DICOM ----------------------------------------------------------------------------------
def run(series: Series, rada: User, folder: Path, **parameters: object) -> Work:
    work = Work(series=series, person=rada, folder=folder)
    wanted = {"lowest": 100, "output": ["dicom", "json"], "property": "bone", **parameters}
    kind_segmentation.run(work, kind_segmentation.parse(wanted))
    return work


def assert_valid(path: Path) -> None:
    """`dciodvfy` finds no error, where it is installed."""
    if shutil.which("dciodvfy"):
        command = ["dciodvfy", "-new", str(path)]
        told = subprocess.run(command, check=False, capture_output=True, text=True).stderr
        assert not [line for line in told.splitlines() if line.startswith("Error")]


def blobs(shape: tuple[int, int, int]) -> np.ndarray:
    values = np.random.default_rng(8).integers(0, 200, shape)
    values[2] = 0  # a slice with nothing on it
    return values.astype(np.int32)


@pytest.mark.django_db(transaction=True)
def test_a_segmentation_holds_the_mask_exactly_on_the_images_it_was_made_of(
    store: Store, rada: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imaging.segmentation_writer.SLICES_AT_ONCE", 8)
    # 7 x 9 pixels: frames do not fill whole bytes.
    values, step = blobs((19, 7, 9)), (0, -0.5, 2.0)
    datasets = make_slices(values, step=step)
    work = run(store(datasets), rada, tmp_path, label="Two bones", fill=False)

    (path,) = work.dicom_paths
    found = highdicom.seg.segread(path)
    # A file of little endian bits, by the standard's own words: PS3.5 8.2.
    kept = [k for k in range(19) if k != 2]
    expected = values[kept] >= 100
    sources = {str(one.SOPInstanceUID): one for one in datasets}
    uids = [str(one.SOPInstanceUID) for one in datasets[::-1]]
    read = found.get_pixels_by_source_instance([uids[k] for k in kept], combine_segments=True)
    assert np.array_equal(read == 1, expected)
    for frame, k in zip(found.PerFrameFunctionalGroupsSequence, kept, strict=True):
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        assert place == sources[uids[k]].ImagePositionPatient
    (segment_item,) = found.SegmentSequence
    assert segment_item.SegmentLabel == "Two bones"
    assert segment_item.SegmentedPropertyTypeCodeSequence[0].CodeValue == "272673000"
    assert str(found.ContentCreatorName).strip("^") == rada.username
    assert found.FrameOfReferenceUID == datasets[0].FrameOfReferenceUID
    assert found.StudyInstanceUID == datasets[0].StudyInstanceUID
    about = json.loads((tmp_path / "segmentation.json").read_text())
    assert about["voxels"] == expected.sum()
    assert_valid(path)


@pytest.mark.django_db(transaction=True)
def test_frames_of_one_object_are_named_by_their_number(
    store: Store, rada: User, tmp_path: Path
) -> None:
    values = blobs((5, 8, 8))
    series = store([_as_enhanced(make_slices(values)[::-1])])

    (path,) = run(series, rada, tmp_path).dicom_paths

    found = pydicom.dcmread(path)
    named = [
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for frame in found.PerFrameFunctionalGroupsSequence
    ]
    assert named == [1, 2, 4, 5]
    (only,) = found.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert only.ReferencedSOPClassUID == EnhancedCTImageStorage
    assert np.array_equal(found.pixel_array == 1, values[[0, 1, 3, 4]] >= 100)
    assert_valid(path)


def _as_enhanced(slices: list[Dataset]) -> Dataset:
    made = slices[0]
    made.SOPClassUID = EnhancedCTImageStorage
    made.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    made.NumberOfFrames = len(slices)
    made.PixelData = b"".join(one.PixelData for one in slices)
    shared, frames = Dataset(), []
    measures, turn, rescale = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = made.PixelSpacing, 2
    turn.ImageOrientationPatient = made.ImageOrientationPatient
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 1, -1024, "HU"
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [turn]
    shared.PixelValueTransformationSequence = [rescale]
    for one in slices:
        frame, place = Dataset(), Dataset()
        place.ImagePositionPatient = one.ImagePositionPatient
        frame.PlanePositionSequence = [place]
        frames.append(frame)
    made.SharedFunctionalGroupsSequence = [shared]
    made.PerFrameFunctionalGroupsSequence = frames
    return made
