"""Senders that keep a ledger of what was acknowledged, and the judge of that ledger."""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydicom import Dataset, dcmwrite

from archive.phantom import PhantomShape, build_datasets
from tests.dimse_client import CT_IMAGE_STORAGE, PeerError, StoreMessage
from tests.faults.receiver import Receiver

UID_ROOT = "1.2.826.0.1.3680043.10.1714.9"


@dataclass(frozen=True)
class Promise:
    """An instance for which success was said, and the digest of the data set that was sent."""

    sop_instance_uid: str
    sha256: str


@cache
def template(pixels: int = 256) -> Dataset:
    """Return a CT of `pixels` squared, 16 bits each, as a data set without file meta information."""
    plain = Dataset()
    plain.update(next(iter(build_datasets(PhantomShape(rows=pixels, columns=pixels, slices=1)))))
    return plain


def encode(study: int, instance: str, pixels: int = 256) -> bytes:
    data_set = template(pixels)
    data_set.StudyInstanceUID = f"{UID_ROOT}.1.1{study:06d}"
    data_set.SeriesInstanceUID = f"{UID_ROOT}.2.1{study:06d}"
    data_set.SOPInstanceUID = instance
    buffer = io.BytesIO()
    dcmwrite(buffer, data_set, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def instance_uid(sender: int, number: int) -> str:
    return f"{UID_ROOT}.3.1{sender:06d}.1{number:06d}"


class Sender(threading.Thread):
    """One association that sends until its peer is gone; `promises` is its ledger."""

    def __init__(self, receiver: Receiver, sender: int, study: int) -> None:
        super().__init__(daemon=True)
        self._receiver = receiver
        self._sender = sender
        self._first = encode(study, instance_uid(sender, 0))
        self.promises: list[Promise] = []

    def run(self) -> None:
        first_uid = instance_uid(self._sender, 0)
        try:
            association = self._receiver.associate()
            message = StoreMessage(
                CT_IMAGE_STORAGE, first_uid, self._first, association.max_pdu_bytes
            )
            for number in range(100_000):
                uid = instance_uid(self._sender, number)
                answer = association.store(message.for_instance(uid))
                if answer.status != 0 or answer.sop_instance_uid != uid:
                    raise PeerError(f"0x{answer.status:04X}")
                sent = self._first.replace(first_uid.encode(), uid.encode())
                self.promises.append(Promise(uid, hashlib.sha256(sent).hexdigest()))
        except (OSError, PeerError):
            return


def find_broken(receiver: Receiver, promises: list[Promise]) -> list[str]:
    """Return the acknowledged UIDs that are not there, or not bit-exact, in words."""
    stored = {
        uid: (key, offset)
        for uid, key, offset in receiver.query(
            "SELECT sop_instance_uid, storage_key, dataset_offset FROM archive_instance"
        )
    }
    broken = []
    for promise in promises:
        if promise.sop_instance_uid not in stored:
            broken.append(f"{promise.sop_instance_uid} is not in the index")
            continue
        key, offset = stored[promise.sop_instance_uid]
        path = receiver.media / key
        if not path.is_file():
            broken.append(f"{promise.sop_instance_uid} has no file")
        elif _digest(path, offset) != promise.sha256:
            broken.append(f"{promise.sop_instance_uid} has other bytes")
    return broken


def find_wrong_counts(receiver: Receiver) -> list[str]:
    """Return where rows without files, kept counts or the worklist are wrong, in words."""
    wrong = [
        f"row without a file: {key}"
        for (key,) in receiver.query("SELECT storage_key FROM archive_instance")
        if not (receiver.media / key).is_file()
    ]
    for level, column in (("study", "study_id"), ("series", "series_id")):
        wrong += [
            f"{level} {row[0]} keeps {row[1:3]}, has {row[3:]}"
            for row in receiver.query(
                f"SELECT p.id, p.instance_count, p.size_bytes, count(i.id), "
                f"coalesce(sum(i.size_bytes), 0) FROM archive_{level} p "
                f"LEFT JOIN archive_instance i ON i.{column} = p.id "
                f"GROUP BY p.id, p.instance_count, p.size_bytes"
            )
            if row[1] != row[3] or int(row[2]) != int(row[4])
        ]
    without_entry = receiver.query(
        "SELECT id FROM archive_study WHERE id NOT IN (SELECT study_id FROM worklist_worklistentry)"
    )
    return wrong + [f"study {row[0]} is not on the worklist" for row in without_entry]


def _digest(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return hashlib.sha256(file.read()).hexdigest()
