"""Storage commitment (PS3.4 Annex J): what peers ask us to keep, and what they say they keep."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from dicom_receiver import command as dimse
from dicom_receiver import statuses
from dicom_receiver.association import Request
from dicom_receiver.commitment import asking, reporting
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.contexts import STORAGE_COMMITMENT, Service
from dicom_receiver.identifiers import view_of
from dicom_receiver.models import Peer
from dicom_receiver.outgoing.promises import Report, note_report, read_report
from imaging.datasets import dataset_of
from imaging.elements import ElementView
from imaging.errors import (
    IdentityError,
    LimitExceededError,
    MissingError,
    NoctisError,
    UnreadableError,
)

logger = logging.getLogger("noctis.dimse")

REQUEST_STORAGE_COMMITMENT = 1
# So long a peer that listens may wait for its report on the association on which it asked.
QUICK_SECONDS = 5.0
# One that has no address of its own can be told nowhere else.
PATIENT_SECONDS = 50.0
LOOK_SECONDS = 0.1

# What each of our errors means to who asks by N-ACTION or N-EVENT-REPORT (PS3.7 10.1.1.1.8,
# 10.1.4.1.10).
_STATUSES: list[tuple[type[NoctisError], int]] = [
    (LimitExceededError, statuses.RESOURCE_LIMITATION),
    (IdentityError, statuses.INVALID_ARGUMENT_VALUE),
    (UnreadableError, statuses.INVALID_ARGUMENT_VALUE),
    (MissingError, statuses.INVALID_ARGUMENT_VALUE),
]


def take_request(request: Request) -> None:
    """N-ACTION: write down what is to be kept, say so, and report here if that goes quickly."""
    command = request.command
    if not _is_for_us(request, dimse.REQUESTED_SOP_CLASS_UID, dimse.REQUESTED_SOP_INSTANCE_UID):
        return
    if Service.COMMIT not in request.caller.allowed:
        request.respond(statuses.NOT_AUTHORIZED, comment="You may report here, not ask.")
        return
    if command.number(dimse.ACTION_TYPE_ID) != REQUEST_STORAGE_COMMITMENT:
        request.respond(statuses.NO_SUCH_ACTION, comment="The one action here is type 1.")
        return
    with _answering_troubles(request):
        wish = asking.read_wish(_view(request))
        caller = request.caller
        asker = asking.Asker(caller.ae_title, caller.address, caller.facility_id)
        seconds = QUICK_SECONDS if _has_address(caller.ae_title) else PATIENT_SECONDS
        row = asking.take_down(wish, asker, held_for=timedelta(seconds=seconds))
        request.respond(
            statuses.SUCCESS, elements={dimse.ACTION_TYPE_ID: REQUEST_STORAGE_COMMITMENT}
        )
        _report_if_quick(request, row, time.monotonic() + seconds)


def take_report(request: Request) -> None:
    """N-EVENT-REPORT: a peer says what it keeps of what we sent."""
    if not _is_for_us(request, dimse.AFFECTED_SOP_CLASS_UID, dimse.AFFECTED_SOP_INSTANCE_UID):
        return
    event = request.command.number(dimse.EVENT_TYPE_ID)
    if event not in (reporting.ALL_COMMITTED, reporting.FAILURES_EXIST):
        request.respond(statuses.NO_SUCH_EVENT_TYPE, comment="Event types here are 1 and 2.")
        return
    with _answering_troubles(request):
        report: Report = read_report(dataset_of(_view(request)))
        note_report(request.caller.ae_title, report)
        request.respond(statuses.SUCCESS, elements={dimse.EVENT_TYPE_ID: event})


def _is_for_us(request: Request, class_element: int, instance_element: int) -> bool:
    """Whether the request names the one instance there is; says so when it does not."""
    if request.command.uid(class_element) != STORAGE_COMMITMENT:
        request.respond(statuses.NO_SUCH_SOP_CLASS, comment="SOP class is not the context's.")
        return False
    if request.command.uid(instance_element) != reporting.COMMITMENT_INSTANCE:
        request.respond(
            statuses.NO_SUCH_SOP_INSTANCE, comment="Use the well-known SOP instance UID."
        )
        return False
    return True


def _view(request: Request) -> ElementView:
    return view_of(
        request.read_data_set(asking.DATA_SET_BYTES),
        request.context.transfer_syntax,
        depth=asking.DEPTH_LIMIT,
        elements=asking.ELEMENTS_LIMIT,
    )


@contextmanager
def _answering_troubles(request: Request) -> Iterator[None]:
    """Answer what goes wrong before the answer; give the database connection back."""
    try:
        close_old_connections()
        yield
    except NoctisError as error:
        status = next(
            (status for kind, status in _STATUSES if isinstance(error, kind)),
            statuses.PROCESSING_FAILURE_OF_ANY,
        )
        request.respond(status, comment=str(error))
    except DatabaseError as error:
        logger.error("commitment: the database fails: %s", type(error).__name__)
        if not request.is_answered:
            request.respond(
                statuses.RESOURCE_LIMITATION, comment="The database cannot take it now."
            )
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _has_address(ae_title: str) -> bool:
    return Peer.objects.filter(ae_title=ae_title, port__isnull=False).exclude(host="").exists()


# --- the report on the same association -----------------------------------------
def _report_if_quick(request: Request, row: Commitment, deadline: float) -> None:
    """Wait for the check while the peer is silent and we are not asked to stop."""
    is_ready = _wait(request, row, deadline)
    if not is_ready or not reporting.claim(row):
        # From now on it is the worker's, on an association of ours.
        reporting.end_hold(row)
        return
    context = request.context
    request.association.ask(
        context.context_id,
        reporting.report_elements(row),
        reporting.encode_report(row, context.transfer_syntax),
        partial(_note_answer, row),
    )


def _wait(request: Request, row: Commitment, deadline: float) -> bool:
    association = request.association
    wants_to_go: Callable[[], bool] = association.surroundings.stop.at_pause.is_set
    checked = Commitment.objects.filter(pk=row.pk, status=Commitment.Status.CHECKED)
    while time.monotonic() < deadline and not wants_to_go():
        if association.wire.has_input():
            return False
        if checked.exists():
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _note_answer(row: Commitment, command: dimse.Command) -> None:
    try:
        close_old_connections()
        status = command.number(dimse.STATUS)
        if status == statuses.SUCCESS:
            reporting.note_success(row)
        else:
            reporting.note_trouble(row, f"The peer answered 0x{status or 0:04X}.")
    finally:
        if not connection.in_atomic_block:
            connection.close()
