"""Files, folders and ZIPs through the one way in, on a real home and database."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Generator
from pathlib import Path

import pytest
from django.db import transaction

from archive import storage
from archive.importing import Verdict, count_files, import_file, import_many, import_stream
from archive.ingest import Source
from archive.models import Discrepancy, Instance, Study
from archive.phantom import PhantomShape, build_datasets
from archive.unpack import UnpackLimits
from tests.factories import as_part10, bundled

pytestmark = pytest.mark.django_db(transaction=True)
SOURCE = Source(door="import", sender="test")
SMALL = PhantomShape(rows=32, columns=32, slices=12)


def files_of(shape: PhantomShape = SMALL) -> dict[str, bytes]:
    return {f"{n:03d}.dcm": as_part10(one) for n, one in enumerate(build_datasets(shape))}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    buffer.seek(0)
    return buffer


def statuses(verdicts: list[Verdict]) -> list[str]:
    return [verdict.status for verdict in verdicts]


def stored_digests() -> set[str]:
    return {
        hashlib.sha256(storage.path_of(key).read_bytes()).hexdigest()
        for key in Instance.objects.values_list("storage_key", flat=True)
    }


def digests(files: dict[str, bytes]) -> set[str]:
    return {hashlib.sha256(data).hexdigest() for data in files.values()}


def is_nothing_left_behind() -> bool:
    incoming = storage.root() / "incoming"
    return not [path for path in incoming.rglob("*") if path.is_file()]


def test_one_file_is_stored_bit_exact_and_named_in_its_verdict():
    path = bundled("CT_small.dcm")
    with path.open("rb") as file:
        verdict = import_file(SOURCE, file, "CT_small.dcm")
    assert verdict.status == "stored"
    assert verdict.sop_instance_uid == Instance.objects.get().sop_instance_uid
    assert verdict.study_instance_uid == Study.objects.get().study_instance_uid
    assert stored_digests() == {hashlib.sha256(path.read_bytes()).hexdigest()}


def test_the_same_file_again_is_a_duplicate_and_other_bytes_a_conflict():
    path = bundled("CT_small.dcm")
    data = path.read_bytes()
    changed = data[:-1] + bytes([data[-1] ^ 1])
    found = [import_file(SOURCE, io.BytesIO(one), "x").status for one in (data, data, changed)]
    assert found == ["stored", "duplicate", "conflict"]
    assert stored_digests() == {hashlib.sha256(data).hexdigest()}
    assert Discrepancy.objects.count() == 1


def test_a_lost_file_is_healed():
    data = bundled("CT_small.dcm").read_bytes()
    import_file(SOURCE, io.BytesIO(data), "x")
    storage.path_of(Instance.objects.get().storage_key).unlink()
    assert import_file(SOURCE, io.BytesIO(data), "x").status == "healed"
    assert stored_digests() == {hashlib.sha256(data).hexdigest()}


def test_a_folder_is_taken_to_its_end_in_order(tmp_path: Path):
    files = {f"a/b/{name}": data for name, data in files_of().items()}
    verdicts = list(import_many(SOURCE, [write(tmp_path / "in", files)]))
    assert [verdict.name for verdict in verdicts] == [
        str(tmp_path / "in" / name) for name in sorted(files)
    ]
    assert set(statuses(verdicts)) == {"stored"}
    assert stored_digests() == digests(files)
    study = Study.objects.get()
    assert (study.series_count, study.instance_count) == (1, 12)


def test_what_is_no_dicom_is_skipped_and_told(tmp_path: Path):
    files = {
        "study/.DS_Store": b"\x00\x00\x00\x01Bud1" + bytes(6144),
        "study/viewer.exe": b"MZ" + bytes(3000),
        "study/index.html": b"<html></html>",
        "study/empty": b"",
        "study/DICOMDIR": bundled("DICOMDIR").read_bytes(),
        "study/noise": os.urandom(4000),
        "study/1.dcm": bundled("CT_small.dcm").read_bytes(),
    }
    by_name = {
        Path(verdict.name).name: verdict
        for verdict in import_many(SOURCE, [write(tmp_path / "in", files)])
    }
    assert by_name.pop("1.dcm").status == "stored"
    assert {verdict.status for verdict in by_name.values()} == {"skipped"}
    assert all(verdict.reason for verdict in by_name.values())
    assert "DICOMDIR" in by_name["DICOMDIR"].reason
    assert Instance.objects.count() == 1


def test_links_are_told_and_not_followed(tmp_path: Path):
    outside = tmp_path / "outside.dcm"
    shutil.copy(bundled("CT_small.dcm"), outside)
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "link.dcm").symlink_to(outside)
    (inside / "round").symlink_to(inside)
    os.mkfifo(inside / "pipe")
    verdicts = list(import_many(SOURCE, [inside]))
    assert statuses(verdicts) == ["skipped"] * 3
    assert Instance.objects.count() == 0


def test_a_tree_deeper_than_python_recurses_is_walked(tmp_path: Path):
    top = deep = tmp_path / "in"
    for _ in range(1100):
        deep.mkdir()
        deep = deep / "d"
    shutil.copy(bundled("CT_small.dcm"), deep.parent / "1.dcm")
    try:
        assert statuses(list(import_many(SOURCE, [top]))) == ["stored"]
    finally:
        # Python's own remover recurses.
        subprocess.run(["rm", "-rf", top], check=True)


def test_one_damaged_file_among_many_is_refused_alone(tmp_path: Path):
    files = files_of()
    files["005.dcm"] = files["005.dcm"][:-100]
    verdicts = list(import_many(SOURCE, [write(tmp_path / "in", files)]))
    assert statuses(verdicts) == ["stored"] * 5 + ["refused"] + ["stored"] * 6
    assert Instance.objects.count() == 11
    assert is_nothing_left_behind()


def test_a_zip_gives_a_verdict_for_each_entry():
    files = {**{f"DICOM/{name}": data for name, data in files_of().items()}, "readme.txt": b"hi"}
    hostile = {**files, "../../evil.dcm": bundled("CT_small.dcm").read_bytes()}
    verdicts = list(import_stream(SOURCE, zipped(hostile), "study.zip"))
    assert statuses(verdicts) == ["stored"] * 12 + ["skipped"] * 2
    assert verdicts[0].name == "study.zip/DICOM/000.dcm"
    assert verdicts[-1].name == "study.zip/../../evil.dcm"
    files.pop("readme.txt")
    assert stored_digests() == digests(files)


def test_a_zip_in_a_zip_is_told_not_opened():
    inner = zipped(files_of()).getvalue()
    verdicts = list(import_stream(SOURCE, zipped({"inner.zip": inner}), "outer.zip"))
    assert statuses(verdicts) == ["skipped"]
    assert "ZIP inside a ZIP" in verdicts[0].reason
    assert Instance.objects.count() == 0


def test_a_spoiled_entry_is_refused_and_leaves_nothing():
    raw = bytearray(zipped(files_of()).getvalue())
    raw[raw.find(b"004.dcm") + 600] ^= 0xFF
    verdicts = list(import_stream(SOURCE, io.BytesIO(raw), "study.zip"))
    assert statuses(verdicts) == ["stored"] * 4 + ["refused"] + ["stored"] * 7
    assert is_nothing_left_behind()


def test_a_zip_cut_short_leaves_nothing_half_visible_and_may_come_again():
    whole = zipped(files_of())
    cut = io.BytesIO(whole.getvalue()[: int(len(whole.getvalue()) * 0.99)])
    assert statuses(list(import_stream(SOURCE, cut, "study.zip"))) == ["refused"]
    assert Study.objects.count() == 0
    assert set(statuses(list(import_stream(SOURCE, whole, "study.zip")))) == {"stored"}


def test_a_bomb_under_a_dicom_header_is_stopped_and_the_disk_is_as_before():
    bomb = files_of()["000.dcm"] + bytes(30_000_000)
    limits = UnpackLimits(ratio_from_bytes=1_000_000, max_ratio=50)
    verdicts = list(import_stream(SOURCE, zipped({"bomb.dcm": bomb}), "bomb.zip", limits))
    assert verdicts[0].status == "refused"
    assert Instance.objects.count() == 0
    assert is_nothing_left_behind()
    assert not list((storage.root() / "studies").rglob("*.dcm"))


def test_a_full_disk_refuses_in_words_and_goes_on_when_there_is_room(tmp_path: Path, settings):
    folder = write(tmp_path / "in", files_of())
    settings.NOCTIS_DISK_RESERVE_MB = 1 << 30
    verdicts = list(import_many(SOURCE, [folder]))
    assert set(statuses(verdicts)) == {"refused"}
    assert "disk is full" in verdicts[0].reason
    settings.NOCTIS_DISK_RESERVE_MB = 0
    assert set(statuses(list(import_many(SOURCE, [folder])))) == {"stored"}


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path):
    missing = tmp_path / "missing.dcm"
    assert statuses(list(import_many(SOURCE, [missing]))) == ["refused"]


def test_rows_join_the_callers_transaction(tmp_path: Path):
    folder = write(tmp_path / "in", files_of())
    with transaction.atomic():
        assert set(statuses(list(import_many(SOURCE, [folder])))) == {"stored"}
        transaction.set_rollback(True)
    assert Instance.objects.count() == 0


def test_stopping_half_way_leaves_no_temporary_file(tmp_path: Path):
    verdicts = import_many(SOURCE, [write(tmp_path / "in", files_of())])
    next(verdicts)
    assert isinstance(verdicts, Generator)
    verdicts.close()
    assert is_nothing_left_behind()


def test_counts_files_and_entries_beforehand(tmp_path: Path):
    write(tmp_path / "in", files_of())
    (tmp_path / "in" / "study.zip").write_bytes(zipped(files_of()).getvalue())
    assert count_files([tmp_path / "in"]) == 24


def test_an_empty_zip_is_told():
    assert statuses(list(import_stream(SOURCE, zipped({}), "empty.zip"))) == ["skipped"]
