"""Frames of real files as the viewer gets them, compared with pydicom's own decoders."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, pixel_array

from accounts.models import Facility
from archive import storage
from archive.decode import close_pool
from archive.frames import describe_pixels, frame_bytes_of, pixel_format_of, read_frame
from archive.ingest import Source, ingest_file
from archive.models import Instance
from imaging.errors import MissingError, NoctisError, PermanentError, UndecodableError, UnreadableError
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

FOLDERS = ["ct-volume", "ct-tilt", "mr", "us", "syntaxes", "cr-dx", "mg", "mr-enhanced", "seg", "xa", "wsi", "rt", "misc"]
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
    return Instance.objects.get(pk=outcome.instance_id)


def truth_of(path: Path, frame: int) -> np.ndarray | None:
    """Return what pydicom decodes, in our form; None where it has no decoder."""
    dataset = pydicom.dcmread(path)
    try:
        array = pixel_array(dataset, index=frame)
    except (RuntimeError, NotImplementedError, AttributeError, ValueError):
        return None
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        array = apply_color_lut(array, dataset)
        return (array >> 8).astype(np.uint8) if array.max() > 255 else array.astype(np.uint8)
    if array.ndim == 3 and array.dtype.itemsize > 1:
        return (array >> (dataset.BitsStored - 8)).astype(np.uint8)
    return array


def check_file(path: Path) -> str:
    """Store the file and compare first, middle and last frame; return what became of it."""
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
            assert truth is None, f"{path.name} frame {frame}: {error}"
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
    verdicts = {path.name: check_file(path) for path in factories.real_files(folder)}
    print(folder, {v: sum(1 for x in verdicts.values() if x == v) for v in set(verdicts.values())})
    assert verdicts


@pytest.mark.parametrize("name", BUNDLED)
def test_frames_of_bundled_files_are_what_pydicom_decodes(name: str) -> None:
    verdict = check_file(factories.bundled(name))
    assert verdict == "compared"
