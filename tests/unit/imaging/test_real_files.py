"""Every real file, read by us and by pydicom and DCMTK."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import warnings
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataelem import RawDataElement
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from imaging.display import Grayscale, encode_png, render_frame, thumbnail
from imaging.errors import IdentityError, UndecodableError, UnreadableError, UnsupportedError
from imaging.facts import InstanceFacts
from imaging.frames import DEFLATED, FrameIndex
from imaging.header import NATIVE_SYNTAXES, Header
from imaging.pixels import PixelDescription, decode_frame
from imaging.source import inflate
from tests.unit.imaging.real_files import every_file, known, read

PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 93, 203)}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def read_or_skip_known(path: Path) -> tuple[Header, FrameIndex]:
    if path.name in known()["unreadable"]:
        with pytest.raises(UnreadableError):
            read(path)
        pytest.skip(known()["unreadable"][path.name])
    return read(path)


def read_by_pydicom(path: Path) -> pydicom.Dataset:
    if path.name in known()["not_read_by_pydicom"]:
        pytest.skip(known()["not_read_by_pydicom"][path.name])
    return pydicom.dcmread(path, force=True)


def frame_bytes(path: Path, header: Header, index: FrameIndex, frame: int) -> bytes:
    offset, length = index.span(frame)
    with path.open("rb") as file:
        if index.kind == DEFLATED:
            return inflate(file, header.dataset_offset, 1 << 26)[offset : offset + length]
        file.seek(offset)
        return index.payload(file.read(length))


@every_file()
def test_reads_the_same_elements_as_pydicom(path: Path) -> None:
    header, _index = read_or_skip_known(path)
    dataset = read_by_pydicom(path)
    theirs = {int(tag) for tag in dataset.keys()} - PIXELS  # noqa: SIM118
    ours = set(header.tags()) - PIXELS
    if header.pixel is not None and header.pixel.encapsulated:
        # What follows encapsulated pixels (padding) is not looked for.
        theirs = {tag for tag in theirs if tag < min(PIXELS)}
        ours = {tag for tag in ours if tag < min(PIXELS)}
    assert ours == {tag for tag in theirs if tag >> 16 != 0xFFFE or tag in ours}
    for tag in ours:
        element: Any = dataset.get_item(tag)
        is_plain = isinstance(element, RawDataElement) and element.VR != "SQ"
        if is_plain and element.length != 0xFFFFFFFF:
            assert (header.raw(tag) or b"") == (element.value or b""), hex(tag)


@every_file()
def test_reads_identity_and_geometry_as_pydicom(path: Path) -> None:
    header, _index = read_or_skip_known(path)
    dataset = read_by_pydicom(path)
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"):
        assert header.text(keyword) == str(dataset.get(keyword) or "")
    for keyword in ("Rows", "Columns", "BitsStored", "NumberOfFrames", "SeriesNumber"):
        if path.name != "badVR.dcm":
            theirs = dataset.get(keyword)
            assert header.integer(keyword) == (None if theirs in (None, "") else int(theirs))
    for keyword in ("ImagePositionPatient", "PixelSpacing", "ImageOrientationPatient"):
        assert header.floats(keyword) == [float(v) for v in dataset.get(keyword) or []]


@every_file()
def test_facts_can_be_written_as_json(path: Path) -> None:
    header, index = read_or_skip_known(path)
    try:
        facts = InstanceFacts.from_header(header, index)
    except IdentityError:
        dataset = pydicom.dcmread(path, force=True)
        names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
        assert any(not dataset.get(name) or not dataset[name].value.is_valid for name in names)
        return
    json.dumps(facts.image, allow_nan=False)
    assert facts.study_instance_uid
    assert "\0" not in facts.patient_name + facts.patient_id


def decode(path: Path, header: Header, index: FrameIndex, frame: int = 0) -> np.ndarray:
    description = PixelDescription.from_header(header)
    data = frame_bytes(path, header, index, frame)
    return decode_frame(data, description, first_bit=index.first_bit(frame))


@every_file()
def test_decodes_the_first_and_last_frame_as_pydicom_or_dcmtk(path: Path) -> None:
    header, index = read_or_skip_known(path)
    if header.pixel is None:
        pytest.skip("no pixels")
    if path.name in known()["undecodable"]:
        with pytest.raises((UndecodableError, UnsupportedError)):
            decode(path, header, index)
        pytest.skip(known()["undecodable"][path.name])
    description = PixelDescription.from_header(header)
    for frame in sorted({0, index.count - 1}):
        ours = decode(path, header, index, frame)
        theirs = decode_elsewhere(path, header, frame)
        assert ours.shape == theirs.shape
        limit = 2 if header.transfer_syntax_uid in LOSSY else 0
        limit = max(limit, 1 if description.photometric_interpretation.startswith("YBR") else 0)
        assert np.abs(ours.astype(np.float64) - theirs).max() <= limit


def decode_elsewhere(path: Path, header: Header, frame: int) -> np.ndarray:
    """Return a frame as another program decodes it, float64."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = pixel_array(path, index=frame)
            if header.text("PhotometricInterpretation") == "PALETTE COLOR":
                pixels = apply_color_lut(pixels, pydicom.dcmread(path))
                pixels = pixels >> 8 if pixels.dtype == np.uint16 else pixels
        return pixels.astype(np.float64)
    except Exception:  # noqa: BLE001 - whatever its reason, the other decoder is asked
        return decode_by_dcmtk(path, header, frame)


def decode_by_dcmtk(path: Path, header: Header, frame: int) -> np.ndarray:
    syntax = header.transfer_syntax_uid
    program = "dcmdjpls" if syntax.endswith((".80", ".81")) else "dcmdjpeg"
    if shutil.which(program) is None or syntax.endswith((".201", ".202", ".203")):
        pytest.skip(f"no other program here decodes {syntax}")
    if syntax in NATIVE_SYNTAXES:
        pytest.skip("pydicom cannot read these pixels")
    with TemporaryDirectory() as folder:
        out = Path(folder) / "decoded.dcm"
        run = subprocess.run([program, path, out], capture_output=True, check=False, timeout=60)
        if run.returncode:
            pytest.skip(f"neither pydicom nor {program} decodes it")
        pixels = pydicom.dcmread(out).pixel_array
    if header.integer("NumberOfFrames") not in (None, 1):
        pixels = pixels[frame]
    return pixels.astype(np.float64)


@every_file()
def test_renders_a_thumbnail_of_whatever_decodes(path: Path) -> None:
    header, index = read_or_skip_known(path)
    if header.pixel is None or path.name in known()["undecodable"] or not index.count:
        pytest.skip("nothing to show")
    description = PixelDescription.from_header(header)
    frame = decode(path, header, index)
    grayscale = Grayscale.from_image_facts({}).with_tables(header)
    shown = render_frame(frame, grayscale, bits_stored=description.bits_stored)
    assert shown.dtype == np.uint8
    assert shown.shape == frame.shape
    small = thumbnail(shown, 64)
    assert max(small.shape[:2]) == 64
    assert Image.open(BytesIO(encode_png(small))).size == small.shape[1::-1]
