"""STOW-RS of metadata with bulk data: pictures, films and documents become DICOM (PS3.18 10.5.2)."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import FileDataset, dcmread
from pydicom.encaps import generate_frames

from accounts.models import Facility, User
from archive import storage
from archive.frames import read_frame
from archive.models import Instance
from imaging.dicom_xml import to_xml
from imaging.errors import UnreadableError
from imaging.json_reader import read_metadata
from imaging.xml_reader import read_native_model
from tests.unit.dicomweb.bodies import JSON, body, json_part, metadata, module, part, store

GOLDEN = Path(__file__).parents[2] / "golden"
FILM = GOLDEN / "colours.mp4"
PIXELS, DOCUMENT = "_7FE00010", "_00420011"
CAPTURE, PHOTOGRAPH = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.77.1.4"
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF"
# Column, row and a mixture of them: a picture that is turned or mirrored shows itself.
GREY = np.add.outer(np.arange(48) * 3, np.arange(64)).astype(np.uint8)
COLOUR = np.stack([GREY, np.flipud(GREY), 255 - GREY], axis=-1)


def _encoded(pixels: np.ndarray, kind: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **how)
    return buffer.getvalue()


def _shown() -> np.ndarray:
    """Return the one object's frame as the viewer gets it."""
    row = Instance.objects.get()
    return read_frame(row, 0).to_array(row.rows or 0, row.columns or 0)


def _find_errors(path: Path) -> list[str]:
    """Ask dciodvfy, where it is installed, what breaks the object's definition."""
    if not shutil.which("dciodvfy"):
        return []
    said = subprocess.run(
        ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
    ).stderr
    return [line for line in said.splitlines() if line.startswith("Error")]


def _send(client: Client, content: bytes, kind: str, **also: Any) -> FileDataset:
    """Store one object with one part, and return it as it lies in the archive."""
    tag = also.pop("tag", PIXELS)
    document = metadata(**{tag: ("OB", "bulk/1")}, **also)
    response = store(client, body(json_part(document), part(content, kind, "bulk/1")), kind=JSON)
    assert (response.status_code, module(response)["failed"]) == (200, []), response.content
    row = Instance.objects.get()
    found = dcmread(storage.path_of(row.storage_key))
    assert module(response)["stored"][0]["class"] == found.SOPClassUID == row.sop_class_uid
    assert found.PatientName == "Müller^Jörg"
    assert _find_errors(storage.path_of(row.storage_key)) == []
    return found


@pytest.mark.parametrize(
    ("content", "modality", "sop_class", "colours", "ratio"),
    [
        (_encoded(COLOUR, "JPEG", quality=90), "OT", CAPTURE, "YBR_FULL_422", True),
        (_encoded(COLOUR, "JPEG", subsampling=0), "XC", PHOTOGRAPH, "YBR_FULL_422", True),
        (_encoded(GREY, "JPEG"), "", CAPTURE, "MONOCHROME2", True),
    ],
)
def test_a_jpeg_is_kept_as_it_is_and_described_by_itself(
    content: bytes,
    modality: str,
    sop_class: str,
    colours: str,
    ratio: bool,
    north: Facility,
    tess: User,
    client: Client,
) -> None:
    client.force_login(tess)
    also = {"_00080060": ("CS", [modality])} if modality else {}

    found = _send(client, content, "image/jpeg", **also)

    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert (found.SOPClassUID, found.PhotometricInterpretation) == (sop_class, colours)
    assert (found.Rows, found.Columns, found.BitsStored) == (48, 64, 8)
    (frame,) = generate_frames(found.PixelData, number_of_frames=1)
    assert frame.rstrip(b"\0") == content.rstrip(b"\0")
    whole = 48 * 64 * found.SamplesPerPixel
    assert float(found.LossyImageCompressionRatio) == pytest.approx(whole / len(content), abs=1e-3)
    assert (found.LossyImageCompression, found.LossyImageCompressionMethod) == ("01", "ISO_10918_1")


