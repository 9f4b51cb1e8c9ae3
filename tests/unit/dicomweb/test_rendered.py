"""Rendered resources and thumbnails: right pixels, exact statuses, nothing made up (PS3.18 10.4)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import dcmread
from pydicom.uid import (
    EncapsulatedPDFStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from accounts.models import AuditRow, Facility, User
from archive import storage
from archive.models import Instance, Series
from tests import factories
from tests.unit.viewer.conftest import ct_series, store
from tests.unit.viewer.test_video import store_video

__all__ = ["ct_series"]
pytestmark = pytest.mark.django_db(transaction=True)

Log = Callable[[User], Client]
GOLDEN = Path(__file__).parents[2] / "golden" / "video"


def _at(instance: Instance, below: str = "/rendered") -> str:
    series = instance.series
    return (
        f"/dicomweb/studies/{series.study.study_instance_uid}"
        f"/series/{series.series_instance_uid}/instances/{instance.sop_instance_uid}{below}"
    )


def _get(client: Client, path: str, accept: str = "image/png", **query: str) -> Any:
    return client.get(path, query, headers={"accept": accept} if accept else {})


def _pixels(answer: Any) -> np.ndarray:
    assert answer.status_code == 200, answer.content
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def _parts(answer: Any) -> list[tuple[dict[str, str], bytes]]:
    """Return heads and bodies of a multipart answer, split by hand (RFC 2046 5.1.1)."""
    kind, _, boundary = answer["Content-Type"].rpartition("boundary=")
    assert kind.startswith("multipart/related; type=")
    pieces = b"".join(answer.streaming_content).split(b"--" + boundary.encode())
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    parts = []
    for piece in pieces[1:-1]:
        head, _, body = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        parts.append(({name: value for name, _, value in lines}, body.removesuffix(b"\r\n")))
    return parts


@pytest.fixture
def ct(north: Facility) -> Instance:
    """A real CT of 128 x 128 pixels without a window of its own."""
    return store(factories.bundled("CT_small.dcm").read_bytes(), north)


@pytest.fixture
def hounsfield() -> np.ndarray:
    """Its values as the file says them, by another reader."""
    dataset = dcmread(factories.bundled("CT_small.dcm"))
    values: np.ndarray = dataset.pixel_array * float(dataset.RescaleSlope) + float(
        dataset.RescaleIntercept
    )
    return values


def _linear(values: np.ndarray, center: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, halves rounded up."""
    grey = ((values - (center - 0.5)) / (width - 1) + 0.5) * 255
    return np.floor(np.clip(grey, 0, 255) + 0.5).astype(np.uint8)


