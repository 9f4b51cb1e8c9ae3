"""DICOMDIR files, read by pydicom and judged by DCMTK and dciodvfy."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet
from pydicom.sequence import Sequence

from imaging.dicomdir import Directory, record_type
from tests.unit.imaging.build import EXPLICIT, dataset, written


def objects() -> list[tuple[Dataset, tuple[str, ...]]]:
    """Return two patients; the first has two studies, one of them with two series."""
    places = [("P1", "1", "1.1"), ("P1", "1", "1.1"), ("P1", "1", "1.2"), ("P1", "2", "2.1"),
              ("P2", "3", "3.1")]  # fmt: skip
    made: list[tuple[Dataset, tuple[str, ...]]] = []
    for number, (patient, study, series) in enumerate(places, start=1):
        ds = dataset(
            PatientID=patient, PatientName="山田^太郎", SpecificCharacterSet="ISO_IR 192",
            StudyInstanceUID=f"1.2.{study}", SeriesInstanceUID=f"1.2.{series}", StudyID="S",
            SOPInstanceUID=f"1.2.9.{number}", SOPClassUID="1.2.840.10008.5.1.4.1.1.2",
            Modality="CT", SeriesNumber="1", InstanceNumber=str(number),
            StudyDate="20200101", StudyTime="101010",
        )  # fmt: skip
        made.append((ds, ("DICOM", f"IM{number:06}")))
    made[4][0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.59"
    del made[4][0].StudyDate
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = (
        "113000",
        "DCM",
        "Of Interest",
    )
    made[4][0].ConceptNameCodeSequence = Sequence([title])
    return made


def directory() -> bytes:
    made = Directory("1.2.3.99")
    for ds, file_id in objects():
        made.add(ds, file_id, EXPLICIT)
    return made.to_bytes()


def test_the_records_form_the_tree_that_the_offsets_say() -> None:
    read = pydicom.dcmread(io.BytesIO(directory()))
    kinds = [record.DirectoryRecordType for record in read.DirectoryRecordSequence]
    assert kinds == [
        "PATIENT", "STUDY", "SERIES", "IMAGE", "IMAGE", "SERIES", "IMAGE", "STUDY", "SERIES",
        "IMAGE", "PATIENT", "STUDY", "SERIES", "KEY OBJECT DOC",
    ]  # fmt: skip
    by_offset = {record.seq_item_tell: record for record in read.DirectoryRecordSequence}
    seen, waiting = [], [read.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity]
    while waiting:
        record = by_offset[waiting.pop()]
        seen.append(record)
        offsets = (
            record.OffsetOfTheNextDirectoryRecord,
            record.OffsetOfReferencedLowerLevelDirectoryEntity,
        )
        waiting += [offset for offset in offsets if offset]
    assert seen == list(read.DirectoryRecordSequence)
    last = by_offset[read.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity]
    assert last.PatientID == "P2"
    assert last.OffsetOfTheNextDirectoryRecord == 0
    assert str(last.PatientName) == "山田^太郎"


def test_a_missing_key_that_must_be_there_is_filled() -> None:
    read = pydicom.dcmread(io.BytesIO(directory()))
    studies = [r for r in read.DirectoryRecordSequence if r.DirectoryRecordType == "STUDY"]
    assert [study.StudyDate for study in studies] == ["20200101", "20200101", "19000101"]


def test_no_objects_make_an_empty_directory() -> None:
    read = pydicom.dcmread(io.BytesIO(Directory("1.2.3.99").to_bytes()))
    assert len(read.DirectoryRecordSequence) == 0
    assert read.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity == 0


@pytest.mark.parametrize(
    ("uid", "kind"),
    [("1.2.840.10008.5.1.4.1.1.2", "IMAGE"), ("1.2.840.10008.5.1.4.1.1.88.33", "SR DOCUMENT"),
     ("1.2.840.10008.5.1.4.1.1.88.59", "KEY OBJECT DOC"), ("1.2.840.10008.5.1.4.1.1.104.1", "ENCAP DOC"),
     ("1.2.840.10008.5.1.4.1.1.11.1", "PRESENTATION"), ("1.2.840.10008.5.1.4.1.1.481.3", "RT STRUCTURE SET"),
     ("1.2.840.10008.5.1.4.1.1.66.4", "IMAGE"), ("1.2.840.10008.5.1.4.1.1.9.1.1", "WAVEFORM"),
     ("1.2.3.4", "IMAGE")],
)  # fmt: skip
def test_records_are_of_the_type_that_the_class_wants(uid: str, kind: str) -> None:
    assert record_type(uid) == kind


def test_other_programs_find_the_files(tmp_path: Path) -> None:
    (tmp_path / "DICOM").mkdir()
    for ds, file_id in objects():
        tmp_path.joinpath(*file_id).write_bytes(written(ds))
    path = tmp_path / "DICOMDIR"
    path.write_bytes(directory())
    found = FileSet(path)
    assert len(list(found)) == 5
    assert {str(one.load().SOPInstanceUID) for one in found} == {f"1.2.9.{n}" for n in range(1, 6)}
    if shutil.which("dcmdump"):
        run = ["dcmdump", "-q", "+L", str(path)]
        said = subprocess.run(run, capture_output=True, check=True, text=True)
        assert "error" not in said.stderr.lower()
    if shutil.which("dciodvfy"):
        run = ["dciodvfy", str(path)]
        said = subprocess.run(run, capture_output=True, check=False, text=True)
        assert [line for line in said.stderr.splitlines() if line.startswith("Error")] == []
