"""The list page: what is shown, to whom, and how filters narrow it."""

import re
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditRow, Role
from tests import factories
from worklist.models import WorklistEntry

pytestmark = pytest.mark.django_db
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "{{7*7}}",
    "</script><script>alert(1)</script>",
    "{% csrf_token %}",
]


def ids_on(response):
    return set(re.findall(r'class="pid">([^<]*)<', response.content.decode()))


def patient_study(facility, patient_id, name="Doe^Jane", **also):
    from imaging.search import name_key

    patient = factories.make_patient(
        facility, patient_id=patient_id, patient_name=name, search_key=name_key(name)
    )
    return factories.make_study(facility, patient=patient, **also)


@pytest.fixture
def hall(north, south):
    """One study each in north, south and quarantine."""
    patient_study(north, "N1")
    patient_study(south, "S1")
    patient_study(None, "Q1")


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("rada", {"N1"}),
        ("tess", {"N1"}),
        ("nora", {"N1"}),
        ("fiona", {"S1"}),
        ("strange", set()),
        ("admin", {"N1", "S1", "Q1"}),
    ],
)
def test_people_see_the_studies_of_their_facilities(hall, client_of, request, who, seen):
    response = client_of(request.getfixturevalue(who)).get("/worklist/")

    assert ids_on(response) == seen


def test_who_is_not_logged_in_is_led_to_the_door(client, db):
    response = client.get("/worklist/?q=doe")

    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=%2Fworklist%2F%3Fq%3Ddoe"


def test_a_fragment_for_nobody_names_the_door_and_carries_nothing(client, hall):
    response = client.get("/worklist/", headers={"HX-Request": "true"})

    assert (response.status_code, response["HX-Redirect"], response.content) == (
        401,
        "/accounts/login/",
        b"",
    )


def test_who_belongs_nowhere_reads_why_the_list_is_empty(hall, strange, client_of):
    response = client_of(strange).get("/worklist/")

    assert "Your account belongs to no facility" in response.content.decode()


def test_quarantine_is_a_filter_for_administrators_alone(hall, admin, rada, client_of):
    assert ids_on(client_of(admin).get("/worklist/?facility=none")) == {"Q1"}

    response = client_of(rada).get("/worklist/?facility=none")
    assert ids_on(response) == set()
    assert "Select a valid choice" in response.content.decode()


def test_a_foreign_facility_is_no_choice(hall, rada, client_of):
    response = client_of(rada).get("/worklist/?facility=south")

    assert ids_on(response) == set()
    assert "Hospital South" not in response.content.decode()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=mueller", {"A"}),
        ("q=muller", {"A"}),
        ("q=M%C3%BCller+hans", {"A"}),
        ("name=hans", {"A"}),
        ("q=%E5%B1%B1%E7%94%B0", {"B"}),
        ("q=acc-77", {"C"}),
        ("accession=acc-77", {"C"}),
        ("accession=77&q=trauma", {"C"}),
        ("q=trauma", {"C"}),
        ("id=b", {"B"}),
        ("modality=CT", {"A", "C"}),
        ("modality=OCT", set()),
        ("modality=OP", set()),
        ("modality=SR", {"C"}),
        ("modality=MR&modality=SR", {"B", "C"}),
        ("status=final", {"B"}),
        ("first=2024-02-01&last=2024-02-29", {"B"}),
        ("first=2024-02-29", {"B", "C"}),
        ("last=2024-01-31", {"A"}),
        ("q=%25", set()),
        ("q=_", set()),
        ("", {"A", "B", "C"}),
    ],
)
def test_filters_narrow_the_list(north, rada, client_of, asked, found):
    patient_study(
        north, "A", "Müller^Hans", study_date=date(2024, 1, 31), study_time=time(23, 59, 59)
    )
    b = patient_study(
        north, "B", "Yamada^Tarou=山田^太郎", study_date=date(2024, 2, 29), modalities="MR\\OPT"
    )
    patient_study(
        north,
        "C",
        "Doe^Jane",
        accession_number="ACC-77",
        study_description="Head, trauma",
        modalities="CT\\SR",
        study_date=date(2024, 3, 1),
        study_time=time(0, 0),
    )
    WorklistEntry.objects.filter(study=b).update(status="final")

    assert ids_on(client_of(rada).get(f"/worklist/?{asked}")) == found


def test_day_links_speak_of_the_days_as_the_scanner_wrote_them(north, rada, client_of):
    today = timezone.localdate()
    for name, days in {"today": 0, "yesterday": 1, "six": 6, "seven": 7}.items():
        patient_study(north, name, study_date=today - timedelta(days=days), study_time=time(23, 59))
    client = client_of(rada)

    assert ids_on(client.get("/worklist/?day=today")) == {"today"}
    assert ids_on(client.get("/worklist/?day=yesterday")) == {"yesterday"}
    assert ids_on(client.get("/worklist/?day=week")) == {"today", "yesterday", "six"}


