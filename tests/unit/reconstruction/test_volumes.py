"""Series as volumes: every voxel at its place, in its units, built once."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import EnhancedCTImageStorage, RLELossless

from archive.caches import caches
from archive.decode import close_pool
from archive.models import Series
from archive.passport import read_passport
from imaging.errors import BusyError, NotAVolumeError, UnreadableError, UnsupportedError
from reconstruction.assembly import plan_volume
from reconstruction.volume_files import write_volume
from reconstruction.volumes import (
    ABSENT,
    BUILDING,
    READY,
    REFUSED,
    find_state,
    open_volume,
    volume_key,
)
from tests.unit.reconstruction.conftest import SHAPE, index_volume, make_slices

pytestmark = pytest.mark.django_db(transaction=True)
Store = Callable[[Iterable[Dataset]], Series]


def modality_values(volume: Any) -> np.ndarray:
    values: np.ndarray = volume.voxels * volume.scale.scale + volume.scale.offset
    return values


def test_every_voxel_lies_at_its_index_and_the_affine_leads_to_its_lps(store: Store) -> None:
    series = store(make_slices(index_volume()))

    assert find_state(series).name == ABSENT
    volume = open_volume(series)

    assert np.array_equal(volume.voxels, index_volume())
    assert (volume.scale.scale, volume.scale.offset, volume.scale.is_exact) == (1, 0, True)
    assert volume.geometry.spacing_mm == (0.5, 0.75, 2.0)
    affine = volume.geometry.lps_from_ijk
    assert affine is not None
    # Column 3, row 2, slice 4 by hand: -20 + 3 * 0.5, 30 + 2 * 0.75, -5 + 4 * 2.
    assert affine @ (3, 2, 4, 1) == pytest.approx([-18.5, 31.5, 3.0, 1])
    assert find_state(series).name == READY
    assert not volume.voxels.flags.writeable


def test_a_tilted_stack_is_a_sheared_affine(store: Store) -> None:
    step = (0, -0.5, 2.0)
    volume = open_volume(store(make_slices(index_volume(), step=step)))

    affine = volume.geometry.lps_from_ijk
    assert affine is not None
    assert affine[:3, 2] == pytest.approx(step)
    assert "tilted" in volume.about["notes"]


def test_an_uneven_stack_keeps_its_z_table_and_a_gap_is_a_hole(store: Store) -> None:
    slices = make_slices(index_volume())
    del slices[3]  # Slices 6 5 4 [3] 2 1 0: the fourth is missing.

    volume = open_volume(store(slices))

    assert volume.geometry.lps_from_ijk is None
    assert volume.geometry.slice_mm.tolist() == pytest.approx([0, 2, 4, 8, 10, 12])
    assert volume.geometry.holes.tolist() == [False, False, True, False, False]
    assert np.array_equal(volume.voxels, np.delete(index_volume(), 3, axis=0))
    assert "missing_slices" in volume.about["notes"]


def test_pet_with_a_slope_for_each_slice_is_in_modality_units_within_half_a_step(
    store: Store,
) -> None:
    slices = make_slices(index_volume() + 1000)
    expected = []
    for number, one in enumerate(slices):
        one.RescaleSlope, one.RescaleIntercept = f"{0.5 + number / 8:g}", "0"
        stored = np.frombuffer(one.PixelData, "<i2").reshape(SHAPE[1:])
        expected.append(stored * (0.5 + number / 8))
    volume = open_volume(store(slices))
    truth = np.stack(expected[::-1])

    assert not volume.scale.is_exact
    assert volume.scale.scale == pytest.approx((truth.max() - truth.min()) / 65535)
    assert np.abs(modality_values(volume) - truth).max() <= volume.scale.scale / 2 + 1e-9


def test_a_fraction_as_slope_keeps_stored_values_and_says_their_scale(store: Store) -> None:
    slices = make_slices(index_volume(), RescaleSlope="0.25", RescaleIntercept="-1000.5")
    volume = open_volume(store(slices))

    assert (volume.scale.scale, volume.scale.is_exact) == (0.25, True)
    stored = np.stack([np.frombuffer(one.PixelData, "<i2") for one in slices[::-1]])
    truth = stored.reshape(SHAPE) * 0.25 - 1000.5
    assert np.array_equal(modality_values(volume), truth)


def test_sixteen_unsigned_bits_that_do_not_fit_are_shifted_and_stay_exact(store: Store) -> None:
    slices = make_slices(index_volume())
    truth = (index_volume() * 8 + 9000).astype("<u2")
    for one, plane in zip(slices, truth[::-1], strict=True):
        one.PixelRepresentation, one.BitsStored, one.HighBit = 0, 16, 15
        one.RescaleIntercept = 0
        one.PixelData = plane.tobytes()
    assert truth.max() > 32767

    volume = open_volume(store(slices))

    assert volume.scale.is_exact
    assert np.array_equal(modality_values(volume), truth)


def test_compressed_frames_give_the_same_voxels(store: Store) -> None:
    slices = make_slices(index_volume())
    for one in slices:
        one.compress(RLELossless, generate_instance_uid=False)
    try:
        assert np.array_equal(open_volume(store(slices)).voxels, index_volume())
    finally:
        close_pool()


def test_a_late_slice_makes_a_new_volume(store: Store) -> None:
    slices = make_slices(index_volume())
    first = open_volume(store(slices[1:]))
    second = open_volume(store(slices[:1]))

    assert first.geometry.shape[0] == len(slices) - 1
    assert np.array_equal(second.voxels, index_volume())
    assert first.key != second.key


def test_what_the_passport_forbids_is_refused_with_its_reasons(store: Store) -> None:
    series = store(make_slices(index_volume())[:2])

    with pytest.raises(NotAVolumeError) as refused:
        open_volume(series)

    assert [code for code, _words in refused.value.reasons] == ["too_few_slices"]
    assert find_state(series).name == REFUSED


def test_colour_and_time_points_that_are_not_there_are_refused(store: Store) -> None:
    slices = make_slices(index_volume())
    with pytest.raises(NotAVolumeError, match="time point"):
        open_volume(store(slices), time_point=1)
    for one in make_slices(index_volume()):
        one.SamplesPerPixel, one.PhotometricInterpretation = 3, "RGB"
        one.PlanarConfiguration, one.PixelRepresentation = 0, 0
        one.BitsAllocated = one.BitsStored = 8
        one.HighBit = 7
        one.PixelData = bytes(3 * one.Rows * one.Columns)
        series = store([one])
    with pytest.raises(NotAVolumeError, match="colour"):
        open_volume(series)


def test_a_missing_file_is_no_volume_with_a_hole(store: Store, home: Path) -> None:
    series = store(make_slices(index_volume()))
    find_state(series)  # The passport was made while all was well.
    victim = sorted((home / "media").rglob("*.dcm"))[0]
    victim.write_bytes(victim.read_bytes()[:-100])

    with pytest.raises(UnreadableError):
        open_volume(series)

    assert not [path for path in (home / "cache").rglob("*") if path.name.startswith(".new-")]


def test_volumes_go_by_bytes_and_the_oldest_goes_first(store: Store, settings: Any) -> None:
    all_series = [store(make_slices(np.tile(index_volume(), (1, 13, 13)))) for _ in range(3)]
    # Each takes 283,920 bytes and its head: three fit.
    settings.NOCTIS_VOLUME_CACHE_MB = 1
    volumes = [open_volume(one) for one in all_series]
    paths = [caches().volumes.path_of(bytes.fromhex(one.key)) for one in volumes]
    os.utime(paths[0], (1, 1))
    fourth = open_volume(store(make_slices(np.tile(index_volume(), (1, 13, 13)))))

    assert not paths[0].exists()
    assert caches().volumes.path_of(bytes.fromhex(fourth.key)).exists()
    assert caches().volumes.used_bytes() <= 1 << 20
    assert caches().counts.read()["volumes evictions"] >= 1
    # What went is built again when it is wanted.
    assert np.array_equal(open_volume(all_series[0]).voxels, volumes[0].voxels)
    settings.NOCTIS_VOLUME_CACHE_MB = 0
    with pytest.raises(UnsupportedError, match="more than volumes may take"):
        open_volume(store(make_slices(index_volume())))


def test_who_does_not_wait_is_told_how_far_another_process_is(store: Store) -> None:
    series = store(make_slices(index_volume()))
    plan = plan_volume(series, read_passport(series), 0)
    draft = caches().volumes.draft_of(key_of(series))
    draft.parent.mkdir(parents=True)
    with draft.open("wb") as file:
        # As another process that holds the lock and has written three slices of seven.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(struct.pack("<8sQQ", b"", 3, 7))
        file.flush()
        with pytest.raises(BusyError) as told:
            open_volume(series, wait_seconds=0.05)
        assert told.value.progress == pytest.approx(3 / 7)
        assert find_state(series).name == BUILDING

    # The other one died: its lock is gone, and whoever waited builds.
    assert np.array_equal(open_volume(series).voxels, index_volume())
    assert len(plan.slices) == SHAPE[0]


def test_several_processes_at_once_build_a_volume_once(store: Store) -> None:
    series = store(make_slices(index_volume()))
    key, plan = key_of(series), plan_volume(series, read_passport(series), 0)
    path = caches().volumes.path_of(key)
    fork = multiprocessing.get_context("fork")
    gate, inodes = fork.Barrier(3), fork.SimpleQueue()

    def build() -> None:
        gate.wait(30)
        write_volume(key, plan)
        inodes.put(path.stat().st_ino)

    children = [fork.Process(target=build) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)

    assert [child.exitcode for child in children] == [0, 0, 0]
    assert len({inodes.get() for _ in children}) == 1
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert np.array_equal(open_volume(series).voxels, index_volume())


def key_of(series: Series) -> bytes:
    """Return the key by which all processes find the volume of a series."""
    return volume_key(series, read_passport(series), 0)


def test_time_points_are_volumes_of_their_own(store: Store) -> None:
    first = make_slices(index_volume(), AcquisitionNumber=1)
    second = make_slices(index_volume() + 7, AcquisitionNumber=2)
    for one in second:
        for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            setattr(one, name, getattr(first[0], name))
    series = store([*second, *first])

    volumes = [open_volume(series, time_point=number) for number in (0, 1)]

    assert np.array_equal(volumes[0].voxels, index_volume())
    assert np.array_equal(volumes[1].voxels, index_volume() + 7)
    assert "time_points" in volumes[0].about["notes"]


def test_frames_of_one_object_are_a_volume(store: Store) -> None:
    """As an enhanced CT says it: the positions stand in functional groups, last slice first."""
    voxels = index_volume()
    whole = make_slices(voxels)[0]
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    whole.NumberOfFrames = len(voxels)
    whole.PixelData = (voxels[::-1] + 1024).astype("<i2").tobytes()
    shared = Dataset()
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = whole.PixelSpacing
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = whole.ImageOrientationPatient
    shared.PixelValueTransformationSequence = [Dataset()]
    shared.PixelValueTransformationSequence[0].RescaleSlope = 1
    shared.PixelValueTransformationSequence[0].RescaleIntercept = -1024
    whole.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for k in range(len(voxels))[::-1]:
        frame = Dataset()
        frame.PlanePositionSequence = [Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = [-20, 30, -5 + 2 * k]
        frames.append(frame)
    whole.PerFrameFunctionalGroupsSequence = frames
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(whole, name)

    volume = open_volume(store([whole]))

    assert np.array_equal(volume.voxels, voxels)
    assert volume.geometry.spacing_mm == (0.5, 0.75, 2.0)
