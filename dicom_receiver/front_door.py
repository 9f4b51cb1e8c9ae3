"""The front door: accepts connections, and admits who says something sensible in time.

One thread and no promise: a connection costs a descriptor and the bytes that
it has really sent, until its association request is complete. When the
waiting room is full, the oldest of the address that has most in it goes, so
that somebody who speaks at once always gets through. Only complete requests
reach a child process; by TLS, connections that begin a handshake, so many at a
time: its cost is borne, and its end awaited, by a thread of a child.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass

from django.conf import settings

from dicom_receiver import limits, pdu
from dicom_receiver.associate import FIXED_BYTES, parse_ae_title
from dicom_receiver.causes import Cause
from dicom_receiver.diary import Diary
from dicom_receiver.fleet import Fleet
from dicom_receiver.handover import Arrival
from dicom_receiver.peers import plain_address
from dicom_receiver.statistics import Ledger
from dicom_receiver.waiting_room import NotARequestError, Visitor, WaitingRoom

logger = logging.getLogger("noctis.dimse")

ACCEPTS_A_TURN = 64
TURN_SECONDS = 0.5
NO_DESCRIPTOR_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Complete:
    """A connection whose association request is here, and no child was ready for it."""

    arrival: Arrival
    deadline: float


@dataclass(frozen=True)
class Listeners:
    """The sockets on which we listen: without TLS, and with, if that is wanted."""

    plain: socket.socket
    tls: socket.socket | None = None

    def all(self) -> list[socket.socket]:
        """Return those there are."""
        return [self.plain] if self.tls is None else [self.plain, self.tls]


class FrontDoor:
    """Owns the listening socket and the waiting room; feeds the fleet."""

    def __init__(
        self,
        listeners: Listeners,
        wake: socket.socket,
        fleet: Fleet,
        ledger: Ledger,
        diary: Diary,
    ) -> None:
        self._listeners = listeners
        self._wake = wake
        self._fleet = fleet
        self._ledger = ledger
        self._diary = diary
        self._room = WaitingRoom()
        self._complete: deque[Complete] = deque()
        self._greeting: dict[int, Visitor] = {}
        self._selector = selectors.DefaultSelector()
        self._is_open = True
        self.turned_at = time.monotonic()

    def close(self) -> None:
        """Have `run` return at its next turn; safe to call from a signal handler."""
        self._is_open = False

    def run(self) -> None:
        """Serve until closed."""
        self._wake.setblocking(False)
        for listener in self._listeners.all():
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake, selectors.EVENT_READ, self._wake_up)
        for control in self._fleet.controls():
            self._selector.register(control, selectors.EVENT_READ, self._hear)
        while self._is_open:
            for control in self._fleet.start_due():
                self._selector.register(control, selectors.EVENT_READ, self._hear)
            for key, _ in self._selector.select(TURN_SECONDS):
                if key.data is None:
                    self._listen_to(self._room.visitor(key.fd))
                else:
                    key.data(key.fileobj)
            self._send_home_the_late()
            self._feed_fleet()
            self._feed_greeting()
            self._fleet.look_after()
            self.turned_at = time.monotonic()
        for listener in self._listeners.all():
            listener.close()
        for visitor in self._room.all():
            self._send_home(visitor)

    # --- events ------------------------------------------------------------
    def _wake_up(self, wake: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            wake.recv(1024)

    def _hear(self, control: socket.socket) -> None:
        if not self._fleet.hear(control):
            self._selector.unregister(control)
            self._diary.note_gone(self._fleet.lay_off(control))

    def _accept(self, listener: socket.socket) -> None:
        """Take what waits in the backlog, some of it, and hear each of them once at once."""
        for _ in range(ACCEPTS_A_TURN):
            try:
                sock, peer = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._note_trouble(error)
                return
            sock.setblocking(False)
            is_tls = listener is self._listeners.tls
            visitor = Visitor(sock, plain_address(peer[0]), time.monotonic(), is_tls=is_tls)
            self._room.enter(visitor)
            self._selector.register(sock, selectors.EVENT_READ, None)
            self._listen_to(visitor)
            while (crowding := self._room.find_crowding()) is not None:
                self._send_home(crowding)

    def _note_trouble(self, error: OSError) -> None:
        """Make room when descriptors run out; anything else concerns one connection."""
        logger.error("a connection could not be accepted: %s", error.strerror)
        oldest = self._room.oldest()
        if oldest is not None:
            self._send_home(oldest)
        else:
            time.sleep(NO_DESCRIPTOR_PAUSE_SECONDS)

    # --- visitors ----------------------------------------------------------
    def _listen_to(self, visitor: Visitor | None) -> None:
        """Read what a visitor has sent; a complete request goes on to the fleet."""
        if visitor is None:
            return
        try:
            if visitor.is_tls:
                self._room.look(visitor)
                self._selector.unregister(visitor.sock)
                self._greeting[visitor.sock.fileno()] = visitor
                return
            body = self._room.read(visitor)
        except BlockingIOError:
            return
        except NotARequestError as error:
            self._refuse(visitor, error.cause)
            return
        except OSError:
            self._send_home(visitor)
            return
        self._leave(visitor)
        arrival = Arrival(visitor.address, visitor.sock, body)
        if len(self._complete) >= settings.NOCTIS_MAX_ASSOCIATIONS:
            self._reject(arrival, pdu.local_limit())
            return
        self._complete.append(Complete(arrival, time.monotonic() + limits.REQUEST_SECONDS))
        self._feed_fleet()

    def _refuse(self, visitor: Visitor, cause: Cause) -> None:
        """End a connection that does not speak DICOM."""
        logger.warning("connection refused: %s: %s", visitor.address, cause.value)
        self._ledger.add("", visitor.address, refused=1, cause=cause)
        self._diary.note_refusal(visitor.address, cause, is_tls=visitor.is_tls)
        if visitor.speaks_dicom:
            unexpected = pdu.abort(pdu.SERVICE_PROVIDER, pdu.UNEXPECTED_PDU)
            with contextlib.suppress(OSError):
                visitor.sock.send(unexpected)
        self._send_home(visitor)

    def _send_home(self, visitor: Visitor) -> None:
        self._leave(visitor)
        visitor.sock.close()

    def _leave(self, visitor: Visitor) -> None:
        if self._greeting.pop(visitor.sock.fileno(), None) is None:
            self._selector.unregister(visitor.sock)
        self._room.leave(visitor)

    def _send_home_the_late(self) -> None:
        now = time.monotonic()
        while (oldest := self._room.oldest()) is not None:
            if now - oldest.arrived_at < limits.REQUEST_SECONDS:
                return
            if oldest.has_spoken:
                self._refuse(oldest, Cause.TOO_SLOW)
            else:
                self._send_home(oldest)

    # --- the fleet -----------------------------------------------------------
    def _feed_fleet(self) -> None:
        """Give complete requests to children, in order; answer what cannot wait longer."""
        while self._complete:
            waiting = self._complete[0]
            rejection = self._find_rejection(waiting.arrival.address)
            if rejection is None and not self._fleet.give(waiting.arrival):
                if time.monotonic() < waiting.deadline:
                    return
                rejection = pdu.temporary_congestion(Cause.NO_PROCESS)
            self._complete.popleft()
            if rejection is not None:
                self._reject(waiting.arrival, rejection)
            else:
                waiting.arrival.sock.close()

    def _feed_greeting(self) -> None:
        """Give who has said a TLS hello to children, as many as may shake hands at a time.

        The others stay visitors: when their crowd or their time is too much they go.
        """
        for visitor in list(self._greeting.values()):
            if self._fleet.entering_count >= limits.HANDSHAKES:
                return
            if self._fleet.entering_from(visitor.address) >= limits.HANDSHAKES_AN_ADDRESS:
                continue
            is_over = self._find_rejection(visitor.address) is not None
            arrival = Arrival(visitor.address, visitor.sock, is_tls=True, is_over_limit=is_over)
            if not self._fleet.give(arrival):
                return
            self._send_home(visitor)

    def _find_rejection(self, address: str) -> pdu.RejectedError | None:
        is_full = self._fleet.connection_count >= settings.NOCTIS_MAX_ASSOCIATIONS
        held = self._fleet.connections_from(address)
        return pdu.local_limit() if is_full or held >= limits.associations_per_address() else None

    def _reject(self, arrival: Arrival, rejection: pdu.RejectedError) -> None:
        body = arrival.request_body
        title = parse_ae_title(body[20:36]) if len(body) >= FIXED_BYTES else None
        logger.warning(
            "association refused: %s at %s: %s", title or "-", arrival.address, rejection
        )
        cause = rejection.cause
        self._ledger.add(title or "", arrival.address, refused=1, cause=cause)
        self._diary.note_refusal(arrival.address, cause, ae_title=title or "", is_tls=False)
        with contextlib.suppress(OSError):
            arrival.sock.send(rejection.encode())
        arrival.sock.close()
