"""A peer of another make (pynetdicom) that stores, refuses, breaks off or commits as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from tests.services import find_free_port

Answer = Callable[[str], int]


class OutsidePeer:
    """What it got, in order, and how it answers; `port` stays the same over restarts."""

    def __init__(self, ae_title: str = "OUTSIDE") -> None:
        self.port = find_free_port()
        self.ae_title = ae_title
        self.got: list[str] = []
        self.most_at_once = 0
        self.asked: list[Any] = []
        self.answer: Answer = lambda _uid: 0x0000
        self.breaks_at: str = ""
        self.held = threading.Event()
        self.held.set()
        self._open = 0
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        entity = AE(ae_title=self.ae_title)
        entity.supported_contexts = AllStoragePresentationContexts
        entity.add_supported_context(StorageCommitmentPushModel)
        entity.add_supported_context(Verification)
        self._server = entity.start_server(
            ("127.0.0.1", self.port),
            block=False,
            evt_handlers=[
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_N_ACTION, self._action),
                (evt.EVT_ACCEPTED, self._begin),
                (evt.EVT_CONN_CLOSE, self._end),
            ],
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _begin(self, _event: evt.Event) -> None:
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)

    def _end(self, _event: evt.Event) -> None:
        self._open -= 1

    def _store(self, event: evt.Event) -> int:
        request: Any = event.request
        uid = str(request.AffectedSOPInstanceUID)
        self.held.wait(20)
        if uid == self.breaks_at:
            event.assoc.abort()
            return 0xC000
        status = self.answer(uid)
        if status == 0:
            self.got.append(uid)
        return status

    def _action(self, event: evt.Event) -> tuple[int, None]:
        self.asked.append(event.action_information)
        return 0x0000, None


@contextmanager
def outside_peer() -> Iterator[OutsidePeer]:
    """Give a peer that listens, and stops with the block."""
    peer = OutsidePeer()
    peer.start()
    try:
        yield peer
    finally:
        peer.held.set()
        peer.stop()
