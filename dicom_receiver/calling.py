"""Reaching a peer: a connection, TLS where it is asked for, one question and its answer.

What answers there may be anything, so nothing is believed: an answer has a deadline, grows
with what really comes, and is an acceptance, a rejection, an abort, or not DICOM.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from dicom_receiver import limits, pdu
from dicom_receiver.associate import Acceptance, MalformedRequestError, parse_acceptance
from imaging.errors import PeerUnavailableError

_READ_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a peer listens, what it is called there, and how patient we are with it."""

    host: str
    port: int
    called_ae: str
    tls: ssl.SSLContext | None = None
    connect_seconds: float = limits.CONNECT_SECONDS
    answer_seconds: float = limits.ANSWER_SECONDS

    def __str__(self) -> str:
        return f"{self.called_ae} at {self.host} port {self.port}"


def trouble_with(target: Target, trouble: str, words: str) -> PeerUnavailableError:
    """Return the error that says what happened with whom."""
    return PeerUnavailableError(f"{target} {words}.", trouble=trouble)


def call(target: Target, request: bytes) -> tuple[socket.socket, Acceptance]:
    """Connect, send an A-ASSOCIATE-RQ and return the socket with what the acceptance says.

    Raises PeerUnavailableError, in words, when there is none (PS3.8 9.3.2 to 9.3.4).
    """
    sock = _connect(target)
    try:
        return sock, _negotiate(target, sock, request)
    except BaseException:
        sock.close()
        raise


def _negotiate(target: Target, sock: socket.socket, request: bytes) -> Acceptance:
    deadline = time.monotonic() + target.connect_seconds
    try:
        sock.settimeout(target.connect_seconds)
        sock.sendall(request)
        kind, body = _read_pdu(sock, deadline)
    except TimeoutError:
        raise trouble_with(target, "timed out", "does not answer the association request") from None
    except ValueError:
        raise trouble_with(target, "not dicom", "does not speak DICOM there") from None
    except OSError as error:
        raise trouble_with(target, "lost", f"hung up ({_words_of(error)})") from error
    if kind == pdu.ASSOCIATE_RJ:
        raise trouble_with(target, "rejected", f"has {pdu.rejection_words(*body[1:4])}")
    if kind == pdu.ABORT:
        raise trouble_with(target, "aborted", f"has {pdu.abort_words(*body[2:4])}")
    if kind != pdu.ASSOCIATE_AC:
        raise trouble_with(target, "not dicom", "does not answer as DICOM asks")
    try:
        return parse_acceptance(body)
    except MalformedRequestError as error:
        raise trouble_with(target, "not dicom", f"sends a broken acceptance: {error}") from error


def _connect(target: Target) -> socket.socket:
    """Return a connected socket, within TLS where the target asks for it."""
    try:
        sock = socket.create_connection((target.host, target.port), target.connect_seconds)
    except (TimeoutError, OSError, UnicodeError) as error:
        trouble = "timed out" if isinstance(error, TimeoutError) else "unreachable"
        words = f"{target} cannot be reached: {_words_of(error)}."
        raise PeerUnavailableError(words, trouble=trouble) from error
    if target.tls is None:
        return sock
    try:
        return target.tls.wrap_socket(sock, server_hostname=target.host)
    except (OSError, ValueError) as error:
        sock.close()
        words = f"{target} does not agree on TLS: {_words_of(error)}."
        raise PeerUnavailableError(words, trouble="tls") from error


def _read_pdu(sock: socket.socket, deadline: float) -> tuple[int, bytes]:
    """Return type and body of the answer to our request; grows with what really comes.

    Raises ValueError when it is no such answer, TimeoutError after the deadline.
    """
    data = bytearray()
    wanted = pdu.HEADER.size
    while len(data) < wanted:
        left_seconds = deadline - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError
        sock.settimeout(left_seconds)
        piece = sock.recv(min(wanted - len(data), _READ_BYTES))
        if not piece:
            raise ConnectionResetError("connection closed by the peer")
        data += piece
        if len(data) == pdu.HEADER.size == wanted:
            kind, length = pdu.HEADER.unpack(data)
            is_short = kind in {pdu.ASSOCIATE_RJ, pdu.ABORT} and length == 4
            if not is_short and (kind != pdu.ASSOCIATE_AC or length > limits.REQUEST_BYTES):
                raise ValueError("not an answer to an association request")
            wanted += length
    return data[0], bytes(data[pdu.HEADER.size :])


def _words_of(error: Exception) -> str:
    """Return what the system says, without addresses or numbers."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "handshake failed").replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
