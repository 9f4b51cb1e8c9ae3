"""What C-MOVE and C-GET share: understand, count, tell, end (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from django.db import DatabaseError, close_old_connections, connections
from pydicom import Dataset

from accounts import audit
from archive.query.hierarchy import Root
from dicom_receiver import command as dimse
from dicom_receiver import statuses
from dicom_receiver.association import Request
from dicom_receiver.contexts import PATIENT_ROOTS, RELATIONAL
from dicom_receiver.identifiers import IDENTIFIER_BYTES, decode_identifier, encode_identifier
from dicom_receiver.retrieval import Meant, StudyShare, find_meant, read_wanted
from dicom_receiver.sending import Sendable, Sent, reading_ahead
from dicom_receiver.wire import StoppingError
from imaging.errors import NoctisError

logger = logging.getLogger("noctis.dimse")

# A value of VR UI is no longer than this in Explicit VR (PS3.5 7.1.2).
_FAILED_LIST_BYTES = 65_534
_LARGEST_COUNT = 0xFFFF
# Counts are told no more often: small instances go out faster than anybody can read them.
_TELL_SECONDS = 0.05
_LONGEST_COMMENT = dimse.ERROR_COMMENT_LENGTH


class RefusedError(Exception):
    """The request is answered with this status before anything is sent."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status


def find_instances(request: Request) -> Meant:
    """Return what the request's identifier means.

    Raises RefusedError: A900 when it does not fit its SOP class, C000 when it cannot be read,
    A701 when the database does not answer.
    """
    context = request.context
    close_old_connections()
    try:
        data = request.read_data_set(IDENTIFIER_BYTES)
        identifier = decode_identifier(data, context.transfer_syntax)
        wanted = read_wanted(
            identifier,
            Root.PATIENT if context.abstract_syntax in PATIENT_ROOTS else Root.STUDY,
            is_relational=context.has_agreed(RELATIONAL),
        )
        return find_meant(wanted, request.caller.facility_id)
    except NoctisError as error:
        raise RefusedError(statuses.status_of(error), statuses.comment_of(error)) from error
    except DatabaseError as error:
        logger.error("matches could not be counted: %s", type(error).__name__)
        connections.close_all()
        words = "The database does not answer now."
        raise RefusedError(statuses.CANNOT_COUNT_MATCHES, words) from error


def run_retrieval(
    request: Request,
    answer: Callable[[Request], Retrieval],
) -> None:
    """Answer a request whose preparation may refuse it."""
    try:
        retrieval = answer(request)
    except RefusedError as refusal:
        caller = request.caller
        logger.warning(
            "%s %04XH: %s at %s: %s",
            name_of(request),
            refusal.status,
            caller.ae_title,
            caller.address,
            refusal,
        )
        request.respond(refusal.status, comment=str(refusal)[:_LONGEST_COMMENT])
        return
    retrieval.end()


def name_of(request: Request) -> str:
    """Return what the request is called."""
    return "C-GET" if request.command.field == dimse.C_GET_RQ else "C-MOVE"


