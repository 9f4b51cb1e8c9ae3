"""The one way in: what is stored, refused, kept aside and counted."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from accounts.audit import find_breaks
from accounts.models import AuditRow, Facility
from archive import storage
from archive.ingest import Source, ingest_file, open_intake
from archive.models import Discrepancy, Event, Instance, Job, Patient, Series, Study
from archive.signals import studies_indexed
from imaging.errors import (
    IdentityError,
    IndexUnavailableError,
    StorageUnavailableError,
    UnreadableError,
)
from tests.factories import as_part10, read_bundled
from worklist.models import WorklistEntry

pytestmark = pytest.mark.django_db


def a_ct(**changes: Any) -> Dataset:
    """Return a real CT image as a study of its own, with the given attributes changed."""
    fresh = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "SOPInstanceUID": generate_uid(),
    }
    dataset = read_bundled("CT_small.dcm", **{**fresh, **changes})
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def a_sibling(dataset: Dataset, **changes: Any) -> Dataset:
    """Return another instance of the same series."""
    same = {
        "StudyInstanceUID": dataset.StudyInstanceUID,
        "SeriesInstanceUID": dataset.SeriesInstanceUID,
    }
    return a_ct(**{**same, **changes})


def store(dataset: Dataset | bytes, facility: Facility | None = None) -> Any:
    data = dataset if isinstance(dataset, bytes) else as_part10(dataset)
    source = Source(door="test", sender="CT1", facility_id=facility.pk if facility else None)
    return ingest_file(source, io.BytesIO(data))


def files_in(home: Path) -> list[Path]:
    return [path for path in (home / "media").rglob("*") if path.is_file()]


def test_stores_the_very_bytes_and_every_row(home: Path, north: Facility) -> None:
    dataset = a_ct(PatientName="Doe^Jane", AccessionNumber="A17")
    data = as_part10(dataset)

    outcome = store(data, north)

    instance = Instance.objects.get()
    assert outcome.status == "stored"
    assert outcome.instance_id == instance.pk
    assert storage.path_of(instance.storage_key).read_bytes() == data
    assert instance.sop_instance_uid == dataset.SOPInstanceUID
    assert (instance.rows, instance.columns) == (dataset.Rows, dataset.Columns)
    study = Study.objects.get()
    assert (study.series_count, study.instance_count) == (1, 1)
    assert (study.size_bytes, study.modalities) == (len(data), "CT")
    assert study.accession_number == "A17"
    assert study.facility == north
    assert Series.objects.get().instance_count == 1
    assert Patient.objects.get().patient_name == "Doe^Jane"
    assert WorklistEntry.objects.get().study == study
    assert Event.objects.get().kind == "study_received"
    assert AuditRow.objects.get(action="store").study_instance_uid == dataset.StudyInstanceUID
    assert sorted(job.kind for job in Job.objects.all()) == ["passport", "thumbnail"]
    assert files_in(home) == [storage.path_of(instance.storage_key)]


def test_names_in_the_store_come_from_hashes(home: Path) -> None:
    dataset = a_ct()
    store(dataset)
    key = Instance.objects.get().storage_key
    assert key.startswith("studies/")
    assert key.endswith(".dcm")
    for uid in (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID):
        assert uid not in key


def test_same_bytes_again_change_nothing(home: Path) -> None:
    data = as_part10(a_ct())
    store(data)
    before = files_in(home)

    assert store(data).status == "duplicate"

    assert files_in(home) == before
    assert Study.objects.get().instance_count == 1
    assert AuditRow.objects.filter(action="store").count() == 1


@pytest.mark.parametrize("harm", ["removed", "flipped", "cut"])
def test_same_bytes_again_heal_a_harmed_file(home: Path, harm: str) -> None:
    data = as_part10(a_ct())
    store(data)
    path = storage.path_of(Instance.objects.get().storage_key)
    if harm == "removed":
        path.unlink()
    else:
        harmed = bytearray(data[:-10] if harm == "cut" else data)
        harmed[-20] ^= 1
        path.write_bytes(harmed)

    assert store(data).status == "healed"

    instance = Instance.objects.get()
    assert storage.path_of(instance.storage_key).read_bytes() == data
    assert files_in(home) == [storage.path_of(instance.storage_key)]
    assert Study.objects.get().instance_count == 1


@pytest.mark.django_db(transaction=True)
def test_other_bytes_under_a_known_uid_are_kept_aside_once(home: Path) -> None:
    first = a_ct()
    first_data = as_part10(first)
    store(first_data)
    other = a_sibling(first, SOPInstanceUID=first.SOPInstanceUID, InstanceNumber=99)
    other_data = as_part10(other)

    assert store(other_data).status == "conflict"
    assert store(other_data).status == "conflict"

    instance = Instance.objects.get()
    assert storage.path_of(instance.storage_key).read_bytes() == first_data
    aside = Discrepancy.objects.get()
    assert aside.kind == Discrepancy.Kind.DUPLICATE_UID
    assert storage.path_of(aside.storage_key).read_bytes() == other_data
    assert len(files_in(home)) == 2
    study = Study.objects.get()
    assert study.has_discrepancy
    assert study.instance_count == 1


def test_facilities_do_not_share_patients_studies_or_instances(
    north: Facility, south: Facility
) -> None:
    dataset = a_ct(PatientID="7")
    for facility in (north, south, None):
        assert store(dataset, facility).status == "stored"
    assert Patient.objects.count() == 3
    assert Study.objects.filter(study_instance_uid=dataset.StudyInstanceUID).count() == 3
    assert set(Study.objects.values_list("instance_count", flat=True)) == {1}


def test_known_id_with_another_name_is_flagged_and_not_merged(north: Facility) -> None:
    store(a_ct(PatientID="7", PatientName="Doe^Jane"), north)
    store(a_ct(PatientID="7", PatientName="Smith^Adam"), north)

    assert Patient.objects.get().patient_name == "Doe^Jane"
    flagged = Study.objects.get(has_discrepancy=True)
    assert flagged.patient_name == "Smith^Adam"
    assert flagged.discrepancies.get().kind == Discrepancy.Kind.PATIENT_IDENTITY


def test_same_id_of_another_issuer_is_another_patient(north: Facility) -> None:
    store(a_ct(PatientID="7", IssuerOfPatientID="A"), north)
    store(a_ct(PatientID="7", IssuerOfPatientID="B"), north)
    assert Patient.objects.count() == 2
    assert not Study.objects.filter(has_discrepancy=True).exists()


def test_studies_without_patient_id_do_not_become_one_person(north: Facility) -> None:
    store(a_ct(PatientID=""), north)
    store(a_ct(PatientID=""), north)
    assert Patient.objects.count() == 2


def test_instance_that_names_another_patient_is_not_filed_under_the_study(home: Path) -> None:
    first = a_ct(PatientID="7")
    store(first)

    outcome = store(a_sibling(first, PatientID="8"))

    assert outcome.status == "conflict"
    assert Study.objects.get().instance_count == 1
    aside = Discrepancy.objects.get()
    assert aside.kind == Discrepancy.Kind.STUDY_IDENTITY
    assert storage.path_of(aside.storage_key).is_file()


def test_other_spelling_inside_a_study_is_stored_and_flagged_once() -> None:
    first = a_ct(PatientName="Doe^Jane")
    store(first)
    store(a_sibling(first, PatientName="Dow^Jane"))
    store(a_sibling(first, PatientName="Dow^Jane"))
    assert Study.objects.get().instance_count == 3
    assert Discrepancy.objects.count() == 1


def test_counts_modalities_and_series_add_up() -> None:
    first = a_ct()
    store(first)
    for _ in range(3):
        store(a_sibling(first))
    store(a_sibling(first, SeriesInstanceUID=generate_uid(), Modality="SR"))
    study = Study.objects.get()
    assert (study.series_count, study.instance_count) == (2, 5)
    assert study.modalities == "CT\\SR"
    assert sorted(study.series_set.values_list("instance_count", flat=True)) == [1, 4]
    assert WorklistEntry.objects.get().modalities == "CT\\SR"


@pytest.mark.parametrize(
    "data", [b"", b"GET / HTTP/1.1\r\n\r\n" * 100, bytes(4096)], ids=["empty", "http", "zeros"]
)
def test_refuses_what_is_not_dicom_and_leaves_nothing(home: Path, data: bytes) -> None:
    with pytest.raises((UnreadableError, IdentityError)):
        store(data)
    assert files_in(home) == []
    assert not Study.objects.exists()


@pytest.mark.parametrize("cut_bytes", [1, 1000, 30000])
def test_refuses_a_truncated_file(home: Path, cut_bytes: int) -> None:
    dataset = a_ct()
    del dataset.DataSetTrailingPadding
    with pytest.raises(UnreadableError):
        store(as_part10(dataset)[:-cut_bytes])
    assert files_in(home) == []


def test_refuses_an_object_that_is_not_what_the_command_said(home: Path) -> None:
    dataset = a_ct()
    intake = open_intake(Source(door="test", sender="CT1"))
    intake.write(as_part10(dataset))
    with pytest.raises(IdentityError):
        intake.finish(expect=(dataset.SOPClassUID, "1.2.3"))
    assert files_in(home) == []


def test_abandoned_intake_leaves_nothing(home: Path) -> None:
    intake = open_intake(Source(door="test", sender="CT1"))
    intake.write(as_part10(a_ct()))
    intake.abandon()
    intake.abandon()
    assert files_in(home) == []


def test_a_reserve_that_is_touched_refuses_before_writing(home: Path, settings: Any) -> None:
    settings.NOCTIS_DISK_RESERVE_MB = 2**40
    with pytest.raises(StorageUnavailableError):
        store(a_ct())
    assert files_in(home) == []
    settings.NOCTIS_DISK_RESERVE_MB = 0
    assert store(a_ct()).status == "stored"


def test_an_index_that_fails_leaves_neither_row_nor_file(home: Path) -> None:
    def fail(**_: Any) -> None:
        raise OperationalError("database is gone")

    studies_indexed.connect(fail)
    try:
        with pytest.raises(IndexUnavailableError):
            store(a_ct())
    finally:
        studies_indexed.disconnect(fail)
    assert files_in(home) == []
    assert not Study.objects.exists()
    assert store(a_ct()).status == "stored"


def test_order_is_data_name_directory_rows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(first := a_ct())  # directories and caches exist
    steps: list[str] = []

    def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            steps.append(name)
            return result

        return call

    monkeypatch.setattr(os, "fdatasync", noting("data synced", os.fdatasync))
    monkeypatch.setattr(Path, "rename", noting("named", Path.rename))
    monkeypatch.setattr(os, "fsync", noting("directory synced", os.fsync))

    def rows_written(**_: Any) -> None:
        steps.append("rows written")

    studies_indexed.connect(rows_written)
    try:
        store(a_sibling(first))
    finally:
        studies_indexed.disconnect(rows_written)
    assert steps == ["data synced", "named", "directory synced", "rows written"]


def test_dead_processes_leave_no_incoming_files(home: Path) -> None:
    left_over = home / "media" / "incoming" / "4711-dead"
    left_over.mkdir(parents=True)
    (left_over / "part").write_bytes(b"half an image")
    intake = open_intake(Source(door="test", sender="CT1"))

    assert storage.sweep_incoming() == 1

    assert not left_over.exists()
    intake.write(as_part10(a_ct()))
    assert intake.finish().status == "stored"


def test_audit_rows_of_ingest_hold_together() -> None:
    first = a_ct()
    for dataset in (first, a_sibling(first), a_ct()):
        store(dataset)
    assert list(find_breaks(AuditRow.objects.order_by("id").iterator())) == []


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    """Threads of one process, through the group commit."""

    def test_counts_of_one_study_are_exact(self, home: Path) -> None:
        first = a_ct()
        files = [as_part10(a_sibling(first)) for _ in range(40)]
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(store, files))
        assert {outcome.status for outcome in outcomes} == {"stored"}
        study = Study.objects.get()
        assert (study.series_count, study.instance_count) == (1, 40)
        assert study.size_bytes == sum(map(len, files))
        assert Series.objects.get().instance_count == 40
        assert len(files_in(home)) == 40

    def test_same_object_from_all_sides_is_stored_once(self, home: Path) -> None:
        data = as_part10(a_ct())
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(store, [data] * 16))
        assert sorted(o.status for o in outcomes) == ["duplicate"] * 15 + ["stored"]
        assert Study.objects.get().instance_count == 1
        assert len(files_in(home)) == 1

    def test_one_bad_object_does_not_harm_its_batch(self, home: Path) -> None:
        def refuse_one(studies: list[Study], **_: Any) -> None:
            if any(study.accession_number == "BAD" for study in studies):
                raise ValueError("cannot be")

        files = [as_part10(a_ct(AccessionNumber="BAD" if n == 3 else "")) for n in range(8)]
        studies_indexed.connect(refuse_one)

        def try_store(data: bytes) -> str:
            try:
                return str(store(data).status)
            except IndexUnavailableError:
                return "refused"

        try:
            with ThreadPoolExecutor(8) as pool:
                statuses = list(pool.map(try_store, files))
        finally:
            studies_indexed.disconnect(refuse_one)
        assert sorted(statuses) == ["refused"] + ["stored"] * 7
        assert statuses[3] == "refused"
        assert Study.objects.count() == 7
        assert len(files_in(home)) == 7

    def test_no_row_is_committed_before_the_file_is_durable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store(first := a_ct())
        seen: list[int] = []
        sync = storage.sync_directory

        def slow_sync(directory: Path) -> None:
            time.sleep(0.3)
            seen.append(Instance.objects.count())
            sync(directory)

        monkeypatch.setattr(storage, "sync_directory", slow_sync)
        store(a_sibling(first))
        assert seen == [1]
        assert Instance.objects.count() == 2

    def test_a_sync_that_fails_leaves_neither_row_nor_file(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store(first := a_ct())

        def fail(directory: Path) -> None:
            raise StorageUnavailableError("no disk")

        with monkeypatch.context() as patched:
            patched.setattr(storage, "sync_directory", fail)
            with pytest.raises(StorageUnavailableError):
                store(a_sibling(first))
        assert store(a_sibling(first)).status == "stored"
        assert Instance.objects.count() == 2
        assert Study.objects.get().instance_count == 2
        assert len(files_in(home)) == 2

    def test_answer_comes_after_the_commit(self) -> None:
        outcome = store(a_ct())
        connection.close()
        assert Instance.objects.filter(pk=outcome.instance_id).exists()

    def test_real_file_reads_back_as_it_was(self) -> None:
        dataset = a_ct()
        outcome = store(dataset)
        instance = Instance.objects.get(pk=outcome.instance_id)
        with storage.open_instance(instance.storage_key) as file:
            read = dcmread(file)
        assert read.PixelData == dataset.PixelData
