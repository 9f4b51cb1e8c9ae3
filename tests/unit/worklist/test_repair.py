"""fix_worklist finds every kind of fault, says so, mends it, and leaves truth alone."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import AuditRow
from archive.models import Event, Instance, Series, Study
from tests import factories
from worklist.models import WorklistEntry

pytestmark = pytest.mark.django_db


def run(*options):
    """Return (exit code, what was written)."""
    out = StringIO()
    try:
        call_command("fix_worklist", *options, stdout=out, no_color=True)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def study(north):
    """A study whose every number is true."""
    study = factories.make_whole_study(north, series=2, instances=3, body_parts="CHEST")
    study.refresh_from_db()
    return study


def wrong_series_count(study):
    Series.objects.filter(study=study).update(instance_count=17)


def wrong_frames(study):
    Series.objects.filter(study=study).update(frame_count=0)


def wrong_study_count(study):
    Study.objects.filter(pk=study.pk).update(instance_count=0, series_count=9, size_bytes=1)


def wrong_modalities(study):
    Study.objects.filter(pk=study.pk).update(modalities="MR\\OT")


def wrong_body_parts(study):
    Study.objects.filter(pk=study.pk).update(body_parts="")


def no_entry(study):
    WorklistEntry.objects.all().delete()


def entry_elsewhere(study):
    WorklistEntry.objects.update(facility=None)


def stale_entry(study):
    WorklistEntry.objects.update(patient_key="someone else", modalities="US")


def series_elsewhere(study):
    Series.objects.filter(study=study).update(facility=None)


def instances_elsewhere(study):
    other = factories.make_facility("south")
    Instance.objects.filter(study=study).update(facility=other)


def study_in_quarantine_with_rows_in_north(study):
    Study.objects.filter(pk=study.pk).update(facility=None)
    study.patient.facility = None
    study.patient.save()


FAULTS = [
    (wrong_series_count, "Series with wrong counts"),
    (wrong_frames, "Series with wrong counts"),
    (wrong_study_count, "Studies with wrong counts or modalities"),
    (wrong_modalities, "Studies with wrong counts or modalities"),
    (wrong_body_parts, "Studies with wrong counts or modalities"),
    (no_entry, "Studies without a worklist entry"),
    (entry_elsewhere, "Worklist entries that differ from their study"),
    (stale_entry, "Worklist entries that differ from their study"),
    (series_elsewhere, "Rows in another facility than their study"),
    (instances_elsewhere, "Rows in another facility than their study"),
    (study_in_quarantine_with_rows_in_north, "Rows in another facility than their study"),
]


def test_truth_is_left_alone(study):
    code, text = run()

    assert code == 0
    assert "Nothing is wrong." in text
    assert "1 studies and 0 orders were looked at." in text


@pytest.mark.parametrize(("spoil", "kind"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_a_fault_is_told_then_mended_then_gone(study, spoil, kind):
    spoil(study)
    before = snapshot()

    code, text = run()
    assert code == 1
    assert find_count(text, kind) > 0
    assert "would fix" in text
    assert snapshot() == before

    code, text = run("--apply")
    assert code == 0, text
    assert "All was fixed." in text

    code, text = run()
    assert code == 0
    assert "Nothing is wrong." in text


def snapshot():
    return [
        list(model.objects.order_by("pk").values())
        for model in (Study, Series, Instance, WorklistEntry)
    ]


def find_count(text, kind):
    line = next(line for line in text.splitlines() if line.startswith(kind))
    return int(line[len(kind) :].split()[0])


def test_mending_keeps_the_readers_status_and_priority(study):
    WorklistEntry.objects.update(status="final", priority=1, patient_key="x")

    run("--apply")

    entry = WorklistEntry.objects.get()
    assert (entry.status, entry.priority, entry.patient_key) == (
        "final",
        1,
        study.patient.search_key,
    )


def test_mending_tells_the_pages_and_the_audit_trail(study):
    no_entry(study)

    run("--apply")

    assert Event.objects.filter(kind="study_updated", study=study).exists()
    row = AuditRow.objects.get(action="repair")
    assert (row.actor, row.detail) == ("fix_worklist", {"faults": ["missing_entry"]})


def test_an_entry_without_a_study_is_removed(study, django_db_blocker):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL cannot hold such a row: its constraints never sleep")
    entry = WorklistEntry.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA defer_foreign_keys = ON")
        cursor.execute(
            "UPDATE worklist_worklistentry SET study_id = %s WHERE id = %s",
            ["f" * 32, entry.pk.hex],
        )

    code, text = run("--apply")

    assert code == 0
    assert find_count(text, "Worklist entries without a study") == 1
    assert find_count(text, "Studies without a worklist entry") == 1
    assert WorklistEntry.objects.get().study == study


def test_a_patient_of_another_facility_needs_a_person(study):
    patient = factories.make_patient(factories.make_facility("south"))
    Study.objects.filter(pk=study.pk).update(patient=patient)

    code, text = run("--apply")

    assert code == 1
    assert "by hand" in text
    assert "1 need a person" in text


def test_rows_that_would_collide_need_a_person(study):
    """The other facility's instance has the same UID as one that strays."""
    south = factories.make_facility("south")
    uid = Instance.objects.filter(study=study).values_list("sop_instance_uid", flat=True)[0]
    twin = factories.make_series(factories.make_study(south))
    Instance.objects.filter(study=study).update(facility=None)
    other = factories.make_series(factories.make_study(study.facility))
    factories.make_instance(other, sop_instance_uid=uid)
    assert twin.facility == south

    code, text = run("--apply")

    assert code == 1
    assert "a person must decide" in text


def test_no_patient_data_is_written(study):
    wrong_series_count(study)
    no_entry(study)

    _, text = run()

    assert study.patient.patient_id not in text
    assert "Doe" not in text


def test_many_studies_cost_a_fixed_number_of_queries_a_batch(north, django_assert_max_num_queries):
    for _ in range(30):
        factories.make_whole_study(north, body_parts="CHEST")

    with django_assert_max_num_queries(23):
        assert run()[0] == 0


def test_only_the_first_findings_are_told_unless_all_are_asked_for(north):
    for _ in range(55):
        factories.make_study(north, entry=False, modalities="")

    assert "… and 5 more" in run()[1]
    assert run("--all")[1].count("would fix") == 55
