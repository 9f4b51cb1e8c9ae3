"""Pictures over HTTP: right, whole, only for those who may see them."""

from __future__ import annotations

import io
import struct
import uuid
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import zstandard
from django.test import Client
from django.urls import reverse
from PIL import Image
from pydicom.uid import UltrasoundMultiFrameImageStorage
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditRow, Facility, User
from archive import storage
from archive.models import Instance, Series
from archive.stack import build_stack
from tests import factories
from tests.unit.viewer.conftest import SLICES, store, store_slice

pytestmark = pytest.mark.django_db(transaction=True)

Log = Callable[[User], Client]
HEAD = struct.Struct("<16sIIII")


def stack_url(series: Series) -> str:
    return f"/api/v1/series/{series.pk}/stack/"


def frames_url(series: Series, images: str, version: str | None = None) -> str:
    version = build_stack(series)["version"] if version is None else version
    return f"/api/v1/series/{series.pk}/frames/?version={version}&images={images}"


def read_records(body: bytes) -> list[tuple[uuid.UUID, int, int, int, bytes]]:
    """Return (instance, frame, status, stack index, payload) of each record."""
    records, at = [], 0
    while at < len(body):
        instance, frame, status, length, index = HEAD.unpack_from(body, at)
        payload = body[at + 32 : at + 32 + length]
        assert len(payload) == length
        records.append((uuid.UUID(bytes=instance), frame, status, index, payload))
        at += 32 + length
    return records


def body_of(response: object) -> bytes:
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


