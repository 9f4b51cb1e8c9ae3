"""A web server that does what a test tells it to, however bad."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Request"], None]


@dataclass(frozen=True)
class Asked:
    """What was asked for in one request."""

    path: str
    headers: Message
    body: bytes


class Request(BaseHTTPRequestHandler):
    """One request; the test's function answers it by hand."""

    protocol_version = "HTTP/1.1"
    server: Server

    body = b""

    def do_GET(self) -> None:
        """Hand over a GET."""
        self._answer()

    def do_POST(self) -> None:
        """Hand over a POST with its body."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer()

    def _answer(self) -> None:
        self.server.asked.append(Asked(self.path, self.headers, self.body))
        try:
            self.server.answer(self)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer in order."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Listens on loopback."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.answer = answer
        self.asked: list[Asked] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"http://127.0.0.1:{self.server_port}/dicom-web"


@contextmanager
def serve(answer: Answer) -> Iterator[Server]:
    """Run a server that answers so."""
    server = Server(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
