"""Other systems call the viewer: IHE Invoke Image Display, and links by accession number."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.models import AuditRow, Facility, User
from archive.models import Study
from tests.factories import make_patient, make_series, make_study

IID = "/IHEInvokeImageDisplay"


@pytest.fixture
def rada_here(client_of: Callable[[User], Client], rada: User) -> Client:
    return client_of(rada)


def call(client: Client, **asked: str) -> Any:
    return client.get(IID, asked)


def opened(answer: Any) -> str:
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


def listed(answer: Any, studies: list[Study]) -> list[int]:
    """Return which of the studies the page offers, in its order."""
    assert answer.status_code == 200
    text = answer.content.decode()
    places = {text.find(f"/viewer/{study.pk}/"): at for at, study in enumerate(studies)}
    return [at for place, at in sorted(places.items()) if place >= 0]


def text_of(answer: Any, number: str) -> str:
    """Return a page without what was asked for and without its secrets."""
    text = answer.content.decode().replace(number, "")
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", text)


@pytest.fixture
def series_of_visits(north: Facility) -> list[Study]:
    """Return three studies of one patient, a year apart, the latest last."""
    patient = make_patient(north, patient_id="4711", issuer_of_patient_id="1.2.3")
    studies = []
    for year, modality in ((2021, "CT"), (2022, "MR"), (2023, "CT")):
        study = make_study(
            north,
            patient=patient,
            accession_number=f"A{year}",
            study_date=date(year, 6, 1),
            study_time=time(10, 0),
            modalities=modality,
        )
        make_series(study, modality=modality)
        studies.append(study)
    return studies


def test_one_study_opens_at_once(rada_here: Client, series_of_visits: list[Study]) -> None:
    study = series_of_visits[1]
    page = f"/viewer/{study.pk}/"

    uid = study.study_instance_uid
    assert opened(call(rada_here, requestType="STUDY", studyUID=uid)) == page
    assert opened(call(rada_here, requestType="STUDY", accessionNumber="A2022")) == page
    assert opened(rada_here.get("/viewer/", {"accession": "A2022"})) == page
    row = AuditRow.objects.filter(action="search").order_by("-id")[1]
    assert row.detail["keys"] == {"requestType": "STUDY", "accessionNumber": "A2022"}


def test_of_several_studies_one_chooses(rada_here: Client, series_of_visits: list[Study]) -> None:
    answer = call(rada_here, requestType="STUDY", accessionNumber="A2021,A2023^ISSUER")
    assert listed(answer, series_of_visits) == [2, 0]

    Study.objects.update(accession_number="SAME")
    answer = rada_here.get("/viewer/", {"accession": "SAME"})
    assert listed(answer, series_of_visits) == [2, 1, 0]
    assert "3 studies with accession number SAME." in answer.content.decode()


NARROWED: list[tuple[dict[str, str], list[int]]] = [
    ({}, [2, 1, 0]),
    ({"modalitiesInStudy": "CT,US"}, [2, 0]),
    ({"mostRecentResults": "2"}, [2, 1]),
    ({"lowerDateTime": "2022-06-01T09:00:00Z"}, [2, 1]),
    ({"lowerDateTime": "2021-01-01", "upperDateTime": "2022-06-01T10:00:00"}, [1, 0]),
    ({"patientBirthDate": "19700102"}, [2, 1, 0]),
]


def test_a_patients_studies_are_narrowed(rada_here: Client, series_of_visits: list[Study]) -> None:
    # HL7 CX: number, then in the fourth part the authority as namespace, UID and its kind.
    patient = "4711^^^CLINIC&1.2.3&ISO"
    for asked, wanted in NARROWED:
        answer = call(rada_here, requestType="PATIENT", patientID=patient, **asked)
        assert listed(answer, series_of_visits) == wanted, asked


def test_the_latest_result_opens_at_once(rada_here: Client, series_of_visits: list[Study]) -> None:
    answer = call(rada_here, requestType="PATIENT", patientID="4711", mostRecentResults="1")

    assert opened(answer) == f"/viewer/{series_of_visits[2].pk}/"


def test_who_is_not_there_is_said_in_words(
    rada_here: Client, series_of_visits: list[Study]
) -> None:
    for asked in (
        {"patientID": "4712"},
        {"patientID": "4711^^^&9.9.9&ISO"},
        {"patientID": "4711", "patientBirthDate": "1980-01-02"},
        {"patientID": "4711", "upperDateTime": "2020-12-31"},
    ):
        answer = call(rada_here, requestType="PATIENT", **asked)
        assert answer.status_code == 404, asked
        assert "No such study" in answer.content.decode()


def test_a_foreign_study_reads_as_none(
    client_of: Callable[[User], Client], fiona: User, series_of_visits: list[Study]
) -> None:
    client = client_of(fiona)
    foreign = client.get("/viewer/", {"accession": "A2021"})
    missing = client.get("/viewer/", {"accession": "A9999"})

    assert foreign.status_code == missing.status_code == 404
    assert "accession number A9999" in missing.content.decode()
    assert text_of(foreign, "A2021") == text_of(missing, "A9999")


NOT_UNDERSTOOD: list[dict[str, str]] = [
    {},
    {"requestType": "SERIES"},
    {"requestType": "STUDY"},
    {"requestType": "STUDY", "studyUID": "1.2' OR 1=1"},
    {"requestType": "PATIENT", "patientID": "^^^A"},
    {"requestType": "PATIENT", "patientID": "1", "lowerDateTime": "2024-13-45"},
    {"requestType": "PATIENT", "patientID": "1", "upperDateTime": "yesterday"},
    {"requestType": "PATIENT", "patientID": "1", "mostRecentResults": "-1"},
]


def test_a_call_that_names_nothing_is_refused_in_words(rada_here: Client) -> None:
    for asked in NOT_UNDERSTOOD:
        answer = call(rada_here, **asked)
        assert answer.status_code == 400, asked
        assert "This link cannot be followed" in answer.content.decode()


def test_logging_in_keeps_the_way(series_of_visits: list[Study]) -> None:
    asked = {"requestType": "STUDY", "accessionNumber": "A2022"}
    answer = Client().get(IID, asked)

    way = urlencode({"next": f"{IID}?{urlencode(asked)}"})
    assert opened(answer).split("?", 1) == ["/accounts/login/", way.replace("%2FIHE", "/IHE")]
