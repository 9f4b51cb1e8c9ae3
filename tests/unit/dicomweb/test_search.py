"""QIDO-RS: the answers of the table that C-FIND has, and what only HTTP knows (PS3.18 10.6)."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.test import Client

from accounts.models import AuditRow, Facility, User
from tests import queries
from tests.queries import CASES, ROOT, UNIQUE, YAMADA, Case

RESOURCES = {"STUDY": "studies", "SERIES": "series", "IMAGE": "instances"}
UID_TAGS = {"STUDY": "0020000D", "SERIES": "0020000E", "IMAGE": "00080018"}
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def _get(client: Client, path: str, *, accept: str = "", **parameters: str) -> Any:
    headers = {"accept": accept} if accept else {}
    return client.get(f"/dicomweb/{path}", parameters, headers=headers)


def _uids(client: Client, level: str, path: str, **parameters: str) -> list[str]:
    response = _get(client, path, **parameters)
    assert response.status_code == 200, response.content
    tag = UID_TAGS[level]
    return [answer[tag]["Value"][0].removeprefix(ROOT) for answer in response.json()]


def _found(client: Client, case: Case) -> list[str]:
    parameters = {}
    for key in case.keys:
        path, _, value = key.partition("=")
        parameters[path.replace("[0]", "")] = value
    return _uids(client, case.level, RESOURCES[case.level], **parameters)


@pytest.mark.django_db(transaction=True)
def test_searches_answer_as_queries_do_and_in_the_form_of_the_web(
    north: Facility, south: Facility, rada: User, client: Client
) -> None:
    queries.fill_archive(north, south)
    client.force_login(rada)
    wrong = {
        case.title: (found, sorted(case.answers))
        for case in CASES
        if case.level in UNIQUE and case.level != "PATIENT"
        for found in [sorted(_found(client, case))]
        if found != sorted(case.answers)
    }
    assert wrong == {}

    _check_forms(client)
    _check_resources(client)
    _check_parameters(client)
    _check_paging(client)
    _check_refusals(client)
    row = AuditRow.objects.filter(action="search").latest("id")
    assert (row.actor, row.detail["by"]) == (rada.username, "QIDO-RS")


def _check_forms(client: Client) -> None:
    """PS3.18 F.2 and PS3.19 A.1."""
    (study,) = _get(client, "studies", PatientID="P3").json()
    names = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert study["00100010"] == {"vr": "PN", "Value": [names]}
    assert study["00080020"] == {"vr": "DA", "Value": ["20231224"]}
    assert study["00080050"] == {"vr": "SH"}
    assert study["00080061"] == {"vr": "CS", "Value": ["US"]}
    assert study["00201206"] == {"vr": "IS", "Value": [1]}
    assert study["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert study["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    address = f"http://testserver/dicomweb/studies/{ROOT}3"
    assert study["00081190"] == {"vr": "UR", "Value": [address]}

    response = _get(
        client, "studies", accept='multipart/related; type="application/dicom+xml"', PatientID="P3"
    )
    kind, _, boundary = response["Content-Type"].partition("; boundary=")
    assert kind == 'multipart/related; type="application/dicom+xml"'
    head, _, body = response.content.partition(b"\r\n\r\n")
    assert head.startswith(b"--" + boundary.strip('"').encode())
    root = ET.fromstring(body[: body.rindex(b"\r\n--")])
    name = root.find(f"{NATIVE}DicomAttribute[@keyword='PatientName']/{NATIVE}PersonName")
    assert name is not None
    assert [name.findtext(f"{NATIVE}{group}/{NATIVE}FamilyName") for group in names] == [
        part.split("^")[0] for part in YAMADA.split("=")
    ]


def _check_resources(client: Client) -> None:
    assert _uids(client, "SERIES", "studies/1.2.3.1/series") == ["1.2", "1.1"]
    assert len(_uids(client, "IMAGE", "studies/1.2.3.1/instances")) == 3
    assert _uids(client, "IMAGE", "studies/1.2.3.1/series/1.2.3.1.2/instances") == ["1.2.1"]
    assert len(_uids(client, "SERIES", "series", Modality="CT")) == 2
    assert len(_uids(client, "IMAGE", "instances", PatientID="P1")) == 5

    # A study answer has nothing of series; a series answer repeats nothing of its path.
    (study,) = _get(client, "studies", StudyInstanceUID="1.2.3.1").json()
    assert "00080060" not in study
    series = _get(client, "studies/1.2.3.1/series", Modality="CT").json()[0]
    assert "00100010" not in series
    assert series["00200011"] == {"vr": "IS", "Value": [1]}
    step = {"00400009": {"vr": "SH", "Value": ["SPS1"]}, "00401001": {"vr": "SH", "Value": ["RP1"]}}
    assert series["00400275"] == {"vr": "SQ", "Value": [step]}
    assert series["00400244"] == {"vr": "DA", "Value": ["20240305"]}
    assert series["00081190"]["Value"][0].endswith("/studies/1.2.3.1/series/1.2.3.1.1")
    series = _get(client, "series", SeriesInstanceUID="1.2.3.1.1").json()[0]
    assert series["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]

    for path in ("studies/1.2.3.6/series", "studies/1.2.3.99/series"):
        response = _get(client, path)
        assert (response.status_code, response.json()) == (404, _get(client, path).json())
    assert _get(client, "studies/1.2.3.2/series/1.2.3.1.1/instances").status_code == 404


def _check_parameters(client: Client) -> None:
    assert _uids(client, "STUDY", "studies", **{"00100020": "P2"}) == ["2"]
    nested = {"00400275.00400009": "SPS2"}
    assert _uids(client, "SERIES", "series", StudyInstanceUID="1.2.3.2", **nested) == ["2.1"]
    assert _uids(client, "STUDY", "studies", StudyInstanceUID="1.2.3.1,1.2.3.2") == ["2", "1"]
    assert _uids(client, "STUDY", "studies", StudyID="7,8", multiplevaluematching="true") == [
        "2", "1",
    ]  # fmt: skip
    assert _uids(client, "STUDY", "studies", StudyID="7,8") == []
    assert _uids(client, "STUDY", "studies", PatientName="jane do", fuzzymatching="true") == [
        "4", "1",
    ]  # fmt: skip
    assert _uids(client, "STUDY", "studies", PatientName="jane do") == []
    assert _uids(
        client, "STUDY", "studies", AccessionNumber='""', emptyvaluematching="true"
    ) == ["5", "3"]  # fmt: skip

    plain, more, everything = (
        _get(client, "studies", StudyInstanceUID="1.2.3.1", **also).json()[0]
        for also in ({}, {"includefield": "StudyDescription,00080062"}, {"includefield": "all"})
    )
    assert "00081030" not in plain
    assert more["00081030"]["Value"] == everything["00081030"]["Value"] == ["CT Thorax"]
    assert more["00080062"]["Value"] == [queries.CT, queries.SR]


def _check_paging(client: Client) -> None:
    response = _get(client, "studies", limit="2", PatientName="*")
    assert response["Warning"].startswith("299 http://testserver/dicomweb: ")
    seen = [answer["0020000D"]["Value"][0] for answer in response.json()]
    while "Link" in response:
        address = response["Link"].removeprefix("<").split(">")[0]
        response = client.get(address)
        seen += [answer["0020000D"]["Value"][0] for answer in response.json()]
    assert seen == [f"{ROOT}{number}" for number in (5, 4, 3, 2, 1)]
    assert "Warning" not in response
    assert _get(client, "studies", limit="0").json() == []
    assert _get(client, "studies", offset="1000000000000000000").json() == []


def _check_refusals(client: Client) -> None:
    for parameters in (
        {"NoSuchKeyword": "1"},
        {"patient__patient_id": "P1"},
        {"00091001": "1"},
        {"PatientID.StudyID": "1"},
        {"StudyDate": "yesterday"},
        {"SliceThickness": "1"},
        {"limit": "-1"},
        {"offset": "1e18"},
        {"fuzzymatching": "maybe"},
        {"includefield": "NoSuchKeyword"},
        {"PatientName": "*a" * 5000},
        {"RequestAttributesSequence": "1"},
    ):
        response = _get(client, "studies", **parameters)
        assert response.status_code == 400, parameters
    for accept in ("image/jpeg", "text/html", "application/dicom+json;q=0"):
        assert _get(client, "studies", accept=accept).status_code == 406
    assert _get(client, "studies", accept="image/jpeg, */*;q=0.1").status_code == 200
    assert client.get("/dicomweb/studies?accept=image/jpeg").status_code == 406
    empty = _get(
        client, "studies", accept="multipart/related; type=application/dicom+xml", PatientID="none"
    )
    assert empty.status_code == 204


def test_nobody_searches_without_logging_in(db: None, client: Client) -> None:
    assert _get(client, "studies").status_code == 401
