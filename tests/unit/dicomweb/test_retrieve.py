"""WADO-RS: what leaves is what was stored; pydicom, dicomweb-client and DCMTK are the judges."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import imagecodecs
import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from django.test import Client
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames

from accounts.models import AuditRow, Facility, User
from archive import storage
from archive.metadata import run_metadata_job
from archive.models import Instance, Series
from tests import factories
from tests.unit.dicomweb.client import ADDRESS, open_client
from tests.unit.viewer.conftest import store

pytestmark = pytest.mark.django_db(transaction=True)

STUDY = "1.2.3.4"
PLAIN, JPEG_LS, HTJ2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.201"
FILES = (
    "CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "JPEGLSNearLossless_08.dcm", "SC_rgb_rle_2frame.dcm", "image_dfl.dcm",
    "liver_1frame.dcm", "test-SR.dcm",
)  # fmt: skip
NOT_COMPARED = {"PixelData", "SpecificCharacterSet", "DataSetTrailingPadding"}
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
DICOM = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'


class House:
    """A study with one instance a series, of many transfer syntaxes; files by their names."""

    def __init__(self, facility: Facility, client: Client) -> None:
        self.client = client
        self.sources: dict[str, Dataset] = {}
        self.instances: dict[str, Instance] = {}
        for number, name in enumerate(FILES, start=1):
            dataset = factories.read_bundled(
                name,
                StudyInstanceUID=STUDY,
                SeriesInstanceUID=f"{STUDY}.{number}",
                SOPInstanceUID=f"{STUDY}.{number}.1",
                PatientID="P1",
                PatientName="Doe^Jane",
                SeriesNumber=number,
            )
            content = factories.as_part10(dataset)
            self.sources[name] = dcmread(io.BytesIO(content))
            self.instances[name] = store(content, facility)

    def path(self, name: str, below: str = "") -> str:
        """Return the address of an instance."""
        uid = f"{STUDY}.{FILES.index(name) + 1}"
        return f"/dicomweb/studies/{STUDY}/series/{uid}/instances/{uid}.1{below}"

    def get(self, path: str, accept: str = "", **headers: str) -> Any:
        """Ask with an Accept header."""
        return self.client.get(path, headers={"accept": accept, **headers})


@pytest.fixture
def house(north: Facility, rada: User, client: Client) -> House:
    client.force_login(rada)
    return House(north, client)


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def parts_of(answer: Any) -> Iterator[tuple[str, bytes]]:
    """Yield Content-Type and content of each part, split by hand (RFC 2046 5.1.1)."""
    assert answer.status_code == 200, answer.content
    kind, _, boundary = answer["Content-Type"].rpartition("; boundary=")
    assert kind.startswith('multipart/related; type="')
    assert "transfer-syntax" not in kind
    pieces = body_of(answer).split(b"--" + boundary.encode())
    assert (pieces[0], pieces[-1]) == (b"", b"--\r\n")
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        content = content.removesuffix(b"\r\n")
        assert int(fields["Content-Length"]) == len(content)
        yield fields["Content-Type"], content


def test_studies_series_and_instances_are_what_was_stored(house: House) -> None:
    """As stored with `*`, but never big endian or implicit; else Explicit VR Little Endian."""
    files = [
        dcmread(io.BytesIO(one))
        for _, one in parts_of(house.get(_study(), f"{DICOM}; transfer-syntax=*"))
    ]
    assert [one.SOPInstanceUID for one in files] == [
        one.SOPInstanceUID for one in house.sources.values()
    ]
    for found, source in zip(files, house.sources.values(), strict=True):
        stored = source.file_meta.TransferSyntaxUID
        kept = PLAIN if stored in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2") else stored
        assert found.file_meta.TransferSyntaxUID == kept
    path = storage.path_of(house.instances["MR_small_RLE.dcm"].storage_key)
    alone = house.get(house.path("MR_small_RLE.dcm"), "application/dicom; transfer-syntax=*")
    assert body_of(alone)[128:] == path.read_bytes()[128:]
    assert alone["Content-Type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.5"

    client = open_client(house.client)
    for one in client.iter_study(STUDY):
        source = house.sources[FILES[int(one.SeriesNumber) - 1]]
        is_lossy = source.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.81"
        assert (one.file_meta.TransferSyntaxUID == PLAIN) is not is_lossy
        if "PixelData" in one:
            assert np.array_equal(one.pixel_array, source.pixel_array)
    rows = AuditRow.objects.filter(action="retrieve", study_instance_uid=STUDY)
    assert [row.detail["instances"] for row in rows] == [len(FILES)] * 2


def _study(below: str = "") -> str:
    return f"/dicomweb/studies/{STUDY}{below}"


def test_instances_are_compressed_on_request(house: House) -> None:
    for name in ("CT_small.dcm", "MR_small_bigendian.dcm", "SC_rgb_rle_2frame.dcm"):
        for syntax in (JPEG_LS, HTJ2K):
            accept = f'{DICOM}; transfer-syntax="{syntax}"'
            ((kind, content),) = parts_of(house.get(house.path(name), accept))
            assert kind == f"application/dicom; transfer-syntax={syntax}"
            found = dcmread(io.BytesIO(content))
            assert found.file_meta.TransferSyntaxUID == syntax
            decode = imagecodecs.jpegls_decode if syntax == JPEG_LS else imagecodecs.jpeg2k_decode
            count = int(found.get("NumberOfFrames", 1))
            frames = [
                decode(one) for one in generate_frames(found.PixelData, number_of_frames=count)
            ]
            truth = house.sources[name].pixel_array
            assert np.array_equal(np.squeeze(frames).view(truth.dtype.newbyteorder("<")), truth)
    report = house.get(house.path("test-SR.dcm"), f"application/dicom; transfer-syntax={JPEG_LS}")
    assert report["Content-Type"] == f"application/dicom; transfer-syntax={PLAIN}"


def test_frames_are_the_pixels(house: House) -> None:
    for name in FILES[:9]:
        _check_frames(house, name)


def _check_frames(house: House, name: str) -> None:
    source = house.sources[name]
    count = int(source.get("NumberOfFrames", 1))
    client = open_client(house.client)
    found = client.retrieve_instance_frames(
        STUDY, source.SeriesInstanceUID, source.SOPInstanceUID, list(range(count, 0, -1))
    )
    wanted = source.pixel_array.reshape(count, -1)[::-1]
    for content, pixels in zip(found, wanted, strict=True):
        if source.BitsAllocated == 1:
            assert content == np.packbits(pixels, bitorder="little").tobytes()
        else:
            assert content == pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    whole = house.get(house.path(name, "/bulkdata/7FE00010"), "application/octet-stream")
    joined = body_of(whole)
    if source.BitsAllocated != 1:
        assert joined[: len(found[0])] == found[-1]
    part = house.get(
        house.path(name, "/bulkdata/7FE00010"),
        "*/*;q=0.5, application/octet-stream",
        range="bytes=10-29",
    )
    assert (part.status_code, body_of(part)) == (206, joined[10:30])


def test_frames_leave_as_they_are_stored_or_are_compressed(house: House) -> None:
    jls, ct = (
        house.path("MR_small_jpeg_ls_lossless.dcm", "/frames/1"),
        house.path("CT_small.dcm", "/frames/1"),
    )
    ((kind, stored),) = parts_of(house.get(jls, 'multipart/related; type="image/jls"'))
    source = house.sources["MR_small_jpeg_ls_lossless.dcm"]
    assert stored == next(generate_frames(source.PixelData, number_of_frames=1))
    assert kind == f"image/jls; transfer-syntax={JPEG_LS}"
    ((kind, found),) = parts_of(house.get(jls, f"{OCTETS}; transfer-syntax=*"))
    assert (kind, found) == (f"application/octet-stream; transfer-syntax={JPEG_LS}", stored)
    alone = house.get(jls, "image/jls")
    assert (alone["Content-Type"], body_of(alone)) == (
        f"image/jls; transfer-syntax={JPEG_LS}",
        stored,
    )
    pixels = house.sources["CT_small.dcm"].pixel_array
    for accept, decode in [
        ("image/jls", imagecodecs.jpegls_decode),
        ("image/jphc", imagecodecs.jpeg2k_decode),
        ("image/jp2", imagecodecs.jpeg2k_decode),
    ]:
        made = decode(body_of(house.get(ct, accept)))
        assert np.array_equal(made.view("i2"), pixels)
    ((kind, _lossy),) = parts_of(
        house.get(
            house.path("JPEGLSNearLossless_08.dcm", "/frames/1"),
            'multipart/related; type="image/jls"',
        )
    )
    assert kind == "image/jls; transfer-syntax=1.2.840.10008.1.2.4.81"


STATUSES = [
    ("CT_small.dcm", "", "image/png", 406),
    ("CT_small.dcm", "", "application/dicom; q=0", 406),
    ("CT_small.dcm", "", "application/dicom; transfer-syntax=1.2.840.10008.1.2", 406),
    ("CT_small.dcm", "", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", 406),
    ("JPEGLSNearLossless_08.dcm", "", f"{DICOM}; transfer-syntax={PLAIN}", 200),
    ("CT_small.dcm", "", "text/html, */*;q=0.1", 200),
    ("CT_small.dcm", "", "multipart/related; type=application/dicom", 200),
    ("CT_small.dcm", "/frames/1", "image/jpeg", 406),
    ("CT_small.dcm", "/frames/1", "image/jls; transfer-syntax=1.2.840.10008.1.2.4.90", 406),
    ("CT_small.dcm", "/frames/2", OCTETS, 404),
    ("CT_small.dcm", "/frames/0", OCTETS, 400),
    ("CT_small.dcm", "/frames/a", OCTETS, 400),
    ("SC_rgb_rle_2frame.dcm", "/frames/1,2", "application/octet-stream", 406),
    ("test-SR.dcm", "/frames/1", OCTETS, 404),
    ("test-SR.dcm", "/bulkdata/7FE00010", "", 404),
    ("CT_small.dcm", "/bulkdata/00100011", "", 404),
    ("CT_small.dcm", "/bulkdata/7FE00010", "image/png", 406),
    ("CT_small.dcm", "/metadata", "text/html", 406),
    ("CT_small.dcm", "/metadata", "application/json", 200),
]


def test_statuses_are_exact(house: House) -> None:
    for name, below, accept, status in STATUSES:
        _check_status(house, house.path(name, below), accept, status)


def _check_status(house: House, path: str, accept: str, status: int) -> None:
    answer = house.get(path, accept)
    assert answer.status_code == status, (path, accept)
    if status == 200:
        body_of(answer)
        assert answer["Cache-Control"] == "private, no-cache"
        again = house.get(path, accept, if_none_match=answer["ETag"])
        assert again.status_code == 304
    else:
        assert answer["Content-Type"] == "application/problem+json"


def test_metadata_say_what_pydicom_reads_and_bulk_data_are_where_they_say(house: House) -> None:
    answer = house.get(_study("/metadata"), "application/dicom+json")
    assert answer["Content-Type"] == "application/dicom+json"
    documents = json.loads(body_of(answer))
    by_uid = {one["00080018"]["Value"][0]: one for one in documents}
    client = open_client(house.client)
    for name in FILES:
        source, found = house.sources[name], by_uid[house.sources[name].SOPInstanceUID]
        _compare(source, found, client)
        assert json.loads(body_of(house.get(house.path(name, "/metadata")))) == [found]
        assert (
            client.retrieve_instance_metadata(
                STUDY, source.SeriesInstanceUID, source.SOPInstanceUID
            )
            == found
        )
    assert [
        one["0020000E"]["Value"] for one in client.retrieve_series_metadata(STUDY, f"{STUDY}.1")
    ] == [[f"{STUDY}.1"]]
    packed = house.get(_study("/metadata"), accept_encoding="gzip", x_forwarded_for="192.0.2.1")
    assert packed["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(body_of(packed))) == documents


def _compare(source: Dataset, found: dict[str, Any], client: DICOMwebClient) -> None:
    """Let pydicom turn the JSON into a data set, and compare every element."""
    addresses: list[str] = []

    def fetch(tag: str, vr: str, address: str) -> bytes | None:
        addresses.append(address)
        assert address.startswith(f"{ADDRESS}/studies/{STUDY}/series/")
        if tag in ("7FE00010", "7FE00008"):
            return b""
        return bytes(client.retrieve_bulkdata(address)[0])

    read = Dataset.from_json(found, bulk_data_uri_handler=fetch)
    pixels = {"PixelData"} & set(source.dir())
    assert [one.rpartition("/")[2] for one in addresses][-len(pixels) or len(addresses) :] == [
        "7FE00010"
    ] * len(pixels)
    for element in source:
        if element.tag.element == 0 or element.keyword in NOT_COMPARED:
            continue
        other = read[element.tag]
        if element.VR == "SQ":
            assert len(other.value) == len(element.value)
        elif element.VR in {"OB", "OW", "UN"}:
            assert (other.value or b"") == (element.value or b"")
        elif element.VR in {"DS", "FL", "FD"}:
            assert np.allclose(
                np.asarray(other.value or 0, float), np.asarray(element.value or 0, float)
            )
        else:
            assert str(other.value or "") == str(element.value or "").strip("\0"), element
    assert found["00083002"]["Value"] == [source.file_meta.TransferSyntaxUID]


def test_metadata_come_as_xml_too(house: House) -> None:
    parts = list(
        parts_of(house.get(_study("/metadata"), 'multipart/related; type="application/dicom+xml"'))
    )
    assert len(parts) == len(FILES)
    kind, content = parts[0]
    root = ET.fromstring(content)
    assert kind == "application/dicom+xml"
    name = root.find(
        f"{NATIVE}DicomAttribute[@tag='00100010']/{NATIVE}PersonName//{NATIVE}FamilyName"
    )
    assert name is not None
    assert name.text == "Doe"
    bulk = root.find(f"{NATIVE}DicomAttribute[@tag='7FE00010']/{NATIVE}BulkData")
    assert bulk is not None
    assert bulk.get("uri", "").startswith(ADDRESS)


def test_metadata_follow_the_series_and_name_what_cannot_be_read(
    house: House, north: Facility
) -> None:
    series = Series.objects.get(series_instance_uid=f"{STUDY}.1")
    run_metadata_job(str(series.pk))
    path = _study(f"/series/{STUDY}.1/metadata")
    first = house.get(path)
    assert len(json.loads(body_of(first))) == 1
    changes = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": f"{STUDY}.1", "PatientID": "P1"}
    dataset = factories.read_bundled("CT_small.dcm", SOPInstanceUID="1.2.9", **changes)
    added = store(factories.as_part10(dataset), north)
    second = house.get(path, if_none_match=first["ETag"])
    assert second.status_code == 200
    assert {one["00080018"]["Value"][0] for one in json.loads(body_of(second))} == {
        "1.2.9",
        f"{STUDY}.1.1",
    }
    storage.path_of(added.storage_key).unlink()
    third = house.get(path)
    assert body_of(third) == body_of(second) or third.status_code == 200
    gone = house.get(_study(f"/series/{STUDY}.1"), f"{DICOM}; transfer-syntax=*")
    assert gone.status_code == 206
    assert "1 of 2 instances" in gone["Warning"]
    assert house.get(path.replace("metadata", "instances/1.2.9")).status_code == 404


def test_ranges_of_an_instance_and_what_the_service_says_of_itself(house: House) -> None:
    path = house.path("CT_small.dcm")
    whole = body_of(house.get(path, "application/dicom"))
    part = house.get(path, "application/dicom", range="bytes=-100")
    assert (part.status_code, body_of(part)) == (206, whole[-100:])
    assert part["Content-Range"] == f"bytes {len(whole) - 100}-{len(whole) - 1}/{len(whole)}"
    assert house.get(path, "application/dicom", range="bytes=99999999-").status_code == 416
    head = house.client.head(path, headers={"accept": "application/dicom"})
    assert (head.status_code, head["Content-Length"]) == (200, str(len(whole)))

    for ask in (house.client.options, house.client.get):
        said = ask("/dicomweb/", headers={"accept": "application/vnd.sun.wadl+xml"})
        root = ET.fromstring(said.content)
        bases = root.findall("{http://wadl.dev.java.net/2009/02}resources")
        assert [one.get("base") for one in bases] == [ADDRESS]
    said = house.client.options("/dicomweb/", headers={"accept": "application/json"})
    assert {one["name"] for one in said.json()["resources"]} >= {"RetrieveStudy", "StoreInstances"}


def test_addresses_of_searches_lead_to_what_they_name(house: House) -> None:
    client = open_client(house.client)
    for level in ("studies", f"studies/{STUDY}/series", f"studies/{STUDY}/instances"):
        for found in house.client.get(f"/dicomweb/{level}").json():
            address = found["00081190"]["Value"][0]
            answer = house.get(address.removeprefix("http://testserver"))
            assert answer.status_code == 200
            for _kind, content in parts_of(answer):
                assert dcmread(io.BytesIO(content)).StudyInstanceUID == STUDY
    assert len(client.search_for_series(STUDY)) == len(FILES)
