"""Frames of real files as the viewer gets them, compared with pydicom's own decoders."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from accounts.models import Facility
from archive import storage
from archive.decode import close_pool
from archive.frames import describe_pixels, frame_bytes_of, pixel_format_of, read_frame
from archive.ingest import Source, ingest_file
from archive.models import Instance
from imaging.errors import (
    MissingError,
    NoctisError,
    PermanentError,
    UndecodableError,
    UnreadableError,
)
from imaging.frames import FrameIndex
from tests import factories
from tests.unit.imaging.build import image, written

pytestmark = pytest.mark.django_db(transaction=True)

FOLDERS = [
    "ct-volume",
    "ct-tilt",
    "mr",
    "us",
    "syntaxes",
    "cr-dx",
    "mg",
    "mr-enhanced",
    "seg",
    "xa",
    "wsi",
    "rt",
    "misc",
]
BUNDLED = [
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "image_dfl.dcm",
    "examples_palette.dcm",
    "examples_ybr_color.dcm",
    "examples_rgb_color.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "JPEG2000.dcm",
    "ExplVR_BigEnd.dcm",
    "rtdose.dcm",
]
LOSSY = {
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.91",
}


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left() -> Iterator[None]:
    yield
    close_pool()


def store(content: bytes) -> Instance:
    """Store a file by the one way in, in a facility of its own: many share their UIDs."""
    facility = factories.make_facility(f"f{Facility.objects.count()}")
    source = Source(door="test", sender="TEST", facility_id=facility.pk)
    outcome = ingest_file(source, io.BytesIO(content))
    assert outcome.instance_id is not None
    return Instance.objects.get(pk=outcome.instance_id)


def truth_of(path: Path, frame: int) -> np.ndarray | None:
    """Return what pydicom decodes, in our form; None where it has no decoder."""
    dataset = pydicom.dcmread(path)
    try:
        array: np.ndarray = pixel_array(dataset, index=frame)
    except (RuntimeError, NotImplementedError, AttributeError, ValueError):
        return None
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        array = np.asarray(apply_color_lut(array, dataset))
        return (array >> 8).astype(np.uint8) if array.max() > 255 else array.astype(np.uint8)
    if array.ndim == 3 and array.dtype.itemsize > 1:
        return np.asarray(array >> (dataset.BitsStored - 8), np.uint8)
    return np.asarray(array)


def check_file(path: Path) -> str:
    """Store the file and compare first, middle and last frame; return what became of it.

    What pydicom can decode must be decoded, and be the same.
    """
    try:
        instance = store(path.read_bytes())
    except PermanentError as refusal:
        return f"not stored: {refusal}"
    if not instance.number_of_frames:
        return "no pixels"
    tolerance = 3 if instance.transfer_syntax_uid in LOSSY else 0
    verdict = "compared"
    count = instance.number_of_frames
    for frame in sorted({0, count // 2, count - 1}):
        truth = truth_of(path, frame)
        try:
            data = read_frame(instance, frame)
        except NoctisError as error:
            if truth is not None:
                pytest.fail(f"{path.name} frame {frame}: {error}")
            verdict = f"refused: {error}"
            continue
        description = describe_pixels(instance) if data.pixel_format != "rgb8" else None
        if description is not None:
            assert data.pixel_format == pixel_format_of(description)
            assert len(data.data) == frame_bytes_of(description)
        pixels = data.to_array(instance.rows or 0, instance.columns or 0)
        if truth is None:
            verdict = "decoded, no second decoder"
            continue
        assert pixels.shape == truth.shape
        # YBR to RGB is rounded differently by at most one.
        slack = tolerance or (1 if pixels.ndim == 3 else 0)
        difference = np.abs(pixels.astype(np.int64) - truth.astype(np.int64)).max()
        assert difference <= slack, f"{path.name} frame {frame} differs by {difference}"
    return verdict


@pytest.mark.parametrize("folder", FOLDERS)
def test_frames_of_real_files_are_what_pydicom_decodes(folder: str) -> None:
    paths = factories.real_files(folder)
    if folder == "ct-volume":
        paths = paths[::10]
    verdicts = [check_file(path) for path in paths]
    assert verdicts.count("compared") > len(verdicts) * 0.3


@pytest.mark.parametrize("name", BUNDLED)
def test_frames_of_bundled_files_are_what_pydicom_decodes(name: str) -> None:
    verdict = check_file(factories.bundled(name))
    assert verdict == "compared"


# --- what is not whole is not shown -------------------------------------------
@pytest.fixture
def ct() -> Instance:
    return store(factories.bundled("CT_small.dcm").read_bytes())


def test_a_missing_file_is_missing(ct: Instance) -> None:
    storage.path_of(ct.storage_key).unlink()
    with pytest.raises(MissingError):
        read_frame(ct, 0)


def test_a_truncated_file_is_damaged(ct: Instance) -> None:
    path = storage.path_of(ct.storage_key)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableError):
        read_frame(ct, 0)


def test_a_file_that_grew_is_damaged(ct: Instance) -> None:
    path = storage.path_of(ct.storage_key)
    path.write_bytes(path.read_bytes() + b"\0\0")
    with pytest.raises(UnreadableError):
        read_frame(ct, 0)


@pytest.mark.parametrize("frame", [-1, 1, 10**12])
def test_a_frame_beyond_the_declared_ones_is_missing(ct: Instance, frame: int) -> None:
    with pytest.raises(MissingError):
        read_frame(ct, frame)


def test_a_declared_frame_that_the_file_does_not_hold_is_damaged(ct: Instance) -> None:
    ct.number_of_frames = 3
    with pytest.raises(UnreadableError):
        read_frame(ct, 2)


def test_a_frame_table_that_points_outside_the_file_is_damaged(ct: Instance) -> None:
    ct.frame_table = FrameIndex.native(
        "native", offset=ct.size_bytes - 10, frame_bits=128 * 128 * 16, count=1
    ).to_bytes()
    with pytest.raises(UnreadableError):
        read_frame(ct, 0)


def test_a_broken_codestream_cannot_be_decoded_and_the_next_frame_can() -> None:
    whole = store(factories.bundled("JPEG2000.dcm").read_bytes())
    dataset = factories.read_bundled("JPEG2000.dcm")
    pixels = bytearray(dataset.PixelData)
    start = pixels.find(b"\xff\x90")
    pixels[start:-8] = bytes(len(pixels) - start - 8)
    dataset.PixelData = bytes(pixels)
    broken = store(factories.as_part10(dataset))
    with pytest.raises(UndecodableError):
        read_frame(broken, 0)
    assert read_frame(whole, 0).data


def test_a_codestream_that_claims_to_be_huge_is_refused_before_memory_is_taken() -> None:
    dataset = factories.read_bundled("JPEG2000.dcm")
    start = dataset.PixelData.find(b"\xff\x4f\xff\x51")
    pixels = bytearray(dataset.PixelData)
    pixels[start + 8 : start + 16] = b"\x00\x00\xff\xff\x00\x00\xff\xff"
    dataset.PixelData = bytes(pixels)
    broken = store(factories.as_part10(dataset))
    with pytest.raises(UndecodableError):
        read_frame(broken, 0)


def test_an_object_without_pixels_gives_no_picture() -> None:
    report = store(factories.bundled("reportsi.dcm").read_bytes())
    with pytest.raises(NoctisError):
        read_frame(report, 0)


def test_uncompressed_frames_without_unused_bits_are_the_stored_bytes() -> None:
    rgb = store(factories.bundled("examples_rgb_color.dcm").read_bytes())
    content = storage.path_of(rgb.storage_key).read_bytes()
    assert bytes(read_frame(rgb, 0).data) in content


def test_colour_of_sixteen_bits_arrives_as_eight() -> None:
    dataset = factories.read_bundled("examples_rgb_color.dcm")
    wide = dataset.pixel_array.astype("<u2") << 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelData = wide.tobytes()
    data = read_frame(store(factories.as_part10(dataset)), 0)
    assert data.pixel_format == "rgb8"
    assert (data.to_array(dataset.Rows, dataset.Columns) == wide >> 8).all()


def test_first_and_last_of_twenty_thousand_frames_come_within_a_second() -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    frames = np.arange(20_000, dtype="<i2").repeat(64).reshape(20_000, 8, 8)
    dataset.Rows = dataset.Columns = 8
    dataset.NumberOfFrames = 20_000
    dataset.PixelData = frames.tobytes()
    instance = store(factories.as_part10(dataset))
    started = time.monotonic()
    first, last = (read_frame(instance, frame).to_array(8, 8) for frame in (0, 19_999))
    assert time.monotonic() - started < 1
    assert (first == 0).all()
    assert (last == 19_999).all()


def test_integers_of_64_bits_arrive_as_doubles_and_are_never_rounded() -> None:
    for top, fits in ((1 << 53, True), ((1 << 53) + 1, False)):
        values = np.array([[-top, 7], [0, top]], np.int64)
        instance = store(written(image(values)))
        if not fits:
            with pytest.raises(UndecodableError, match="beyond 2 to the power of 53"):
                read_frame(instance, 0)
            continue
        data = read_frame(instance, 0)
        assert data.pixel_format == pixel_format_of(describe_pixels(instance)) == "f64"
        assert data.to_array(2, 2).tolist() == values.tolist()


def test_twelve_bits_packed_arrive_as_sixteen() -> None:
    made = image(np.zeros((1, 2), np.uint16), BitsAllocated=12, BitsStored=12, HighBit=11)
    made.PixelData = b"\x23\x61\x45\0"
    instance = store(written(made))
    assert read_frame(instance, 0).to_array(1, 2).tolist() == [[0x123, 0x456]]
    assert pixel_format_of(describe_pixels(instance)) == "u16"
