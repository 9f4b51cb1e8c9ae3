"""Real PostgreSQL and Redis for a test run, from this machine's programs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

WAIT_SECONDS = 30.0
INITDB = ["-U", "noctis", "-A", "trust", "-E", "UTF8", "--no-sync"]
# Emptying all tables between two tests syncs hundreds of files, which a disk in memory does at
# once; the server's settings stay those that `check_system` asks for.
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 << 30


def _find_room() -> Path | None:
    """Return a disk in memory with room for a database, None where there is none."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        return None
    return MEMORY


def find_postgres() -> Path | None:
    """Return the directory of the newest PostgreSQL's programs."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    if homes:
        return homes[-1]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextlib.contextmanager
def run_postgres() -> Iterator[str | None]:
    """Run a cluster of our own; gives its address, or None when it isn't installed."""
    programs = find_postgres()
    account = _find_account()
    if programs is None or account is None:
        yield None
        return
    home = Path(tempfile.mkdtemp(prefix="noctis-postgres-", dir=_find_room()))
    data, port = home / "data", find_free_port()
    try:
        if account.pw_uid != os.geteuid():
            os.chown(home, account.pw_uid, account.pw_gid)
        _call([str(programs / "initdb"), "-D", str(data), *INITDB], account)
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(home)]
        with _running(
            [*command, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"],
            account,
            is_up=lambda: _accepts(port),
        ):
            _create_database(programs, port)
            yield f"postgresql://noctis@127.0.0.1:{port}/noctis"
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def run_redis(port: int = 0) -> Iterator[str | None]:
    """Run a Redis of our own; gives its address, or None when it isn't installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    port = port or find_free_port()
    with tempfile.TemporaryDirectory(prefix="noctis-redis-") as home:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", home]
        with _running(command, None, is_up=lambda: _accepts(port)):
            yield f"redis://127.0.0.1:{port}/0"


def find_free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _find_account() -> pwd.struct_passwd | None:
    """Return who runs PostgreSQL: this user, or `postgres` when this user is root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _create_database(programs: Path, port: int) -> None:
    createdb = str(programs / "createdb")
    command = [createdb, "-h", "127.0.0.1", "-p", str(port), "-U", "noctis", "noctis"]
    deadline = time.monotonic() + WAIT_SECONDS
    while subprocess.run(command, check=False, capture_output=True).returncode != 0:
        if time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL did not come up.")
        time.sleep(0.2)


@contextlib.contextmanager
def _running(
    command: Sequence[str], account: pwd.struct_passwd | None, is_up: Callable[[], bool]
) -> Iterator[None]:
    """Run a server until the block ends; it ends with us whatever happens."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509  (no thread runs yet)
        **_as_account(account),
    )
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not come up.")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _call(command: Sequence[str], account: pwd.struct_passwd) -> None:
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd="/",
        **_as_account(account),
    )


def _as_account(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return how to start a program as this account."""
    if account is None or account.pw_uid == os.geteuid():
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False
