"""C-STORE, as honest and as confused senders do it (PS3.4 B, PS3.7 9.1.1)."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from pynetdicom.presentation import AllStoragePresentationContexts
from pytest_django import Settings

from accounts.models import Facility
from archive.models import Discrepancy, Instance, Study
from dicom_receiver.models import Peer, SenderStatistics
from tests.conformance.dimse import (
    C_STORE,
    COMMENT,
    CT_IMAGE_STORAGE,
    DATA_SET_TYPE,
    EXPLICIT_LITTLE,
    FIELD,
    IMPLICIT_LITTLE,
    MESSAGE_ID,
    SOP_CLASS,
    SOP_INSTANCE,
    STATUS,
    Elements,
    context,
    encode,
    p_data,
    pdv,
    store_command,
)
from tests.conformance.inside import InsidePort
from tests.conformance.port import Port, Reachable, memory_bytes, wait_for
from tests.factories import real_files

CT = context(1, CT_IMAGE_STORAGE, EXPLICIT_LITTLE)
PRIVATE_CLASS = "1.3.12.2.1107.5.9.1"
MIB = 1024 * 1024


def make_ct(**also: object) -> Dataset:
    """Return a small CT without file meta information."""
    dataset = Dataset()
    dataset.SOPClassUID = CT_IMAGE_STORAGE
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.PatientID = "P1"
    dataset.PatientName = "Secret^Name"
    dataset.Modality = "CT"
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = bytes(range(256)) * 2
    dataset["PixelData"].VR = "OW"
    for keyword, value in also.items():
        setattr(dataset, keyword, value)
    return dataset


def store(port: Reachable, dataset: Dataset, **also: int) -> dict[int, int | bytes]:
    with port.client() as client:
        client.associate(CT)
        answer = client.store(
            CT_IMAGE_STORAGE, str(dataset.SOPInstanceUID), encode(dataset), **also
        )
        client.release()
    return answer


def stored_path(port: Reachable, instance: Instance) -> Path:
    return port.home / "media" / instance.storage_key


def read_data_set(path: Path) -> bytes:
    """Return the bytes after the file meta information, whose length the file itself tells."""
    content = path.read_bytes()
    begin = 128 + 4 + 12 + int.from_bytes(content[140:144], "little")
    return content[begin:]


def send_with_dcmsend(port: Reachable, paths: list[Path], *options: str) -> None:
    subprocess.run(
        [
            *("dcmsend", "-aet", "DCMTK", "-aec", "NOCTIS_SCP", *options),
            *("localhost", str(port.number), *map(str, paths)),
        ],
        check=True,
        timeout=120,
        capture_output=True,
    )


def test_stored_bytes_are_the_sent_bytes_and_success_means_indexed(port: Port) -> None:
    dataset = make_ct()

    answer = store(port, dataset, piece=333)

    instance = Instance.objects.get(sop_instance_uid=dataset.SOPInstanceUID)
    assert answer[STATUS] == 0
    assert answer[FIELD] == 0x8000 | C_STORE
    assert bytes(answer[SOP_INSTANCE]).rstrip(b"\0").decode() == dataset.SOPInstanceUID
    assert (instance.door, instance.sender, instance.facility) == ("dimse", "RAW", None)
    assert read_data_set(stored_path(port, instance)) == encode(dataset)
    meta = dcmread(stored_path(port, instance), stop_before_pixels=True).file_meta
    assert meta.TransferSyntaxUID == EXPLICIT_LITTLE
    assert meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert meta.SourceApplicationEntityTitle == "RAW"
    wait_for(lambda: SenderStatistics.objects.filter(objects_stored=1).exists())
    row = SenderStatistics.objects.get(ae_title="RAW", objects_stored=1)
    assert row.bytes_stored == stored_path(port, instance).stat().st_size


def test_same_object_again_is_success_and_changes_nothing(inside: InsidePort) -> None:
    dataset = make_ct()
    first = store(inside, dataset)
    files = inside.media_files()
    second = store(inside, dataset)

    assert (first[STATUS], second[STATUS]) == (0, 0)
    assert inside.media_files() == files
    assert Instance.objects.count() == Study.objects.get().instance_count == 1


def test_other_bytes_under_a_known_uid_are_kept_for_a_person_and_said_so(
    inside: InsidePort,
) -> None:
    dataset = make_ct()
    store(inside, dataset)
    first = encode(dataset)
    dataset.PixelData = bytes(512)

    answer = store(inside, dataset)

    assert answer[STATUS] == 0xB000
    assert b"Kept for review" in bytes(answer[COMMENT])
    assert read_data_set(stored_path(inside, Instance.objects.get())) == first
    assert Discrepancy.objects.count() == 1


def test_what_does_not_fit_is_refused_for_its_reason_and_leaves_nothing(port: Port) -> None:
    stored = [refuse_all_but_the_last(port, uid) for uid in (IMPLICIT_LITTLE, EXPLICIT_LITTLE)]

    rows = Instance.objects.values_list("sop_instance_uid", flat=True)
    assert {str(uid) for uid in rows} == {uid for uid, _ in stored}
    assert len(port.media_files()) == len(stored)
    said = port.said()
    assert "Secret" not in said
    assert "Traceback" not in said
    failures = sum(count for _, count in stored)
    wait_for(lambda: SenderStatistics.objects.filter(failures=failures).exists())


def refuse_all_but_the_last(port: Reachable, transfer_syntax: str) -> tuple[str, int]:
    """Send what does not fit, and then what does; return its UID, and how much was refused."""
    dataset = make_ct()
    whole = encode(dataset, transfer_syntax)
    uid = str(dataset.SOPInstanceUID)
    without = make_ct()
    del without.SOPInstanceUID
    other_class = make_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    no_study = make_ct()
    del no_study.StudyInstanceUID
    mr, other_uid = "1.2.840.10008.5.1.4.1.1.4", generate_uid()

    def encoded(chosen: Dataset) -> bytes:
        return encode(chosen, transfer_syntax)

    cases: list[tuple[str | bytes, str | bytes, bytes, int]] = [
        (CT_IMAGE_STORAGE, other_uid, whole, 0xA900),
        (CT_IMAGE_STORAGE, str(other_class.SOPInstanceUID), encoded(other_class), 0xA900),
        (CT_IMAGE_STORAGE, uid, encoded(without), 0xC000),
        (CT_IMAGE_STORAGE, str(no_study.SOPInstanceUID), encoded(no_study), 0xC000),
        (mr, uid, whole, 0x0122),
        (CT_IMAGE_STORAGE, uid, whole[:-1], 0xC000),
        (CT_IMAGE_STORAGE, uid, whole[: len(whole) // 2], 0xC000),
        (CT_IMAGE_STORAGE, uid, b"", 0xC000),
        (CT_IMAGE_STORAGE, uid, b"GET / HTTP/1.1\r\n\r\n", 0xC000),
        (CT_IMAGE_STORAGE, uid, b"\xff" * 4096, 0xC000),
        (CT_IMAGE_STORAGE, b"1.2.3/../../../etc/passwd", whole, 0x0117),
        (CT_IMAGE_STORAGE, b"1.2.3\x004.5", whole, 0x0117),
        (CT_IMAGE_STORAGE, b"1.2.3\n4.5", whole, 0x0117),
        (CT_IMAGE_STORAGE, b"1." + b"2" * 63, whole, 0x0117),
        (CT_IMAGE_STORAGE, b"", whole, 0x0117),
        (b"1.2/../3", uid, whole, 0x0122),
    ]
    with port.client() as client:
        client.associate(context(1, CT_IMAGE_STORAGE, transfer_syntax))
        got = [client.store(sop_class, instance, data) for sop_class, instance, data, _ in cases]
        # The association is none the worse for it.
        good = client.store(CT_IMAGE_STORAGE, uid, whole)[STATUS]
        client.release()

    assert [hex(int(answer[STATUS])) for answer in got] == [hex(case[3]) for case in cases]
    assert all(0 < len(bytes(answer[COMMENT])) <= 64 for answer in got)
    assert good == 0
    return uid, len(cases)


def test_store_without_a_data_set_is_refused(inside: InsidePort) -> None:
    command: Elements = {
        SOP_CLASS: CT_IMAGE_STORAGE,
        FIELD: C_STORE,
        MESSAGE_ID: 3,
        DATA_SET_TYPE: 0x101,
    }
    with inside.client() as client:
        client.associate(CT)
        client.send_command(1, {**command, SOP_INSTANCE: "1.2.3.4"})
        assert client.read_response()[STATUS] == 0xC000


def test_sender_that_goes_in_the_middle_leaves_nothing(inside: InsidePort) -> None:
    data = encode(make_ct(PixelData=bytes(4 * MIB)))
    with inside.client() as client:
        client.associate(CT)
        client.send_command(1, store_command(CT_IMAGE_STORAGE, "1.2.3.4"))
        for begin in range(0, 2 * MIB, 65536):
            client.send(p_data(pdv(1, 0, data[begin : begin + 65536])))
        wait_for(inside.media_files)
        client.send(bytes([7, 0, 0, 0, 0, 4, 0, 0, 0, 0]))

    wait_for(lambda: not inside.media_files())
    assert not Instance.objects.exists()
    assert inside.echoes()


def test_known_peer_stores_into_its_facility_and_from_a_wrong_address_into_quarantine(
    inside: InsidePort, north: Facility
) -> None:
    also: dict[str, Any] = {"facility": north, "check_address": True}
    Peer.objects.create(ae_title="HERE", host="127.0.0.1", **also)
    Peer.objects.create(ae_title="ELSEWHERE", host="192.0.2.7", **also)
    facilities = []
    for calling in (b"HERE", b"ELSEWHERE"):
        dataset = make_ct()
        with inside.client() as client:
            client.associate(CT, calling=calling)
            uid = str(dataset.SOPInstanceUID)
            assert client.store(CT_IMAGE_STORAGE, uid, encode(dataset))[STATUS] == 0
        found = Study.objects.get(study_instance_uid=dataset.StudyInstanceUID)
        facilities.append(found.facility)

    assert facilities == [north, None]


def test_private_class_is_taken_or_not_as_policy_says(
    inside: InsidePort, settings: Settings
) -> None:
    dataset = make_ct(SOPClassUID=PRIVATE_CLASS)
    private = context(1, PRIVATE_CLASS, EXPLICIT_LITTLE)

    settings.NOCTIS_PRIVATE_SOP_CLASSES = "reject"
    with inside.client() as client:
        assert client.associate(private).accepted[1][0] == 3
    settings.NOCTIS_PRIVATE_SOP_CLASSES = "accept"
    with inside.client() as client:
        client.associate(private)
        uid = str(dataset.SOPInstanceUID)
        assert client.store(PRIVATE_CLASS, uid, encode(dataset))[STATUS] == 0

    assert Instance.objects.get().sop_class_uid == PRIVATE_CLASS


def test_all_storage_classes_of_a_long_request_are_taken(inside: InsidePort) -> None:
    classes = [str(known.abstract_syntax) for known in AllStoragePresentationContexts]
    assert len(classes) > 128
    for chosen in (classes[:128], classes[128:]):
        with inside.client() as client:
            client.associate(
                *(context(2 * i + 1, uid, IMPLICIT_LITTLE) for i, uid in enumerate(chosen))
            )
            assert {result for result, _ in client.accepted.values()} == {0}


@pytest.mark.dcmtk
@pytest.mark.slow
@pytest.mark.parametrize("folder", ["syntaxes", "us", "mr-enhanced"])
def test_real_files_of_every_syntax_come_back_bit_exact(inside: InsidePort, folder: str) -> None:
    """Each object's data set is stored exactly as it lies in its file, and no other way."""
    by_uid: dict[str, Path] = {}
    for path in real_files(folder):
        header = dcmread(path, stop_before_pixels=True, force=True)
        whole = all(
            header.get(name) for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
        )
        if whole and "TransferSyntaxUID" in header.get("file_meta", {}):
            by_uid.setdefault(str(header.SOPInstanceUID), path)
    sent: dict[str, bytes] = {}
    syntaxes = set()
    for uid, path in by_uid.items():
        header = dcmread(path, stop_before_pixels=True)
        syntax = str(header.file_meta.TransferSyntaxUID)
        sent[uid] = read_data_set(path)
        with inside.client() as client:
            client.associate(context(1, str(header.SOPClassUID), syntax))
            answer = client.store(str(header.SOPClassUID), uid, sent[uid])
        if answer[STATUS] == 0:
            syntaxes.add(syntax)
        else:
            del sent[uid]

    stored = {instance.sop_instance_uid: instance for instance in Instance.objects.all()}
    assert {uid: digest(read_data_set(stored_path(inside, stored[uid]))) for uid in sent} == {
        uid: digest(data) for uid, data in sent.items()
    }
    assert len(sent) >= 0.8 * len(by_uid)
    assert {stored[uid].transfer_syntax_uid for uid in sent} == syntaxes


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.dcmtk
def test_dcmtk_sends_big_endian_deflated_and_compressed(inside: InsidePort) -> None:
    names = ["MR_small_bigendian", "image_dfl", "SC_rgb_rle", "JPEG-lossy", "693_J2KI", "CT_small"]
    paths = [Path(str(get_testdata_file(f"{name}.dcm"))) for name in names]
    headers = [dcmread(path, stop_before_pixels=True) for path in paths]

    send_with_dcmsend(inside, paths[1:], "--decompress-never")
    big_endian_first = ["storescu", "-xb", "-aec", "NOCTIS_SCP", "localhost", str(inside.number)]
    subprocess.run([*big_endian_first, str(paths[0])], check=True, timeout=30)

    wanted = {str(head.SOPInstanceUID): str(head.file_meta.TransferSyntaxUID) for head in headers}
    rows = Instance.objects.all()
    assert {row.sop_instance_uid: row.transfer_syntax_uid for row in rows} == wanted


