"""WADO-URI: files and pictures by parameters, each error with its status (PS3.18 chapter 9)."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import dcmread

from accounts.models import AuditRow, Facility, User
from archive.models import Instance
from tests import factories
from tests.unit.viewer.conftest import store

pytestmark = pytest.mark.django_db(transaction=True)

Log = Callable[[User], Client]


@pytest.fixture
def ct(north: Facility) -> Instance:
    """A real CT of 128 x 128 pixels."""
    return store(factories.bundled("CT_small.dcm").read_bytes(), north)


def _ask(client: Client, instance: Instance, accept: str = "", **query: Any) -> Any:
    asked: dict[str, Any] = {
        "requestType": "WADO",
        "studyUID": instance.study.study_instance_uid,
        "seriesUID": instance.series.series_instance_uid,
        "objectUID": instance.sop_instance_uid,
        **query,
    }
    kept = {name: value for name, value in asked.items() if value is not None}
    return client.get("/dicomweb/wado", kept, headers={"accept": accept} if accept else {})


def _body(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def _pixels(answer: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(_body(answer))))


def test_a_picture_has_the_window_region_and_size_that_are_asked_for(
    ct: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    dataset = dcmread(factories.bundled("CT_small.dcm"))
    values = dataset.pixel_array.astype(float) - 1024
    # PS3.3 C.11.2.1.2.1, halves rounded up.
    grey = np.floor(np.clip(((values - 39.5) / 399 + 0.5) * 255, 0, 255) + 0.5)
    look = {"contentType": "image/png", "windowCenter": "40", "windowWidth": "400"}
    assert np.array_equal(_pixels(_ask(client, ct, **look)), grey)
    part = _pixels(_ask(client, ct, **look, region="0.25,0.5,0.75,0.625"))
    assert np.array_equal(part, grey[64:80, 32:96])
    assert _pixels(_ask(client, ct, **look, rows="64", columns="200")).shape == (64, 64)
    assert _pixels(_ask(client, ct, **look, columns="256")).shape == (256, 256)
    sized = _pixels(_ask(client, ct, **look, region="0,0,0.5,0.25", rows="32", columns="64"))
    assert np.array_equal(sized, grey[:32, :64])
    named = _pixels(_ask(client, ct, **look, rows="512", columns="512", annotation="patient"))
    assert named.shape == (512, 512, 3)
    default = _ask(client, ct, "*/*")
    assert default["Content-Type"] == "image/jpeg"
    small = _body(_ask(client, ct, contentType="image/jpeg", imageQuality="10"))
    assert len(small) < len(default.content) / 2
    again = client.get(
        default.wsgi_request.get_full_path(), headers={"if-none-match": default["ETag"]}
    )
    assert again.status_code == 304


def test_the_file_is_given_as_stored_or_in_another_syntax(
    ct: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    answer = _ask(client, ct, contentType="application/dicom")
    assert answer["Content-Type"].startswith("application/dicom")
    sent = dcmread(io.BytesIO(_body(answer)))
    whole = dcmread(factories.bundled("CT_small.dcm"))
    assert sent == whole
    compressed = _ask(
        client, ct, contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.80"
    )
    sent = dcmread(io.BytesIO(_body(compressed)))
    assert sent.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.80"
    assert np.array_equal(sent.pixel_array, whole.pixel_array)
    for syntax in ("1.2.840.10008.1.2", "1.2.3.4", "1.2.840.10008.1.2.4.100"):
        refused = _ask(client, ct, contentType="application/dicom", transferSyntax=syntax)
        assert (syntax, refused.status_code) == (syntax, 406)
    row = AuditRow.objects.filter(action="file_saved").latest("id")
    assert (row.actor, row.detail["by"]) == (rada.username, "WADO-URI")


def test_an_anonymous_file_names_nobody(
    north: Facility, ct: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    answer = _ask(client, ct, contentType="application/dicom", anonymize="yes")
    body = _body(answer)
    made, was = dcmread(io.BytesIO(body)), dcmread(factories.bundled("CT_small.dcm"))
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SOPInstanceUID"):
        old = str(was[keyword].value)
        assert str(made[keyword].value) != old
        assert old.encode() not in body
    assert made.PatientIdentityRemoved == "YES"
    assert np.array_equal(made.pixel_array, was.pixel_array)
    assert ct.sop_instance_uid not in answer["Content-Disposition"]
    assert AuditRow.objects.filter(action="file_saved").latest("id").detail["deidentified"] is True
    # What may show a name is not given.
    capture = factories.read_bundled("CT_small.dcm", SOPInstanceUID="1.2.3.9")
    capture.BurnedInAnnotation = "YES"
    risky = store(factories.as_part10(capture), north)
    refused = _ask(client, risky, contentType="application/dicom", anonymize="yes")
    assert refused.status_code == 406


def test_every_slip_has_its_status(
    ct: Instance, north: Facility, rada: User, fiona: User, client_of: Log
) -> None:
    client = client_of(rada)
    bad: list[dict[str, Any]] = [
        {"requestType": None}, {"requestType": "wado"}, {"studyUID": None}, {"seriesUID": "a"},
        {"objectUID": "1.2.", }, {"windowCenter": "40"}, {"windowWidth": "400"},
        {"windowCenter": "40", "windowWidth": "0"}, {"rows": "0"}, {"columns": "x"},
        {"rows": "9000"}, {"region": "0,0,1"}, {"region": "0,0,1.5,1"}, {"region": "0.5,0,0.5,1"},
        {"imageQuality": "0"}, {"imageQuality": "101"}, {"annotation": ""}, {"frameNumber": "0"},
        {"frameNumber": "1"}, {"frameNumber": "-1"}, {"anonymize": "no"}, {"anonymize": "yes"},
        {"transferSyntax": "1.2.840.10008.1.2.1"}, {"presentationUID": "1.2.3"},
        {"contentType": "application/dicom", "rows": "10"},
        {"contentType": "application/dicom", "frameNumber": "1"},
    ]  # fmt: skip
    for query in bad:
        answer = _ask(client, ct, **query)
        assert (query, answer.status_code) == (query, 400)
        assert answer["Content-Type"] == "application/problem+json"
    for kind in ("image/webp", "video/mp4", "text/html", 'multipart/related; type="image/png"'):
        assert (kind, _ask(client, ct, contentType=kind).status_code) == (kind, 406)
    assert _ask(client, ct, charset="ISO-8859-1").status_code == 406
    assert _ask(client, ct, objectUID="1.2.3").status_code == 404
    assert _ask(client_of(fiona), ct).status_code == 404
    report = store(factories.bundled("test-SR.dcm").read_bytes(), north)
    client = client_of(rada)
    assert _ask(client, report)["Content-Type"] == "text/html; charset=utf-8"
    assert _ask(client, report, rows="10").status_code == 400
    assert _ask(client, report, contentType="image/jpeg").status_code == 406