def _png_of_16_bits() -> bytes:
    return bytes(imagecodecs.png_encode(GREY.astype(np.uint16) * 257))


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(COLOUR, "JPEG", quality=100, subsampling=0, exif=exif)


@pytest.mark.parametrize(
    ("content", "kind", "pixels"),
    [
        (_encoded(COLOUR, "PNG"), "image/png", COLOUR),
        (_encoded(GREY, "PNG"), "image/png", GREY),
        (_png_of_16_bits(), "image/png", GREY.astype(np.uint16) * 257),
        (_encoded(np.dstack([COLOUR, GREY]), "PNG"), "image/png", COLOUR),
    ],
)
def test_a_png_becomes_its_very_pixels(
    content: bytes, kind: str, pixels: np.ndarray, north: Facility, tess: User, client: Client
) -> None:
    client.force_login(tess)

    found = _send(client, content, kind)

    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert (found.pixel_array == pixels).all()
    assert found.pixel_array.dtype == pixels.dtype
    assert "LossyImageCompression" not in found
    assert (_shown() == pixels).all()


def test_a_picture_that_lies_on_its_side_stands_upright(
    north: Facility, tess: User, client: Client
) -> None:
    client.force_login(tess)

    found = _send(client, _turned(), "image/jpeg")

    upright = np.rot90(COLOUR, -1)
    assert found.pixel_array.shape == upright.shape
    assert np.abs(found.pixel_array.astype(int) - upright).max() < 12
    assert found.LossyImageCompression == "01"


@pytest.mark.parametrize(
    ("options", "kind", "syntax", "colours"),
    [
        ({"reversible": True, "codecformat": "j2k"}, "image/jp2", "90", "YBR_RCT"),
        ({"level": 40, "codecformat": "jp2"}, "image/jp2", "91", "YBR_ICT"),
    ],
)
def test_jpeg_2000_is_kept_without_its_boxes(
    options: dict[str, Any],
    kind: str,
    syntax: str,
    colours: str,
    north: Facility,
    tess: User,
    client: Client,
) -> None:
    client.force_login(tess)
    content = bytes(imagecodecs.jpeg2k_encode(COLOUR, mct=True, **options))

    found = _send(client, content, kind)

    assert found.file_meta.TransferSyntaxUID == f"1.2.840.10008.1.2.4.{syntax}"
    assert found.PhotometricInterpretation == colours
    (frame,) = generate_frames(found.PixelData, number_of_frames=1)
    assert frame.startswith(b"\xff\x4f\xff\x51")
    assert content.endswith(frame.rstrip(b"\0"))
    assert np.abs(_shown().astype(int) - COLOUR).max() <= (0 if syntax == "90" else 16)


def test_a_film_becomes_a_video_with_the_syntax_of_its_stream(
    north: Facility, tess: User, client: Client
) -> None:
    client.force_login(tess)

    # Where the film was taken, which nobody else can say (type 1C of films).
    region = {
        "00080100": {"vr": "SH", "Value": ["39937001"]},
        "00080102": {"vr": "SH", "Value": ["SCT"]},
        "00080104": {"vr": "LO", "Value": ["Skin"]},
    }
    also = {"_00080060": ("CS", ["XC"]), "_00082218": ("SQ", [region])}

    found = _send(client, FILM.read_bytes(), "video/mp4", **also)

    # What ffprobe says of it: 64 x 48, 20 pictures, 10 a second.
    assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.77.1.4.1"
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert (found.Rows, found.Columns, found.NumberOfFrames) == (48, 64, 20)
    assert (float(found.FrameTime), found.CineRate) == (100.0, 10)
    (frame,) = generate_frames(found.PixelData, number_of_frames=1)
    assert frame[: len(FILM.read_bytes())] == FILM.read_bytes()
    hevc = (GOLDEN / "video" / "hevc.mp4").read_bytes()
    document = metadata(2, **{PIXELS: ("OB", "bulk/1")})
    store(client, body(json_part(document), part(hevc, "video/mp4", "bulk/1")), kind=JSON)
    row = Instance.objects.exclude(number_of_frames=20).get()
    assert (row.transfer_syntax_uid[-3:], row.number_of_frames) == ("107", 75)


