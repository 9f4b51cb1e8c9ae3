"""Rows and files for tests: each function makes one thing that is valid by itself.

Rows come from the models, not from the one way in, so that a test of a page
or a query does not depend on parsing. A test that is about files stores
them with `archive.ingest`.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from accounts.models import Facility, Role, User
from archive.models import Discrepancy, Instance, Patient, Series, Study
from imaging.search import name_key
from worklist.models import WorklistEntry

PASSWORD = "correct horse battery staple"
ARRIVAL = datetime(2024, 3, 5, 9, 30, tzinfo=UTC)


# --- people ----------------------------------------------------------------
def make_facility(code: str = "north", **also: Any) -> Facility:
    """Return the facility with this code, made when it is missing."""
    also.setdefault("name", f"Hospital {code.title()}")
    return Facility.objects.get_or_create(code=code, defaults=also)[0]


@cache
def _password_hash() -> str:
    """Hash the password once a run: Argon2 is slow on purpose."""
    return make_password(PASSWORD)


def make_user(
    username: str,
    role: Role = Role.RADIOLOGIST,
    facilities: Iterable[Facility] = (),
    **also: Any,
) -> User:
    """Return a new person whose password is PASSWORD."""
    user = User(username=username, role=role, password=_password_hash(), **also)
    user.save()
    user.facilities.set(facilities)
    return user


# --- rows ------------------------------------------------------------------
def make_patient(facility: Facility | None, **also: Any) -> Patient:
    """Return a new patient; facility None is the quarantine."""
    number = Patient.objects.count() + 1
    facts = {
        "patient_id": f"P{number:05d}",
        "patient_name": "Doe^Jane",
        "patient_birth_date": date(1970, 1, 2),
        "patient_sex": "F",
        "search_key": "doe jane",
    }
    return Patient.objects.create(facility=facility, **{**facts, **also})


def make_study(
    facility: Facility | None, *, patient: Patient | None = None, entry: bool = True, **also: Any
) -> Study:
    """Return a new, empty study of `patient` (made when None) with its worklist entry."""
    patient = patient or make_patient(facility)
    facts = {
        "study_instance_uid": generate_uid(),
        "study_date": date(2024, 3, 5),
        "study_time": time(9, 15),
        "study_description": "CT thorax",
        "accession_number": "A1000",
        "patient_name": patient.patient_name,
        "patient_birth_date": patient.patient_birth_date,
        "patient_sex": patient.patient_sex,
        "modalities": "CT",
        "door": "dimse",
        "sender": "TESTSCU",
        "first_received_at": ARRIVAL,
        "last_received_at": ARRIVAL,
    }
    facts |= also
    facts.setdefault("search_key", name_key(str(facts["patient_name"])))
    study = Study.objects.create(facility=facility, patient=patient, **facts)
    if entry:
        make_worklist_entry(study)
    return study


def make_worklist_entry(study: Study, **also: Any) -> WorklistEntry:
    """Return the study's entry, with true copies; the archive may have written one already."""
    at = datetime.combine(study.study_date or ARRIVAL.date(), study.study_time or time(), UTC)
    facts = {
        "facility": study.facility,
        "study_at": at,
        "arrived_at": study.last_received_at,
        "patient_key": study.patient.search_key,
        "modalities": study.modalities,
    }
    return WorklistEntry.objects.update_or_create(study=study, defaults={**facts, **also})[0]


def make_series(study: Study, **also: Any) -> Series:
    """Return a new, empty series of the study, counted in it."""
    facts = {
        "series_instance_uid": generate_uid(),
        "series_number": study.series_count + 1,
        "modality": "CT",
        "series_description": "Axial 1 mm",
        "body_part_examined": "CHEST",
        "last_received_at": ARRIVAL,
    }
    series = Series.objects.create(study=study, facility=study.facility, **{**facts, **also})
    study.series_count += 1
    study.save()
    return series


def make_instance(series: Series, **also: Any) -> Instance:
    """Return a new instance row of the series, counted in series and study; it has no file."""
    uid = also.pop("sop_instance_uid", generate_uid())
    digest = hashlib.sha256(f"{series.pk} {uid}".encode()).hexdigest()
    facts = {
        "sop_instance_uid": uid,
        "sop_class_uid": CTImageStorage,
        "transfer_syntax_uid": ExplicitVRLittleEndian,
        "instance_number": series.instance_count + 1,
        "number_of_frames": 1,
        "rows": 512,
        "columns": 512,
        "storage_key": f"studies/test/{digest}.dcm",
        "size_bytes": 525_000,
        "dataset_offset": 340,
        "dataset_sha256": digest,
        "meta_sha256": digest,
        "door": "dimse",
        "sender": "TESTSCU",
        "received_at": ARRIVAL,
    }
    study = series.study
    instance = Instance.objects.create(
        study=study, series=series, facility=series.facility, **{**facts, **also}
    )
    for row in (series, study):
        row.instance_count += 1
        row.size_bytes += instance.size_bytes
    series.frame_count += instance.number_of_frames
    series.save()
    study.save()
    return instance


def make_whole_study(
    facility: Facility | None, *, series: int = 1, instances: int = 2, **also: Any
) -> Study:
    """Return a study with series of `instances` rows each; counts are exact."""
    study = make_study(facility, **also)
    for _ in range(series):
        one = make_series(study)
        for _ in range(instances):
            make_instance(one)
    return study


def make_discrepancy(study: Study, **also: Any) -> Discrepancy:
    """Return something about the study that a person must decide."""
    facts = {
        "kind": Discrepancy.Kind.DUPLICATE_UID,
        "sop_instance_uid": generate_uid(),
        "reason": "Another data set came with the same UID.",
    }
    row = Discrepancy.objects.create(facility=study.facility, study=study, **{**facts, **also})
    Study.objects.filter(pk=study.pk).update(has_discrepancy=True)
    return row


# --- files -----------------------------------------------------------------
def bundled(name: str) -> Path:
    """Return the path of a real file that pydicom carries, such as CT_small.dcm."""
    path = get_testdata_file(name, download=False)
    if not path:
        raise LookupError(f"pydicom does not carry {name}")
    return Path(str(path))


def read_bundled(name: str, **changes: Any) -> Dataset:
    """Return a bundled data set with some attributes changed, by keyword."""
    dataset = dcmread(bundled(name))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    if "SOPInstanceUID" in changes:
        dataset.file_meta.MediaStorageSOPInstanceUID = changes["SOPInstanceUID"]
    return dataset


def as_part10(dataset: Dataset) -> bytes:
    """Return the data set as the bytes of a DICOM file (PS3.10)."""
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def real_folder(folder: str) -> Path:
    """Return a folder of real test files; skip the test, with the reason, when it is absent.

    They lie where NOCTIS_TEST_DATA says, else beside the project.
    """
    default = Path(__file__).resolve().parents[2] / "shared" / "dicom"
    path = Path(os.environ.get("NOCTIS_TEST_DATA") or default) / folder
    if not path.is_dir():
        pytest.skip(f"real test files are not here: set NOCTIS_TEST_DATA (no folder {folder})")
    return path


def real_files(folder: str) -> list[Path]:
    """Return the DICOM files of a folder of real test files, sorted; skip when it is absent."""
    others = {".md", ".zip", ".txt", ".json"}
    found = (path for path in real_folder(folder).rglob("*") if path.is_file())
    return sorted(path for path in found if path.suffix not in others)
