"""The machine: who may read the home, is the clock right, are the settings safe?"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import Max

from archive import storage
from archive.models import Instance
from noctis import env
from noctis.checkup.finding import Finding, fail, ok, warn
from reconstruction.compiled import load_kernels

# No release of Noctis is older.
BORN = datetime(2025, 1, 1, tzinfo=UTC)
DRIFT = timedelta(minutes=2)
_TIME_ERROR = 5


def check_permissions() -> Iterator[Finding]:
    """Yield findings on who may read what."""
    home = settings.NOCTIS_HOME
    key = home / "secret.key"
    if key.exists() and key.stat().st_mode & 0o077:
        yield fail("secret key", "others may read it", f"Run: chmod 600 {key}")
    private = [storage.root(), settings.LOG_ROOT, *home.glob("db.sqlite3*")]
    is_closed = home.exists() and not home.stat().st_mode & stat.S_IXOTH
    readable = [path for path in private if _is_open(path)] if not is_closed else []
    if readable:
        names = " ".join(str(path) for path in readable)
        yield warn(
            "home",
            "every user of this machine may read patient data",
            f"Run: chmod o-rwx {names}",
        )
    else:
        yield ok("home", f"{home} is closed to other users")
    if os.geteuid() == 0:
        yield warn(
            "user",
            "Noctis runs as root",
            "Make a user of its own: a fault in any part would have the whole machine.",
        )
    else:
        yield ok("user", "not root")


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))


def check_compiler() -> Iterator[Finding]:
    """Yield whether kernels can be compiled: without them no plane is cut."""
    try:
        load_kernels()
    except Exception as error:  # noqa: BLE001  (whatever keeps it from loading is the finding)
        yield fail(
            "kernels",
            f"cannot be compiled: {type(error).__name__}",
            "Install the packages of requirements.txt again, and see that the home can be written.",
        )
    else:
        yield ok("kernels", "planes and slabs can be cut")


def check_clock() -> Iterator[Finding]:
    """Yield findings on the time."""
    now = datetime.now(UTC)
    if now < BORN:
        yield fail("clock", f"says {now:%Y-%m-%d %H:%M}", "Set the clock and switch NTP on.")
        return
    newest = Instance.objects.aggregate(newest=Max("received_at"))["newest"]
    if newest and newest > now + DRIFT:
        yield fail(
            "clock",
            f"says {now:%Y-%m-%d %H:%M} UTC, but something arrived at {newest:%Y-%m-%d %H:%M}",
            "The clock was or is wrong: set it and switch NTP on.",
        )
        return
    drift = _database_drift(now)
    if drift > DRIFT:
        yield fail(
            "clock",
            f"differs from the database's by {drift.total_seconds():.0f} s",
            "Switch NTP on, here and on the database's machine.",
        )
    elif not _is_disciplined():
        yield warn(
            "clock",
            f"{now:%Y-%m-%d %H:%M} UTC, not kept right by NTP",
            "Switch NTP on (timedatectl set-ntp true): times of studies and the audit trail "
            "rest on this clock.",
        )
    else:
        yield ok("clock", f"{now:%Y-%m-%d %H:%M} UTC, kept right by NTP")


def _database_drift(now: datetime) -> timedelta:
    if connection.vendor != "postgresql":
        return timedelta(0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
    return abs(theirs - now)


def _is_disciplined() -> bool:
    """Ask the kernel whether something keeps its clock right (adjtimex); elsewhere believe it."""
    if sys.platform != "linux":
        return True
    timex = ctypes.create_string_buffer(512)
    return bool(ctypes.CDLL(None).adjtimex(timex) != _TIME_ERROR)


def check_settings() -> Iterator[Finding]:
    """Yield findings on settings that are fine at a desk and not in a hospital."""
    hosts = {"NOCTIS_HTTP": settings.NOCTIS_HTTP[0], "NOCTIS_DICOM": settings.NOCTIS_DICOM[0]}
    wide = [name for name, host in hosts.items() if not env.is_loopback(host)]
    if wide and not settings.NOCTIS_PRODUCTION:
        yield fail(
            "settings",
            f"{' and '.join(wide)} can be reached from outside without NOCTIS_PRODUCTION",
            "Set NOCTIS_PRODUCTION=1: it refuses to start with anything unsafe, and says what.",
        )
    elif settings.DEBUG:
        yield warn(
            "settings",
            "NOCTIS_DEBUG is on",
            "Switch it off: error pages show the program's inside.",
        )
    elif not settings.NOCTIS_PRODUCTION:
        yield warn(
            "settings",
            "set up for this machine alone",
            "Before patients come: NOCTIS_PRODUCTION=1, and see docs/settings.md.",
        )
    else:
        yield ok("settings", "production")
    if settings.NOCTIS_UNKNOWN_AE == "quarantine" and "NOCTIS_DICOM" in wide:
        yield warn(
            "unknown senders",
            "anybody who reaches the DICOM port may store into the quarantine",
            "Set NOCTIS_UNKNOWN_AE=reject once every modality is entered as a peer.",
        )
    if settings.NOCTIS_METRICS_PUBLIC:
        yield warn(
            "metrics",
            "anybody may read /metrics",
            "Fine inside a closed network; else switch NOCTIS_METRICS_PUBLIC off.",
        )
