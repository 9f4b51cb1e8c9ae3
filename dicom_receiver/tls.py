"""DICOM over TLS: what we offer and ask for (PS3.15 B.9 to B.13, BCP 195).

TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3; nothing
older, nothing weaker, no renegotiation, no compression. That is the
Non-downgrading BCP 195 profile (B.10) and BCP 195 RFC 8996, 9325 (B.12); the
extended profile (B.11) leaves only keys of 256 bits.

Certificates are read again when their files change. Files that cannot be used
then (half copied, key and certificate of different pairs) are left alone, and
said so, until they can; the old ones serve meanwhile.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from dicom_receiver.certificates import read_certificate

logger = logging.getLogger("noctis.dimse")

EXTENDED = "extended"
LOOK_SECONDS = 1.0

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SHA1"
_EXTENDED_CIPHERS = "ECDHE+AES256+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SHA1"
_LONGEST_KEY_BITS = 256

Stamp = tuple[tuple[int, int, int] | None, ...]


class UnusableError(Exception):
    """The certificate, key or CA file cannot be used; the message says which and why."""


class ReloadedContext:
    """A context made of files, made again when one of them changes; safe for many threads."""

    def __init__(self, build: Callable[[], ssl.SSLContext], files: list[str]) -> None:
        self._build = build
        self._files = [Path(name) for name in files if name]
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._context: ssl.SSLContext | None = None
        self._looked_at = float("-inf")

    def get(self) -> ssl.SSLContext:
        """Return the context. Raises UnusableError when there never was a usable one."""
        with self._lock:
            now = time.monotonic()
            if self._context is None or now - self._looked_at > LOOK_SECONDS:
                self._looked_at = now
                self._look()
            assert self._context is not None
            return self._context

    def _look(self) -> None:
        stamp = tuple(_stamp_of(path) for path in self._files)
        if stamp == self._stamp and self._context is not None:
            return
        try:
            self._context = self._build()
        except UnusableError as error:
            if self._context is None:
                raise
            if stamp != self._stamp:
                logger.error("new TLS files are not used: %s", error)
        else:
            if self._stamp is not None:
                logger.info("TLS files have changed and are in use")
        self._stamp = stamp


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def accepting_context() -> ReloadedContext:
    """Return the context of our own port."""
    return ReloadedContext(_build_accepting, _files())


def calling_context(binding: str = "") -> ReloadedContext:
    """Return the context of associations that we open: the other side is always verified.

    With a binding (a peer's fingerprint or parts of its subject) the
    certificate has to be that one, whatever host it is made for; without, it
    has to be made for the host that we call.
    """
    return ReloadedContext(lambda: _build_calling(binding), _files())


def is_strong_enough(sock: ssl.SSLSocket) -> bool:
    """Whether what was agreed on keeps to the profile: TLS 1.3 suites cannot be chosen before."""
    cipher = sock.cipher()
    if settings.NOCTIS_DICOM_TLS_PROFILE != EXTENDED:
        return cipher is not None
    return cipher is not None and cipher[2] >= _LONGEST_KEY_BITS


def _files() -> list[str]:
    return [
        settings.NOCTIS_DICOM_TLS_CERTIFICATE,
        settings.NOCTIS_DICOM_TLS_KEY,
        settings.NOCTIS_DICOM_TLS_CA,
    ]


def _build_accepting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _narrow(context)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    _load_own(context)
    if settings.NOCTIS_DICOM_TLS_CLIENTS != "none":
        _load_authorities(context)
        is_required = settings.NOCTIS_DICOM_TLS_CLIENTS == "required"
        context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
    return context


def _build_calling(binding: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _narrow(context)
    context.check_hostname = not binding
    context.sslsocket_class = _make_socket_class(binding)
    if settings.NOCTIS_DICOM_TLS_CERTIFICATE:
        _load_own(context)
    if settings.NOCTIS_DICOM_TLS_CA:
        _load_authorities(context)
    else:
        context.load_default_certs()
    return context


def _make_socket_class(binding: str) -> type[ssl.SSLSocket]:
    """Return the class of sockets that hang up when the other side is not whom we want."""

    class CallingSocket(ssl.SSLSocket):
        """A socket that looks at what was agreed on before a byte of ours is sent."""

        def do_handshake(self, block: bool = False) -> None:
            """Shake hands. Raises SSLError when the other side is another, or too weak."""
            super().do_handshake(block)
            if not is_strong_enough(self):
                raise _trouble("NO_CIPHER_SUITE_THAT_WE_ACCEPT")
            certificate = read_certificate(self)
            if binding and (certificate is None or not certificate.fits(binding)):
                raise _trouble("IT_SHOWS_ANOTHER_CERTIFICATE")

    return CallingSocket


def _trouble(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(ssl.SSL_ERROR_SSL, reason)
    error.reason = reason
    return error


def _narrow(context: ssl.SSLContext) -> None:
    """Leave what the profile allows."""
    is_extended = settings.NOCTIS_DICOM_TLS_PROFILE == EXTENDED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_EXTENDED_CIPHERS if is_extended else _CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    # Whoever stands in the CA file is trusted, a device's own certificate too.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def _load_own(context: ssl.SSLContext) -> None:
    certificate = settings.NOCTIS_DICOM_TLS_CERTIFICATE
    key = settings.NOCTIS_DICOM_TLS_KEY
    try:
        context.load_cert_chain(certificate, key or None, password=_refuse_password)
    except _NeedsPasswordError:
        raise UnusableError(f"the key in {key or certificate} has a password") from None
    except ssl.SSLError as error:
        raise UnusableError(
            f"{certificate} and {key or 'the key in it'} are no pair in PEM form "
            f"({error.reason or 'unreadable'})"
        ) from error
    except OSError as error:
        raise UnusableError(
            f"{certificate} or {key or 'its key'} cannot be read: {error.strerror}"
        ) from error


def _load_authorities(context: ssl.SSLContext) -> None:
    authorities = settings.NOCTIS_DICOM_TLS_CA
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError as error:
        raise UnusableError(f"{authorities} holds no certificates in PEM form") from error
    except OSError as error:
        raise UnusableError(f"{authorities} cannot be read: {error.strerror}") from error


class _NeedsPasswordError(Exception):
    """A key is locked, and nobody is there to open it."""


def _refuse_password() -> str:
    raise _NeedsPasswordError
