"""Questions to the index: every case of the table, and what each answer holds."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import connection
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pytest_django import DjangoAssertNumQueries

from accounts.models import Facility, User
from archive.query.attributes import Level
from archive.query.hierarchy import Root, check_keys_above, read_level
from archive.query.scope import Scope
from archive.query.search import Search
from archive.query.stopping import StoppedError
from imaging.datasets import add_element
from imaging.errors import QueryError
from imaging.match_values import name_key as name_matcher
from imaging.search import name_key
from tests import factories, queries
from tests.queries import CASES, ROOT, UNIQUE, Case


def _identifier(*keys: str) -> Dataset:
    """Return the data set that `Keyword=value` and `Sequence[0].Keyword=value` describe."""
    dataset = Dataset()
    for key in keys:
        path, _, value = key.partition("=")
        *sequences, keyword = path.split(".")
        at = dataset
        for name in sequences:
            sequence = name.removesuffix("[0]")
            if sequence not in at:
                setattr(at, sequence, [Dataset()])
            at = at[sequence].value[0]
        tag = tag_for_keyword(keyword)
        assert tag is not None
        add_element(at, tag, dictionary_VR(tag), value.split("\\") if value else [])
    return dataset


def _ask(scope: Scope, level: str, *keys: str) -> list[Dataset]:
    return list(Search(scope, Level[level], _identifier(*keys)).answers())


def _found(scope: Scope, case: Case) -> set[str]:
    unique = UNIQUE[case.level]
    asked = {key.partition("=")[0] for key in case.keys}
    keys = case.keys if unique in asked else (*case.keys, f"{unique}=")
    return {
        str(answer[unique].value).removeprefix(ROOT) for answer in _ask(scope, case.level, *keys)
    }


@pytest.fixture
def scope(north: Facility, south: Facility) -> Scope:
    queries.fill_archive(north, south)
    return Scope.of_facility(north.pk)


@pytest.mark.django_db(transaction=True)
def test_every_question_has_the_answers_that_were_written_by_hand(
    north: Facility, south: Facility, rada: User, admin: User
) -> None:
    queries.fill_archive(north, south)
    scope = Scope.of_facility(north.pk)

    wrong = {
        case.title: (sorted(found), sorted(case.answers))
        for case in CASES
        if (found := _found(scope, case)) != case.answers
    }
    assert wrong == {}

    # A person sees what their facilities have, an administrator all.
    everything = Case("study", "STUDY", (), frozenset())
    assert _found(Scope.of_user(rada), everything) == {"1", "2", "3", "4", "5"}
    assert _found(Scope.of_user(admin), everything) == {"1", "2", "3", "4", "5", "6"}
    assert _found(Scope.of_facility(None), everything) == set()

    _check_counts(scope)
    _check_pages(scope)
    _check_unsupported(scope)


def _check_counts(scope: Scope) -> None:
    """Counts and collections are of the asker's rows alone: south has the same patient."""
    (patient,) = _ask(
        scope,
        "PATIENT",
        "PatientID=P1",
        "PatientName=",
        "NumberOfPatientRelatedStudies=",
        "NumberOfPatientRelatedSeries=",
        "NumberOfPatientRelatedInstances=",
    )
    assert patient.PatientName == "Doe^Jane"
    assert [
        str(patient[f"NumberOfPatientRelated{what}"].value)
        for what in ("Studies", "Series", "Instances")
    ] == ["2", "4", "5"]
    (study,) = _ask(
        scope, "STUDY", "StudyInstanceUID=1.2.3.1", "ModalitiesInStudy=", "SOPClassesInStudy=",
        "StudyTime=", "StudyDate=", "NumberOfStudyRelatedInstances=", "PhysiciansOfRecord=",
    )  # fmt: skip
    assert study.ModalitiesInStudy == ["CT", "SR"]
    assert study.SOPClassesInStudy == [queries.CT, queries.SR]
    assert (study.StudyDate, study.StudyTime) == ("20240305", "091500")
    assert study.NumberOfStudyRelatedInstances == 3
    assert study.PhysiciansOfRecord == ""


def _check_pages(scope: Scope) -> None:
    search = Search(scope, Level.STUDY, _identifier("StudyInstanceUID="))
    whole = [answer.StudyInstanceUID for answer in search.answers()]
    assert whole == [f"{ROOT}{number}" for number in (5, 4, 3, 2, 1)]
    for keys in (("StudyInstanceUID=",), ("StudyInstanceUID=", "StudyDescription=*")):
        search = Search(scope, Level.STUDY, _identifier(*keys))
        pages = [
            answer.StudyInstanceUID
            for offset in range(0, 6, 2)
            for answer in search.answers(offset=offset, limit=2)
        ]
        assert pages == whole
        assert list(search.answers(offset=10**18, limit=1)) == []


