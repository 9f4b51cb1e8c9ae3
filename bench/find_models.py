"""The same studies as rows of Noctis; imported where its settings are."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.models import Facility
from archive.models import Instance, Patient, Series, Study
from bench.find_archive import Entry
from imaging.search import name_key
from tests.conformance.dimse import IMPLICIT_LITTLE


def fill_models(count: int) -> None:
    """Write the studies with the models; runs in a process with the server's settings."""
    facility, now = Facility.objects.get(code="bench"), timezone.now()
    received = {"first_received_at": now, "last_received_at": now}
    for begin in range(0, count, 5000):
        entries = [Entry(number) for number in range(begin, min(begin + 5000, count))]
        patients = {
            entry.patient_id: Patient(
                facility=facility, patient_id=entry.patient_id, patient_name=entry.name,
                patient_birth_date=entry.birth, patient_sex="O", search_key=name_key(entry.name),
            )
            for entry in entries
        }  # fmt: skip
        studies = [
            Study(
                facility=facility, patient=patients[entry.patient_id],
                study_instance_uid=entry.uid(2), study_date=entry.day,
                accession_number=entry.accession, study_description="BENCH STUDY",
                patient_name=entry.name, patient_birth_date=entry.birth, patient_sex="O",
                search_key=name_key(entry.name), modalities=entry.modality, series_count=1,
                instance_count=1, **received,
            )
            for entry in entries
        ]  # fmt: skip
        series = [
            Series(
                facility=facility, study=study, series_instance_uid=entry.uid(3),
                modality=entry.modality, instance_count=1, last_received_at=now,
            )
            for entry, study in zip(entries, studies, strict=True)
        ]  # fmt: skip
        instances = [
            Instance(
                facility=facility, study=one.study, series=one, sop_instance_uid=entry.uid(4),
                sop_class_uid="1.2.840.10008.5.1.4.1.1.7", transfer_syntax_uid=IMPLICIT_LITTLE,
                storage_key=f"bench/{entry.number}.dcm", size_bytes=1000, dataset_offset=300,
                received_at=now,
            )
            for entry, one in zip(entries, series, strict=True)
        ]  # fmt: skip
        with transaction.atomic():
            Patient.objects.bulk_create(patients.values())
            Study.objects.bulk_create(studies)
            Series.objects.bulk_create(series)
            Instance.objects.bulk_create(instances)
