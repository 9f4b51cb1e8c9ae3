"""C-STORE: take an instance as it comes (PS3.4 Annex B).

The data set goes from the wire into the archive's intake without being
looked at. The answer is sent when the instance is durable and in the index.
"""

from __future__ import annotations

import contextlib
import logging

from django.db import DatabaseError, connection

from archive.ingest import Outcome, Source, open_intake
from archive.part10 import file_meta
from dicom_receiver import command, statuses
from dicom_receiver.association import DataSet, Request
from dicom_receiver.routing.evaluate import note_holder
from dicom_receiver.wire import WireError
from imaging.errors import NoctisError

logger = logging.getLogger("noctis.dimse")

DOOR = "dimse"


class _RefusedError(Exception):
    """The command itself is no good; the data set is not even read."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status


def store_instance(request: Request) -> None:
    """Store one instance and answer with what became of it."""
    try:
        sop_class_uid, sop_instance_uid, data_set = _check(request)
        outcome, size_bytes = _receive(request, sop_class_uid, sop_instance_uid, data_set)
    except _RefusedError as refusal:
        _fail(request, refusal.status, str(refusal))
        return
    except WireError:
        raise
    except Exception as error:
        if not isinstance(error, NoctisError):
            logger.exception("C-STORE failed for a reason that nobody foresaw")
        _fail(request, statuses.status_of(error), statuses.comment_of(error))
        return
    caller = request.caller
    request.ledger.add(caller.ae_title, caller.address, objects_stored=1, bytes_stored=size_bytes)
    if outcome.status == "duplicate":
        _note_holder(request, outcome)
    if outcome.status == "conflict":
        _log(request, statuses.WARNING_KEPT_FOR_REVIEW, outcome.reason)
        comment = "Kept for review: it contradicts what is stored."
        request.respond(statuses.WARNING_KEPT_FOR_REVIEW, comment=comment)
    else:
        request.respond(statuses.SUCCESS)


def _check(request: Request) -> tuple[str, str, DataSet]:
    """Return class, instance and data set of a request that may be stored."""
    sop_class_uid = request.command.uid(command.AFFECTED_SOP_CLASS_UID)
    sop_instance_uid = request.command.uid(command.AFFECTED_SOP_INSTANCE_UID)
    if sop_instance_uid is None:
        raise _RefusedError(
            statuses.INVALID_OBJECT_INSTANCE, "Affected SOP Instance UID is not a UID."
        )
    if sop_class_uid != request.context.abstract_syntax:
        raise _RefusedError(
            statuses.SOP_CLASS_NOT_SUPPORTED, "Affected SOP Class UID is not the context's."
        )
    if request.data_set is None:
        raise _RefusedError(statuses.CANNOT_UNDERSTAND, "There is no data set.")
    return sop_class_uid, sop_instance_uid, request.data_set


def _receive(
    request: Request, sop_class_uid: str, sop_instance_uid: str, data_set: DataSet
) -> tuple[Outcome, int]:
    """Bring the data set into the archive; whatever goes wrong leaves nothing there."""
    caller = request.caller
    source = Source(
        door=DOOR,
        sender=caller.ae_title,
        facility_id=caller.facility_id,
        address=caller.address,
    )
    head = file_meta(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=request.context.transfer_syntax,
        source_ae_title=caller.ae_title,
    )
    with contextlib.closing(open_intake(source)) as intake:
        intake.write(head)
        intake.begin_dataset()
        for piece in data_set:
            intake.write(piece)
        return intake.finish((sop_class_uid, sop_instance_uid)), intake.size_bytes


def _note_holder(request: Request, outcome: Outcome) -> None:
    """Note that the sender has it: what it brings twice is not sent back there by a rule."""
    try:
        note_holder(outcome.instance_id, request.caller.ae_title)
    except DatabaseError as error:
        logger.warning("a holder was not noted: %s", type(error).__name__)
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _fail(request: Request, status: int, comment: str) -> None:
    """Say openly that the instance was not stored."""
    request.ledger.add(request.caller.ae_title, request.caller.address, failures=1)
    _log(request, status, comment)
    request.respond(status, comment=comment)


def _log(request: Request, status: int, why: str) -> None:
    logger.warning(
        "C-STORE %04XH: %s at %s, class %s, instance %s: %s",
        status,
        request.caller.ae_title,
        request.caller.address,
        request.command.uid(command.AFFECTED_SOP_CLASS_UID),
        request.command.uid(command.AFFECTED_SOP_INSTANCE_UID),
        why,
    )
