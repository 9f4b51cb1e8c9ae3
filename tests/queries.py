"""A small archive and what may be asked of it, with answers written by hand from PS3.4 C.2.2.2.

The same questions are asked of the matching itself, over DIMSE by an independent client, and
over HTTP: all three must answer alike.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from accounts.models import Facility
from archive.ingest import Source, open_intake

ROOT = "1.2.3."
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
US = "1.2.840.10008.5.1.4.1.1.6.1"
PT = "1.2.840.10008.5.1.4.1.1.128"
SC = "1.2.840.10008.5.1.4.1.1.7"
YAMADA = "Yamada^Tarou=山田^太郎=やまだ^たろう"

DOE = {
    "PatientName": "Doe^Jane",
    "PatientID": "P1",
    "PatientBirthDate": "19700102",
    "PatientSex": "F",
}
STUDIES: dict[str, dict[str, Any]] = {
    "1": DOE | {
        "StudyDate": "20240305", "StudyTime": "091500", "AccessionNumber": "A1000",
        "StudyDescription": "CT Thorax", "ReferringPhysicianName": "House^Gregory", "StudyID": "7",
    },
    "2": {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": "Müller^Jörg", "PatientID": "P2", "PatientBirthDate": "19551231",
        "PatientSex": "M", "StudyDate": "20240306", "StudyTime": "180000.5",
        "AccessionNumber": "a1000", "StudyDescription": "MR Kopf",
        "ReferringPhysicianName": "Cuddy^Lisa", "StudyID": "8",
    },
    "3": {
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
        "PatientName": YAMADA, "PatientID": "P3", "PatientBirthDate": "19800229",
        "PatientSex": "M", "StudyDate": "20231224", "StudyTime": "235959",
        "StudyDescription": "US Abdomen",
    },
    "4": DOE | {
        "StudyDate": "20240401", "StudyTime": "100000", "AccessionNumber": "A100_1",
        "StudyDescription": "PET/CT 100%", "ReferringPhysicianName": "House^Gregory",
    },
    "5": {"PatientName": "Doe", "PatientID": ""},
    "6": DOE | {
        "StudyDate": "20240305", "StudyTime": "091500", "AccessionNumber": "A1000",
        "StudyDescription": "CT Thorax",
    },
}  # fmt: skip
OF_SOUTH = {"6"}


def _requests(*pairs: tuple[str, str]) -> list[Dataset]:
    items = []
    for step, procedure in pairs:
        item = Dataset()
        item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
        items.append(item)
    return items


# What each instance says beside its study; its name is that of its UID: study.series.instance.
INSTANCES: dict[str, dict[str, Any]] = {
    "1.1.1": {
        "SOPClassUID": CT, "Modality": "CT", "SeriesNumber": 1, "InstanceNumber": 1,
        "SeriesDescription": "Axial 1 mm", "BodyPartExamined": "CHEST", "ContentDate": "20240305",
        "RequestAttributesSequence": _requests(("SPS1", "RP1")),
        "PerformedProcedureStepStartDate": "20240305",
        "PerformedProcedureStepStartTime": "090000",
    },
    "1.1.2": {
        "SOPClassUID": CT, "Modality": "CT", "SeriesNumber": 1, "InstanceNumber": 2,
        "SeriesDescription": "Axial 1 mm", "BodyPartExamined": "CHEST", "ContentDate": "20240306",
        "RequestAttributesSequence": _requests(("SPS1", "RP1")),
        "PerformedProcedureStepStartDate": "20240305",
        "PerformedProcedureStepStartTime": "090000",
    },
    "1.2.1": {"SOPClassUID": SR, "Modality": "SR", "SeriesNumber": 99, "InstanceNumber": 1,
              "SeriesDescription": "Report"},
    "2.1.1": {
        "SOPClassUID": MR, "Modality": "MR", "SeriesNumber": 3, "InstanceNumber": 1,
        "BodyPartExamined": "HEAD",
        "RequestAttributesSequence": _requests(("SPS2", "RP2"), ("SPS3", "RP3")),
    },
    "3.1.1": {"SOPClassUID": US, "Modality": "US", "InstanceNumber": 1},
    "4.1.1": {"SOPClassUID": PT, "Modality": "PT", "SeriesNumber": 1, "InstanceNumber": 1},
    "4.2.1": {"SOPClassUID": CT, "Modality": "CT", "SeriesNumber": 2, "InstanceNumber": 1},
    "5.1.1": {"SOPClassUID": SC, "Modality": "OT", "SeriesNumber": 5, "InstanceNumber": 1},
    "6.1.1": {"SOPClassUID": CT, "Modality": "CT", "SeriesNumber": 1, "InstanceNumber": 1},
}  # fmt: skip


def fill_archive(north: Facility, south: Facility) -> None:
    """Bring the files in: what is asked for was read from them, not written by a test."""
    for name in INSTANCES:
        facility = south if name.split(".")[0] in OF_SOUTH else north
        source = Source(door="import", sender="test", facility_id=facility.pk, address="")
        intake = open_intake(source)
        try:
            intake.write(make_file(name))
            assert intake.finish(None).status == "stored"
        finally:
            intake.close()


def make_file(name: str) -> bytes:
    """Return an instance of the archive as a file."""
    study, series, _ = name.split(".")
    dataset = Dataset()
    for keyword, value in {**STUDIES[study], **INSTANCES[name]}.items():
        setattr(dataset, keyword, value)
    dataset.StudyInstanceUID = f"{ROOT}{study}"
    dataset.SeriesInstanceUID = f"{ROOT}{study}.{series}"
    dataset.SOPInstanceUID = f"{ROOT}{name}"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@dataclass(frozen=True)
class Case:
    """A question: root, level, keys as `Keyword=value`; the answers by the ends of their UIDs."""

    root: str
    level: str
    keys: tuple[str, ...]
    answers: frozenset[str]
    character_set: str = ""

    @property
    def title(self) -> str:
        """Return how the case is called in a report."""
        return f"{self.root} {self.level} {'; '.join(self.keys)}"


UNIQUE = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


def _study(answers: str, *keys: str, character_set: str = "") -> Case:
    return Case("study", "STUDY", keys, frozenset(answers.split()), character_set)


def _series(study: str, answers: str, *keys: str) -> Case:
    return Case(
        "study", "SERIES", (f"StudyInstanceUID={ROOT}{study}", *keys), frozenset(answers.split())
    )


def _image(series: str, answers: str, *keys: str) -> Case:
    above = (f"StudyInstanceUID={ROOT}{series[0]}", f"SeriesInstanceUID={ROOT}{series}")
    return Case("study", "IMAGE", (*above, *keys), frozenset(answers.split()))


def _patient(level: str, answers: str, *keys: str) -> Case:
    return Case("patient", level, keys, frozenset(answers.split()))


CASES = [
    # Universal (C.2.2.2.3).
    _study("1 2 3 4 5"),
    _study("1 2 3 4 5", "PatientName="),
    _study("1 2 3 4 5", "PatientName=*", "StudyDate="),
    _study("1 2 3 4 5", "AccessionNumber=*"),
    # Person names: whole, wild, in any case, in any group, however written.
    _study("1 4", "PatientName=Doe^Jane"),
    _study("1 4", "PatientName=DOE^JANE"),
    _study("1 4", "PatientName=Doe^Jane^^^"),
    _study("5", "PatientName=Doe"),
    _study("1 4 5", "PatientName=Doe*"),
    _study("1 4 5", "PatientName=doe^*"),
    _study("1 4", "PatientName=*Jane"),
    _study("1 4", "PatientName=D?e^J??e"),
    _study("", "PatientName=D?e?"),
    _study("", "PatientName=Doe^John"),
    _study("", "PatientName=Jane^Doe"),
    _study("2", "PatientName=Muller*"),
    _study("2", "PatientName=Mueller^J*"),
    _study("2", "PatientName=MÜLLER^JÖRG", character_set="ISO_IR 100"),
    _study("2", "PatientName=Müller*", character_set="ISO_IR 192"),
    _study("3", "PatientName=YAMADA*"),
    _study("3", "PatientName=山田*", character_set="ISO_IR 192"),
    _study("3", "PatientName=山田^太郎", character_set="\\ISO 2022 IR 87"),
    _study("3", "PatientName=やまだ*", character_set="ISO_IR 192"),
    _study("3", "PatientName=Yamada*=山田*", character_set="ISO_IR 192"),
    _study("1 4", "ReferringPhysicianName=House*"),
    _study("1 4", "ReferringPhysicianName=HOUSE^GREGORY"),
    _study("2", "ReferringPhysicianName=*lisa"),
    # Text: case counts, padding does not, and what SQL finds wild is not.
    _study("1 4", "PatientID=P1"),
    _study("", "PatientID=p1"),
    _study("", "PatientID=P"),
    _study("1 2 3 4", "PatientID=P?"),
    _study("1 2 3 4", "PatientID=P*"),
    _study("1 4", "PatientID=*1"),
    _study("1", "AccessionNumber=A1000"),
    _study("2", "AccessionNumber=a1000"),
    _study("1 4", "AccessionNumber=A1*"),
    _study("1 2", "AccessionNumber=?1000"),
    _study("4", "AccessionNumber=A100_*"),
    _study("1", "AccessionNumber=A100?"),
    _study("", "AccessionNumber=A100%"),
    _study("1", "AccessionNumber=A1000 "),
    _study("1", "StudyDescription=CT Thorax"),
    _study("", "StudyDescription=ct thorax"),
    _study("1", "StudyDescription=CT*"),
    _study("1 4", "StudyDescription=*CT*"),
    _study("4", "StudyDescription=*100%"),
    _study("1 2 3", "StudyDescription=*o*"),
    _study("", "StudyDescription=[A-Z]*"),
    _study("1", "StudyID=7"),
    _study("", "StudyID=07"),
    _study("2 3", "PatientSex=M"),
    # Dates and times.
    _study("1", "StudyDate=20240305"),
    _study("1 2", "StudyDate=20240305-20240306"),
    _study("2 4", "StudyDate=20240306-"),
    _study("1 3", "StudyDate=-20240305"),
    _study("", "StudyDate=20240310-20240301"),
    _study("1 2 3 4", "StudyDate=19000101-20991231"),
    _study("1", "StudyTime=0915"),
    _study("1", "StudyTime=09"),
    _study("2", "StudyTime=180000"),
    _study("2", "StudyTime=180000.5"),
    _study("", "StudyTime=180000.6"),
    _study("1", "StudyTime=-0915"),
    _study("2 3", "StudyTime=1800-"),
    _study("2 4", "StudyTime=100000-180000"),
    _study("2", "StudyDate=20240305-20240306", "StudyTime=1000-2000"),
    _study("2", "PatientBirthDate=19500101-19601231"),
    # UIDs: lists, nothing wild, nothing foreign.
    _study("1", "StudyInstanceUID=1.2.3.1"),
    _study("1 3", "StudyInstanceUID=1.2.3.1\\1.2.3.3"),
    _study("", "StudyInstanceUID=1.2.3.*"),
    _study("2", "StudyInstanceUID=1.2.3.6\\1.2.3.2"),
    _study("", "StudyInstanceUID=1.2.3.6"),
    # What the archive counts and collects.
    _study("1 4", "ModalitiesInStudy=CT"),
    _study("1", "ModalitiesInStudy=SR"),
    _study("1 4", "ModalitiesInStudy=C*"),
    _study("1 2 4", "ModalitiesInStudy=CT\\MR"),
    _study("", "ModalitiesInStudy=C"),
    _study("", "ModalitiesInStudy=ct"),
    _study("1 4", "NumberOfStudyRelatedSeries=2"),
    _study("1", "NumberOfStudyRelatedInstances=3"),
    _study("1 4", f"SOPClassesInStudy={CT}"),
    # All keys must fit.
    _study("4", "PatientName=Doe*", "ModalitiesInStudy=CT", "StudyDate=20240401"),
    _study("", "PatientName=Doe*", "ModalitiesInStudy=MR"),
    _study("1", "PatientID=P1", "AccessionNumber=A1000"),
    # Series.
    _series("1", "1.1 1.2"),
    _series("6", ""),
    _series("1", "1.1", "Modality=CT"),
    _series("1", "1.2", "Modality=?R"),
    _series("4", "4.1 4.2", "Modality=CT\\PT"),
    _series("1", "1.2", "SeriesNumber=99"),
    _series("1", "1.2", "SeriesNumber=099"),
    _series("1", "", "SeriesNumber=9*"),
    _series("1", "1.1", "SeriesDescription=Axial*"),
    _series("1", "1.1", "BodyPartExamined=CHEST"),
    _series("1", "1.1 1.2", "SeriesInstanceUID=1.2.3.1.1\\1.2.3.1.2\\1.2.3.4.1"),
    _series("1", "1.1", "NumberOfSeriesRelatedInstances=2"),
    # Sequences: all keys fit one item.
    _series("1", "1.1", "RequestAttributesSequence[0].ScheduledProcedureStepID=SPS1"),
    _series("2", "2.1", "RequestAttributesSequence[0].ScheduledProcedureStepID=SPS*"),
    _series(
        "2",
        "2.1",
        "RequestAttributesSequence[0].ScheduledProcedureStepID=SPS3",
        "RequestAttributesSequence[0].RequestedProcedureID=RP3",
    ),
    _series(
        "2",
        "",
        "RequestAttributesSequence[0].ScheduledProcedureStepID=SPS2",
        "RequestAttributesSequence[0].RequestedProcedureID=RP3",
    ),
    _series("1", "1.1 1.2", "RequestAttributesSequence[0].ScheduledProcedureStepID="),
    _series("1", "1.1", "PerformedProcedureStepStartDate=20240301-20240305"),
    _series("1", "", "PerformedProcedureStepStartDate=20240306-"),
    # Instances.
    _image("1.1", "1.1.1 1.1.2"),
    _image("1.1", "1.1.2", "InstanceNumber=2"),
    _image("1.1", "1.1.1", "SOPInstanceUID=1.2.3.1.1.1"),
    _image("1.1", "1.1.1 1.1.2", f"SOPClassUID={CT}"),
    _image("1.1", "", f"SOPClassUID={MR}"),
    _image("1.1", "1.1.2", "ContentDate=20240306-"),
    _image("6.1", ""),
    # Patient Root.
    _patient("PATIENT", "P1 P2 P3"),
    _patient("PATIENT", "P1", "PatientName=doe*"),
    _patient("PATIENT", "P3", "PatientBirthDate=19800229"),
    _patient("PATIENT", "P2 P3", "PatientSex=M"),
    _patient("PATIENT", "P1", "NumberOfPatientRelatedStudies=2"),
    _patient("STUDY", "1 4", "PatientID=P1"),
    _patient("STUDY", "4", "PatientID=P1", "StudyDate=20240401"),
    _patient("SERIES", "2.1", "PatientID=P2", "StudyInstanceUID=1.2.3.2"),
    _patient("SERIES", "", "PatientID=P1", "StudyInstanceUID=1.2.3.2"),
]
