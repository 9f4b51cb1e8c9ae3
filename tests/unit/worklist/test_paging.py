"""Pages by key: complete, without doubles, stable, and ranges of an index."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Q

from tests import factories
from worklist.filters import FilterForm
from worklist.listing import list_page
from worklist.models import WorklistEntry
from worklist.paging import DEFAULT_SORT, ORDERS, Cursor, read_page, sort_token

pytestmark = pytest.mark.django_db
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def entries(north):
    """37 entries with many ties in every column."""
    for number in range(37):
        patient = factories.make_patient(north, search_key=f"name {number % 4}")
        study = factories.make_study(north, patient=patient, entry=False)
        factories.make_worklist_entry(
            study,
            study_at=START + timedelta(hours=number % 6),
            arrived_at=START + timedelta(minutes=number % 9),
            priority=1 + number % 3,
        )
    return WorklistEntry.objects.all()


def walk(entries, sort, size, *, first=None, backward=False):
    page = first or read_page(entries, sort, None, size=size)
    rows = [page.rows]
    while place := (page.before if backward else page.after):
        page = read_page(entries, sort, Cursor.decode(place, sort), size=size)
        rows.append(page.rows)
    return page, rows


@pytest.mark.parametrize("sort", sorted(ORDERS))
def test_pages_forward_are_the_whole_list_in_order(entries, sort):
    expected = list(entries.order_by(*ORDERS[sort].terms))

    _, pages = walk(entries, sort, 7)

    assert [row for page in pages for row in page] == expected
    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 2]


@pytest.mark.parametrize("sort", sorted(ORDERS))
def test_pages_backward_from_the_end_are_the_same_pages(entries, sort):
    last, forward = walk(entries, sort, 6)

    first, backward = walk(entries, sort, 6, first=last, backward=True)

    rows = {row.pk for page in backward for row in page}
    assert rows == {row.pk for page in forward for row in page}
    assert first.rows == forward[0]
    assert first.before == ""


@pytest.mark.parametrize("sort", sorted(ORDERS))
def test_facilities_read_one_by_one_give_the_same_pages(entries, sort, north, south):
    WorklistEntry.objects.filter(pk__in=[row.pk for row in entries[::3]]).update(facility=south)
    parts = [Q(facility=north), Q(facility=south)]
    expected = read_page(entries, sort, None, size=8)
    for _ in range(3):
        place = Cursor.decode(expected.after, sort)
        expected = read_page(entries, sort, place, size=8)

        assert read_page(entries, sort, place, size=8, parts=parts) == expected


def test_next_page_has_no_double_and_no_gap_when_a_study_arrives_in_between(entries, north):
    whole = list(entries.order_by(*ORDERS["-study"].terms))
    page = read_page(entries, "-study", None, size=10)
    newest = factories.make_study(north, entry=False)
    factories.make_worklist_entry(newest, study_at=START + timedelta(days=400))

    following = read_page(entries, "-study", Cursor.decode(page.after, "-study"), size=10)

    assert page.rows + following.rows == whole[:20]


def test_place_of_a_row_that_has_gone_is_still_a_place(entries):
    page = read_page(entries, "-study", None, size=10)
    expected = read_page(entries, "-study", Cursor.decode(page.after, "-study"), size=10)
    page.rows[-1].delete()

    assert read_page(entries, "-study", Cursor.decode(page.after, "-study"), size=10) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "e30",
        "WzFd",
        "=" * 9,
        "WyItc3R1ZHkiLGZhbHNlLFsiMjAyNCIsIm5vIl1d",
        "[" * 900,
        "W" * 4000,
        "é",
    ],
)
def test_a_place_that_nobody_made_is_the_beginning(text):
    assert Cursor.decode(text, DEFAULT_SORT) is None


def test_a_place_in_one_order_is_none_in_another(entries):
    page = read_page(entries, "-study", None, size=10)

    assert Cursor.decode(page.after, "-arrival") is None


@pytest.mark.parametrize("sort", sorted(set(ORDERS) - {"-patient"}))
def test_tokens_sort_as_the_database_does(entries, sort):
    rows = list(entries.order_by(*ORDERS[sort].terms))
    tokens = [sort_token(row, sort) for row in rows]

    assert tokens == sorted(tokens)


@pytest.fixture
def many(north, south):
    """3,000 entries in two facilities, written at once."""
    patient = factories.make_patient(north)
    studies = [factories.make_study(north, patient=patient, entry=False) for _ in range(2)]
    model, table = type(studies[0]), []
    for number in range(3000):
        facility = (north, south)[number % 2]
        table.append(
            model(
                facility=facility,
                patient=patient,
                study_instance_uid=f"1.2.{number}",
                door="dimse",
                first_received_at=START,
                last_received_at=START,
            )
        )
    model.objects.bulk_create(table)
    WorklistEntry.objects.bulk_create(
        WorklistEntry(
            study=study,
            facility_id=study.facility_id,
            study_at=START + timedelta(minutes=number),
            arrived_at=START + timedelta(minutes=number),
            patient_key=f"name {number % 700}",
            priority=1 + number % 3,
        )
        for number, study in enumerate(table)
    )


def explain(user, **asked):
    """Return the plan of the page's main query."""
    form = FilterForm(asked, user=user)
    assert form.is_valid()
    plans = []

    def watch(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and "worklist_worklistentry" in sql and "ORDER BY" in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                plans.append(" | ".join(str(row[-1]) for row in cursor.fetchall()))
        return result

    sort = asked.get("sort", DEFAULT_SORT)
    first = list_page(user, form, sort, "")
    with connection.execute_wrapper(watch):
        list_page(user, form, sort, "")
        list_page(user, form, sort, first.after)
    return plans


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="plans are SQLite's here")
@pytest.mark.parametrize(
    "asked",
    [{}, {"sort": "patient"}, {"sort": "-arrival"}, {"sort": "priority"}, {"status": "new"}],
)
@pytest.mark.parametrize("who", ["admin", "rada", "both"])
def test_no_page_sorts_the_whole_list(many, who, asked, request, north, south):
    if who == "both":
        user = factories.make_user("both", facilities=[north, south])
    else:
        user = request.getfixturevalue(who)

    plans = explain(user, **asked)

    assert plans
    for plan in plans:
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, plan
        assert "worklist_" in plan, plan
