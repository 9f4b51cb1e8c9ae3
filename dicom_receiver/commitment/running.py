"""A worker's threads for commitments: one checks files, one reports."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from dicom_receiver.commitment.checking import check_next
from dicom_receiver.commitment.reporting import report_next
from dicom_receiver.tasks import COMMITMENTS, REPORTS, woken

logger = logging.getLogger("noctis.dimse")

IDLE_LOOK_SECONDS = 1.0
TROUBLE_SECONDS = 5.0


def _drive(do_next: Callable[[], bool], wake_up: threading.Event, stopped: threading.Event) -> None:
    """Do what is due until stopped; a database that is down is asked again."""
    while not stopped.is_set():
        try:
            close_old_connections()
            if not do_next():
                wake_up.wait(IDLE_LOOK_SECONDS)
                wake_up.clear()
        except (DatabaseError, OSError) as error:
            logger.warning("no commitments: %s", type(error).__name__)
            stopped.wait(TROUBLE_SECONDS)
        except Exception:
            logger.exception("a commitment failed for a reason that nobody foresaw")
            stopped.wait(TROUBLE_SECONDS)
    connections.close_all()


# What a worker runs, each until the event that it is given.
drive_checks = partial(_drive, check_next, woken[COMMITMENTS])
drive_reports = partial(_drive, report_next, woken[REPORTS])