def test_a_span_that_ends_before_it_begins_is_told_in_words(north, rada, client_of):
    text = client_of(rada).get("/worklist/?first=2024-02-02&last=2024-01-01").content.decode()

    assert "The last day lies before the first day." in text


@pytest.mark.parametrize(
    "asked", ["first=x", "modality=%00", "at=%FF", "sort=password", "q=" + "a" * 500, "q=%00"]
)
def test_nonsense_in_the_address_is_no_server_error(north, rada, client_of, asked):
    assert client_of(rada).get(f"/worklist/?{asked}").status_code == 200


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_descriptions_are_text_wherever_they_stand(north, rada, client_of, name):
    study = patient_study(
        north,
        name[:64],
        name,
        study_description=name,
        sender=name,
        accession_number=name[:64],
        body_parts=name,
        modalities=name,
        referring_physician_name=name,
        patient_sex=name[:16],
    )
    factories.make_series(
        study, series_description=name, modality=name[:16], body_part_examined=name
    )
    client = client_of(rada)
    entry = study.worklist_entry.pk

    for address in (
        "/worklist/",
        f"/worklist/rows/?study={study.pk}",
        f"/worklist/preview/{entry}/",
    ):
        text = client.get(address).content.decode()
        assert "<img src=x" not in text
        assert "<script>alert" not in text
        assert "49" not in re.findall(r'class="name">([^<]*)<', text)
        assert name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in text


def test_the_page_has_no_inline_script_or_style(hall, rada, client_of):
    text = client_of(rada).get("/worklist/").content.decode()

    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert " style=" not in text
    assert "<style" not in text
    assert not re.search(r"\son\w+=", text)


def test_right_to_left_and_east_asian_names_stand_in_isolation(north, rada, client_of):
    patient_study(north, "R", "כהן^דוד")
    patient_study(north, "J", "Yamada^Tarou=山田^太郎=やまだ^たろう")
    text = client_of(rada).get("/worklist/").content.decode()

    assert '<bdi class="name">כהן, דוד</bdi>' in text
    assert '<bdi class="name">Yamada, Tarou</bdi> <bdi class="name">山田 太郎</bdi>' in text
    assert 'title="Yamada, Tarou · 山田 太郎 · やまだ たろう"' in text


def test_a_page_costs_a_fixed_number_of_queries(
    north, rada, client_of, django_assert_max_num_queries
):
    client = client_of(rada)
    for number in range(60):
        patient_study(north, f"P{number}")

    # Session, user, facilities twice, newest event, page, audit (savepoint, last row, row).
    with django_assert_max_num_queries(12):
        response = client.get("/worklist/")
    assert len(ids_on(response)) == 50
    with django_assert_max_num_queries(12):
        client.get("/worklist/?q=doe&modality=CT&sort=patient")


def test_paging_links_lead_through_the_whole_list_with_its_filters(north, rada, client_of):
    for number in range(120):
        patient_study(north, f"P{number}", accession_number="X" if number % 2 else "Y")
    client, seen, address = client_of(rada), [], "/worklist/?accession=x"
    while address:
        response = client.get(address)
        seen.append(ids_on(response))
        following = re.search(r'rel="next" href="([^"]*)"', response.content.decode())
        address = "/worklist/" + following.group(1).replace("&amp;", "&") if following else ""

    assert [len(page) for page in seen] == [50, 10]
    assert set.union(*seen) == {f"P{number}" for number in range(1, 120, 2)}


def test_htmx_gets_the_table_alone(hall, rada, client_of):
    response = client_of(rada).get("/worklist/", headers={"HX-Request": "true"})

    assert "<html" not in response.content.decode()
    assert ids_on(response) == {"N1"}
    assert "HX-Request" in response["Vary"]
    assert "no-store" in response["Cache-Control"]


def test_rows_are_given_only_where_they_belong_into_the_list(north, south, rada, client_of):
    mine = patient_study(north, "N1", modalities="CT")
    other = patient_study(north, "N2", modalities="MR")
    foreign = patient_study(south, "S1", modalities="CT")
    query = "&".join(f"study={study.pk}" for study in (mine, other, foreign))
    client = client_of(rada)

    assert ids_on(client.get(f"/worklist/rows/?{query}")) == {"N1", "N2"}
    assert ids_on(client.get(f"/worklist/rows/?modality=CT&{query}")) == {"N1"}
    assert ids_on(client.get("/worklist/rows/?study=nonsense")) == set()


