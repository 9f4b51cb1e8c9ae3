"""A worker's lane for imports: one after another, each to its end."""

from __future__ import annotations

import logging
import os
import socket
import threading

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from dicom_receiver.remote import exchange_turns
from dicom_receiver.remote.exchange_run import run
from dicom_receiver.tasks import IMPORTS, woken

logger = logging.getLogger("noctis.dimse")

# So that a slow peer does not keep the others waiting.
LANES = 3
IDLE_LOOK_SECONDS = 1.0
TROUBLE_SECONDS = 5.0


def drive(stopped: threading.Event) -> None:
    """Run imports until stopped; a database that is down is asked again."""
    worker = f"{socket.gethostname()}:{os.getpid()}"
    try:
        while not stopped.is_set():
            try:
                close_old_connections()
                row = exchange_turns.claim_next(worker)
                if row is None:
                    woken[IMPORTS].wait(IDLE_LOOK_SECONDS)
                    woken[IMPORTS].clear()
                else:
                    run(row, stopped)
            except DatabaseError as error:
                logger.warning("no imports: %s", type(error).__name__)
                stopped.wait(TROUBLE_SECONDS)
    finally:
        connections.close_all()
