"""One association from its request to its end (PS3.8 9.2, PS3.7 8).

The loop reads a complete command, finds the handler of its service and
command field, and hands it a request whose data set is still on the wire: the
handler reads it fragment by fragment. A handler may answer several times and
ask in between whether the peer wants it to stop.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from django.conf import settings

from dicom_receiver import command as dimse
from dicom_receiver import limits, pdu, statuses
from dicom_receiver.associate import (
    APPLICATION_CONTEXT_NAME,
    AssociateRequest,
    MalformedRequestError,
    encode_acceptance,
    parse_request,
)
from dicom_receiver.causes import Cause
from dicom_receiver.certificates import Certificate
from dicom_receiver.contexts import Context, Service, Wishes, negotiate
from dicom_receiver.diary import Diary
from dicom_receiver.doctor.models import Call
from dicom_receiver.outflow import Outflow, Part
from dicom_receiver.peers import Caller, PeerDirectory
from dicom_receiver.statistics import Ledger
from dicom_receiver.wire import (
    Fragment,
    HungUpError,
    ProtocolError,
    ReleasedError,
    Stop,
    StoppingError,
    Wire,
    WireError,
)
from imaging.errors import LimitExceededError

logger = logging.getLogger("noctis.dimse")


@dataclass(frozen=True)
class Surroundings:
    """What all associations of a process share."""

    peers: PeerDirectory
    ledger: Ledger
    stop: Stop
    diary: Diary = field(default_factory=Diary)


class DataSet:
    """A data set that is still on the wire; read it once, to the end or not at all."""

    def __init__(self, wire: Wire, context_id: int) -> None:
        self._wire = wire
        self._context_id = context_id
        self._is_at_end = False

    def __iter__(self) -> Iterator[memoryview]:
        """Yield its bytes piece by piece; each piece is valid until the next is taken."""
        while not self._is_at_end:
            fragment = self._wire.read_fragment(inside_message=True)
            if fragment.is_command or fragment.context_id != self._context_id:
                raise ProtocolError("data set is interrupted", pdu.UNEXPECTED_PDU)
            self._is_at_end = fragment.is_last
            yield fragment.data

    def skip(self) -> None:
        """Read what is left and throw it away."""
        for _ in self:
            pass


class Request:
    """One DIMSE request: its command, its context, its data set to come, and the way back."""

    def __init__(self, association: Association, context: Context, command: dimse.Command) -> None:
        self._association = association
        self.context = context
        self.command = command
        self.caller = association.caller
        self.ledger = association.surroundings.ledger
        self.data_set = (
            DataSet(association.wire, context.context_id) if command.has_data_set else None
        )
        self.is_answered = False
        self._pending: dict[tuple[int, bool], bytes] = {}

    @property
    def association(self) -> Association:
        """The association on which it came: sub-operations of C-GET go out on it, too."""
        return self._association

    def read_data_set(self, limit_bytes: int) -> bytes:
        """Return the whole data set; empty when there is none.

        Raises LimitExceededError when it is longer than `limit_bytes`; the rest is passed over.
        """
        data = bytearray()
        for piece in self.data_set or ():
            if len(data) + len(piece) > limit_bytes:
                raise LimitExceededError("The data set is too long.")
            data += piece
        return bytes(data)

    def respond(
        self,
        status: int,
        *,
        comment: str = "",
        error_id: int | None = None,
        data_set: bytes | None = None,
        elements: Mapping[int, int | str | bytes] | None = None,
    ) -> None:
        """Send one response; what is left of the request's data set is skipped first.

        `elements` are further elements of the command (counters, attribute lists, UIDs) and win
        over ours; `data_set` is encoded in the context's transfer syntax. A pending status
        leaves the request unanswered: the last response is still to come.
        """
        if self.data_set is not None:
            self.data_set.skip()
        is_pending = status in statuses.PENDING
        kind = status, data_set is not None
        command = None if elements or comment else self._pending.get(kind)
        if command is None:
            answer = self._answer(*kind, comment, error_id)
            command = dimse.encode_command({**answer, **(elements or {})})
            if is_pending and not elements and not comment:
                # The many answers to one query differ in their data sets alone.
                self._pending[kind] = command
        self.is_answered = not is_pending
        self._association.entry.note_answer(self.command.field, status, comment)
        self._association.send_encoded(self.context.context_id, command, data_set)

    def _answer(
        self, status: int, has_data_set: bool, comment: str, error_id: int | None
    ) -> dict[int, int | str | bytes]:
        """Return the elements that every response has."""
        answer: dict[int, int | str | bytes] = {
            dimse.COMMAND_FIELD: self.command.field | dimse.RESPONSE,
            dimse.MESSAGE_ID_BEING_RESPONDED_TO: self.command.message_id,
            dimse.COMMAND_DATA_SET_TYPE: dimse.HAS_DATA_SET if has_data_set else dimse.NO_DATA_SET,
            dimse.STATUS: status,
        }
        for element, asked in dimse.AFFECTED.items():
            if uid := self.command.uid(element) or self.command.uid(asked):
                answer[element] = uid
        if comment:
            answer[dimse.ERROR_COMMENT] = comment[: dimse.ERROR_COMMENT_LENGTH]
        if error_id is not None:
            answer[dimse.ERROR_ID] = error_id
        return answer

    def is_cancelled(self) -> bool:
        """Whether the peer has sent C-CANCEL for this request; never waits for it."""
        return self._association.has_cancelled(self.command.message_id)


Handler = Callable[[Request], None]
Handlers = Mapping[tuple[Service, int], Handler]


class Association:
    """An accepted socket and its A-ASSOCIATE-RQ, served until it ends."""

    caller: Caller

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        surroundings: Surroundings,
        handlers: Handlers,
        *,
        certificate: Certificate | None = None,
        is_over_limit: bool = False,
    ) -> None:
        self.surroundings = surroundings
        self._certificate = certificate
        self._is_over_limit = is_over_limit
        self.wire = Wire(sock, limits.max_pdu_bytes(), surroundings.stop)
        self._address = address
        self._handlers = handlers
        self.contexts: dict[int, Context] = {}
        self._outflow = Outflow(self.wire, 0)
        self.entry = surroundings.diary.begin(address, is_tls=isinstance(sock, ssl.SSLSocket))
        self._cancelled: set[int] = set()
        self._asked: dict[int, Callable[[dimse.Command], None]] = {}
        self._asked_id = 0

    def run(self, request_body: bytes) -> None:
        """Answer the request and serve; every way out closes the socket, none raises."""
        try:
            is_accepted, answer = self._establish(request_body)
            last_words = self._serve(answer) if is_accepted else answer
        except Exception:
            logger.exception("association with %s failed", self._address)
            self._close_entry(Call.Outcome.BROKEN, Cause.FAILED)
            last_words = pdu.abort(pdu.SERVICE_PROVIDER, pdu.REASON_NOT_SPECIFIED)
        if last_words:
            self.wire.say_goodbye(last_words)
        self.wire.close()

    # --- beginning ---------------------------------------------------------
    def _establish(self, request_body: bytes) -> tuple[bool, bytes]:
        """Decide on the request: whether it is accepted, and the PDU that says so."""
        title = ""
        try:
            request = parse_request(request_body)
            title = request.calling_ae_title or ""
            self.entry.note_request(request)
            self.caller = self._admit(request)
        except pdu.RejectedError as rejection:
            self._note_refusal(title, rejection.cause)
            return False, rejection.encode()
        except MalformedRequestError as error:
            self._note_refusal(title, Cause.MALFORMED, str(error))
            return False, pdu.abort(pdu.SERVICE_PROVIDER, pdu.INVALID_PARAMETER_VALUE)
        agreed = negotiate(
            request.proposals,
            Wishes(request.roles, request.extended),
            self.caller.allowed,
            accept_private=settings.NOCTIS_PRIVATE_SOP_CLASSES == "accept",
        )
        self.contexts = agreed.contexts
        self.entry.note_agreement(self.caller, request, agreed.answers)
        self._outflow = Outflow(self.wire, request.max_pdu_bytes)
        self.surroundings.ledger.add(title, self._address, associations=1)
        logger.info(
            "association opened: %s at %s, %d of %d contexts, %s",
            title,
            self._address,
            len(self.contexts),
            len(agreed.answers),
            "quarantine" if self.caller.facility_id is None else "known peer",
        )
        return True, encode_acceptance(request, agreed.answers, agreed.roles, agreed.extended)

    def _admit(self, request: AssociateRequest) -> Caller:
        """Return who calls; raises RejectedError (PS3.8 9.3.4)."""
        if self._is_over_limit:
            raise pdu.local_limit()
        if not request.protocol_version & 1:
            raise pdu.RejectedError(1, 2, 2, Cause.PROTOCOL_VERSION)
        if request.application_context != APPLICATION_CONTEXT_NAME:
            raise pdu.RejectedError(1, 1, 2, Cause.APPLICATION_CONTEXT)
        if request.called_ae_title != settings.NOCTIS_AET.strip():
            raise pdu.called_ae_unknown()
        if request.calling_ae_title is None:
            raise pdu.calling_ae_unknown(Cause.TITLE_UNREADABLE)
        if 0 < request.max_pdu_bytes < limits.SMALLEST_PEER_PDU_BYTES:
            raise pdu.RejectedError(1, 1, 1, Cause.PDU_TOO_SMALL)
        return self.surroundings.peers.admit(
            request.calling_ae_title, self._address, self._certificate
        )

    def _note_refusal(self, title: str, cause: Cause, detail: str = "") -> None:
        why = detail or cause.value
        logger.warning("association refused: %s at %s: %s", title or "-", self._address, why)
        self.surroundings.ledger.add(title, self._address, refused=1, cause=cause)
        self._close_entry(Call.Outcome.REFUSED, cause, detail)

    # --- messages ----------------------------------------------------------
    def _serve(self, acceptance: bytes) -> bytes:
        """Serve messages until the association ends; return our last PDU, if one is due."""
        try:
            self.wire.send(acceptance)
            while True:
                self._serve_message()
        except ReleasedError:
            self._note_end("released", Call.Outcome.RELEASED)
            return pdu.RELEASE_RP_BYTES
        except HungUpError as error:
            self._note_end(f"lost ({error})", Call.Outcome.BROKEN, Cause.LOST, str(error))
            return b""
        except StoppingError:
            self._note_end("ended by us: stopping", Call.Outcome.BROKEN, Cause.STOPPING)
            return pdu.abort(pdu.SERVICE_USER, 0)
        except ProtocolError as error:
            words = str(error)
            self._note_end(f"aborted by us: {words}", Call.Outcome.BROKEN, Cause.PROTOCOL, words)
            return pdu.abort(pdu.SERVICE_PROVIDER, error.reason)

    def _serve_message(self) -> None:
        context, command = self._read_command()
        self._cancelled.clear()
        if command.field == dimse.C_CANCEL_RQ:
            return  # It came after the last response: nothing is left to cancel.
        if command.field & dimse.RESPONSE:
            self._take_answer(context, command)
            return
        request = Request(self, context, command)
        handler = self._handlers.get((context.service, command.field))
        if handler is None:
            request.respond(statuses.UNRECOGNIZED_OPERATION)
            return
        if not context.peer_sends and command.field != dimse.N_EVENT_REPORT_RQ:
            request.respond(statuses.NOT_AUTHORIZED, comment="This role was not agreed on.")
            return
        try:
            handler(request)
        except WireError:
            raise
        except Exception:
            logger.exception("command %04XH of %s failed", command.field, self.caller.ae_title)
        if not request.is_answered:
            request.respond(statuses.PROCESSING_FAILURE_OF_ANY)

    def ask(
        self,
        context_id: int,
        elements: Mapping[int, int | str | bytes],
        data_set: bytes | Part,
        on_answer: Callable[[dimse.Command], None],
    ) -> None:
        """Send a request of our own (N-EVENT-REPORT); its answer is taken whenever it comes."""
        self._asked_id = self._asked_id % 0xFFFF + 1
        self._asked[self._asked_id] = on_answer
        whole = {
            **elements,
            dimse.MESSAGE_ID: self._asked_id,
            dimse.COMMAND_DATA_SET_TYPE: dimse.HAS_DATA_SET,
        }
        self.send_message(context_id, whole, data_set)

    def ask_now(
        self, context_id: int, elements: Mapping[int, int | str | bytes], data_set: bytes | Part
    ) -> dimse.Command:
        """Send a request of our own (C-STORE within C-GET) and wait for its answer.

        A C-CANCEL that comes meanwhile is kept for `has_cancelled`.
        """
        answers: list[dimse.Command] = []
        self.ask(context_id, elements, data_set, answers.append)
        while not answers:
            context, command = self._read_command()
            if command.field & dimse.RESPONSE:
                self._take_answer(context, command)
            else:
                self._note_cancel(command)
        return answers[0]

    def _take_answer(self, context: Context, command: dimse.Command) -> None:
        asked = command.number(dimse.MESSAGE_ID_BEING_RESPONDED_TO) or 0
        on_answer = self._asked.pop(asked, None)
        if on_answer is None:
            raise ProtocolError("response to a request that was not sent")
        if command.has_data_set:
            DataSet(self.wire, context.context_id).skip()
        try:
            on_answer(command)
        except Exception:
            logger.exception("an answer of %s could not be noted", self.caller.ae_title)

    def _read_command(self) -> tuple[Context, dimse.Command]:
        """Read the next command set, whole (PS3.8 Annex E)."""
        fragment = self.wire.read_fragment(inside_message=False)
        context = self.contexts.get(fragment.context_id)
        if context is None:
            raise ProtocolError("context is not accepted", pdu.INVALID_PARAMETER_VALUE)
        data = bytearray()
        while True:
            _check_command_fragment(fragment, context)
            data += fragment.data
            if len(data) > limits.COMMAND_BYTES:
                raise ProtocolError("command set is too long", pdu.INVALID_PARAMETER_VALUE)
            if fragment.is_last:
                break
            fragment = self.wire.read_fragment(inside_message=True)
        try:
            return context, dimse.parse_command(bytes(data))
        except dimse.MalformedCommandError as error:
            raise ProtocolError(str(error)) from error

    def has_cancelled(self, message_id: int) -> bool:
        """Whether a C-CANCEL for this message has come; nothing else may come before its end."""
        while self.wire.has_input():
            self._note_cancel(self._read_command()[1])
        return message_id in self._cancelled

    def _note_cancel(self, command: dimse.Command) -> None:
        if command.field != dimse.C_CANCEL_RQ:
            raise ProtocolError("request before the last one was answered")
        self._cancelled.add(command.number(dimse.MESSAGE_ID_BEING_RESPONDED_TO) or 0)

    def send_message(
        self,
        context_id: int,
        elements: Mapping[int, int | str | bytes],
        data_set: bytes | Part | None = None,
    ) -> None:
        """Send a command and its data set, if it has one, in PDUs no longer than the peer takes."""
        self.send_encoded(context_id, dimse.encode_command(elements), data_set)

    def send_encoded(
        self, context_id: int, command: bytes, data_set: bytes | Part | None = None
    ) -> None:
        """Send a command that is encoded, and its data set."""
        self._outflow.send_message(context_id, command, data_set)

    def gathering_answers(self) -> AbstractContextManager[None]:
        """Hold many short answers back for a moment, so that they go out together."""
        return self._outflow.gathering()

    def _close_entry(self, outcome: Call.Outcome, cause: Cause | None, detail: str = "") -> None:
        self.surroundings.diary.end(self.entry, outcome, cause, detail)

    def _note_end(
        self, how: str, outcome: Call.Outcome, cause: Cause | None = None, detail: str = ""
    ) -> None:
        self._close_entry(outcome, cause, detail)
        logger.info("association closed: %s at %s: %s", self.caller.ae_title, self._address, how)


def _check_command_fragment(fragment: Fragment, context: Context) -> None:
    if not fragment.is_command or fragment.context_id != context.context_id:
        raise ProtocolError("command set is interrupted", pdu.UNEXPECTED_PDU)
