"""Stored videos: the stream without its item headers, in any range, for those who may see it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from accounts.models import Facility, User
from archive import storage
from archive.models import Instance
from archive.stack import build_stack, find_reasons
from archive.video import open_video
from imaging.video import recognise_container
from tests import factories
from tests.unit.viewer.conftest import store

pytestmark = pytest.mark.django_db(transaction=True)

Log = Callable[[User], Client]
CLIP = Path(__file__).parents[2] / "golden" / "colours.mp4"
H264, MPEG2 = "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.100"


def store_video(
    stream: bytes, facility: Facility, *, parts: int = 1, syntax: str = H264
) -> Instance:
    """Store a stream as an endoscopic video, cut into fragments."""
    uid = f"1.2.3.9.{zlib.crc32(stream)}"
    dataset = factories.read_bundled(
        "CT_small.dcm", SOPInstanceUID=uid, SeriesInstanceUID=f"{uid}.1"
    )
    del dataset.PixelSpacing
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.77.1.1.1")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.Modality, dataset.NumberOfFrames, dataset.FrameTime = "ES", 20, "100"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 48, 64, 3
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "YBR_PARTIAL_420", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = encapsulate([stream], fragments_per_frame=parts)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return store(factories.as_part10(dataset), facility)


def test_the_stream_is_whole_whatever_its_fragments(north: Facility) -> None:
    clip = CLIP.read_bytes()
    stream = open_video(store_video(clip, north, parts=7))
    assert stream.content_type == "video/mp4"
    assert b"".join(stream.pieces(0, stream.size)).rstrip(b"\0") == clip.rstrip(b"\0")


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-", 206, (0, None)),
        ("bytes=100-299", 206, (100, 300)),
        ("bytes=-50", 206, (-50, None)),
        ("bytes=10-5", 200, (0, None)),
        ("bytes=0-1,5-9", 200, (0, None)),
        ("lines=1-2", 200, (0, None)),
    ],
)
def test_ranges_are_the_streams_bytes(
    north: Facility, rada: User, client_of: Log, asked: str, status: int,
    span: tuple[int, int | None],
) -> None:  # fmt: skip
    instance = store_video(CLIP.read_bytes(), north, parts=5)
    stream = open_video(instance)
    whole = b"".join(stream.pieces(0, stream.size))
    url = f"/api/v1/instances/{instance.pk}/video/"
    response = client_of(rada).get(url, headers={"Range": asked})
    body = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert (response.status_code, body) == (status, whole[slice(*span)])
    assert response["Content-Length"] == str(len(body))
    assert response["Content-Type"] == "video/mp4"
    assert response["Content-Disposition"].startswith("attachment")
    if status == 206:
        first = span[0] % len(whole)
        last = first + len(body) - 1
        assert response["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"


def test_a_range_behind_the_end_and_an_old_copy(
    north: Facility, rada: User, fiona: User, client_of: Log
) -> None:
    instance = store_video(CLIP.read_bytes(), north)
    url = f"/api/v1/instances/{instance.pk}/video/"
    client = client_of(rada)
    response = client.get(url, headers={"Range": "bytes=99999999-"})
    assert response.status_code == 416
    assert response["Content-Range"].startswith("bytes */")
    old = client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"old"'})
    assert old.status_code == 200
    old.close()
    same = client.get(url, headers={"Range": "bytes=0-9", "If-Range": response["ETag"]})
    assert same.status_code == 206
    same.close()
    assert client_of(fiona).get(url).status_code == 404


def test_a_video_series_is_displayable_and_others_say_why(north: Facility) -> None:
    instance = store_video(CLIP.read_bytes(), north)
    stack = build_stack(instance.series)
    assert stack["displayable"]
    # The player comes first; its frames are there for tools that measure.
    assert [image["frame"] for image in stack["images"]] == list(range(20))
    video = stack["videos"][0]
    assert video["why_not"] == ""
    assert video["url"] == f"/api/v1/instances/{instance.pk}/video/"
    assert find_reasons(instance.study) == {}


def test_what_cannot_be_decoded_is_offered_with_the_reason(north: Facility) -> None:
    instance = store_video(b"\0\0\1\xb3" + bytes(range(256)), north, syntax=MPEG2)
    stack = build_stack(instance.series)
    assert (stack["displayable"], stack["images"]) == (True, [])
    assert "cannot be decoded" in stack["videos"][0]["why_not"]
    assert stack["videos"][0]["url"] == f"/api/v1/instances/{instance.pk}/video/"


def test_a_damaged_file_is_no_video(north: Facility, rada: User, client_of: Log) -> None:
    instance = store_video(CLIP.read_bytes(), north)
    path = storage.path_of(instance.storage_key)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-100])
    assert client_of(rada).get(f"/api/v1/instances/{instance.pk}/video/").status_code == 422
    assert "damaged" in build_stack(instance.series)["videos"][0]["why_not"]


def test_containers_are_told_by_their_bytes() -> None:
    packets = (b"G" + bytes(187)) * 2
    assert recognise_container(packets) == "video/mp2t"
    assert recognise_container(b"\0\0\1\xba" + bytes(400)) == "video/mpeg"
    assert recognise_container(b"\0\0\0\1\x67\x42") == "video/h264"
    assert recognise_container(CLIP.read_bytes()[:376]) == "video/mp4"
    assert recognise_container(b"<html>") == "application/octet-stream"