@pytest.mark.slow
def test_large_object_takes_little_memory(port: Port) -> None:
    """300 MiB of frames pass through; the process grows by less than 64 MiB."""
    frames, frame_bytes = 600, 512 * 1024
    head = make_ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3",
        Rows=512,
        Columns=512,
        NumberOfFrames=frames,
        PixelData=b"",
    )
    del head.PixelData
    start = (
        encode(head) + b"\xe0\x7f\x10\x00OW\x00\x00" + (frames * frame_bytes).to_bytes(4, "little")
    )
    frame = bytes(range(256)) * (frame_bytes // 256)
    before = {pid: memory_bytes(pid) for pid in port.children()}

    with port.client() as client:
        client.sock.settimeout(120)
        client.associate(context(1, str(head.SOPClassUID), EXPLICIT_LITTLE))
        client.send_command(1, store_command(str(head.SOPClassUID), str(head.SOPInstanceUID)))
        client.send(p_data(pdv(1, 0, start)))
        piece = frame[: frame_bytes // 8]
        for number in range(frames * 8):
            client.send(p_data(pdv(1, 2 if number == frames * 8 - 1 else 0, piece)))
        answer = client.read_response()

    assert answer[STATUS] == 0
    instance = Instance.objects.get()
    assert instance.number_of_frames == frames
    assert stored_path(port, instance).stat().st_size > frames * frame_bytes
    assert max(memory_bytes(pid) - before[pid] for pid in before) < 64 * MIB