def test_a_window_gives_the_grey_that_the_standard_says(
    ct: Instance, hounsfield: np.ndarray, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    shown = _pixels(_get(client, _at(ct), window="40,400,linear"))
    assert np.array_equal(shown, _linear(hounsfield, 40, 400))
    exact = np.clip((hounsfield - 40) / 400 + 0.5, 0, 1) * 255
    shown = _pixels(_get(client, _at(ct), window="40,400,linear-exact"))
    assert np.array_equal(shown, np.floor(exact + 0.5))
    sigmoid = 255 / (1 + np.exp(-4 * (hounsfield - 40) / 400))
    shown = _pixels(_get(client, _at(ct), window="40,400,sigmoid"))
    assert np.array_equal(shown, np.floor(sigmoid + 0.5))
    # The viewer shows the very same.
    viewer = client.get(f"/api/v1/instances/{ct.pk}/frames/0/rendered.png?window=40,400")
    assert viewer.content == _get(client, _at(ct), window="40,400").content


def test_a_viewport_crops_flips_and_fits_without_distortion(
    ct: Instance, hounsfield: np.ndarray, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    grey = _linear(hounsfield, 40, 400)

    def shown(viewport: str) -> np.ndarray:
        return _pixels(_get(client, _at(ct), window="40,400,linear", viewport=viewport))

    assert np.array_equal(shown("128,128"), grey)
    assert np.array_equal(shown("32,16,40,60,32,16"), grey[60:76, 40:72])
    assert np.array_equal(shown("128,128,0,0,-128,128"), grey[:, ::-1])
    assert np.array_equal(shown("128,128,,,128,-128"), grey[::-1])
    assert np.array_equal(shown("64,64,64,64"), grey[64:, 64:])
    assert np.array_equal(shown("30,40,10,20,-30,-40"), grey[20:60, 10:40][::-1, ::-1])
    assert shown("300,100").shape == (100, 100)
    assert shown("300,100,0,0,60,20").shape == (100, 300)
    # Halved, a pixel is the mean of four, rounded twice.
    means = grey.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert np.abs(shown("64,64").astype(float) - means).max() <= 1


def test_bad_parameters_are_refused_and_nothing_is_drawn(
    ct: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    wrong = {
        "window": ["40", "40,0,linear", "a,400,linear", "40,400,cubic", "1,2,linear,4", "40,nan",
                   "40,-1,sigmoid", ""],
        "viewport": ["128", "0,128", "-128,128", "128,1.5", "128,128,a", "9000,10", "8000,8000",
                     "128,128,0,0,0,5", "64,64,100,0,64,64", "64,64,128,0", "1,1,1,1,1,1,1", ""],
        "quality": ["0", "101", "x", "50.5", "-1", ""],
        "annotation": ["", "patient,", "a b"],
        "iccprofile": ["maybe", ""],
    }  # fmt: skip
    for name, values in wrong.items():
        for value in values:
            answer = _get(client, _at(ct), **{name: value})
            assert (name, value, answer.status_code) == (name, value, 400)
            assert answer["Content-Type"] == "application/problem+json"
    assert client.get(f"{_at(ct)}?window=1,2&window=3,4").status_code == 400
    assert _get(client, _at(ct), unknown="parameter").status_code == 200
    for list_of_frames, status in (("0", 400), ("a", 400), ("1,", 400), ("2", 404), ("1", 200)):
        assert _get(client, _at(ct, f"/frames/{list_of_frames}/rendered")).status_code == status


def test_what_is_accepted_decides_the_form_and_its_quality(
    ct: Instance, rada: User, client_of: Log
) -> None:
    client, path = client_of(rada), _at(ct)
    for accept, kind in (
        ("", "image/jpeg"), ("*/*", "image/jpeg"), ("image/*", "image/jpeg"),
        ("image/gif", "image/gif"), ("image/jp2, image/png;q=0.5", "image/png"),
        ("image/png;q=0.2, image/jpeg;q=0.9", "image/jpeg"),
        ("image/jpeg;q=0, image/*", "image/png"),
    ):  # fmt: skip
        answer = _get(client, path, accept)
        assert (accept, answer["Content-Type"]) == (accept, kind)
        picture = Image.open(io.BytesIO(answer.content))
        assert (picture.format, picture.size) == (kind[6:].upper(), (128, 128))
    wins = client.get(f"{path}?accept=image/png", headers={"accept": "text/html"})
    assert wins["Content-Type"] == "image/png"
    for accept in ("image/webp", "text/html", "application/dicom", "video/mp4", "image/png;q=0"):
        assert (accept, _get(client, path, accept).status_code) == (accept, 406)
    assert _get(client, path, charset="ISO-8859-1").status_code == 406
    sizes = [
        len(_get(client, path, "image/jpeg", quality=str(one)).content) for one in (10, 50, 95)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 3
    profiled = Image.open(io.BytesIO(_get(client, path, "image/jpeg", iccprofile="srgb").content))
    assert profiled.info["icc_profile"][36:40] == b"acsp"
    assert "icc_profile" not in Image.open(io.BytesIO(_get(client, path).content)).info


def test_annotations_are_burned_in_when_they_are_asked_for(
    ct: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    box = "1024,1024"
    plain = _pixels(_get(client, _at(ct), viewport=box))
    named = _pixels(_get(client, _at(ct), viewport=box, annotation="patient"))
    assert named.shape == (1024, 1024, 3)
    changed = (named != plain[..., None]).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.size > 200
    # Who it is stands in the upper left corner, and nowhere else.
    assert rows.max() < 300
    assert columns.max() < 600
    answer = _get(client, _at(ct), viewport=box, annotation="technique,hologram")
    assert answer["Warning"] == (
        "299 http://testserver/dicomweb: "
        "The following annotation values are not supported: hologram"
    )
    both = (_pixels(answer) != plain[..., None]).any(axis=2)
    assert not both[:300, :300].any()
    assert both[:300, 600:].any()
    assert both[-200:, 600:].any()


def test_a_series_comes_in_parts_in_the_order_of_its_numbers(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    study, uid = ct_series.study, ct_series.series_instance_uid
    path = f"/dicomweb/studies/{study.study_instance_uid}/series/{uid}/rendered"
    answer = _get(client, path, 'multipart/related; type="image/png"', window="2,6,linear-exact")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith('multipart/related; type="image/png"; boundary=')
    assert answer["Cache-Control"] == "private, no-cache"
    parts = _parts(answer)
    # Slice i has number 6 - i; CT_small's values are stored values minus 1024.
    assert [head["Content-Type"] for head, _body in parts] == ["image/png"] * 6
    assert [head["Content-Location"].split("/")[-4] for head, _body in parts] == [
        f"1.2.3.4.{number}" for number in (6, 5, 4, 3, 2, 1)
    ]
    assert all(int(head["Content-Length"]) == len(body) for head, body in parts)
    for accept in ("", "image/jpeg"):
        whole = _get(client, path.replace(f"/series/{uid}", ""), accept)
        assert len(_parts(whole)) == 6
    etag = answer["ETag"]
    again = client.get(
        path,
        {"window": "2,6,linear-exact"},
        headers={"accept": 'multipart/related; type="image/png"', "if-none-match": etag},
    )
    assert (again.status_code, again.content) == (304, b"")
    row = AuditRow.objects.filter(action="view_study").latest("id")
    assert row.study_instance_uid == study.study_instance_uid


def test_frames_come_in_their_order_or_as_a_film(
    north: Facility, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    cine = factories.read_bundled("CT_small.dcm")
    first = cine.pixel_array
    cine.SOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    cine.file_meta.MediaStorageSOPClassUID = cine.SOPClassUID
    cine.NumberOfFrames = 4
    stored = np.stack([first + 20 * number for number in range(4)]).astype("<i2")
    cine.PixelData = stored.tobytes()
    instance = store(factories.as_part10(cine), north)
    values = stored.astype(float) - 1024
    answer = _get(client, _at(instance, "/frames/3,1,3/rendered"), window="40,400,linear")
    frames = [np.asarray(Image.open(io.BytesIO(body))) for _head, body in _parts(answer)]
    for shown, number in zip(frames, (2, 0, 2), strict=True):
        assert np.array_equal(shown, _linear(values[number], 40, 400))
    answer = _get(client, _at(instance), "image/gif", window="40,400,linear")
    film = Image.open(io.BytesIO(answer.content))
    assert (film.format, film.n_frames, film.size) == ("GIF", 4, (128, 128))  # type: ignore[attr-defined]
    assert _get(client, _at(instance, "/frames/5/rendered")).status_code == 404
    alone = _get(client, _at(instance, "/frames/2/rendered"), window="40,400,linear")
    assert np.array_equal(_pixels(alone), _linear(values[1], 40, 400))
    assert len(_parts(_get(client, _at(instance), "image/jpeg"))) == 4


def test_thumbnails_are_small_pictures_of_what_they_stand_for(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    instance = Instance.objects.get(series=ct_series, instance_number=1)
    study = f"/dicomweb/studies/{ct_series.study.study_instance_uid}"
    series = f"{study}/series/{ct_series.series_instance_uid}"
    for path in (study, series, _at(instance, ""), _at(instance, "/frames/1")):
        answer = _get(client, f"{path}/thumbnail", "")
        assert answer["Content-Type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(answer.content)).size) == 128
        fitted = _pixels(_get(client, f"{path}/thumbnail", viewport="40,60"))
        assert fitted.shape == (40, 40)
        assert _get(client, f"{path}/thumbnail", viewport="40,60,0,0,9,9").status_code == 400
        assert _get(client, f"{path}/thumbnail", "text/plain").status_code == 406


def test_reports_and_documents_are_given_as_text(
    north: Facility, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    report = store(factories.bundled("test-SR.dcm").read_bytes(), north)
    path = _at(report)
    html = _get(client, path, "")
    assert html["Content-Type"] == "text/html; charset=utf-8"
    assert html["Content-Security-Policy"].startswith("sandbox")
    assert "Diagnosis" in html.content.decode()
    plain = _get(client, path, "text/plain").content.decode()
    assert plain.splitlines()[0] == "Test, S R"
    assert re.search(r"\n +Text Code: A mass of\n", plain)
    assert _get(client, path, "application/pdf").content.startswith(b"%PDF-1")
    assert _get(client, path, "image/png").status_code == 406
    assert _get(client, path.replace("/rendered", "/thumbnail"), "").status_code == 404
    assert _get(client, path.replace("/rendered", "/frames/1/rendered"), "").status_code == 404


def test_damaged_missing_and_foreign_give_no_picture(
    ct: Instance, rada: User, fiona: User, client_of: Log
) -> None:
    assert _get(client_of(fiona), _at(ct)).status_code == 404
    assert _get(Client(), _at(ct)).status_code == 401
    client = client_of(rada)
    assert _get(client, _at(ct).replace(ct.sop_instance_uid, "1.2.3")).status_code == 404
    assert _get(client, _at(ct)).status_code == 200
    path = storage.path_of(ct.storage_key)
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.truncate(ct.size_bytes - 1000)
    damaged = _get(client, _at(ct))
    assert (damaged.status_code, damaged["Content-Type"]) == (500, "application/problem+json")
    path.unlink()
    assert _get(client, _at(ct)).status_code == 404


def test_a_video_leaves_as_stored_or_as_frames(north: Facility, rada: User, client_of: Log) -> None:
    client = client_of(rada)
    stream = (GOLDEN / "hevc.mp4").read_bytes()
    video = store_video(stream, north, syntax="1.2.840.10008.1.2.4.107")
    answer = _get(client, _at(video), "*/*")
    assert (answer["Content-Type"], answer.content[: len(stream)]) == ("video/mp4", stream)
    truth = np.asarray(Image.open(GOLDEN / "hevc.mp4.40.png").convert("RGB"))
    frame = _pixels(_get(client, _at(video, "/frames/41/rendered")))
    assert np.abs(frame.astype(int) - truth).max() <= 2
    assert _get(client, _at(video, "/frames/76/rendered")).status_code == 404
    # What is burned in cannot be burned into a stored stream.
    assert _get(client, _at(video), "video/mp4", annotation="patient").status_code == 406


def test_a_study_of_pictures_and_documents_says_when_something_is_left_out(
    ct: Instance, north: Facility, rada: User, client_of: Log
) -> None:
    document = factories.read_bundled("test-SR.dcm", StudyInstanceUID=ct.study.study_instance_uid)
    document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    document.PatientID, document.PatientName = ct.study.patient.patient_id, "CompressedSamples^CT1"
    del document.ContentSequence
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = b"%PDF-1.4 nothing\n"
    document.EncapsulatedDocumentLength = 17
    stored = store(factories.as_part10(document), north)
    client = client_of(rada)
    assert _get(client, _at(stored), "").content == b"%PDF-1.4 nothing\n"
    study = f"/dicomweb/studies/{ct.study.study_instance_uid}/rendered"
    pictures = _get(client, study, 'multipart/related; type="image/jpeg"')
    assert (pictures.status_code, len(_parts(pictures))) == (206, 1)
    whole = _get(client, study, "")
    assert whole.status_code == 200
    kinds = {head["Content-Type"] for head, _body in _parts(whole)}
    assert kinds == {"image/jpeg", "application/pdf"}
