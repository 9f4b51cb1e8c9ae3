"""The receiver's sign of life, and the counts of its front door, from a thread of its own.

A database that is down or hangs holds up this thread and nothing else.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from archive.models import Heartbeat
from dicom_receiver.diary import Diary, end_forgotten_calls, prune_calls
from dicom_receiver.statistics import Ledger

logger = logging.getLogger("noctis.dimse")

ROLE = "receiver"
BEAT_SECONDS = 5.0
PRUNE_SECONDS = 300.0
FORGET_AFTER = timedelta(hours=1)


class HeartbeatThread(threading.Thread):
    """Writes every five seconds while `describe` returns a description; None says ill."""

    def __init__(
        self, ledger: Ledger, diary: Diary, describe: Callable[[], dict[str, Any] | None]
    ) -> None:
        super().__init__(name="dicom-heartbeat", daemon=True)
        self._diary = diary
        self._pruned_at = 0.0
        self._ledger = ledger
        self._describe = describe
        self._started_at = timezone.now()
        self._ended = threading.Event()

    def run(self) -> None:
        """Beat until the end."""
        self._attempt(self._forget_the_dead)
        self._attempt(end_forgotten_calls)
        while not self._ended.is_set():
            self._attempt(self._beat)
            self._ended.wait(1.0 if self._describe() is None else BEAT_SECONDS)
        self._attempt(self._say_farewell)
        connection.close()

    def end(self, seconds: float) -> None:
        """Beat no more; wait so long for the row to go."""
        self._ended.set()
        self.join(seconds)

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            close_old_connections()
            work()
        except DatabaseError as error:
            logger.error("no sign of life could be written: %s", type(error).__name__)
            connection.close()

    def _beat(self) -> None:
        self._flush()
        if time.monotonic() - self._pruned_at > PRUNE_SECONDS:
            prune_calls()
            self._pruned_at = time.monotonic()
        detail = self._describe()
        if detail is not None:
            Heartbeat.objects.update_or_create(
                role=ROLE,
                host=socket.gethostname(),
                pid=os.getpid(),
                defaults={
                    "started_at": self._started_at,
                    "seen_at": timezone.now(),
                    "detail": detail,
                },
            )

    def _forget_the_dead(self) -> None:
        """Remove rows of this host's receivers that are long gone."""
        Heartbeat.objects.filter(
            role=ROLE, host=socket.gethostname(), seen_at__lt=timezone.now() - FORGET_AFTER
        ).delete()

    def _flush(self) -> None:
        self._ledger.flush()
        self._diary.flush()

    def _say_farewell(self) -> None:
        self._flush()
        Heartbeat.objects.filter(role=ROLE, host=socket.gethostname(), pid=os.getpid()).delete()
