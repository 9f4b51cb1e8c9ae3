"""Send files to another application entity by C-STORE (PS3.4 B)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from imaging.errors import PeerUnavailableError

# PS3.8 9.3.2: presentation context IDs are the odd numbers below 256.
_MAX_CONTEXTS = 128
_TIMEOUT_S = 30

_Context = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to send, in whose name."""

    host: str
    port: int
    called_aet: str = "NOCTIS_SCP"
    calling_aet: str = "NOCTIS_SCU"


@dataclass(frozen=True)
class Sent:
    """What the other side said to one file. `is_stored` also with a warning (PS3.4 B.2.3)."""

    path: Path
    is_stored: bool
    reason: str


def send_files(target: Target, paths: Sequence[Path]) -> Iterator[Sent]:
    """Send files as they are, proposing only what they need; yields an answer for each.

    Raises `PeerUnavailableError` when no association comes about.
    """
    # The file goes out in pieces as it lies on the disk, never decoded.
    _config.STORE_SEND_CHUNKED_DATASET = True
    group: list[tuple[Path, _Context]] = []
    contexts: set[_Context] = set()
    for path in paths:
        try:
            context = _read_context(path)
        except (OSError, InvalidDicomError, AttributeError) as error:
            yield Sent(path, False, f"not sent: {error}")
            continue
        if len(contexts | {context}) > _MAX_CONTEXTS:
            yield from _send_group(target, group, contexts)
            group, contexts = [], set()
        group.append((path, context))
        contexts.add(context)
    if group:
        yield from _send_group(target, group, contexts)


def _read_context(path: Path) -> _Context:
    meta = read_file_meta_info(path)
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def _send_group(
    target: Target, group: list[tuple[Path, _Context]], contexts: set[_Context]
) -> Iterator[Sent]:
    entity = AE(ae_title=target.calling_aet)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT_S
    entity.requested_contexts = [build_context(*context) for context in sorted(contexts)]
    association = entity.associate(target.host, target.port, ae_title=target.called_aet)
    if not association.is_established:
        said = "rejected us" if association.is_rejected else "does not answer"
        raise PeerUnavailableError(
            f"{target.called_aet} at {target.host} port {target.port} {said}."
        )
    try:
        accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in association.accepted_contexts
        }
        for path, context in group:
            if context in accepted:
                yield _send_one(association, path)
            else:
                yield Sent(path, False, "not sent: the other side does not take this kind")
    finally:
        if association.is_established:
            association.release()


def _sendable(path: Path) -> Path | Dataset:
    """Return what to send: the file as it is, unless its meta information names another object.

    pynetdicom takes the command's UIDs from the file meta information, and a
    receiver rightly refuses a data set that says otherwise (PS3.4 B.2.3).
    """
    dataset = dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID"])
    meta = dataset.file_meta
    named = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID)
    if named == (dataset.get("SOPClassUID"), dataset.get("SOPInstanceUID")):
        return path
    return dcmread(path)


def _send_one(association: Association, path: Path) -> Sent:
    try:
        answer = association.send_c_store(_sendable(path))
    except (ValueError, RuntimeError, OSError) as error:
        return Sent(path, False, f"not sent: {error}")
    status = answer.get("Status")
    if status is None:
        return Sent(path, False, "no answer: the association broke")
    comment = str(answer.get("ErrorComment", ""))
    # 0000 is success, Bxxx a warning: stored, with a remark.
    is_stored = status == 0 or status & 0xF000 == 0xB000
    return Sent(path, is_stored, f"0x{status:04X} {comment}".strip())