class Retrieval:
    """Counts the sub-operations of one request and tells the peer of them."""

    def __init__(self, request: Request, meant: Meant, destination: str, address: str = "") -> None:
        self._request = request
        self._meant = meant
        self._destination = destination
        self._address = address
        self._remaining = len(meant)
        self._completed = self._failed = self._warning = 0
        self._failed_uids: list[str] = []
        self._failed_bytes = 0
        self._trouble = ""
        self._is_cancelled = False
        self._tell_at = 0.0

    def send_with(self, send: Callable[[Sendable], Sent]) -> None:
        """Send everything that is meant, one after the other, until the peer cancels.

        Raises WireError when the peer that asked is gone.
        """
        try:
            shares = self._meant.shares()
            self._record(shares, "success")
            for item in reading_ahead(self._meant.items()):
                self._check_stop()
                if self._is_cancelled:
                    break
                self._count(item, None if item is None else send(item))
        except DatabaseError as error:
            logger.error("a retrieval ends early: %s", type(error).__name__)
            connections.close_all()
            self._trouble = "The database does not answer now."
            self._failed += self._remaining
            self._remaining = 0
            return
        if self._failed or self._remaining:
            self._record(shares, "failure")

    def end(self) -> None:
        """Send the last response."""
        status = self._status()
        is_cancelled = status == statuses.CANCELLED
        data_set = None
        if self._failed_uids:
            identifier = Dataset()
            identifier.FailedSOPInstanceUIDList = self._failed_uids
            data_set = encode_identifier(identifier, self._request.context.transfer_syntax)
        caller = self._request.caller
        logger.info(
            "%s %04XH: %s at %s to %s: %d sent, %d with a warning, %d failed, %d left",
            name_of(self._request),
            status,
            caller.ae_title,
            caller.address,
            self._destination,
            self._completed,
            self._warning,
            self._failed,
            self._remaining,
        )
        self._request.respond(
            status,
            comment=self._trouble[:_LONGEST_COMMENT] if self._failed else "",
            data_set=data_set,
            elements=self._counts(with_remaining=is_cancelled),
        )

    def _count(self, item: Sendable | None, sent: Sent | None) -> None:
        self._remaining -= 1
        if sent is not None and sent.is_warning:
            self._warning += 1
        elif sent is not None and sent.is_stored:
            self._completed += 1
        else:
            self._note_failure(item, sent)
        if self._remaining:
            self._tell()
            self._is_cancelled = self._request.is_cancelled()

    def _tell(self) -> None:
        """Send a pending answer, unless the last one was a moment ago (PS3.4 C.4.2.3.1)."""
        now = time.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + _TELL_SECONDS
            self._request.respond(statuses.MATCH, elements=self._counts(with_remaining=True))

    def _note_failure(self, item: Sendable | None, sent: Sent | None) -> None:
        self._failed += 1
        if sent is None or item is None:
            return
        # The peer knows whom it named, and its Error Comment is short.
        self._trouble = sent.words.removeprefix(self._address).strip()
        logger.warning(
            "%s: instance %s does not go to %s: %s",
            name_of(self._request),
            item.sop_instance_uid,
            self._destination,
            sent.words,
        )
        size_bytes = len(item.sop_instance_uid) + 1
        if self._failed_bytes + size_bytes <= _FAILED_LIST_BYTES:
            self._failed_bytes += size_bytes
            self._failed_uids.append(item.sop_instance_uid)

    def _status(self) -> int:
        if self._is_cancelled and self._remaining:
            return statuses.CANCELLED
        if self._failed and not self._completed and not self._warning:
            return statuses.CANNOT_PERFORM_SUBOPERATIONS
        if self._failed or self._warning:
            return statuses.SOME_SUBOPERATIONS_FAILED
        return statuses.SUCCESS

    def _counts(self, *, with_remaining: bool) -> dict[int, int | str | bytes]:
        counts = {
            dimse.NUMBER_OF_COMPLETED_SUBOPERATIONS: self._completed,
            dimse.NUMBER_OF_FAILED_SUBOPERATIONS: self._failed,
            dimse.NUMBER_OF_WARNING_SUBOPERATIONS: self._warning,
        }
        if with_remaining:
            counts[dimse.NUMBER_OF_REMAINING_SUBOPERATIONS] = self._remaining
        return {element: min(count, _LARGEST_COUNT) for element, count in counts.items()}

    def _check_stop(self) -> None:
        if self._request.association.surroundings.stop.at_pause.is_set():
            raise StoppingError

    def _record(self, shares: Iterable[StudyShare], outcome: str) -> None:
        """Write who got what: before anything leaves, and again when not all of it did."""
        caller = self._request.caller
        how = name_of(self._request)
        detail: dict[str, str | int] = {"by": how, "to": self._destination}
        if outcome != "success":
            detail |= {"sent": self._completed + self._warning, "failed": self._failed}
        audit.record(
            audit.AuditEntry(
                action="retrieve",
                actor=caller.ae_title,
                address=caller.address,
                outcome=outcome,
                facility_id=caller.facility_id,
                patient_id=share.patient_id,
                study_instance_uid=share.study_instance_uid,
                detail={**detail, "instances": share.instance_count},
            )
            for share in shares
        )
