"""Associations that we ask for: reach a peer, propose, send requests, read answers.

The twin of `association.py`, on the same wire and as distrustful: whoever
answers at a peer's address may hang, drip, lie about lengths or say anything
at all, and costs a bounded time and a bounded memory. Every failure is a
`PeerUnavailableError` that says in words what the other side said.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

from django.conf import settings

from dicom_receiver import command as dimse
from dicom_receiver import limits, pdu, statuses
from dicom_receiver.associate import Acceptance, Proposal, Roles, encode_request
from dicom_receiver.calling import Target, call, trouble_with
from dicom_receiver.contexts import ACCEPTED, IMPLICIT_VR_LITTLE_ENDIAN, VERIFICATION
from dicom_receiver.outflow import Outflow, Part
from dicom_receiver.wire import (
    HungUpError,
    ProtocolError,
    ReleasedError,
    Stop,
    TooSlowError,
    Wire,
    WireError,
)
from imaging.errors import PeerUnavailableError

__all__ = ["Agreed", "Incoming", "Offer", "Part", "Requestor", "Response", "Target"]

MEDIUM_PRIORITY = 0


@dataclass(frozen=True)
class Offer:
    """One presentation context to propose.

    `as_scp` asks to be sent requests on it as well; without `as_scu` that is all (PS3.4 J.3.3:
    who reports on a commitment). `extended` is what is asked for beyond the baseline
    (PS3.7 D.3.3.5), byte by byte.
    """

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = (IMPLICIT_VR_LITTLE_ENDIAN,)
    as_scp: bool = False
    extended: bytes = b""
    as_scu: bool = True


class Agreed(NamedTuple):
    """A presentation context that the peer has accepted."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


class Response(NamedTuple):
    """One answer to a request; `data_set` is as it came, in the context's transfer syntax."""

    status: int
    command: dimse.Command
    data_set: bytes | None

    @property
    def is_pending(self) -> bool:
        """Whether more answers follow."""
        return self.status in statuses.PENDING

    @property
    def comment(self) -> str:
        """What the peer says beside the status (0000,0902), printable."""
        text = self.command.text(dimse.ERROR_COMMENT)[: dimse.ERROR_COMMENT_LENGTH]
        return "".join(letter if letter.isprintable() else "?" for letter in text)


class Incoming(NamedTuple):
    """A request of the peer's own: C-STORE of a C-GET, N-EVENT-REPORT.

    `pieces` must be read to its end when the command has a data set; each
    piece is valid until the next is taken.
    """

    context: Agreed
    command: dimse.Command
    pieces: Iterator[memoryview]


Serve = Callable[[Incoming], int]


