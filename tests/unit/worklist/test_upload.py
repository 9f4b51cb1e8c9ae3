"""The upload door: who may, where to, a verdict for each file, and nothing left behind."""

import io
import json
import os
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pydicom import dcmread
from pydicom.uid import generate_uid

from accounts.models import AuditRow, Role
from archive import storage
from archive.models import Instance, Study
from imaging.errors import StorageUnavailableError
from tests import factories

DOOR = "/worklist/upload/files/"
LINES = {"Accept": "application/x-ndjson"}
pytestmark = pytest.mark.django_db


def dicom(**changes):
    changes.setdefault("SOPInstanceUID", generate_uid())
    return factories.as_part10(factories.read_bundled("CT_small.dcm", **changes))


def a_file(name, content):
    return SimpleUploadedFile(name, content)


def a_zip(entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def send(client, *files, **fields):
    response = client.post(DOOR, {"files": list(files), **fields}, headers=LINES)
    if response.status_code != 200:
        return response.status_code, json.loads(response.content)
    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
    assert lines[-1] == {"done": True}
    return 200, lines[:-1]


def test_every_file_gets_its_own_verdict(north, tess, client_of):
    good = dicom()
    changed = dicom(SOPInstanceUID=dcmread(io.BytesIO(good)).SOPInstanceUID, PatientComments="x")
    code, lines = send(
        client_of(tess),
        a_file("one.dcm", good),
        a_file("again.dcm", good),
        a_file("other.dcm", changed),
        a_file(".DS_Store", b"\0\0\0\1Bud1" + bytes(200)),
        a_file("broken.dcm", good[:900]),
    )

    assert code == 200
    assert [(line["file"], line["status"]) for line in lines] == [
        (0, "stored"),
        (1, "duplicate"),
        (2, "conflict"),
        (3, "skipped"),
        (4, "refused"),
    ]
    assert all(line["reason"] for line in lines[2:])
    instance = Instance.objects.get()
    assert (instance.facility, instance.door, instance.sender) == (north, "upload", "tess")


def test_a_zip_is_opened_and_told_file_by_file(north, tess, client_of):
    content = a_zip(
        {"a/1.dcm": dicom(), "a/2.dcm": dicom(), "readme.txt": b"hello", "../x.dcm": dicom()}
    )

    _, lines = send(client_of(tess), a_file("disc.zip", content))

    assert [(line["name"], line["status"]) for line in lines] == [
        ("disc.zip/a/1.dcm", "stored"),
        ("disc.zip/a/2.dcm", "stored"),
        ("disc.zip/readme.txt", "skipped"),
        ("disc.zip/../x.dcm", "skipped"),
    ]


def test_paths_in_a_folder_are_told_as_text(north, tess, client_of):
    name = "<img src=x onerror=alert(1)>\n../..\u202etxt.dcm"

    _, lines = send(client_of(tess), a_file("x.dcm", dicom()), names=[f"disc/{name}"])

    assert lines[0]["name"].startswith("disc/<img src=x onerror=alert(1)>")
    assert "\n" not in lines[0]["name"]
    assert "\u202e" not in lines[0]["name"]


@pytest.mark.parametrize("role", [Role.TECHNOLOGIST, Role.RADIOLOGIST, Role.FACILITY_ADMIN])
def test_staff_of_a_facility_may_upload_into_it(north, client_of, role):
    user = factories.make_user("someone", role, [north])

    assert send(client_of(user), a_file("x.dcm", dicom()))[1][0]["status"] == "stored"


def test_a_referrer_may_not_and_reads_why(north, client_of):
    client = client_of(factories.make_user("refi", Role.REFERRER, [north]))

    page, door = client.get("/worklist/upload/"), client.post(DOOR, {"files": a_file("x", dicom())})

    assert (page.status_code, door.status_code) == (403, 403)
    assert "This page is not for your account" in page.content.decode()
    assert not Instance.objects.exists()


def test_nobody_may_not(client, db):
    response = client.post(DOOR, {"files": a_file("x", dicom())})

    assert response.status_code == 302
    assert not Instance.objects.exists()


def test_without_the_forms_secret_nothing_is_taken(north, tess):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(tess)

    assert client.post(DOOR, {"files": a_file("x", dicom())}).status_code == 403
    assert not Instance.objects.exists()


def test_into_a_foreign_facility_or_the_quarantine_staff_cannot_send(north, south, tess, client_of):
    client = client_of(tess)
    for code in ("south", "none", "nowhere"):
        status, answer = send(client, a_file("x.dcm", dicom()), facility=code)
        assert status == 400
        assert "facility" in answer["detail"]
    assert not Instance.objects.exists()


def test_who_works_in_two_facilities_must_choose(north, south, client_of):
    client = client_of(factories.make_user("both", Role.TECHNOLOGIST, [north, south]))

    assert send(client, a_file("x.dcm", dicom()))[0] == 400
    assert send(client, a_file("x.dcm", dicom()), facility="south")[0] == 200
    assert Study.objects.get().facility == south


def test_an_administrator_may_send_into_the_quarantine_but_must_say_so(north, admin, client_of):
    client = client_of(admin)

    assert send(client, a_file("x.dcm", dicom()))[0] == 400
    assert send(client, a_file("x.dcm", dicom()), facility="none")[0] == 200
    assert Study.objects.get().facility is None


def test_no_file_is_told(north, tess, client_of):
    response = client_of(tess).post(DOOR, {"facility": "north"}, headers=LINES)

    assert (response.status_code, response.json()["detail"]) == (400, "No file was chosen.")


def test_a_broken_form_is_told(north, tess, client_of):
    response = client_of(tess).generic(
        "POST", DOOR, b"--x\r\nnonsense", content_type="multipart/form-data", headers=LINES
    )

    assert response.status_code in (400, 403)


def test_without_javascript_a_page_tells_the_result(north, tess, client_of):
    response = client_of(tess).post(
        DOOR, {"files": [a_file("<b>one</b>.dcm", dicom()), a_file("note.txt", b"hello")]}
    )
    text = response.content.decode()

    assert response.status_code == 200
    assert "Stored" in text
    assert "Skipped" in text
    assert "<b>one</b>" not in text


def test_an_upload_leaves_one_row_in_the_trail(north, tess, client_of):
    send(client_of(tess), a_file("a.dcm", dicom()), a_file("b.txt", b"hello"))

    row = AuditRow.objects.get(action="upload")
    assert (row.user, row.facility, row.address, row.outcome) == (
        tess,
        north,
        "127.0.0.1",
        "success",
    )
    assert row.detail == {"files": 2, "stored": 1, "skipped": 1}


def test_a_full_disk_is_told_and_nothing_is_left(north, tess, client_of, monkeypatch):
    def refuse():
        raise StorageUnavailableError("The disk is nearly full; nothing more is stored.")

    monkeypatch.setattr(storage, "check_reserve", refuse)
    status, answer = send(client_of(tess), a_file("a.dcm", dicom()))

    assert (status, answer["detail"]) == (507, "The disk is nearly full; nothing more is stored.")
    assert not Instance.objects.exists()


def test_nothing_of_an_upload_stays_in_the_incoming_room(north, tess, client_of, home):
    send(
        client_of(tess), a_file("a.zip", a_zip({"1.dcm": dicom(), "2": b"no"})), a_file("b", b"no")
    )

    incoming = [path for folder, _, files in os.walk(home / "media" / "incoming") for path in files]
    assert incoming == []


def test_closing_the_answer_early_ends_the_work_and_leaves_the_trail(north, tess, client_of):
    content = a_zip({f"{number}.dcm": dicom() for number in range(3)})
    response = client_of(tess).post(DOOR, {"files": a_file("a.zip", content)}, headers=LINES)
    next(iter(response.streaming_content))
    response._iterator.close()

    assert AuditRow.objects.get(action="upload").detail["stored"] == 1


def test_the_page_names_the_one_facility_or_offers_the_choice(north, south, tess, admin, client_of):
    assert "Hospital North" in client_of(tess).get("/worklist/upload/").content.decode()
    text = client_of(admin).get("/worklist/upload/").content.decode()
    assert "Hospital South" in text
    assert "quarantine" in text


def test_who_belongs_nowhere_reads_why_there_is_no_form(db, client_of):
    client = client_of(factories.make_user("lost", Role.TECHNOLOGIST))

    text = client.get("/worklist/upload/").content.decode()

    assert "Your account belongs to no facility" in text
    assert '<input type="file"' not in text
