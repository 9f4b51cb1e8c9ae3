"""Modality performed procedure steps: N-CREATE, N-SET and N-GET (PS3.4 Annex F.7, F.8).

A peer makes, changes and reads the steps of its facility alone.
"""

from __future__ import annotations

import logging
import struct
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from pydicom import Dataset

from dicom_receiver import command as dimse
from dicom_receiver import statuses
from dicom_receiver.association import Request
from dicom_receiver.contexts import (
    MODALITY_PERFORMED_PROCEDURE_STEP,
    PERFORMED_PROCEDURE_STEP_RETRIEVE,
)
from dicom_receiver.identifiers import decode_identifier, encode_identifier
from dicom_receiver.wire import WireError
from imaging.errors import LimitExceededError, NoctisError
from worklist.performed_data import UTF_8, decode_said
from worklist.performed_rules import Fault, PerformedStepError
from worklist.performing import (
    MESSAGE_BYTES,
    Scanner,
    change_performed_step,
    create_performed_step,
    find_performed_step,
)

logger = logging.getLogger("noctis.dimse")

_DEPTH = 8
_ELEMENTS = 250_000
_MOST_TAGS = 64
_MAY_NO_LONGER_BE_UPDATED = 0xA710

_STATUSES = {
    Fault.DUPLICATE: statuses.DUPLICATE_SOP_INSTANCE,
    Fault.UNKNOWN: statuses.NO_SUCH_SOP_INSTANCE,
    Fault.FINAL: statuses.PROCESSING_FAILURE_OF_ANY,
    Fault.NOT_ALLOWED: statuses.NO_SUCH_ATTRIBUTE,
    Fault.INVALID: statuses.INVALID_ATTRIBUTE_VALUE,
    Fault.MISSING: statuses.MISSING_ATTRIBUTE,
    Fault.EMPTY: statuses.MISSING_ATTRIBUTE_VALUE,
    Fault.TOO_LONG: statuses.RESOURCE_LIMITATION,
}


def create_step(request: Request) -> None:
    """N-CREATE: a scanner begins; a UID that it does not choose is made here."""
    with _answering(request):
        uid = _affected_uid(request)
        create_performed_step(_scanner(request), uid, _read(request))
        request.respond(
            statuses.SUCCESS,
            elements={
                dimse.AFFECTED_SOP_CLASS_UID: MODALITY_PERFORMED_PROCEDURE_STEP,
                dimse.AFFECTED_SOP_INSTANCE_UID: uid,
            },
        )


def change_step(request: Request) -> None:
    """N-SET: a scanner goes on, or has ended."""
    with _answering(request):
        uid = _requested_uid(request)
        change_performed_step(_scanner(request), uid, _read(request))
        request.respond(statuses.SUCCESS)


def read_step(request: Request) -> None:
    """N-GET: what was said of a step, all of it or some attributes."""
    with _answering(request):
        row = find_performed_step(_scanner(request).facility_id, _requested_uid(request))
        whole = decode_said(bytes(row.data_set))
        wanted = request.command.tags(dimse.ATTRIBUTE_IDENTIFIER_LIST)
        said = Dataset()
        for tag in wanted or map(int, whole.keys()):
            if tag in whole:
                said[tag] = whole[tag]
        data_set = encode_identifier(said, request.context.transfer_syntax, [UTF_8])
        request.respond(statuses.SUCCESS, data_set=data_set)


# --- parts -----------------------------------------------------------------------------
class _RefusedError(Exception):
    """The command itself is no good."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@contextmanager
def _answering(request: Request) -> Iterator[None]:
    """Answer what goes wrong before the answer; give the database connection back."""
    try:
        close_old_connections()
        yield
    except PerformedStepError as error:
        is_final = error.fault is Fault.FINAL
        _refuse(
            request,
            _STATUSES[error.fault],
            str(error),
            error_id=_MAY_NO_LONGER_BE_UPDATED if is_final else None,
            tags=error.tags,
        )
    except _RefusedError as error:
        _refuse(request, error.status, str(error))
    except LimitExceededError as error:
        _refuse(request, statuses.RESOURCE_LIMITATION, str(error))
    except WireError:
        raise
    except NoctisError as error:
        _refuse(request, statuses.PROCESSING_FAILURE_OF_ANY, str(error))
    except DatabaseError as error:
        logger.error("a performed step was not kept: %s", type(error).__name__)
        _refuse(request, statuses.RESOURCE_LIMITATION, "The database cannot take it now.")
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _refuse(
    request: Request,
    status: int,
    words: str,
    *,
    error_id: int | None = None,
    tags: Iterable[int] = (),
) -> None:
    logger.warning("MPPS %04XH: %s: %s", status, request.caller.ae_title, words)
    listed = b"".join(
        struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in list(tags)[:_MOST_TAGS]
    )
    elements = {dimse.ATTRIBUTE_IDENTIFIER_LIST: listed} if listed else None
    request.respond(status, comment=words, error_id=error_id, elements=elements)


def _scanner(request: Request) -> Scanner:
    caller = request.caller
    if caller.facility_id is None:
        raise _RefusedError(statuses.NOT_AUTHORIZED, "Steps are for known peers alone.")
    return Scanner(caller.facility_id, caller.ae_title, caller.address)


def _read(request: Request) -> Dataset:
    return decode_identifier(
        request.read_data_set(MESSAGE_BYTES),
        request.context.transfer_syntax,
        depth=_DEPTH,
        elements=_ELEMENTS,
    )


def _affected_uid(request: Request) -> str:
    """Return the UID of a step to be made."""
    _check_class(request, dimse.AFFECTED_SOP_CLASS_UID, {MODALITY_PERFORMED_PROCEDURE_STEP})
    command = request.command
    if not command.has(dimse.AFFECTED_SOP_INSTANCE_UID):
        return f"2.25.{uuid.uuid4().int}"
    return _uid(command.uid, dimse.AFFECTED_SOP_INSTANCE_UID)


def _requested_uid(request: Request) -> str:
    """Return the UID of the step that a request is about."""
    both = {MODALITY_PERFORMED_PROCEDURE_STEP, PERFORMED_PROCEDURE_STEP_RETRIEVE}
    is_change = request.command.field == dimse.N_SET_RQ
    allowed = {MODALITY_PERFORMED_PROCEDURE_STEP} if is_change else both
    _check_class(request, dimse.REQUESTED_SOP_CLASS_UID, allowed)
    return _uid(request.command.uid, dimse.REQUESTED_SOP_INSTANCE_UID)


def _check_class(request: Request, element: int, allowed: set[str]) -> None:
    if request.context.abstract_syntax not in allowed:
        words = "This operation is not of the context's SOP class."
        raise _RefusedError(statuses.UNRECOGNIZED_OPERATION, words)
    if request.command.uid(element) not in allowed:
        raise _RefusedError(statuses.NO_SUCH_SOP_CLASS, "The SOP class is not the context's.")


def _uid(read: Callable[[int], str | None], element: int) -> str:
    uid = read(element)
    if uid is None:
        raise _RefusedError(statuses.INVALID_OBJECT_INSTANCE, "The SOP Instance UID is no UID.")
    return uid