def test_a_pdf_becomes_an_encapsulated_document(
    north: Facility, tess: User, client: Client
) -> None:
    client.force_login(tess)

    found = _send(client, PDF, "application/pdf", tag=DOCUMENT, _00420010=("ST", ["Befund"]))

    assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert found.EncapsulatedDocument[: found.EncapsulatedDocumentLength] == PDF
    assert (found.DocumentTitle, found.Modality) == ("Befund", "DOC")
    assert found.MIMETypeOfEncapsulatedDocument == "application/pdf"


def _described(rows: int = 4, columns: int = 3, **also: Any) -> dict[str, Any]:
    numbers = {
        "_00280002": 1, "_00280010": rows, "_00280011": columns, "_00280100": 16,
        "_00280101": 12, "_00280102": 11, "_00280103": 0,
    }  # fmt: skip
    found: dict[str, Any] = {tag: ("US", [value]) for tag, value in numbers.items()}
    found["_00280004"] = ("CS", ["MONOCHROME2"])
    found["_00080016"] = ("UI", [CAPTURE])
    return {**found, **also}


def test_native_pixels_and_frames_of_several_parts_are_put_together(
    north: Facility, tess: User, client: Client
) -> None:
    client.force_login(tess)
    pixels = np.arange(12, dtype="<u2").reshape(4, 3)
    frames = [_encoded(GREY + shift, "JPEG") for shift in (0, 9, 30)]
    plain = metadata(1, **_described(), **{PIXELS: ("OW", "bulk/1")})
    film = metadata(2, **{PIXELS: ("OB", "bulk/2")})
    wrong = metadata(3, **_described(rows=5), **{PIXELS: ("OW", "bulk/1")})
    lost = metadata(4, **_described(), **{PIXELS: ("OW", "bulk/9")})
    lost["7FE00010"]["BulkDataURI"] = "http://198.51.100.1/bulk/9"
    content = body(
        json_part(plain, film, wrong, lost),
        part(pixels.tobytes(), "application/octet-stream", "http://testserver/dicomweb/bulk/1"),
        *(part(one, "image/jpeg", "bulk/2") for one in frames),
        part(b"nobody", "image/jpeg", "bulk/3"),
    )

    response = store(client, content, kind=JSON)

    said = module(response)
    assert response.status_code == 202
    assert [one["uid"][-2:] for one in said["stored"]] == [".1", ".2"]
    assert [(one["uid"][-2:], one["reason"]) for one in said["failed"]] == [
        (".3", 0xA900),
        (".4", 0xC000),
    ]
    assert said["others"] == [{"reason": 0xC000}]
    one, many = (
        dcmread(storage.path_of(row.storage_key))
        for row in Instance.objects.order_by("sop_instance_uid")
    )
    assert (one.pixel_array == pixels).all()
    assert many.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7.2"
    assert [
        frame.rstrip(b"\0") for frame in generate_frames(many.PixelData, number_of_frames=3)
    ] == [one.rstrip(b"\0") for one in frames]


def _bomb() -> bytes:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(
        ">L4sLLBBBBB", 13, b"IHDR", 60000, 60000, 16, 2, 0, 0, 0
    )
    return head + bytes(4) + _encoded(GREY, "PNG")[33:]


