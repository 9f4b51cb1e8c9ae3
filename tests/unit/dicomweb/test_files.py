"""The DICOM file interface: every answer to the letter of its contract."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pydicom.uid import generate_uid
from pytest_django import Settings

from accounts.models import AuditRow, Facility, Role, User
from archive import storage
from archive.models import Instance, Patient, Study
from tests import factories
from viewer.models import KeyImage
from worklist.models import WorklistEntry

ClientOf = Callable[[User], Client]
ROOT = "/api/dicom/"
pytestmark = pytest.mark.django_db


def _file(**changes: Any) -> bytes:
    changes.setdefault("SOPInstanceUID", generate_uid())
    return factories.as_part10(factories.read_bundled("CT_small.dcm", **changes))


def _upload(client: Client, content: bytes, name: str = "x.dcm", **fields: str) -> Any:
    return client.post(f"{ROOT}upload", {"file": SimpleUploadedFile(name, content), **fields})


def _refusal(response: Any) -> tuple[int, dict[str, str]]:
    assert response["Content-Type"] == "application/json"
    return response.status_code, response.json()


def test_an_upload_says_what_the_file_is(tess: User, client_of: ClientOf) -> None:
    client = client_of(tess)
    answer = _upload(client, _file(PatientAge="055Y", BodyPartExamined="CHEST")).json()
    # As pydicom's own listing of CT_small.dcm has it.
    path = answer.pop("file_path")
    assert answer == {
        "success": True,
        "message": "DICOM file uploaded successfully",
        "metadata": {
            "patient": {
                "patient_name": "CompressedSamples^CT1",
                "patient_id": "1CT1",
                "patient_birth_date": None,
                "patient_sex": "O",
                "patient_age": "055Y",
            },
            "study": {
                "study_instance_uid": "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322",
                "study_date": "20040119",
                "study_time": "072730",
                "study_description": "e+1",
                "accession_number": None,
                "referring_physician": None,
            },
            "series": {
                "series_instance_uid": "1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322",
                "series_number": 1,
                "series_description": None,
                "modality": "CT",
                "body_part": "CHEST",
            },
            "image": {
                "instance_number": 1,
                "rows": 128,
                "columns": 128,
                "bits_allocated": 16,
                "bits_stored": 16,
                "samples_per_pixel": 1,
                "photometric_interpretation": "MONOCHROME2",
                "pixel_spacing": [0.661468, 0.661468],
                "slice_thickness": 5.0,
                "has_pixel_data": True,
            },
            "equipment": {
                "manufacturer": "GE MEDICAL SYSTEMS",
                "model": "RHAPSODE",
                "station_name": "CT01_OC0",
            },
        },
    }
    told = client.get(f"{ROOT}metadata/{path}").json()
    assert told == {"success": True, "file_path": path, "metadata": answer["metadata"]}
    assert path.startswith("studies/")
    assert path.count("/") == 3
    assert path.endswith(".dcm")
    assert not storage.path_of(path).exists()


def test_refusals_have_the_words_of_the_contract(
    tess: User, nora: User, client_of: ClientOf, settings: Settings
) -> None:
    client, boss = client_of(tess), client_of(nora)
    nothing = {"detail": "No file uploaded"}
    assert _refusal(client.post(f"{ROOT}upload")) == (400, nothing)
    assert _refusal(client.post(f"{ROOT}upload", {"file": "text"})) == (400, nothing)
    json_body = client.post(f"{ROOT}upload", {"file": "x"}, content_type="application/json")
    assert _refusal(json_body) == (400, nothing)
    for content in (b"", b"hello", b"PK\3\4" + bytes(400), _file()[:700]):
        status, words = _refusal(_upload(client, content))
        assert (status, words["detail"][:20]) == (400, "Invalid DICOM file: ")
    broken = client.post(
        f"{ROOT}upload", b"--x\r\n", content_type="multipart/form-data; boundary=" + "x" * 300
    )
    assert broken.status_code == 400
    settings.DICOM_MAX_FILE_SIZE = 1 << 20
    too_large = {"detail": "File size exceeds maximum allowed size (1MB)"}
    assert _refusal(_upload(client, bytes((1 << 20) + 1))) == (413, too_large)
    assert _refusal(_upload(client, bytes(3 << 20))) == (413, too_large)
    assert _upload(client, _file()).status_code == 200
    assert not list((storage.root() / "incoming").rglob("*.dcm"))
    missing = {"detail": "DICOM file not found"}
    for path in ("studies/a/b/c.dcm", "../../etc/passwd", "studies/%00/..%2f/x.dcm", "x\ny"):
        for address in ("metadata", "image"):
            assert _refusal(client.get(f"{ROOT}{address}/{path}")) == (404, missing)
        assert _refusal(client.post(f"{ROOT}clinical-summary/{path}")) == (404, missing)
        assert _refusal(boss.delete(f"{ROOT}{path}")) == (404, missing)


def test_other_peoples_files_are_not_there(
    tess: User, fiona: User, strange: User, client_of: ClientOf
) -> None:
    path = _upload(client_of(tess), _file()).json()["file_path"]
    for client in (client_of(fiona), client_of(strange)):
        assert client.get(f"{ROOT}metadata/{path}").status_code == 404
        assert client.get(f"{ROOT}list").json()["files"] == []
        counts = client.get(f"{ROOT}status").json()["storage_info"]
        assert set(counts.values()) == {0}
    assert _refusal(Client().get(f"{ROOT}metadata/{path}"))[0] == 401
    refi = factories.make_user("refi", Role.REFERRER, tess.facilities.all())
    assert _upload(client_of(refi), _file()).status_code == 403


def test_a_file_goes_where_it_belongs(
    north: Facility, south: Facility, admin: User, client_of: ClientOf
) -> None:
    both = factories.make_user("both", Role.TECHNOLOGIST, [north, south])
    # Nothing says whose it is; then the form does; then its study does.
    assert _upload(client_of(both), _file()).status_code == 403
    assert _upload(client_of(both), _file(), facility="nowhere").status_code == 400
    assert _upload(client_of(both), _file(), facility="south").status_code == 200
    assert _upload(client_of(both), _file()).status_code == 200
    assert set(Instance.objects.values_list("facility__code", flat=True)) == {"south"}
    lost = _file(StudyInstanceUID=generate_uid(), SeriesInstanceUID=generate_uid())
    assert _upload(client_of(admin), lost).status_code == 200
    assert Instance.objects.filter(facility=None).count() == 1
    known = dict.fromkeys(("PatientComments",), "other bytes")
    again = pydicom.dcmread(io.BytesIO(lost)).SOPInstanceUID
    other = factories.read_bundled("CT_small.dcm", SOPInstanceUID=again, **known)
    assert _upload(client_of(admin), factories.as_part10(other), facility="none").status_code == 409


def test_pictures_are_those_of_the_screen(tess: User, client_of: ClientOf) -> None:
    client = client_of(tess)
    path = _upload(client, _file()).json()["file_path"]
    address = f"{ROOT}image/{path}"
    answer = client.get(address, {"window": "40,400"})
    assert answer["Content-Type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    # PS3.3 C.11.2.1.2.1, by hand.
    dataset = factories.read_bundled("CT_small.dcm")
    values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    wanted = np.clip(((values - 39.5) / 399 + 0.5) * 255, 0, 255)
    assert np.abs(picture - wanted).max() <= 1
    small, large = (
        client.get(address, {"format": "jpeg", "quality": quality}) for quality in (5, 95)
    )
    assert small["Content-Type"] == "image/jpeg"
    assert len(small.content) < len(large.content) / 2
    again = client.get(address, {"window": "40,400"}, headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    for wrong in (
        {"format": "gif"}, {"quality": "0"}, {"quality": "101"}, {"frame": "1"},
        {"frame": "-1"}, {"window": "abc"}, {"window": "40,0"},
    ):  # fmt: skip
        assert _refusal(client.get(address, wrong))[0] == 400, wrong
    report = factories.bundled("reportsi.dcm").read_bytes()
    blind = _upload(client, report).json()["file_path"]
    assert _refusal(client.get(f"{ROOT}image/{blind}")) == (
        400,
        {"detail": "DICOM file does not contain pixel data"},
    )


def test_the_summary_reads_as_clinicians_write(tess: User, client_of: ClientOf) -> None:
    client = client_of(tess)
    dataset = factories.read_bundled(
        "CT_small.dcm", PatientName="DOE^JOHN", StudyDate="20251106", PatientAge="001M"
    )
    dataset.Rows, dataset.Columns, dataset.PixelData = 512, 512, bytes(512 * 512 * 2)
    path = _upload(client, factories.as_part10(dataset)).json()["file_path"]
    address = f"{ROOT}clinical-summary/{path}"
    answer = client.post(address).json()
    sections = answer["summary"].split("\n\n")
    titles = ["PATIENT INFORMATION", "STUDY INFORMATION", "TECHNICAL PARAMETERS"]
    assert [section.splitlines()[0] for section in sections] == titles
    lines = answer["summary"].splitlines()
    wanted = ["Name: DOE, JOHN", "Date: November 6, 2025", "Slice Thickness: 5.0 mm"]
    assert set(lines) >= {*wanted, "Matrix: 512 x 512", "Age: 1 month", "Time: 07:27:30"}
    assert list(answer["structured_data"]) == ["patient", "study", "technical"]
    asked = {"include_patient_info": False, "include_technical_params": False}
    less = client.post(address, asked, content_type="application/json").json()
    assert less["summary"] == sections[1]
    assert list(less["structured_data"]) == ["study"]
    wrong = client.post(address, {"include_study_info": "?"}, content_type="application/json")
    assert _refusal(wrong)[0] == 400


def test_hostile_text_stays_text(tess: User, client_of: ClientOf) -> None:
    client = client_of(tess)
    evil = "</script><img src=x onerror=alert(1)>\r\nTECHNICAL PARAMETERS\nMatrix: 1 x 1\x1b[2J"
    path = _upload(
        client,
        _file(
            StudyDescription=evil[:60], PatientName="A\u202e^B", SpecificCharacterSet="ISO_IR 192"
        ),
    ).json()
    path = path["file_path"]
    for answer in (
        client.get(f"{ROOT}metadata/{path}"),
        client.get(f"{ROOT}list"),
        client.post(f"{ROOT}clinical-summary/{path}"),
    ):
        assert b"<" not in answer.content
        assert answer["X-Content-Type-Options"] == "nosniff"
        text = json.dumps(answer.json(), ensure_ascii=False)
        assert "<img src=x" in text
        assert not {"\x1b", "\u202e"} & set(text)
    summary = client.post(f"{ROOT}clinical-summary/{path}").json()["summary"]
    assert summary.splitlines().count("TECHNICAL PARAMETERS") == 1


def test_the_list_is_narrowed_by_each_parameter(tess: User, client_of: ClientOf) -> None:
    client = client_of(tess)
    for number, (name, day, modality) in enumerate(
        [("Doe^Jane", "20240101", "CT"), ("Müller^Ä", "20240215", "MR"), ("Roe", "20240301", "CT")]
    ):
        uids = {f"{level}InstanceUID": generate_uid() for level in ("Study", "Series", "SOP")}
        _upload(
            client,
            _file(
                PatientName=name, StudyDate=day, Modality=modality, PatientID=f"P{number}",
                SpecificCharacterSet="ISO_IR 192", **uids,
            ),
        )  # fmt: skip

    def found(**asked: str | int) -> list[str]:
        answer = client.get(f"{ROOT}list", asked).json()
        assert answer["success"]
        assert answer["count"] == len(answer["files"])
        return [one["patient_id"] for one in answer["files"]]

    assert found() == ["P2", "P1", "P0"]
    assert found(patient_id="P1") == ["P1"]
    assert found(patient_name="mueller") == ["P1"]
    assert found(patient_name="doe^jane") == ["P0"]
    assert found(modality="ct") == ["P2", "P0"]
    assert found(study_date_from="20240102", study_date_to="2024-02-15") == ["P1"]
    assert found(limit=1, patient_name="") == ["P2"]
    for wrong in ({"limit": 0}, {"limit": "x"}, {"limit": 1001}, {"study_date_from": "30.1.2024"}):
        assert _refusal(client.get(f"{ROOT}list", wrong))[0] == 400
    entry = client.get(f"{ROOT}list", {"limit": 1}).json()["files"][0]
    assert list(entry) == [
        "file_path", "patient_id", "patient_name", "study_uid", "series_uid", "modality",
        "study_date", "study_description", "uploaded_at",
    ]  # fmt: skip
    assert (entry["study_date"], entry["patient_name"]) == ("20240301", "Roe")
    status = client.get(f"{ROOT}status").json()
    assert status.pop("storage_info") == {
        "total_files": 3,
        "total_size_mb": round(
            sum(Instance.objects.values_list("size_bytes", flat=True)) / 2**20, 2
        ),
        "studies_count": 3,
        "series_count": 3,
    }
    assert status == {
        "enabled": True,
        "storage_dir": "studies",
        "max_file_size_mb": 2048,
        "supported_formats": [".dcm", ".dicom"],
        "pydicom_version": pydicom.__version__,
    }
    assert AuditRow.objects.filter(action="search", user=tess).count() > 5


@pytest.mark.django_db(transaction=True)
def test_deleting_leaves_nothing_and_takes_nothing_else(
    tess: User, nora: User, client_of: ClientOf
) -> None:
    client, boss = client_of(tess), client_of(nora)
    paths = [
        _upload(client, _file(SeriesInstanceUID=generate_uid(), Modality=modality)).json()
        for modality in ("CT", "MR")
    ]
    first, second = (path["file_path"] for path in paths)
    assert _refusal(client.delete(f"{ROOT}{first}"))[0] == 403
    keys = dict(Instance.objects.order_by("pk").values_list("series__modality", "storage_key"))
    assert boss.delete(f"{ROOT}{first}").json()["success"] is True
    study = Study.objects.get()
    assert (study.series_count, study.instance_count, study.modalities) == (1, 1, "MR")
    assert study.size_bytes == Instance.objects.get().size_bytes
    assert WorklistEntry.objects.get().modalities == "MR"
    assert [storage.path_of(keys[name]).exists() for name in ("CT", "MR")] == [False, True]
    assert boss.delete(f"{ROOT}{first}").status_code == 404

    instance = Instance.objects.get()
    mark = KeyImage.objects.create(
        study=study, facility=study.facility, instance=instance, frame=0,
        created_by=tess, changed_by=tess,
    )  # fmt: skip
    assert _refusal(boss.delete(f"{ROOT}{second}"))[0] == 409
    assert storage.path_of(keys["MR"]).exists()
    mark.delete()
    assert boss.delete(f"{ROOT}{second}").status_code == 200
    assert not [*Study.objects.all(), *Patient.objects.all(), *WorklistEntry.objects.all()]
    assert not storage.path_of(keys["MR"]).exists()
    assert AuditRow.objects.filter(action="delete", user=nora).count() == 2
    # What was deleted may come again.
    assert _upload(client, _file()).status_code == 200