# --- the stack ---------------------------------------------------------------------
def test_the_stack_runs_along_the_patient_not_by_number(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    stack = client_of(rada).get(stack_url(ct_series)).json()
    images = [{**stack["shared"], **image} for image in stack["images"]]
    assert [image["image_position_patient"][2] for image in images] == [0, 5, 10, 15, 20, 25]
    assert [image["instance_number"] for image in images] == [6, 5, 4, 3, 2, 1]
    assert {image["pixel_format"] for image in images} == {"i16"}
    assert {image["bytes"] for image in images} == {128 * 128 * 2}
    assert stack["displayable"] is True


def test_what_all_images_share_stands_once(ct_series: Series, rada: User, client_of: Log) -> None:
    stack = client_of(rada).get(stack_url(ct_series)).json()
    assert stack["shared"]["rows"] == 128
    assert stack["shared"]["pixel_spacing"]
    assert set(stack["images"][0]) == {
        "frame",
        "image_position_patient",
        "instance_id",
        "instance_number",
        "sop_instance_uid",
    }


def test_an_unchanged_stack_is_not_sent_again(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    first = client.get(stack_url(ct_series))
    again = client.get(stack_url(ct_series), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert first["Cache-Control"] == "private, no-cache"


# --- frames ------------------------------------------------------------------------
@pytest.mark.parametrize("coding", ["", "gzip", "zstd"])
def test_frames_come_in_the_asked_order(
    ct_series: Series, rada: User, client_of: Log, coding: str
) -> None:
    response = client_of(rada).get(
        frames_url(ct_series, "4,0-2"),
        headers={"Accept-Encoding": coding},
        REMOTE_ADDR="192.0.2.7",
    )
    body = body_of(response)
    assert response.get("Content-Encoding", "") == coding
    if coding == "gzip":
        body = zlib.decompress(body, 31)
    elif coding == "zstd":
        body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    records = read_records(body)
    assert [index for _i, _f, _s, index, _p in records] == [4, 0, 1, 2]
    for instance, frame, status, index, payload in records:
        assert (frame, status) == (0, 0)
        assert Instance.objects.get(pk=instance).image["image_position_patient"][2] == 5 * index
        assert (np.frombuffer(payload, "<i2") == index).all()


def test_a_film_of_coloured_ultrasound_is_a_stack_whose_frames_come_by_ranges(
    north: Facility, rada: User, client_of: Log
) -> None:
    colours = np.random.default_rng(4).integers(0, 256, (5, 8, 6, 3)).astype(np.uint8)
    dataset = factories.read_bundled("CT_small.dcm", SOPInstanceUID="1.2.3.61", Modality="US")
    for keyword in ("RescaleSlope", "RescaleIntercept", "PixelSpacing", "ImagePositionPatient"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = (
        UltrasoundMultiFrameImageStorage
    )
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames, dataset.FrameTime = 8, 6, 5, "40"
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = colours.tobytes()
    series = store(factories.as_part10(dataset), north).series
    client = client_of(rada)
    stack = client.get(stack_url(series)).json()
    images = [{**stack["shared"], **one} for one in stack["images"]]
    assert [one["frame"] for one in images] == [0, 1, 2, 3, 4]
    assert {(one["pixel_format"], one["frame_time_ms"]) for one in images} == {("rgb8", 40)}
    records = read_records(body_of(client.get(frames_url(series, "3-4,1"))))
    assert [(frame, index) for _i, frame, _s, index, _p in records] == [(3, 3), (4, 4), (1, 1)]
    assert [payload for *_, payload in records] == [colours[n].tobytes() for n in (3, 4, 1)]


def test_a_browser_keeps_frames_for_its_own_session_alone(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    response = client_of(rada).get(frames_url(ct_series, "0"))
    assert response["Cache-Control"] == "private, max-age=43200, immutable"
    assert {"Cookie", "Authorization", "Accept-Encoding"} <= set(response["Vary"].split(", "))


def test_missing_and_damaged_files_take_their_place_with_words(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    stack = build_stack(ct_series)["images"]
    gone, cut = (Instance.objects.get(pk=stack[i]["instance_id"]) for i in (1, 3))
    storage.path_of(gone.storage_key).unlink()
    path = storage.path_of(cut.storage_key)
    path.write_bytes(path.read_bytes()[:-1000])
    response = client_of(rada).get(frames_url(ct_series, "0-5"))
    records = read_records(body_of(response))
    assert [status for _i, _f, status, _n, _p in records] == [0, 1, 0, 2, 0, 0]
    assert "missing" in records[1][4].decode()
    assert "damaged" in records[3][4].decode()


def test_a_series_that_has_grown_asks_to_read_its_stack_again(
    north: Facility, rada: User, client_of: Log
) -> None:
    series = store_slice(0, north).series
    address = frames_url(series, "0")
    assert client_of(rada).get(address).status_code == 200
    store_slice(1, north)
    response = client_of(rada).get(address)
    assert response.status_code == 409
    assert response.json()["code"] == "conflict"


@pytest.mark.parametrize("images", ["", "6", "x", "3-1", "0-99", "-1"])
def test_images_that_are_not_understood_are_refused_with_words(
    ct_series: Series, rada: User, client_of: Log, images: str
) -> None:
    response = client_of(rada).get(frames_url(ct_series, images))
    assert response.status_code == 400
    assert response.json()["detail"].startswith("images:")


def test_more_than_sixty_four_mebibytes_are_refused(
    ct_series: Series, rada: User, client_of: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.api.REQUEST_LIMIT_BYTES", 100_000)
    client = client_of(rada)
    assert client.get(frames_url(ct_series, "0-2")).status_code == 200
    assert client.get(frames_url(ct_series, "0-3")).status_code == 400


def test_frames_of_many_images_cost_few_queries(
    ct_series: Series,
    rada: User,
    client_of: Log,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_of(rada)
    client.get(stack_url(ct_series))
    address = frames_url(ct_series, "0-5")
    # Session, user, facilities, series, rows.
    with django_assert_max_num_queries(5):
        response = client.get(address)
        body_of(response)


# --- single frames --------------------------------------------------------------------
def test_a_single_frame_is_its_pixels(ct_series: Series, rada: User, client_of: Log) -> None:
    instance = ct_series.instances.get(sop_instance_uid="1.2.3.4.4")
    response = client_of(rada).get(f"/api/v1/instances/{instance.pk}/frames/0/")
    assert (np.frombuffer(response.content, "<i2") == 3).all()
    assert response["X-Pixel-Format"] == "i16"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("address", ["", "rendered.jpg", "rendered.png"])
def test_a_missing_file_is_a_json_404(
    ct_series: Series, rada: User, client_of: Log, address: str
) -> None:
    instance = ct_series.instances.first()
    assert instance is not None
    storage.path_of(instance.storage_key).unlink()
    response = client_of(rada).get(f"/api/v1/instances/{instance.pk}/frames/0/{address}")
    assert response.status_code == 404
    assert response.json()["code"] == "missing"
    assert response.json()["detail"] == "The stored file is missing."


@pytest.mark.parametrize("address", ["", "rendered.jpg"])
def test_a_damaged_file_is_a_json_422(
    ct_series: Series, rada: User, client_of: Log, address: str
) -> None:
    instance = ct_series.instances.first()
    assert instance is not None
    path = storage.path_of(instance.storage_key)
    path.write_bytes(path.read_bytes()[:-1000])
    response = client_of(rada).get(f"/api/v1/instances/{instance.pk}/frames/0/{address}")
    assert response.status_code == 422
    assert response.json()["code"] == "damaged"
    assert response["Cache-Control"] == "private, no-store"


def test_a_frame_that_is_not_there_is_a_404(ct_series: Series, rada: User, client_of: Log) -> None:
    instance = ct_series.instances.first()
    assert instance is not None
    response = client_of(rada).get(f"/api/v1/instances/{instance.pk}/frames/1/")
    assert response.status_code == 404


# --- rendered --------------------------------------------------------------------------
def open_picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_window_decides_the_grey(north: Facility, rada: User, client_of: Log) -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1000
    dataset.PixelData = np.arange(128 * 128, dtype="<i2").reshape(128, 128).tobytes()
    instance = store(factories.as_part10(dataset), north)
    base = f"/api/v1/instances/{instance.pk}/frames/0/rendered.png"
    picture = open_picture(client_of(rada).get(f"{base}?window=40,400").content)
    values = np.arange(128 * 128).reshape(128, 128) - 1000.0
    # PS3.3 C.11.2.1.2.1, written out.
    truth = np.clip(((values - 39.5) / 399 + 0.5) * 255, 0, 255)
    assert picture.shape == (128, 128)
    assert np.abs(picture - truth).max() <= 0.5 + 1e-9


def test_a_width_makes_the_picture_smaller_never_larger(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    instance = ct_series.instances.first()
    assert instance is not None
    base = f"/api/v1/instances/{instance.pk}/frames/0/rendered.jpg"
    small = client_of(rada).get(f"{base}?width=32")
    assert small["Content-Type"] == "image/jpeg"
    assert open_picture(small.content).shape == (32, 32)
    assert open_picture(client_of(rada).get(f"{base}?width=4000").content).shape == (128, 128)


@pytest.mark.parametrize("query", ["window=1", "window=0,0", "width=0", "width=a", "width=99999"])
def test_a_look_that_is_not_understood_is_refused(
    ct_series: Series, rada: User, client_of: Log, query: str
) -> None:
    instance = ct_series.instances.first()
    assert instance is not None
    base = f"/api/v1/instances/{instance.pk}/frames/0/rendered.png"
    assert client_of(rada).get(f"{base}?{query}").status_code == 400


# --- thumbnails ---------------------------------------------------------------------------
def test_a_thumbnail_is_made_when_it_is_missing_and_kept(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    address = f"/api/v1/series/{ct_series.pk}/thumbnail/"
    first = client_of(rada).get(address)
    assert max(open_picture(first.content).shape) == 128
    ct_series.refresh_from_db()
    assert storage.path_of(ct_series.thumbnail_key).read_bytes() == first.content
    again = client_of(rada).get(address, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_a_report_has_no_thumbnail(north: Facility, rada: User, client_of: Log) -> None:
    report = store(factories.bundled("reportsi.dcm").read_bytes(), north)
    response = client_of(rada).get(f"/api/v1/series/{report.series_id}/thumbnail/")
    assert response.status_code == 404
    assert response.json()["code"] == "missing"


# --- access ---------------------------------------------------------------------------------
def addresses(series_id: object, instance_id: object) -> list[str]:
    return [
        f"/api/v1/series/{series_id}/stack/",
        f"/api/v1/series/{series_id}/frames/?version=x&images=0",
        f"/api/v1/series/{series_id}/thumbnail/",
        f"/api/v1/instances/{instance_id}/frames/0/",
        f"/api/v1/instances/{instance_id}/frames/0/rendered.jpg",
        f"/api/v1/instances/{instance_id}/frames/0/rendered.png",
    ]


def test_foreign_is_the_same_as_missing(
    ct_series: Series, fiona: User, strange: User, client_of: Log
) -> None:
    client_of(fiona)
    instance = ct_series.instances.first()
    assert instance is not None
    theirs = addresses(ct_series.pk, instance.pk)
    nobodys = addresses(uuid.uuid4(), uuid.uuid4())
    for user in (fiona, strange):
        client = client_of(user)
        for foreign, missing in zip(theirs, nobodys, strict=True):
            one, other = client.get(foreign), client.get(missing)
            assert one.status_code == other.status_code == 404
            assert one.content == other.content
            assert dict(one.headers) == dict(other.headers)


def test_who_is_not_logged_in_gets_nothing(ct_series: Series) -> None:
    instance = ct_series.instances.first()
    assert instance is not None
    for address in addresses(ct_series.pk, instance.pk):
        assert Client().get(address).status_code == 401


def test_a_picture_in_the_browser_is_not_shown_on_after_access_ended(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    first = client.get(stack_url(ct_series))
    rada.facilities.clear()
    again = client.get(stack_url(ct_series), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 404


def test_addresses_only_read(ct_series: Series, rada: User, client_of: Log) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client_of(rada), method)(stack_url(ct_series)).status_code == 405


# --- audit ----------------------------------------------------------------------------------
def test_a_sitting_with_a_study_leaves_one_row(
    ct_series: Series, rada: User, admin: User, client_of: Log
) -> None:
    client = client_of(rada)
    for _ in range(3):
        client.get(stack_url(ct_series))
        body_of(client.get(frames_url(ct_series, "0-5")))
    row = AuditRow.objects.get(action="view_study")
    assert (row.actor, row.study_instance_uid) == ("rada", ct_series.study.study_instance_uid)
    assert row.patient_id == ct_series.study.patient.patient_id
    client_of(admin).get(stack_url(ct_series))
    assert AuditRow.objects.filter(action="view_study").count() == 2


def test_urls_have_the_agreed_names(ct_series: Series) -> None:
    assert reverse("api:series-stack", args=[ct_series.pk]) == stack_url(ct_series)
    assert ct_series.instances.count() == SLICES
