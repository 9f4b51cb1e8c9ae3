"""A worker's desk of transfers: claims what may go, a thread for each, and watches over them."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from dicom_receiver.outgoing import promises, sends, turns
from dicom_receiver.outgoing.models import Transfer
from dicom_receiver.tasks import TRANSFERS, woken

logger = logging.getLogger("noctis.dimse")

LOOK_SECONDS = 0.5
RENEW_SECONDS = 3.0
TROUBLE_SECONDS = 5.0
# A worker that stops has 20 seconds; an instance on its way is given most of them.
FINISH_SECONDS = 12.0
END_SECONDS = 4.0


class Run(threading.Thread):
    """One transfer on its way."""

    def __init__(self, transfer: Transfer) -> None:
        super().__init__(name=f"transfer-{transfer.pk}", daemon=True)
        self.transfer = transfer
        self.halt = sends.Halt()

    def run(self) -> None:
        """Send, or ask for a commitment; whatever happens, the row says how it stands."""
        transfer = self.transfer
        try:
            if transfer.status == Transfer.Status.COMMITTING:
                promises.ask(transfer, self.halt)
            else:
                sends.send(transfer, self.halt)
        except DatabaseError as error:
            # The lease ends by itself; whoever claims it next goes on where we stood.
            logger.warning("transfer %s is left: %s", transfer.pk, type(error).__name__)
        except Exception:
            logger.exception("transfer %s failed for a reason that nobody foresaw", transfer.pk)
            self._bury()
        finally:
            connections.close_all()
            woken[TRANSFERS].set()

    def _bury(self) -> None:
        """Let it be tried again later, a few times."""
        try:
            turns.note_accident(self.transfer)
        except DatabaseError as error:
            logger.warning("transfer %s is left: %s", self.transfer.pk, type(error).__name__)


class Desk:
    """The transfers that this worker has in its hands."""

    def __init__(self) -> None:
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._runs: list[Run] = []
        self._renewed_at = time.monotonic()

    def look(self) -> None:
        """Begin what may begin, renew the leases of what runs, halt what is not ours any more."""
        self._runs = [run for run in self._runs if run.is_alive()]
        if time.monotonic() - self._renewed_at > RENEW_SECONDS:
            self._renewed_at = time.monotonic()
            for run in self._runs:
                if not turns.renew(run.transfer):
                    run.halt.soon.set()
        while len(self._runs) < settings.NOCTIS_TRANSFERS:
            transfer = turns.claim_next(self._worker)
            if transfer is None:
                return
            run = Run(transfer)
            self._runs.append(run)
            run.start()

    def close(self) -> None:
        """Let what is on its way arrive, then end it; what was not sent waits for the next."""
        for run in self._runs:
            run.halt.soon.set()
        self._join(FINISH_SECONDS)
        for run in self._runs:
            run.halt.wire.at_pause.set()
            run.halt.wire.now.set()
        self._join(END_SECONDS)

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for run in self._runs:
            run.join(max(0.0, deadline - time.monotonic()))


def drive(stopped: threading.Event) -> None:
    """Send what is due until stopped; a database that is down is asked again."""
    desk = Desk()
    try:
        while not stopped.is_set():
            try:
                close_old_connections()
                desk.look()
                woken[TRANSFERS].wait(LOOK_SECONDS)
                woken[TRANSFERS].clear()
            except (DatabaseError, OSError) as error:
                logger.warning("no transfers: %s", type(error).__name__)
                stopped.wait(TROUBLE_SECONDS)
    finally:
        desk.close()
        connections.close_all()
