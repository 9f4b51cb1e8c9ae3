"""The one HTTP session in which we call a DICOMweb peer: all its bounds are here.

A peer's answers are as little trusted as what comes to our port. Bodies are cut at a size and at
a time, also when they come in drips; nothing is unpacked; redirects lead to the same host alone;
neither proxies nor passwords are taken from the environment; and the address to which a
connection was really made is checked before a byte is sent.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import SHUT_RDWR, socket
from typing import Any, Self
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from dicom_receiver import limits
from dicom_receiver.remote.models import WebPeer
from dicom_receiver.remote.secrets import unseal
from dicom_receiver.remote.web_address import check_connection, origin_of
from dicom_receiver.wire import Stop

ANSWER_BYTES = 8 * 1024 * 1024
REDIRECTS_LIMIT = 3
PIECE_BYTES = 64 * 1024
_TICK_SECONDS = 0.2


class TooLargeError(Exception):
    """An answer is longer than any honest one."""


class TooSlowError(Exception):
    """The other side does not answer in time, or drips."""


class StoppedError(Exception):
    """Nobody wants the answer any more."""


class LedAwayError(Exception):
    """The other side redirects us to another place."""


class UnexpectedCodingError(Exception):
    """The answer is compressed, which we did not ask for."""


class Watch:
    """Ends the connection of an exchange that takes too long or that nobody wants any more.

    The system's own time-outs begin anew with every byte; this one does not.
    """

    def __init__(self, seconds: float, stop: Stop) -> None:
        self.seconds = seconds
        self._stop = stop
        self._socket: socket | None = None
        self._since: float | None = None
        self._is_late = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self, sock: socket) -> None:
        """Watch this connection from now on, whatever TLS makes of it."""
        self._let_go()
        self._socket = sock.dup()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Bound the time that the block takes."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
            self._thread.start()
        self._since = time.monotonic()
        try:
            yield
        except Exception as error:
            if self._stop.now.is_set():
                raise StoppedError from error
            if self._is_late:
                raise TooSlowError from error
            raise
        finally:
            self._since = None
        if self._stop.now.is_set():
            raise StoppedError
        if self._is_late:
            raise TooSlowError

    def go_on(self) -> None:
        """Count anew: something went out, and the answer cannot be there yet."""
        if self._since is not None:
            self._since = time.monotonic()

    def close(self) -> None:
        """End watching."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._let_go()

    def _run(self) -> None:
        while not self._over.wait(_TICK_SECONDS):
            since = self._since
            is_late = since is not None and time.monotonic() - since > self.seconds
            if is_late or self._stop.now.is_set():
                self._is_late = self._is_late or is_late
                self._cut()

    def _cut(self) -> None:
        if self._socket is not None:
            try:
                self._socket.shutdown(SHUT_RDWR)
            except OSError:
                return

    def _let_go(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


class WebSession(requests.Session):
    """A session with one peer. Use it as a context manager."""

    def __init__(self, peer: WebPeer, stop: Stop | None = None) -> None:
        super().__init__()
        self.peer = peer
        self.base_url = peer.base_url.rstrip("/")
        self.watch = Watch(peer.timeout_seconds, stop or Stop())
        self.trust_env = False
        self.verify = peer.verify_certificate
        self.auth = _log_in(peer)
        self.headers.update({"Accept-Encoding": "identity", "User-Agent": "Noctis"})
        self.adapters.clear()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(self.watch, is_verified=peer.verify_certificate))

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Close connections and end the watch."""
        super().close()
        self.watch.close()

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Leave redirects to `send`: requests would read their bodies, however long."""
        return

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request; the answer's body is read within bounds unless `stream` is asked for."""
        wants_stream = bool(kwargs.get("stream"))
        kwargs.update(stream=True, allow_redirects=False, timeout=self.watch.seconds)
        # Wild cards may stand in a query as they are (RFC 3986 3.4); Orthanc 1.10 decodes nothing.
        address, mark, query = str(request.url).partition("?")
        request.url = address + mark + query.replace("%2A", "*").replace("%3F", "?")
        for _ in range(REDIRECTS_LIMIT + 1):
            # The library names the host without its port.
            request.headers.pop("Host", None)
            with self.watch.waiting():
                response = super().send(request, **kwargs)
            if not response.is_redirect:
                break
            response.close()
            request = _follow(request, response)
        else:
            raise LedAwayError
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise UnexpectedCodingError
        if not wants_stream:
            response._content = self._read_whole(response)
            response._content_consumed = True
        return response

    def pieces(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the body as it comes; a peer that is silent or drips is left."""
        stream = response.raw.stream(PIECE_BYTES, decode_content=False)
        window_seconds, window_bytes = 0.0, 0
        while True:
            before = time.monotonic()
            with self.watch.waiting():
                piece = next(stream, None)
            if piece is None:
                return
            window_seconds += time.monotonic() - before
            window_bytes += len(piece)
            if window_seconds > limits.RATE_WINDOW_SECONDS:
                if window_bytes < limits.RATE_WINDOW_BYTES:
                    raise TooSlowError
                window_seconds, window_bytes = 0.0, 0
            yield piece

    def _read_whole(self, response: requests.Response) -> bytes:
        body = bytearray()
        deadline = time.monotonic() + self.watch.seconds
        try:
            for piece in self.pieces(response):
                body += piece
                if len(body) > ANSWER_BYTES:
                    raise TooLargeError
                if time.monotonic() > deadline:
                    raise TooSlowError
        finally:
            response.close()
        return bytes(body)


def _follow(
    request: requests.PreparedRequest, response: requests.Response
) -> requests.PreparedRequest:
    """Return the request for where the answer sends us. Raises LedAwayError."""
    here = str(request.url)
    there = urljoin(here, response.headers["Location"])
    was, would_be = origin_of(here), origin_of(there)
    is_safer = (was[0], would_be[0]) == ("http", "https") and was[1] == would_be[1]
    if request.method != "GET" or (was != would_be and not is_safer):
        raise LedAwayError
    followed = request.copy()
    followed.url = there
    return followed


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _log_in(peer: WebPeer) -> AuthBase | tuple[str, str] | None:
    """Return how requests say who we are. Raises SecretLostError."""
    if peer.authentication == WebPeer.Authentication.BASIC:
        return (peer.username, unseal(peer.sealed_secret))
    if peer.authentication == WebPeer.Authentication.BEARER:
        return _Bearer(unseal(peer.sealed_secret))
    return None


class _Adapter(HTTPAdapter):
    """Makes connections that are checked and watched; trusts whom the system trusts."""

    def __init__(self, watch: Watch, *, is_verified: bool) -> None:
        self._watch = watch
        self._context = ssl.create_default_context()
        if not is_verified:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, connections: int, maxsize: int, *_: Any, **also: Any) -> None:
        """Make pools of our own connections."""
        manager = PoolManager(
            num_pools=connections, maxsize=maxsize, ssl_context=self._context, retries=False
        )
        manager.pool_classes_by_scheme = _pool_classes(self._watch)
        self.poolmanager = manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave it to the context: the library would add certificates of its own."""


def _pool_classes(watch: Watch) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket:
            return _check(super()._new_conn(), watch)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket:
            return _check(super()._new_conn(), watch)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _check(sock: socket, watch: Watch) -> socket:
    """Return the connection if it may be used. Raises RefusedAddressError."""
    try:
        there = sock.getpeername()
        check_connection((there[0], there[1]), sock.getsockname()[0])
    except BaseException:
        sock.close()
        raise
    watch.hold(sock)
    return sock
