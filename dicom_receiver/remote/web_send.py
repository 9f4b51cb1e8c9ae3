"""Sending to DICOMweb peers: STOW-RS, files as they lie on the disk (PS3.18 10.5)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import requests
from django.utils.translation import gettext as _

from archive.models import Instance
from dicom_receiver.remote.models import Exchange
from dicom_receiver.remote.progress import Tally
from dicom_receiver.remote.web_session import WebSession
from dicom_receiver.remote.web_words import in_words
from dicom_receiver.wire import Stop
from imaging.errors import PeerUnavailableError
from viewer.file_stream import open_file

# Of one request: small enough to tell progress by, large enough to be worth its answer.
BATCH_INSTANCES = 25
BATCH_BYTES = 64 * 1024 * 1024
_FAILED, _UID, _REASON = "00081198", "00081155", "00081197"
_PARTLY, _NOT_AT_ALL = 202, 409


def send(row: Exchange, tally: Tally, stop: Stop) -> None:
    """Send what an exchange names, batch by batch, counting what the peer says it has.

    Raises
    ------
    PeerUnavailableError
        It does not answer, or stopped in the middle.
    TransientError, PermanentError
        A file of ours cannot be read.
    """
    peer = row.web_peer
    assert peer is not None
    instances = find_instances(row)
    tally.expected = len(instances)
    with in_words(peer), WebSession(peer, stop) as session:
        for batch in _batches(instances):
            failed = _post(session, batch)
            for instance in batch:
                reason = failed.get(instance.sop_instance_uid)
                if reason is None:
                    tally.take()
                else:
                    tally.refuse(reason)


def find_instances(row: Exchange) -> list[Instance]:
    """Return what is sent: all of the study or series that is in the archive now."""
    there = Instance.objects.in_facilities([row.facility_id])
    found = there.filter(study__study_instance_uid=row.study_instance_uid)
    if row.series_instance_uid:
        found = found.filter(series__series_instance_uid=row.series_instance_uid)
    wanted = ("sop_instance_uid", "storage_key", "size_bytes")
    return list(found.only(*wanted).order_by("series_id", "instance_number", "id"))


def _batches(instances: Sequence[Instance]) -> Iterator[list[Instance]]:
    batch: list[Instance] = []
    size_bytes = 0
    for instance in instances:
        is_full = len(batch) == BATCH_INSTANCES or size_bytes + instance.size_bytes > BATCH_BYTES
        if batch and is_full:
            yield batch
            batch, size_bytes = [], 0
        batch.append(instance)
        size_bytes += instance.size_bytes
    if batch:
        yield batch


class _Body:
    """A multipart body that is read from the disk while it goes out; its length is known."""

    def __init__(self, session: WebSession, batch: Sequence[Instance]) -> None:
        self.boundary = secrets.token_hex(16)
        self._session = session
        self._batch = batch
        self._head = f"--{self.boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._end = f"--{self.boundary}--\r\n".encode()

    def __len__(self) -> int:
        around = len(self._head) + len(b"\r\n")
        return sum(one.size_bytes + around for one in self._batch) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        for instance in self._batch:
            yield self._head
            with open_file(instance) as file:
                for piece in file:
                    self._session.watch.go_on()
                    yield piece
            yield b"\r\n"
        yield self._end


def _post(session: WebSession, batch: Sequence[Instance]) -> dict[str, str]:
    """Send a batch; returns why each instance was not stored, by its UID."""
    body = _Body(session, batch)
    kind = f'multipart/related; type="application/dicom"; boundary={body.boundary}'
    response = session.post(
        f"{session.base_url}/studies",
        data=body,
        headers={"Content-Type": kind, "Accept": "application/dicom+json"},
    )
    failed = _read_failed(response)
    if response.status_code in (_PARTLY, _NOT_AT_ALL) and not failed:
        words = _("The other side did not take it, and does not say why.")
        return dict.fromkeys((one.sop_instance_uid for one in batch), words)
    if response.status_code != _NOT_AT_ALL:
        response.raise_for_status()
    if not response.ok and response.status_code != _NOT_AT_ALL:
        words = _("%(peer)s answers with status %(status)d.")
        facts = {"peer": session.peer.name, "status": response.status_code}
        raise PeerUnavailableError(words % facts, trouble="refused")
    return failed


def _read_failed(response: requests.Response) -> dict[str, str]:
    """Return what the answer says was not stored (PS3.18 I.2.2): UID to reason."""
    try:
        answer = json.loads(response.content or b"{}")
    except (ValueError, RecursionError):
        return {}
    if isinstance(answer, list):
        answer = answer[0] if answer else {}
    failed: dict[str, str] = {}
    for item in _values(answer, _FAILED):
        uid = next((value for value in _values(item, _UID) if isinstance(value, str)), "")
        reason = next((value for value in _values(item, _REASON) if isinstance(value, int)), 0)
        words = _("The other side did not store it (%(reason)04XH).")
        failed[uid] = words % {"reason": reason & 0xFFFF}
    return failed


def _values(item: Any, tag: str) -> list[Any]:
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []
