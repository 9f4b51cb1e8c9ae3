"""What the commands print and with which code they end."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE, evt

from archive.models import Instance, Study
from tests.factories import bundled, make_facility

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: object) -> tuple[int, list[str]]:
    """Return exit code and lines of a command, as a shell would see them."""
    out = io.StringIO()
    try:
        call_command(*[str(argument) for argument in arguments], stdout=out, stderr=io.StringIO())
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue().splitlines()
    except CommandError as error:
        return error.returncode, [str(error)]
    return 0, out.getvalue().splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm"):
        shutil.copy(bundled(name), path)
    return path


@pytest.fixture
def scp():
    """Give a storage provider that takes CT alone, its port and what it was sent."""
    sent: list[bytes] = []

    def store(event) -> int:
        sent.append(event.encoded_dataset(include_meta=False))
        return 0xA700 if len(sent) > 3 else 0x0000

    entity = AE(ae_title="OTHER")
    entity.add_supported_context(CTImageStorage)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    assert server is not None
    yield server.server_address[1], sent
    server.shutdown()


def test_import_prints_a_line_a_file_and_a_summary(folder: Path):
    make_facility("north")
    code, lines = run("import_dicom", folder, "--facility", "north")
    assert code == 0
    assert lines[0] == f"stored     {folder / 'CT_small.dcm'}"
    assert lines[-1] == "2 files: 2 stored"
    assert set(Study.objects.values_list("facility__code", flat=True)) == {"north"}


def test_import_without_facility_goes_to_quarantine(folder: Path):
    assert run("import_dicom", folder)[0] == 0
    assert Study.objects.filter(facility=None).count() == 2


def test_skipped_files_do_not_fail_an_import_and_refused_ones_do(folder: Path):
    (folder / "readme.txt").write_text("hello, I am no DICOM file at all")
    assert run("import_dicom", folder)[0] == 0
    (folder / "cut.dcm").write_bytes(bundled("CT_small.dcm").read_bytes()[:-200])
    code, lines = run("import_dicom", folder)
    assert code == 1
    assert lines[-1] == "4 files: 2 duplicate, 1 skipped, 1 refused"


def test_a_conflict_fails_an_import(folder: Path):
    data = bytearray((folder / "CT_small.dcm").read_bytes())
    data[-1] ^= 1
    (folder / "other.dcm").write_bytes(data)
    code, lines = run("import_dicom", folder)
    assert code == 1
    assert any(line.startswith("conflict") for line in lines)


def test_a_path_that_does_not_exist_is_a_sentence_and_nothing_is_imported(folder: Path):
    code, lines = run("import_dicom", folder, "/does/not/exist")
    assert code == 2
    assert lines == ["Nothing was imported, for this does not exist: /does/not/exist"]
    assert Instance.objects.count() == 0


def test_an_unknown_or_closed_facility_is_a_sentence_and_nothing_is_imported(folder: Path):
    make_facility("north")
    make_facility("closed", is_active=False)
    for wrong in ("nowhere", "closed"):
        code, lines = run("import_dicom", folder, "--facility", wrong)
        assert code == 2
        assert "north" in lines[0]
    assert Instance.objects.count() == 0


def test_samples_show_many_kinds_and_may_be_loaded_twice():
    code, lines = run("load_samples")
    assert code == 0
    assert lines[-1] == f"{Instance.objects.count()} files: {Instance.objects.count()} stored"
    modalities = set(Study.objects.values_list("modalities", flat=True))
    assert {"CT", "MR", "US", "ECG", "RTDOSE", "SEG", "SR"} <= modalities
    code, lines = run("load_samples")
    assert code == 0
    assert lines[-1].endswith("duplicate")


def test_the_phantom_is_written(tmp_path: Path):
    out = tmp_path / "new" / "phantom"
    code, lines = run(
        "create_test_dicom", "--output", out, "--rows", 64, "--columns", 48, "--slices", 3,
        "--spacing", 0.5, "--thickness", 1.5, "--tilt", 10, "--name", "Some^One",
    )  # fmt: skip
    assert (code, lines) == (0, ["3 files written"])
    files = sorted(out.iterdir())
    dataset = dcmread(files[0])
    assert (dataset.Rows, dataset.Columns, dataset.PatientName) == (64, 48, "Some^One")
    assert (dataset.PixelSpacing, dataset.SliceThickness) == ([0.5, 0.5], 1.5)
    assert dataset.GantryDetectorTilt == 10


def test_the_phantom_is_imported():
    code, lines = run("create_test_dicom", "--import", "--slices", 4, "--rows", 32)
    assert code == 0
    assert lines[-1].split()[-1] == Study.objects.get().study_instance_uid
    assert Study.objects.get().instance_count == 4


def test_an_impossible_phantom_is_a_sentence(tmp_path: Path):
    assert run("create_test_dicom", "--output", tmp_path / "x", "--rows", 1)[0] == 2
    assert run("create_test_dicom", "--output", tmp_path / "x", "--spacing", 1, 2, 3)[0] == 2


def test_sending_proposes_what_is_needed_and_sends_the_bytes_as_they_are(folder: Path, scp):
    port, sent = scp
    code, lines = run("send_dicom", folder / "CT_small.dcm", "--port", port, "--called", "OTHER")
    assert code == 0
    assert lines[-1] == "1 files: 1 stored, 0 failed"
    assert sent[0] in (folder / "CT_small.dcm").read_bytes()


def test_what_the_other_side_does_not_take_fails_the_sending(folder: Path, scp):
    (folder / "note.txt").write_text("no DICOM")
    code, lines = run("send_dicom", folder, "--port", scp[0])
    assert code == 1
    assert lines[-1] == "3 files: 1 stored, 2 failed"


def test_a_failure_status_is_told_and_fails_the_sending(scp):
    code, lines = run("create_test_dicom", "--send", "--port", scp[0], "--slices", 5, "--rows", 32)
    assert code == 1
    assert lines[3].startswith("failed")
    assert "it is out of resources (A700H)" in lines[3]


def test_nobody_there_is_a_sentence(folder: Path, scp):
    code, lines = run("send_dicom", folder, "--port", 1, "--called", "OTHER")
    assert code == 2
    assert lines == ["OTHER at 127.0.0.1 port 1 cannot be reached: connection refused."]
    assert run("send_dicom", "/does/not/exist")[0] == 2
    assert run("send_dicom", folder, "--called", "far too long a title")[0] == 2
