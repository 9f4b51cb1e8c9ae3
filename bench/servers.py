"""The servers under measurement: each starts on fresh storage and stops without a trace."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2  # type: ignore[import-untyped]

from tests.dimse_client import Association, PeerError

ROOT = Path(__file__).resolve().parent.parent
ORTHANC = Path("/usr/sbin/Orthanc")
START_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Server(ABC):
    """One server process tree that takes C-STORE on a port of 127.0.0.1.

    What was stored stays until the run is over: ext4 looks long for a free inode
    where thousands of files were deleted a moment ago, and that would be measured.
    """

    name: str
    called: str

    def __init__(self, place: Path, port: int) -> None:
        self._place = place
        self._starts = itertools.count(1)
        self.folder = place
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Make fresh storage and start the server."""

    @abstractmethod
    def count_searchable(self) -> tuple[int, int]:
        """Return how many (studies, instances) the server's own index finds."""

    def start(self) -> None:
        self.folder = self._place / f"{self.name.lower()}-{next(self._starts)}"
        self.folder.mkdir(parents=True)
        self._process = self._launch()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                Association(("127.0.0.1", self.port), called=self.called).release()
                return
            except (OSError, PeerError) as error:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    self.stop()
                    raise RuntimeError(f"{self.name} did not start: {error}") from None
                time.sleep(0.2)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(40)
            self._process = None

    @property
    def pid(self) -> int | None:
        """The first process of the tree, while it runs."""
        return self._process.pid if self._process else None

    def cpu_seconds(self) -> float:
        """Return user and system time of the whole process tree so far."""
        assert self._process is not None
        return sum(cpu_seconds(pid) for pid in process_tree(self._process.pid))


class Noctis(Server):
    """`manage.py receive` in a home of its own, on SQLite or on a PostgreSQL that is given."""

    name = "Noctis"
    called = "NOCTIS_SCP"

    def __init__(
        self,
        place: Path,
        port: int,
        database_url: str = "",
        processes: int = 2,
        provision: str = "",
    ) -> None:
        super().__init__(place, port)
        self._processes = processes
        self._provision = provision
        self._admin_url = database_url
        parts = urlsplit(database_url)
        self._database_url = urlunsplit(parts._replace(path="/noctis_bench")) if parts.path else ""

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "NOCTIS_HOME": str(self.folder),
            "NOCTIS_DICOM": f"127.0.0.1:{self.port}",
            "NOCTIS_UNKNOWN_AE": "quarantine",
            "DJANGO_SETTINGS_MODULE": "noctis.settings",
            "DATABASE_URL": self._database_url,
        }

    def _launch(self) -> subprocess.Popen[bytes]:
        if self._admin_url:
            self._recreate_database()
        self._manage("migrate", "--verbosity", "0", "--skip-checks")
        if self._provision:
            path = self.folder / "provision.toml"
            path.write_text(self._provision)
            self._manage("provision", str(path))
        return subprocess.Popen(
            [
                *_MANAGE,
                "receive",
                "--port",
                str(self.port),
                "--processes",
                str(self._processes),
            ],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        super().stop()
        if self._admin_url:
            self._recreate_database(only_drop=True)

    def count_searchable(self) -> tuple[int, int]:
        code = (
            "from archive.models import Study, Instance; from django.db.models import Sum; "
            "print(Study.objects.count(), Instance.objects.count(), "
            "Study.objects.aggregate(n=Sum('instance_count'))['n'] or 0)"
        )
        said = self._manage("shell", "-v", "0", "-c", code)
        studies, instances, counted = (int(word) for word in said.split()[-3:])
        if instances != counted:
            raise RuntimeError(f"kept counts say {counted}, rows are {instances}")
        return studies, instances

    def _manage(self, *arguments: str) -> str:
        return subprocess.run(
            [*_MANAGE, *arguments],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _recreate_database(self, *, only_drop: bool = False) -> None:
        connection = psycopg2.connect(self._admin_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS noctis_bench WITH (FORCE)")
            if not only_drop:
                cursor.execute("CREATE DATABASE noctis_bench")
        connection.close()


class Orthanc(Server):
    """Orthanc as one tunes it for storing: no Nagle delay, large PDUs, files synced."""

    name = "Orthanc"
    called = "ORTHANC"

    def __init__(self, place: Path, port: int, also: dict[str, object] | None = None) -> None:
        super().__init__(place, port)
        self.also = also or {}

    def _launch(self) -> subprocess.Popen[bytes]:
        configuration: dict[str, object] = {
            "Name": "bench",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "index"),
            "StorageCompression": False,
            "SyncStorageArea": True,
            "MaximumPduLength": 131_072,
            "DicomThreadsCount": 8,
            "DicomServerEnabled": True,
            "DicomAet": self.called,
            "DicomPort": self.port,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowStore": True,
            "HttpPort": self.port + 1,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [],
            "SaveJobs": False,
            **self.also,
        }
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(configuration))
        return subprocess.Popen(
            [str(ORTHANC), str(path)],
            env={**os.environ, "TCP_NODELAY": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def count_searchable(self) -> tuple[int, int]:
        url = f"http://127.0.0.1:{self.port + 1}/statistics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            statistics = json.load(answer)
        return int(statistics["CountStudies"]), int(statistics["CountInstances"])


_MANAGE = (sys.executable, str(ROOT / "manage.py"))


def process_tree(pid: int) -> list[int]:
    """Return the process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(parents.get(found[-1], []))
    return found


def cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:13]) / _TICKS