def test_preview_of_a_foreign_study_is_as_missing_as_one_that_never_was(
    north, south, rada, client_of
):
    foreign = patient_study(south, "S1").worklist_entry.pk
    client = client_of(rada)

    def ask(key):
        response = client.get(f"/worklist/preview/{key}/")
        text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
        return response.status_code, text.replace(str(key), "")

    assert ask(foreign) == ask(north.pk)
    assert ask(foreign)[0] == 404


def test_preview_shows_series_and_the_other_studies_of_the_patient(north, rada, client_of):
    study = patient_study(north, "N1")
    factories.make_series(study, series_description="Axial lung")
    factories.make_study(north, patient=study.patient, study_description="Earlier chest")

    text = client_of(rada).get(f"/worklist/preview/{study.worklist_entry.pk}/").content.decode()

    assert "Axial lung" in text
    assert "Earlier chest" in text


def test_looking_leaves_a_trail(north, rada, client_of):
    study = patient_study(north, "N1")
    client = client_of(rada)
    client.get("/worklist/?q=doe")
    client.get(f"/worklist/preview/{study.worklist_entry.pk}/")

    search, view = AuditRow.objects.filter(user=rada, action__in=["search", "view"]).order_by("id")
    assert (search.action, search.detail["q"], search.address) == ("search", "doe", "127.0.0.1")
    assert (view.action, view.patient_id, view.study_instance_uid) == (
        "view",
        "N1",
        study.study_instance_uid,
    )


def test_theme_is_kept_and_drawn_by_the_server(rada, client_of):
    client = client_of(rada)
    response = client.post("/worklist/theme/", {"theme": "light", "next": "/worklist/upload/"})

    assert response["Location"] == "/worklist/upload/"
    assert 'data-theme="light"' in client.get("/worklist/").content.decode()


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""]
)
def test_theme_never_leads_elsewhere(rada, client_of, back):
    response = client_of(rada).post(
        "/worklist/theme/", {"theme": "x\r\nSet-Cookie: a=b", "next": back}
    )

    assert response["Location"] == "/"
    assert not response.cookies


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"patient_age": "045Y"}, "45 y"),
        ({"patient_age": "000Y"}, "0 y"),
        ({"patient_age": "012W"}, "12 wk"),
        ({"patient_age": "003M"}, "3 mo"),
        ({"patient_age": "010D"}, "10 d"),
        ({"patient_birth_date": date(2000, 3, 6), "study_date": date(2024, 3, 5)}, "23 y"),
        ({"patient_birth_date": date(2024, 1, 5), "study_date": date(2024, 3, 5)}, "1 mo"),
        ({"patient_birth_date": date(2025, 1, 5), "study_date": date(2024, 3, 5)}, ""),
        ({"patient_age": "x", "patient_birth_date": None}, ""),
    ],
)
def test_age_is_the_files_or_counted_from_the_birth_date(north, facts, words):
    from worklist.templatetags.studies import age

    assert age(factories.make_study(north, **facts)) == words


def test_staff_and_uploaders_find_their_doors_in_the_bar(north, client_of, rada, nora):
    refi = factories.make_user("refi", Role.REFERRER, [north])

    def bar(user):
        return client_of(user).get("/worklist/").content.decode()

    assert "/worklist/upload/" in bar(rada)
    assert 'href="/admin/"' not in bar(rada)
    assert "/worklist/upload/" not in bar(refi)
    assert 'href="/admin/"' in bar(nora)


def test_scanner_time_is_shown_as_written_whatever_the_zone(north, rada, client_of, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    patient_study(north, "N1", study_date=date(2024, 3, 5), study_time=time(23, 30))
    entry = WorklistEntry.objects.get()

    text = client_of(rada).get("/worklist/").content.decode()

    assert entry.study_at == datetime(2024, 3, 5, 23, 30, tzinfo=UTC)
    assert re.search(r"2024-03-05</span>\s*<span[^>]*>23:30<", text)


@pytest.mark.parametrize("name", ["", "^^^^", " ^ ", "^^^^=^="])
def test_a_name_without_a_letter_reads_no_name(north, rada, client_of, name):
    patient_study(north, "N1", name=name)

    assert "No name" in client_of(rada).get("/worklist/").content.decode()


@pytest.mark.parametrize("asked", ["muller", "Mueller jorg", "JÖRG müller", "山", "やまだ"])
def test_names_are_found_in_any_group_order_and_spelling(north, rada, client, asked):
    patient_study(north, "M1", "Müller^Jörg=山田=ヤマダ")
    patient_study(north, "D1")
    client.force_login(rada)
    assert ids_on(client.get("/worklist/", {"name": asked})) == {"M1"}
    assert ids_on(client.get("/worklist/", {"q": asked})) == {"M1"}
