"""The command `deidentify`, as a person at a terminal uses it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pydicom
import pytest
from django.core.management import CommandError, call_command

from tests import factories


def run(*arguments: object) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("deidentify", *map(str, arguments), stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_writes_copies_with_counters_for_names_and_a_directory(tmp_path: Path) -> None:
    out, key = tmp_path / "out", tmp_path / "key"
    code, said = run(factories.bundled("CT_small.dcm"), "--output", out, "--key-file", key)
    assert code == 0
    assert said.endswith("1 written, 0 left out\n")
    made = pydicom.dcmread(out / "DICOM" / "IM000001")
    assert str(made.PatientName).startswith("ANON-")
    directory = pydicom.dcmread(out / "DICOMDIR")
    assert directory.DirectoryRecordSequence[3].ReferencedFileID == ["DICOM", "IM000001"]
    assert directory.DirectoryRecordSequence[0].PatientID == made.PatientID
    again = tmp_path / "again"
    run(factories.bundled("CT_small.dcm"), "--output", again, "--key-file", key)
    assert pydicom.dcmread(again / "DICOM" / "IM000001").SOPInstanceUID == made.SOPInstanceUID
    assert key.stat().st_mode & 0o777 == 0o600


def test_leaves_out_documents_and_what_may_show_a_name_but_no_report(tmp_path: Path) -> None:
    names = ("reportsi.dcm", "SC_rgb_small_odd.dcm", "rtplan.dcm")
    files = [factories.bundled(name) for name in names]
    code, said = run(*files, "--output", tmp_path / "out")
    assert code == 1
    assert "cannot be cleaned" in said
    assert "secondary capture" in said
    (report,) = (tmp_path / "out" / "DICOM").iterdir()
    assert pydicom.dcmread(report).Modality == "SR"
    code, said = run(files[1], "--output", tmp_path / "out2", "--burned-in")
    assert code == 0


def test_never_writes_into_a_folder_that_exists(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="exists already"):
        call_command(
            "deidentify", str(factories.bundled("CT_small.dcm")), "--output", str(tmp_path)
        )
