"""A worker's threads: a sign of life, an eye on due jobs of each queue, and a broom."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections
from django.utils import timezone

from accounts import api_tokens, jwts, throttle
from archive import housekeeping, jobs
from archive.models import Heartbeat
from dicom_receiver.commitment.running import drive_checks, drive_reports
from dicom_receiver.outgoing import running as transfers
from dicom_receiver.outgoing.old import forget_old as forget_old_transfers
from dicom_receiver.remote import driving as imports
from reconstruction import results, running, warm
from reconstruction.jobs import LANES
from viewer import launches
from worklist import upload_storing, uploads

logger = logging.getLogger(__name__)

ROLE = "worker"
HEARTBEAT_SECONDS = 5.0
LOOK_SECONDS = 1.0
TROUBLE_SECONDS = 5.0
TIDY_SECONDS = 600.0
JOBS_A_LOOK = 10
FORGET_AFTER = timedelta(hours=1)


def threads_for(queues: set[str]) -> Iterator[tuple[str, Callable[[threading.Event], None]]]:
    """Yield what a worker of these queues does beside its tasks, and a name for each."""
    yield "keep_heartbeat", keep_heartbeat
    yield "keep_tidy", keep_tidy
    if settings.CELERY_TASK_DEFAULT_QUEUE in queues:
        yield "drive_jobs", drive_jobs
        for number in range(imports.LANES):
            yield f"drive_imports_{number}", imports.drive
        yield "drive_uploads", upload_storing.drive
        yield "drive_transfers", transfers.drive
        yield "drive_commitments", drive_checks
        yield "drive_reports", drive_reports
        yield "compile_kernels", warm.compile_at_leisure
    for lane in LANES:
        if lane in queues:
            yield f"drive_{lane}", partial(running.drive, lane)


def keep_heartbeat(stopped: threading.Event) -> None:
    """Renew this process's heartbeat until stopped, then take it away."""
    host, pid, started_at = socket.gethostname()[:120], os.getpid(), timezone.now()
    mine = Heartbeat.objects.filter(role=ROLE, host=host, pid=pid)
    while True:
        try:
            close_old_connections()
            now = timezone.now()
            Heartbeat.objects.update_or_create(
                role=ROLE,
                host=host,
                pid=pid,
                defaults={"seen_at": now},
                create_defaults={"seen_at": now, "started_at": started_at},
            )
            Heartbeat.objects.filter(role=ROLE, seen_at__lt=now - FORGET_AFTER).delete()
        except DatabaseError as error:
            logger.warning("heartbeat not written: %s", type(error).__name__)
        if stopped.wait(HEARTBEAT_SECONDS):
            break
    try:
        mine.delete()
    except DatabaseError as error:
        logger.warning("heartbeat not taken away: %s", type(error).__name__)
    finally:
        connections.close_all()


def drive_jobs(stopped: threading.Event) -> None:
    """Run due jobs until stopped; a database that is down is asked again."""
    pause = 0.0
    while not stopped.wait(pause):
        try:
            close_old_connections()
            pause = 0.0 if jobs.run_due(limit=JOBS_A_LOOK) else LOOK_SECONDS
        except DatabaseError as error:
            logger.warning("jobs not looked for: %s", type(error).__name__)
            pause = TROUBLE_SECONDS
    connections.close_all()


def keep_tidy(stopped: threading.Event) -> None:
    """Sweep at the start and every ten minutes until stopped."""
    while True:
        try:
            close_old_connections()
            housekeeping.tidy()
            throttle.forget_old()
            api_tokens.forget_old()
            jwts.forget_old()
            launches.forget_old()
            results.sweep()
            uploads.forget_old()
            forget_old_transfers()
        except DatabaseError as error:
            logger.warning("not tidied: %s", type(error).__name__)
        if stopped.wait(TIDY_SECONDS):
            break
    connections.close_all()
