"""Instances in another transfer syntax: the pixels are those that other decoders find."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames

from archive.transcode import Transcoding, transcoded
from imaging.errors import MismatchError, UnsupportedError
from tests.factories import bundled

JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
HTJ2K = "1.2.840.10008.1.2.4.201"
KEPT = ("PhotometricInterpretation", "Rows", "BitsAllocated", "BitsStored", "PixelRepresentation")
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"

pytestmark = pytest.mark.usefixtures("home")


def read(path: Path, syntax: str) -> Dataset:
    """Return the transcoded file as pydicom reads it."""
    with transcoded(path, syntax) as (descriptor, offset, size):
        content = os.pread(descriptor, size, 0)
    assert len(content) == size
    dataset = dcmread(io.BytesIO(content))
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert content[offset : offset + 2] == b"\x08\x00"
    return dataset


def judge(path: Path, folder: Path, program: str) -> Dataset:
    """Return the file as a decoder of DCMTK writes it."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    judged = folder / "judged.dcm"
    subprocess.run([program, str(path), str(judged)], check=True, capture_output=True)
    return dcmread(judged)


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("MR_small_RLE.dcm", "dcmdrle"),
        ("SC_rgb_rle_2frame.dcm", "dcmdrle"),
        ("MR_small_jpeg_ls_lossless.dcm", "dcmdjpls"),
        ("MR_small_bigendian.dcm", "dcmconv"),
        ("image_dfl.dcm", "dcmconv"),
    ],
)
def test_lossless_pixels_are_those_of_dcmtk(name: str, program: str, tmp_path: Path) -> None:
    path = bundled(name)
    sent, truth = read(path, EXPLICIT), judge(path, tmp_path, program)
    assert np.array_equal(sent.pixel_array, truth.pixel_array)
    for keyword in ("PhotometricInterpretation", "Rows", "BitsStored", "PixelRepresentation"):
        assert sent[keyword].value == truth[keyword].value
    assert sent.PatientName == truth.PatientName


def test_jpeg_2000_is_what_was_compressed() -> None:
    truth = dcmread(bundled("MR_small.dcm"))
    sent = read(bundled("MR_small_jp2klossless.dcm"), IMPLICIT)
    assert np.array_equal(sent.pixel_array, truth.pixel_array)


def test_implicit_and_explicit_say_the_same() -> None:
    stored = dcmread(bundled("rtplan.dcm"))
    sent = read(bundled("rtplan.dcm"), EXPLICIT)
    assert sent == stored
    assert read(bundled("CT_small.dcm"), IMPLICIT).pixel_array.tobytes() == (
        dcmread(bundled("CT_small.dcm")).pixel_array.tobytes()
    )


class FlippingFile(io.FileIO):
    """A file whose disk flips one bit of what is written last."""

    def write(self, data: Any) -> int:
        changed = bytearray(data)
        if len(changed) > 1000:
            changed[-1] ^= 1
        return super().write(changed)


def test_pixels_that_changed_on_the_way_are_never_sent(tmp_path: Path) -> None:
    with (
        bundled("MR_small_RLE.dcm").open("rb") as file,
        FlippingFile(tmp_path / "out", "w+") as out,
        pytest.raises(MismatchError, match="pixels changed"),
    ):
        Transcoding(file, out, EXPLICIT).run()


@pytest.mark.parametrize(
    ("name", "syntax", "program"),
    [
        ("CT_small.dcm", JPEG_LS, "dcmdjpls"),
        ("MR_small_bigendian.dcm", JPEG_LS, "dcmdjpls"),
        ("SC_rgb_rle_2frame.dcm", JPEG_LS, "dcmdjpls"),
        ("MR_small_RLE.dcm", JPEG_2000, ""),
        ("CT_small.dcm", HTJ2K, ""),
        ("SC_rgb_rle_2frame.dcm", HTJ2K, ""),
    ],
)
def test_compressed_pixels_are_those_that_other_decoders_find(
    name: str, syntax: str, program: str, tmp_path: Path
) -> None:
    """DCMTK knows JPEG-LS; OpenJPEG, through imagecodecs, the other two."""
    source, sent = dcmread(bundled(name)), read(bundled(name), syntax)
    if program:
        sent.save_as(tmp_path / "sent.dcm")
        found = judge(tmp_path / "sent.dcm", tmp_path, program).pixel_array
    else:
        frames = generate_frames(
            sent.PixelData, number_of_frames=int(sent.get("NumberOfFrames", 1))
        )
        found = np.squeeze([imagecodecs.jpeg2k_decode(frame) for frame in frames])
    assert np.array_equal(found, source.pixel_array)
    assert {one: sent[one].value for one in KEPT} == {one: source[one].value for one in KEPT}


def test_what_no_codec_takes_is_refused() -> None:
    for name, syntax in [("CT_small.dcm", "1.2.840.10008.1.2.4.50"), ("rtdose.dcm", JPEG_LS)]:
        with pytest.raises(UnsupportedError), transcoded(bundled(name), syntax):
            pass