@pytest.mark.parametrize(
    ("content", "kind", "also", "reason"),
    [
        (b"GIF but not", "image/gif", {}, 0xC000),
        (_encoded(COLOUR, "PNG")[:90], "image/png", {}, 0xC000),
        (_bomb(), "image/png", {}, 0xC000),
        (b"x" * 99, "image/tiff", {}, 0xC122),
        (b"\0\0\0\x18ftypmp42" + b"x" * 99, "video/mp4", {}, 0xC000),
        (PDF, "application/pdf", {}, 0xC122),
        (_encoded(GREY, "JPEG"), "image/jpeg", {"_00280010": ("US", [99])}, 0xA900),
        (_encoded(GREY, "JPEG"), "image/jpeg", {"_00080018": ("UI", ["1.2.x"])}, 0xC000),
    ],
)
def test_what_cannot_become_an_object_is_told_and_leaves_nothing(
    content: bytes,
    kind: str,
    also: dict[str, Any],
    reason: int,
    north: Facility,
    tess: User,
    client: Client,
    home: Path,
) -> None:
    client.force_login(tess)
    document = metadata(**{"_00080016": ("UI", [CAPTURE]), PIXELS: ("OB", "bulk/1"), **also})

    response = store(client, body(json_part(document), part(content, kind, "bulk/1")), kind=JSON)

    said = module(response)
    assert response.status_code == 409
    assert [one["reason"] for one in said["failed"] + said["others"]] == [reason]
    assert Instance.objects.count() == 0
    assert list((home / "media" / "incoming").glob("*/*")) == []


def test_metadata_in_xml_say_the_same(north: Facility, tess: User, client: Client) -> None:
    client.force_login(tess)
    document = metadata(
        **_described(_00081140=("SQ", [{"00081155": {"vr": "UI", "Value": ["1.2"]}}]))
    )
    text = to_xml(read_metadata(document).dataset).replace(
        b"</NativeDicomModel>",
        b'<DicomAttribute tag="7FE00010" vr="OW" keyword="PixelData"><BulkData uri="bulk/1"/>'
        b"</DicomAttribute></NativeDicomModel>",
    )
    pixels = np.arange(12, dtype="<u2").tobytes()
    kind = "application/dicom+xml"

    response = store(
        client,
        body(part(text, kind), part(pixels, "application/octet-stream", "bulk/1")),
        kind=kind,
    )

    assert response.status_code == 200
    found = dcmread(storage.path_of(Instance.objects.get().storage_key))
    assert found.PatientName == "Müller^Jörg"
    assert found.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2"
    assert found.PixelData == pixels
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><NativeDicomModel>&a;</NativeDicomModel>'
    assert store(client, body(part(bomb, kind)), kind=kind).status_code == 400


@pytest.mark.parametrize(
    "document",
    [
        {"0010001": {"vr": "LO"}},
        {"00100010": []},
        {"00100010": {"vr": "XX"}},
        {"00100010": {"vr": "PN", "Value": [1]}},
        {"00100020": {"vr": "LO", "Value": "P1"}},
        {"00280010": {"vr": "US", "Value": [70000]}},
        {"00280010": {"vr": "US", "Value": [True]}},
        {"00280030": {"vr": "DS", "Value": [float("nan")]}},
        {"7FE00010": {"vr": "OW", "InlineBinary": "%%%"}},
        {"00020000": {"vr": "UL", "Value": [1]}, "00040010": {"vr": "LO"}},
    ],
)
def test_metadata_that_are_no_model_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        read_metadata(document)


def test_metadata_nest_within_bounds() -> None:
    deep: dict[str, Any] = {"00100020": {"vr": "LO"}}
    for _ in range(40):
        deep = {"00081140": {"vr": "SQ", "Value": [deep]}}
    with pytest.raises(UnreadableError, match="too deep"):
        read_metadata(deep)
    with pytest.raises(UnreadableError, match="too deep"):
        read_native_model(b"<NativeDicomModel>" + b"<Item>" * 500)
    with pytest.raises(UnreadableError):
        read_metadata({"00081140": {"vr": "SQ", "Value": [3]}})