class Requestor:
    """An association of ours, from request to release. Use it as a context manager.

    Leaving the block in order releases; leaving it by an error aborts. It
    serves one thread.

    Raises PeerUnavailableError when no association comes about or it ends.
    """

    def __init__(
        self,
        target: Target,
        offers: Sequence[Offer],
        *,
        calling_ae: str = "",
        stop: Stop | None = None,
    ) -> None:
        if not 1 <= len(offers) <= limits.PRESENTATION_CONTEXTS:
            raise ValueError("an association proposes 1 to 128 presentation contexts")
        self.target = target
        self._calling_ae = calling_ae or settings.NOCTIS_AET.strip()
        self._stop = stop or Stop()
        self._proposals = {
            2 * number + 1: Proposal(2 * number + 1, offer.abstract_syntax, offer.transfer_syntaxes)
            for number, offer in enumerate(offers)
        }
        self._roles = {
            offer.abstract_syntax: Roles(scu=offer.as_scu, scp=True)
            for offer in offers
            if offer.as_scp
        }
        self._extended = {
            offer.abstract_syntax: offer.extended for offer in offers if offer.extended
        }
        self.accepted: list[Agreed] = []
        self.roles: dict[str, Roles] = {}
        self.extended: dict[str, bytes] = {}
        self.implementation = ""
        self._message_id = 0
        self._wire: Wire | None = None

    # --- beginning and end -------------------------------------------------
    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    def open(self) -> None:
        """Connect and negotiate."""
        request = encode_request(
            self.target.called_ae,
            self._calling_ae,
            list(self._proposals.values()),
            roles=self._roles,
            extended=self._extended,
        )
        sock, acceptance = call(self.target, request)
        try:
            self._agree(acceptance)
            wire = Wire(
                sock,
                limits.max_pdu_bytes(),
                self._stop,
                idle_seconds=self.target.answer_seconds,
            )
        except BaseException:
            sock.close()
            raise
        self._wire = wire
        self._by_id = {agreed.context_id: agreed for agreed in self.accepted}
        self._outflow = Outflow(wire, acceptance.max_pdu_bytes)
        if not self.accepted:
            self.release()
            raise self._trouble("no context", "accepts none of the services that we propose")

    def release(self) -> None:
        """End the association in order; a peer that does not consent in time is left."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        with contextlib.suppress(WireError):
            wire.begin_release()
            deadline = time.monotonic() + limits.RELEASE_SECONDS
            while time.monotonic() < deadline:
                wire.read_fragment(inside_message=False)
        wire.close()

    def abort(self) -> None:
        """End the association at once."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.say_goodbye(pdu.abort(pdu.SERVICE_USER, 0))
            wire.close()

    @property
    def is_open(self) -> bool:
        """Whether the association stands, as far as we know."""
        return self._wire is not None

    def context_for(self, abstract_syntax: str) -> Agreed | None:
        """Return the first accepted context of a SOP class."""
        return next((one for one in self.accepted if one.abstract_syntax == abstract_syntax), None)

    # --- requests ----------------------------------------------------------
    def echo(self) -> int:
        """Ask whether the peer is there (PS3.4 A); Verification must have been proposed."""
        context = self.context_for(VERIFICATION)
        if context is None:
            raise self._trouble("no context", "does not accept verification")
        elements: dict[int, int | str | bytes] = {
            dimse.AFFECTED_SOP_CLASS_UID: VERIFICATION,
            dimse.COMMAND_FIELD: dimse.C_ECHO_RQ,
        }
        return self.ask(context, elements).status

    def store(
        self,
        context: Agreed,
        sop_instance_uid: str,
        part: Part,
        *,
        move_originator: tuple[str, int] | None = None,
    ) -> Response:
        """Send one instance by C-STORE and return the answer (PS3.4 B).

        `part` is the data set in the file, encoded in the context's transfer
        syntax; it goes out as it lies there. `move_originator` are the AE title and
        the Message ID of the C-MOVE that this belongs to.
        """
        elements: dict[int, int | str | bytes] = {
            dimse.AFFECTED_SOP_CLASS_UID: context.abstract_syntax,
            dimse.AFFECTED_SOP_INSTANCE_UID: sop_instance_uid,
            dimse.COMMAND_FIELD: dimse.C_STORE_RQ,
            dimse.PRIORITY: MEDIUM_PRIORITY,
        }
        if move_originator:
            elements[dimse.MOVE_ORIGINATOR_AE_TITLE] = move_originator[0]
            elements[dimse.MOVE_ORIGINATOR_MESSAGE_ID] = move_originator[1]
        with self._words_for_troubles():
            self._send(context, elements, part)
            return self._read_response()

    def ask(
        self,
        context: Agreed,
        elements: Mapping[int, int | str | bytes],
        data_set: bytes | None = None,
        *,
        serve: Serve | None = None,
    ) -> Response:
        """Send one request and return its last answer."""
        *_, last = self.request(context, elements, data_set, serve=serve)
        return last

    def request(
        self,
        context: Agreed,
        elements: Mapping[int, int | str | bytes],
        data_set: bytes | None = None,
        *,
        serve: Serve | None = None,
    ) -> Iterator[Response]:
        """Send one request, then yield its answers until the last.

        `elements` name the command field and what the service asks for; message id
        and data set type are added. What the peer itself asks meanwhile goes to
        `serve`, whose return value is the status of the answer.
        """
        with self._words_for_troubles():
            self._send(context, elements, data_set)
        while True:
            with self._words_for_troubles():
                response = self._read_response(serve)
            yield response
            if not response.is_pending:
                return

    def cancel(self, context: Agreed) -> None:
        """Ask the peer to stop answering the last request (C-CANCEL); its answers go on coming."""
        elements: dict[int, int | str | bytes] = {
            dimse.COMMAND_FIELD: dimse.C_CANCEL_RQ,
            dimse.MESSAGE_ID_BEING_RESPONDED_TO: self._message_id,
            dimse.COMMAND_DATA_SET_TYPE: dimse.NO_DATA_SET,
        }
        with self._words_for_troubles():
            self._outflow.send_message(context.context_id, dimse.encode_command(elements))

    def listen(self, serve: Serve, seconds: float) -> bool:
        """Wait so long for one request of the peer's own; return whether one came."""
        deadline = time.monotonic() + seconds
        with self._words_for_troubles():
            while not self._open_wire.has_input():
                if time.monotonic() > deadline or self._stop.at_pause.is_set():
                    return False
                time.sleep(0.02)
            agreed, command = self._read_command()
            if command.field & dimse.RESPONSE:
                raise ProtocolError("a response came to no request")
            self._serve(serve, agreed, command)
        return True

    # --- inside ------------------------------------------------------------
    @property
    def _open_wire(self) -> Wire:
        if self._wire is None:
            raise HungUpError("the association has ended")
        return self._wire

    def _send(
        self,
        context: Agreed,
        elements: Mapping[int, int | str | bytes],
        data_set: bytes | Part | None,
    ) -> None:
        self._message_id = self._message_id % 0xFFFF + 1
        whole = {
            **elements,
            dimse.MESSAGE_ID: self._message_id,
            dimse.COMMAND_DATA_SET_TYPE: (
                dimse.NO_DATA_SET if data_set is None else dimse.HAS_DATA_SET
            ),
        }
        _ = self._open_wire
        command = dimse.encode_command(whole)
        self._outflow.send_message(context.context_id, command, data_set)

    def _read_response(self, serve: Serve | None = None) -> Response:
        while True:
            agreed, command = self._read_command()
            if command.field & dimse.RESPONSE:
                return self._as_response(agreed, command)
            if serve is None:
                raise ProtocolError("a request came instead of a response")
            self._serve(serve, agreed, command)

    def _as_response(self, agreed: Agreed, command: dimse.Command) -> Response:
        if command.number(dimse.MESSAGE_ID_BEING_RESPONDED_TO) != self._message_id:
            raise ProtocolError("a response came to another request")
        status = command.number(dimse.STATUS)
        if status is None:
            raise ProtocolError("a response has no status")
        data_set = None
        if command.has_data_set:
            data = bytearray()
            for piece in self._pieces(agreed):
                data += piece
                if len(data) > limits.RESPONSE_BYTES:
                    raise ProtocolError("an answer's data set is too long")
            data_set = bytes(data)
        return Response(status, command, data_set)

    def _serve(self, serve: Serve, agreed: Agreed, command: dimse.Command) -> None:
        """Have a request of the peer's answered."""
        pieces = self._pieces(agreed) if command.has_data_set else iter(())
        try:
            status = serve(Incoming(agreed, command, pieces))
        except WireError:
            raise
        except Exception:
            self.abort()
            raise
        for _ in pieces:
            pass
        elements: dict[int, int | str | bytes] = {
            dimse.COMMAND_FIELD: command.field | dimse.RESPONSE,
            dimse.MESSAGE_ID_BEING_RESPONDED_TO: command.message_id,
            dimse.COMMAND_DATA_SET_TYPE: dimse.NO_DATA_SET,
            dimse.STATUS: status,
        }
        for element, asked in dimse.AFFECTED.items():
            if uid := command.uid(element) or command.uid(asked):
                elements[element] = uid
        if (event := command.number(dimse.EVENT_TYPE_ID)) is not None:
            elements[dimse.EVENT_TYPE_ID] = event
        self._outflow.send_message(agreed.context_id, dimse.encode_command(elements))

    def _read_command(self) -> tuple[Agreed, dimse.Command]:
        """Read the next command set, whole (PS3.8 Annex E)."""
        wire = self._open_wire
        fragment = wire.read_fragment(inside_message=False)
        agreed = self._by_id.get(fragment.context_id)
        if agreed is None:
            raise ProtocolError("a message came on a context that was not accepted")
        data = bytearray()
        while True:
            if not fragment.is_command or fragment.context_id != agreed.context_id:
                raise ProtocolError("a command set is interrupted", pdu.UNEXPECTED_PDU)
            data += fragment.data
            if len(data) > limits.COMMAND_BYTES:
                raise ProtocolError("a command set is too long")
            if fragment.is_last:
                break
            fragment = wire.read_fragment(inside_message=True)
        try:
            return agreed, dimse.parse_command(bytes(data))
        except dimse.MalformedCommandError as error:
            raise ProtocolError(f"a command set is broken: {error}") from error

    def _pieces(self, agreed: Agreed) -> Iterator[memoryview]:
        """Yield the data set that follows a command."""
        is_last = False
        while not is_last:
            fragment = self._open_wire.read_fragment(inside_message=True)
            if fragment.is_command or fragment.context_id != agreed.context_id:
                raise ProtocolError("a data set is interrupted", pdu.UNEXPECTED_PDU)
            is_last = fragment.is_last
            yield fragment.data

    # --- negotiation -------------------------------------------------------
    def _agree(self, acceptance: Acceptance) -> None:
        """Keep what we proposed and the peer accepted; what it makes up does not count."""
        if 0 < acceptance.max_pdu_bytes < limits.SMALLEST_PEER_PDU_BYTES:
            raise self._trouble("not dicom", "takes no PDU of a useful length")
        for context_id, answer in acceptance.answers.items():
            proposal = self._proposals.get(context_id)
            if proposal is None or proposal.abstract_syntax is None or answer.result != ACCEPTED:
                continue
            if answer.transfer_syntax in proposal.transfer_syntaxes:
                self.accepted.append(
                    Agreed(context_id, proposal.abstract_syntax, answer.transfer_syntax)
                )
        self.roles = {uid: roles for uid, roles in acceptance.roles.items() if uid in self._roles}
        self.extended = {
            uid: said for uid, said in acceptance.extended.items() if uid in self._extended
        }
        self.implementation = acceptance.implementation

    # --- words -------------------------------------------------------------
    def _trouble(self, trouble: str, words: str) -> PeerUnavailableError:
        return trouble_with(self.target, trouble, words)

    @contextlib.contextmanager
    def _words_for_troubles(self) -> Iterator[None]:
        """End the association on a trouble of the wire and say it in words."""
        try:
            yield
        except TooSlowError as error:
            self.abort()
            raise self._trouble("timed out", f"is too slow: {error}") from error
        except ProtocolError as error:
            self.abort()
            raise self._trouble("not dicom", f"broke the protocol: {error}") from error
        except ReleasedError as error:
            self._hang_up(pdu.RELEASE_RP_BYTES)
            raise self._trouble("lost", "ended the association before its answer") from error
        except HungUpError as error:
            self._hang_up()
            trouble = "aborted" if str(error).startswith("aborted") else "lost"
            raise self._trouble(trouble, f"is gone: {error}") from error
        except BaseException:
            self.abort()
            raise

    def _hang_up(self, last_words: bytes = b"") -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            if last_words:
                wire.say_goodbye(last_words)
            wire.close()
