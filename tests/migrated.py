"""A migrated SQLite database: made once a run, copied by whoever needs one."""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The folder that all parts of a run share; without it each process makes its own.
FOLDER = "NOCTIS_TEST_MIGRATED"


def copy_to(home: Path) -> None:
    """Give a home a database with all tables and nothing in them."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_database(), home / "db.sqlite3")


def is_shared() -> bool:
    """Whether several parts of a run use one."""
    return bool(os.environ.get(FOLDER))


@functools.cache
def _database() -> Path:
    folder = Path(os.environ.get(FOLDER) or _make_folder())
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = folder / "db.sqlite3"
        if not made.exists():
            unready = folder / "unready"
            migrate(unready)
            (unready / "db.sqlite3").rename(made)
    return made


def _make_folder() -> str:
    folder = tempfile.mkdtemp(prefix="noctis-migrated-")
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))
    return folder


def migrate(home: Path, database_url: str = "") -> None:
    """Make the tables as an administrator would."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NOCTIS_", "DJANGO_", "DATABASE_URL"))
    }
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"],
        env={**kept, "NOCTIS_HOME": str(home), "DATABASE_URL": database_url},
        check=True,
    )
