"""A process that does what a worker does with commitments and transfers, and can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conformance.port import ROOT, database_url

_PROGRAM = """
import threading
from datetime import timedelta
import django
django.setup()
from dicom_receiver.commitment import checking, reporting, running
from dicom_receiver.outgoing import running as transfers, turns
for module in (checking, reporting, turns):
    module.LEASE = timedelta(seconds=2)
transfers.RENEW_SECONDS = 0.5
stopped = threading.Event()
drives = [running.drive_checks, running.drive_reports, transfers.drive]
threads = [threading.Thread(target=drive, args=(stopped,)) for drive in drives]
for thread in threads:
    thread.start()
print("works", flush=True)
for thread in threads:
    thread.join()
"""


class Worker:
    """The worker's threads of this room on the test's database, with short leases."""

    def __init__(self, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if "NOCTIS" not in name}
        self._environment = {
            **kept,
            "NOCTIS_HOME": str(home),
            "NOCTIS_DISK_RESERVE_MB": "0",
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "noctis.settings",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it works."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"works\n"

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
