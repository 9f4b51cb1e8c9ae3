"""Entries follow studies, in the same transaction and in few queries."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import DatabaseError, transaction
from pydicom.uid import generate_uid

from archive.ingest import Source, ingest_file
from archive.models import Instance, Study
from archive.signals import studies_indexed
from tests import factories
from worklist.entries import write_entries
from worklist.models import WorklistEntry


def arrive(facility, **changes):
    import io

    uid = {"SOPInstanceUID": generate_uid()}
    dataset = factories.read_bundled("CT_small.dcm", **{**uid, **changes})
    source = Source(door="dimse", sender="SCU", facility_id=facility.pk if facility else None)
    return ingest_file(source, io.BytesIO(factories.as_part10(dataset)))


@pytest.mark.django_db
def test_a_stored_study_has_its_entry_with_true_copies(north):
    outcome = arrive(north, StudyDate="20240305", StudyTime="081530", PatientName="Müller^Åsa")

    entry = WorklistEntry.objects.get(study=outcome.study_id)
    assert entry.facility == north
    assert entry.study_at == datetime(2024, 3, 5, 8, 15, 30, tzinfo=UTC)
    assert entry.patient_key == "muller asa mueller aasa"
    assert entry.modalities == "CT"
    assert entry.arrived_at == entry.study.last_received_at


@pytest.mark.django_db
def test_a_second_series_updates_the_entry_and_leaves_the_readers_work_alone(north):
    study_uid = generate_uid()
    first = arrive(north, StudyInstanceUID=study_uid)
    WorklistEntry.objects.update(status="final", priority=1)

    arrive(north, StudyInstanceUID=study_uid, SeriesInstanceUID=generate_uid(), Modality="SR")

    entry = WorklistEntry.objects.get(study=first.study_id)
    assert (entry.status, entry.priority, entry.modalities) == ("final", 1, "CT\\SR")


@pytest.mark.django_db
def test_without_a_date_the_first_arrival_sorts(north):
    study = factories.make_study(north, study_date=None, entry=False)

    write_entries([study])

    assert WorklistEntry.objects.get().study_at == study.first_received_at


@pytest.mark.django_db
def test_a_batch_costs_four_queries(north, django_assert_max_num_queries):
    """Patients, entries, orders, and whether there are rules that send on."""
    keys = [factories.make_study(north, entry=False).pk for _ in range(20)]
    studies = list(Study.objects.filter(pk__in=keys))

    with django_assert_max_num_queries(4):
        studies_indexed.send(sender=None, studies=studies)
    with django_assert_max_num_queries(4):
        studies_indexed.send(sender=None, studies=[*studies, studies[0]])

    assert WorklistEntry.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_study_that_gets_no_entry_is_not_stored(north, monkeypatch):
    """The row and the study live or die together."""

    def fail(sender, **_):
        raise DatabaseError("the worklist is broken")

    studies_indexed.connect(fail)
    try:
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the door is told, it is no success
            arrive(north)
    finally:
        studies_indexed.disconnect(fail)

    assert not Instance.objects.exists()
    assert not Study.objects.exists()
    assert not WorklistEntry.objects.exists()


@pytest.mark.django_db
def test_a_roll_back_takes_the_entry_with_it(north):
    study = factories.make_study(north, entry=False)

    with transaction.atomic():
        write_entries([study])
        transaction.set_rollback(True)

    assert not WorklistEntry.objects.exists()


@pytest.mark.django_db
def test_a_later_arrival_moves_the_entry(north):
    study = factories.make_study(north, study_date=date(2024, 3, 5), study_time=time(9, 0))
    study.last_received_at += timedelta(hours=2)

    write_entries([study])

    assert WorklistEntry.objects.get().arrived_at == study.last_received_at
