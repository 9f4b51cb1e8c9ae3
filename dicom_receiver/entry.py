"""From a TLS hello to an association request: what a child does before there is an association.

The handshake and the request have one deadline together, as long as a request
without TLS has. Whatever goes wrong is said in words that hold no secret.
"""

from __future__ import annotations

import ssl
import time
from typing import NamedTuple

from dicom_receiver import limits, pdu
from dicom_receiver.causes import Cause
from dicom_receiver.certificates import Certificate, read_certificate
from dicom_receiver.handover import Arrival
from dicom_receiver.tls import ReloadedContext, UnusableError, is_strong_enough
from dicom_receiver.waiting_room import NotARequestError, check_beginning

_READ_BYTES = 64 * 1024

# OpenSSL's names of what goes wrong, in words.
_FAULTS = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not valid or of no authority we trust",
    "HTTP_REQUEST": "it speaks HTTP",
    "NO_SHARED_CIPHER": "it offers no cipher suite that we accept",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate, which we require",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it finds our certificate expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it finds nothing that both sides can do",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of our certificate",
    "TLSV1_UNRECOGNIZED_NAME": "it expects another name than our certificate's",
    "UNSUPPORTED_PROTOCOL": "it offers only versions of TLS that are no longer safe",
    "VERSION_TOO_LOW": "it offers only versions of TLS that are no longer safe",
    "WRONG_VERSION_NUMBER": "what it sends is not TLS",
}


class HandshakeError(Exception):
    """No association request came over TLS; the message says why."""

    def __init__(self, cause: Cause, words: str) -> None:
        super().__init__(words)
        self.cause = cause


class Entry(NamedTuple):
    """A connection over TLS, what it asked for, and the certificate that it has shown."""

    sock: ssl.SSLSocket
    request_body: bytes
    certificate: Certificate | None


def enter(arrival: Arrival, contexts: ReloadedContext) -> Entry:
    """Shake hands and read the association request.

    Raises HandshakeError; the socket is closed then.
    """
    deadline = time.monotonic() + limits.REQUEST_SECONDS
    sock: ssl.SSLSocket | None = None
    try:
        arrival.sock.settimeout(limits.REQUEST_SECONDS)
        sock = contexts.get().wrap_socket(
            arrival.sock, server_side=True, do_handshake_on_connect=False
        )
        sock.do_handshake()
        if not is_strong_enough(sock):
            raise HandshakeError(Cause.TLS, _FAULTS["NO_SHARED_CIPHER"])
        body = _read_request(sock, deadline)
        return Entry(sock, body, read_certificate(sock))
    except (OSError, NotARequestError, UnusableError, HandshakeError) as error:
        (sock or arrival.sock).close()
        raise HandshakeError(_cause_of(error), _words_of(error)) from error


def _cause_of(error: Exception) -> Cause:
    if isinstance(error, NotARequestError | HandshakeError):
        return error.cause
    return Cause.TOO_SLOW if isinstance(error, TimeoutError) else Cause.TLS


def _words_of(error: Exception) -> str:
    """Return what went wrong, in words."""
    if isinstance(error, TimeoutError):
        return "handshake and association request came too slowly"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or "not specified"
        return _FAULTS.get(reason, reason.lower().replace("_", " "))
    if isinstance(error, OSError):
        return "it hung up"
    return str(error)


def _read_request(sock: ssl.SSLSocket, deadline: float) -> bytes:
    """Return the body of the association request, never a byte behind it."""
    data = bytearray()
    wanted = pdu.HEADER.size
    while len(data) < wanted:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        piece = sock.recv(min(wanted - len(data), _READ_BYTES))
        if not piece:
            raise ConnectionResetError
        data += piece
        check_beginning(data)
        if len(data) == pdu.HEADER.size:
            wanted += int(pdu.HEADER.unpack_from(data)[1])
    return bytes(data[pdu.HEADER.size :])
