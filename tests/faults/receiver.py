"""A receiver in a home of its own that can be killed, and its index seen from outside.

Rows are read with the database's own driver and files with open(): nothing of
the product judges the product here.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2  # type: ignore[import-untyped]

from tests import migrated
from tests.dimse_client import Association, PeerError

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Receiver:
    """`manage.py receive` with all its processes."""

    def __init__(self, home: Path, *, database_url: str = "", settings: str = "noctis.settings"):
        self.home = home
        self.media = home / "media"
        self.port = free_port()
        self.log = home / "receiver.out"
        self._process: subprocess.Popen[bytes] | None = None
        kept = {name: value for name, value in os.environ.items() if "NOCTIS" not in name}
        self.environment = {
            **kept,
            "NOCTIS_HOME": str(home),
            "NOCTIS_DICOM": f"127.0.0.1:{self.port}",
            "NOCTIS_UNKNOWN_AE": "quarantine",
            "NOCTIS_DISK_RESERVE_MB": "0",
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": settings,
        }
        home.mkdir(parents=True, exist_ok=True)

    def migrate(self) -> None:
        """Make the tables of a SQLite database; PostgreSQL's come with it."""
        if not self.environment["DATABASE_URL"]:
            migrated.copy_to(self.home)

    def start(self) -> float:
        """Start as anybody would; return the seconds until an association was accepted."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "receive", "--port", str(self.port)],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        while True:
            try:
                self.associate().release()
                return time.monotonic() - began
            except (OSError, PeerError):
                if time.monotonic() - began > START_SECONDS or self._process.poll() is not None:
                    raise AssertionError(self.log.read_text()[-3000:]) from None
                time.sleep(0.05)

    def associate(self) -> Association:
        return Association(("127.0.0.1", self.port))

    def kill(self) -> None:
        """SIGKILL all processes, the parent first, so that none has time for a last word."""
        assert self._process is not None
        for pid in [self._process.pid, *self.children()]:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(40)

    def children(self) -> list[int]:
        assert self._process is not None
        task = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in task.read_text().split()]

    def limit_files_to(self, size_bytes: int) -> None:
        """Let no process write files beyond this size (-1: any), as on a disk that is full."""
        assert self._process is not None
        for pid in [self._process.pid, *self.children()]:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

    def temporary_files(self) -> list[Path]:
        return [path for path in (self.media / "incoming").rglob("*") if path.is_file()]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows that another program sees in the database."""
        url = self.environment["DATABASE_URL"]
        if url:
            with closing(psycopg2.connect(url)) as postgres, postgres.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        path = f"file:{self.home / 'db.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=30)) as sqlite:
            return list(sqlite.execute(sql))


class PostgresDatabase:
    """A fresh database on the server of a URL, dropped at the end; with tables, if copied."""

    def __init__(self, url: str, template: str = "template1") -> None:
        self._admin_url = url
        self._template = template
        self.name = f"noctis_fault_{uuid.uuid4().hex[:8]}"
        self.url = urlunsplit(urlsplit(url)._replace(path=f"/{self.name}"))

    def __enter__(self) -> PostgresDatabase:
        self.execute(f"CREATE DATABASE {self.name} TEMPLATE {self._template}")
        return self

    def migrate(self, home: Path) -> None:
        """Make the tables."""
        migrated.migrate(home, self.url)

    def __exit__(self, *_: object) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")

    def take_down(self) -> None:
        """Refuse every connection and end those that are open."""
        self.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'"
        )

    def bring_back(self) -> None:
        self.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")

    def execute(self, sql: str) -> None:
        with closing(psycopg2.connect(self._admin_url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(sql)
