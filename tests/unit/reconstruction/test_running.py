"""Workers and their children as real processes: cancelled, killed, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import User
from archive.models import Series
from reconstruction.jobs import cancel_job
from reconstruction.models import ReconstructionJob
from reconstruction.running import SOURCE_ROOT, Lane
from tests.unit.reconstruction.jobs import ask, look_at, run_here, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def is_gone(pid: int) -> bool:
    """Whether the process has ended, buried or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_for_half(job: ReconstructionJob) -> None:
    wait_until(lambda: look_at(job).progress > 0.4)


@pytest.fixture
def worker(house: None) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker as an installation does, for the lane of small jobs alone."""
    command = "celery -q -A noctis worker -Q reconstruction --without-gossip --without-mingle"
    process = subprocess.Popen([sys.executable, "-m", *command.split()], cwd=SOURCE_ROOT)
    yield process
    process.kill()
    process.wait()


def child_of(process: subprocess.Popen[bytes]) -> int:
    """Return the number of the process' only child."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    (child,) = [int(pid) for task in tasks for pid in task.read_text().split()]
    return child


def test_a_job_outlives_child_and_worker_and_ends_when_it_is_cancelled(
    small: Series, rada: User, home: Path, lane: Lane
) -> None:
    job = ask(rada, small, then="gate")
    wait_for_half(job)
    assert lane._child is not None
    os.kill(lane._child.pid, signal.SIGKILL)

    # It waits for two seconds only: who looks on a busy machine may find it running again.
    wait_until(lambda: "ended by the system" in look_at(job).reason)
    ReconstructionJob.objects.update(due_at=timezone.now())
    wait_until(lambda: look_at(job).attempts == 2)

    stubborn = ask(rada, small, pause_seconds=600)
    (home / "go").touch()
    wait_until(lambda: look_at(job).status == "done")
    # Cancelled before it sleeps it would end by itself, and its process live on.
    wait_until((home / "asleep").exists)
    assert lane._child is not None
    child = lane._child.pid
    cancel_job(rada, look_at(stubborn))

    wait_until(lambda: is_gone(child))
    wait_until(lambda: not list((home / "media" / "derived").glob(".work-*")))
    assert look_at(stubborn).status == "cancelled"


def test_a_worker_that_is_killed_loses_no_job(
    small: Series, rada: User, home: Path, worker: subprocess.Popen[bytes], house: None
) -> None:
    job = ask(rada, small, then="gate")
    wait_for_half(job)
    child = child_of(worker)

    worker.kill()

    wait_until(lambda: is_gone(child))
    now = look_at(job)
    assert (now.status, now.attempts) == ("running", 1)
    assert now.worker.endswith(f":{worker.pid}")
    # Nobody renews the lease any more; its end need not be waited for.
    ReconstructionJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    (home / "go").touch()
    assert run_here(job).status == "done"
    assert look_at(job).attempts == 2
