"""What Celery carries for this room: a word that wakes a worker."""

from __future__ import annotations

import logging
import threading

from celery import shared_task
from django.db import transaction
from kombu.exceptions import KombuError

logger = logging.getLogger("noctis.dimse")

TRANSFERS, COMMITMENTS, REPORTS = "transfers", "commitments", "reports"
IMPORTS = "imports"

# Set by a message that says that there is something to do.
woken = {name: threading.Event() for name in (TRANSFERS, COMMITMENTS, REPORTS, IMPORTS)}


@shared_task(name="dicom_receiver.look", ignore_result=True)
def look(what: str) -> None:
    """Look for work now. The rows say what is to do, so a message may be lost or come twice."""
    if what in woken:
        woken[what].set()


def wake(what: str) -> None:
    """Tell a worker to look at once, when all is committed; without a broker it looks soon."""

    def send() -> None:
        try:
            look.apply_async((what,))
        except (KombuError, OSError) as error:
            logger.warning("no worker could be woken: %s", type(error).__name__)

    transaction.on_commit(send)
