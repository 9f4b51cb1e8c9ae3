"""STOW-RS: what is stored, what is told of each object, and every status (PS3.18 10.5, I.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditRow, Facility, Role, User
from archive import storage
from archive.models import Discrepancy, Instance, Study
from tests.factories import make_user
from tests.unit.dicomweb.bodies import STUDY, body, file, module, part, store

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def _url(number: int) -> str:
    return (
        f"http://testserver/dicomweb/studies/{STUDY}/series/{STUDY}.1/instances/{STUDY}.1.{number}"
    )


def _left_overs(home: Path) -> list[Path]:
    return list((home / "media" / "incoming").glob("*/*"))


def test_what_is_sent_is_stored_byte_for_byte_and_named_in_the_answer(
    north: Facility, tess: User, client: Client, home: Path
) -> None:
    client.force_login(tess)
    files = {number: file(number) for number in (1, 2, 3)}

    response = store(client, body(*(part(one) for one in files.values())))

    assert (response.status_code, response["Content-Type"]) == (200, "application/dicom+json")
    assert response.json()["00081190"] == {
        "vr": "UR",
        "Value": [f"http://testserver/dicomweb/studies/{STUDY}"],
    }
    assert module(response) == {
        "failed": [],
        "others": [],
        "stored": [
            {"class": CAPTURE, "uid": f"{STUDY}.1.{number}", "url": _url(number)}
            for number in files
        ],
    }
    for number, content in files.items():
        row = Instance.objects.get(sop_instance_uid=f"{STUDY}.1.{number}")
        assert (row.facility, row.door, row.sender) == (north, "stow", tess.username)
        assert storage.path_of(row.storage_key).read_bytes() == content
    trail = AuditRow.objects.filter(action="store")
    assert {row.user for row in trail} == {tess}
    # A second time it is success, and nothing changes.
    again = store(client, body(part(files[1])), accept="application/dicom+xml")
    assert (again.status_code, again["Content-Type"]) == (200, "application/dicom+xml")
    address = f"{NATIVE}DicomAttribute[@keyword='RetrieveURL']/{NATIVE}Value"
    assert ET.fromstring(again.content).findtext(address, "").endswith(f"/studies/{STUDY}")
    assert Instance.objects.count() == 3
    assert _left_overs(home) == []


def test_what_fails_undoes_nothing_of_the_others(
    north: Facility, tess: User, client: Client, home: Path
) -> None:
    client.force_login(tess)
    other = file(9, study="1.2.826.0.1.6")
    content = body(part(file(1)), part(other), part(b"no DICOM at all" * 9), part(file(2)))

    response = store(client, content, path=f"studies/{STUDY}")

    assert response.status_code == 202
    said = module(response)
    assert [one["uid"] for one in said["stored"]] == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    mismatch = {"class": CAPTURE, "uid": "1.2.826.0.1.6.1.9", "reason": 0xA900}
    assert (said["failed"], said["others"]) == ([mismatch], [{"reason": 0xC000}])
    assert AuditRow.objects.get(outcome="failure").detail == {
        "door": "stow",
        "refused": {"A900": 1, "C000": 1},
    }
    assert Study.objects.get().study_instance_uid == STUDY
    assert _left_overs(home) == []

    # None at all: a conflict, and every one is told.
    response = store(client, body(part(other), part(b"x")), path=f"studies/{STUDY}")
    assert response.status_code == 409
    assert [len(module(response)[name]) for name in ("failed", "others", "stored")] == [1, 1, 0]
    missing = store(client, body(part(file(4, SeriesInstanceUID=""))))
    named = {"class": CAPTURE, "uid": f"{STUDY}.1.4", "reason": 0xC000}
    assert (missing.status_code, module(missing)["failed"]) == (409, [named])


def test_other_bytes_under_a_known_uid_are_kept_for_review(
    north: Facility, tess: User, client: Client
) -> None:
    client.force_login(tess)
    store(client, body(part(file(1))))

    response = store(client, body(part(file(1, StudyDescription="another"))))

    assert response.status_code == 202
    (item,) = module(response)["stored"]
    assert item == {"class": CAPTURE, "uid": f"{STUDY}.1.1", "url": "", "warning": 0xB000}
    assert response.json()["00081190"] == {"vr": "UR"}
    assert Discrepancy.objects.get().sender == tess.username
    assert Instance.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "also", "status"),
    [
        (b"\r\n", {}, 400),
        (body(), {}, 400),
        (b"garbage", {}, 400),
        (part(file(1)), {}, 400),
        (part(file(1))[:-40], {}, 400),
        (b"x" * 200_000, {}, 400),
        (body(part(b"{}", "application/dicom+json")), {"kind": "application/dicom+json"}, 409),
        (body(part(b"[1]", "application/dicom+json")), {"kind": "application/dicom+json"}, 400),
        (file(1), {"content_type": "multipart/related; type=application/dicom"}, 400),
        (file(1), {"content_type": "multipart/related; boundary=" + "x" * 201}, 400),
        (b"--a1b2\r\n" + b"X: y\r\n" * 9999 + body(), {}, 413),
        (file(1), {"content_type": "application/octet-stream"}, 415),
        (file(1), {"content_type": "image/jpeg"}, 415),
        (body(part(file(1))), {"kind": "image/jpeg"}, 415),
        (body(part(file(1))), {"accept": "image/png"}, 406),
        (body(part(file(1))), {"facility": "south"}, 400),
        (body(part(b"%PDF", "application/pdf")), {}, 409),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_status(
    content: bytes,
    also: dict[str, Any],
    status: int,
    north: Facility,
    south: Facility,
    tess: User,
    client: Client,
    home: Path,
) -> None:
    client.force_login(tess)

    assert store(client, content, **also).status_code == status
    assert (Instance.objects.count(), _left_overs(home)) == (0, [])


def test_one_object_may_be_the_whole_body_and_a_cut_one_is_told(
    north: Facility, tess: User, client: Client
) -> None:
    client.force_login(tess)
    whole = store(client, file(1), content_type="application/dicom")
    assert (whole.status_code, len(module(whole)["stored"])) == (200, 1)
    # Orthanc's boundaries are longer than RFC 2046 has them.
    long = "5577882f-3de2-4107-b586-c2605b5def2a" * 2
    content = body(part(file(1))).replace(b"a1b2", long.encode())
    kind = f'multipart/related; type="application/dicom"; boundary={long}'
    assert store(client, content, content_type=kind).status_code == 200

    cut = store(client, part(file(2)) + part(file(3))[:-60])

    assert cut.status_code == 202
    assert [one["uid"] for one in module(cut)["stored"]] == [f"{STUDY}.1.2"]
    assert module(cut)["others"] == [{"reason": 0xC000}]


def test_a_page_stores_with_its_session_and_token_and_not_without(
    north: Facility, tess: User
) -> None:
    page = Client(enforce_csrf_checks=True)
    page.force_login(tess)
    page.get("/worklist/upload/")
    token = page.cookies[settings.CSRF_COOKIE_NAME].value

    assert store(page, body(part(file(1)))).status_code == 403
    page.defaults["HTTP_X_CSRFTOKEN"] = token
    assert store(page, body(part(file(1)))).status_code == 200
    kind = "application/dicom+json"
    wish = "/dicomweb/commitment-requests/1.2"
    assert page.post(wish, "{}", content_type=kind).status_code == 400


def test_a_disk_that_is_full_says_so_and_may_be_asked_again(
    north: Facility, tess: User, client: Client, settings: Settings
) -> None:
    client.force_login(tess)
    settings.NOCTIS_DISK_RESERVE_MB = 1 << 40

    response = store(client, body(part(file(1))))

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert [one["reason"] for one in module(response)["failed"]] == [0xA700]


def test_who_may_store_and_where_it_goes(
    north: Facility, south: Facility, tess: User, fiona: User, admin: User, client: Client
) -> None:
    client.force_login(make_user("ref", Role.REFERRER, [north]))
    assert store(client, body(part(file(1)))).status_code == 403
    client.force_login(tess)
    store(client, body(part(file(1))))
    # The same UIDs in another facility are another study.
    client.force_login(fiona)
    assert store(client, body(part(file(1)))).status_code == 200
    assert {row.facility for row in Study.objects.all()} == {north, south}

    # Who belongs to several names one, or adds to a study that is in one of them alone.
    tess.facilities.add(south)
    client.force_login(User.objects.get(pk=tess.pk))
    store(client, body(part(file(1, study="1.2.7"))), facility="north")
    response = store(client, body(part(file(2, study="1.2.7")), part(file(1, study="1.2.8"))))
    assert response.status_code == 202
    assert [one["uid"] for one in module(response)["stored"]] == ["1.2.7.1.2"]
    assert [one["reason"] for one in module(response)["failed"]] == [0x0124]
    assert "?facility=CODE" in response["Warning"]
    assert {row.facility for row in Study.objects.filter(study_instance_uid="1.2.7")} == {north}

    client.force_login(admin)
    assert store(client, body(part(file(1, study="1.2.9"))), facility="south").status_code == 200