def _check_unsupported(scope: Scope) -> None:
    search = Search(scope, Level.STUDY, _identifier("Modality=XX", "StudyID=7", "SliceThickness="))
    assert search.unsupported == {0x00080060, 0x00180050}
    assert len(list(search.answers())) == 1


@pytest.mark.django_db(transaction=True)
def test_query_that_nobody_wants_any_more_stops_in_the_database(scope: Scope) -> None:
    looks = 0

    def stop_later() -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    search = Search(scope, Level.STUDY, _identifier("PatientName=D*"), should_stop=stop_later)

    with pytest.raises(StoppedError):
        [list(search.answers()) for _ in range(10)]


NAMES = [
    "Doe^Jane", "DOE^JANE^=", "O`Neil^Ann", "van der Berg^Jan", "  Doe  ^ J", "^Doe", "Doe-Roe",
    "Müller^Jörg", "Mueller^Joerg", "Yamada^Tarou=山田^太郎", "Hong^Gildong=洪^吉洞=Doe^Gildong",
    "Ångström^A", "A=Doe", "Doe.Jane", "ßen^Doe", "",
]  # fmt: skip
ASKED = [
    "doe*", "DOE^J*", "Doe", "*doe", "?oe*", "mueller*", "müll*", "MUL*", "van*", "van der*",
    "berg*", "o'n*", "yamada^t*", "山*", "hong*", "aa*", "angs*", "ssen*", "^doe", "doe j*", "d*e",
]  # fmt: skip


@pytest.mark.django_db
def test_name_is_found_by_its_beginning_whenever_the_matcher_takes_it(north: Facility) -> None:
    for number, name in enumerate(NAMES):
        patient = factories.make_patient(
            north, patient_name=name, search_key=name_key(name), patient_id=f"N{number}"
        )
        factories.make_study(north, patient=patient, entry=False)
    scope = Scope.of_facility(north.pk)

    for level, asked in product(("STUDY", "PATIENT"), ASKED):
        unique = "StudyInstanceUID=" if level == "STUDY" else "PatientID="
        found = _ask(scope, level, unique, f"PatientName={asked}")
        key = name_matcher(asked)
        assert sorted(str(answer.PatientName) for answer in found) == sorted(
            name for name in NAMES if key.matches([name] if name else [])
        ), (level, asked)


@pytest.mark.django_db
def test_few_studies_are_read_whole_with_one_statement_and_their_index(
    north: Facility, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        factories.make_study(north, entry=False)
    scope = Scope.of_facility(north.pk)

    with django_assert_num_queries(1) as asked:
        assert len(_ask(scope, "STUDY", "StudyInstanceUID=", "PatientID=", "PatientName=D*")) == 30

    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {asked.captured_queries[0]['sql']}")
            plan = " ".join(row[3] for row in cursor.fetchall())
        assert "archive_study_by_name (facility_id=? AND search_key>? AND search_key<?)" in plan
        assert "archive_study_by_form" in plan


@pytest.mark.parametrize(
    ("root", "keys", "words"),
    [
        (Root.STUDY, [], "Level is missing"),
        (Root.STUDY, ["QueryRetrieveLevel=PATIENT"], "none of this model"),
        (Root.STUDY, ["QueryRetrieveLevel=FRAME"], "none of this model"),
        (Root.STUDY, ["QueryRetrieveLevel=SERIES"], "Study Instance UID is missing"),
        (Root.PATIENT, ["QueryRetrieveLevel=STUDY"], "Patient ID is missing"),
        (Root.PATIENT, ["QueryRetrieveLevel=STUDY", "PatientID=P*"], "must be one value"),
        (
            Root.STUDY,
            ["QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2\\1.3"],
            "must be one value",
        ),
        (
            Root.STUDY,
            ["QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2"],
            "Series Instance UID is missing",
        ),
    ],
)
def test_identifier_that_the_model_does_not_allow_is_refused(
    root: Root, keys: list[str], words: str
) -> None:
    identifier = _identifier(*keys)
    with pytest.raises(QueryError, match=words):
        check_keys_above(root, read_level(root, identifier), identifier)
