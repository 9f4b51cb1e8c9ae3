"""Children are restarted with growing pauses, and none outlives its supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from noctis.supervise import Backoff, describe_exit

ROOT = Path(__file__).parents[3]
SUPERVISOR = """
import sys
from pathlib import Path
from noctis import supervise
from noctis.supervise import Child, Supervisor
supervise.STOP_SECONDS = 1.5
folder, script = Path(sys.argv[1]), sys.argv[2]
child = Child("child", [sys.executable, "-c", script, str(folder)], {}, folder)
Supervisor([child], lambda: None).run()
(folder / "ended").touch()
"""
NOTES_PID = """
import os, sys, time, signal, subprocess
from pathlib import Path
folder = Path(sys.argv[1])
(folder / f"child-{os.getpid()}").touch()
"""


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie doesn't)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def children_of(folder: Path) -> list[int]:
    return [int(path.name.split("-")[1]) for path in sorted(folder.glob("child-*"))]


def supervise(folder: Path, script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder), NOTES_PID + script],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )


def test_pause_doubles_from_half_a_second_to_thirty() -> None:
    backoff = Backoff()

    pauses = [backoff.delay_after(lived_seconds=1) for _ in range(9)]

    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_minute_of_health_resets_the_pause() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.delay_after(lived_seconds=1)

    assert backoff.delay_after(lived_seconds=61) == 0.5
    assert backoff.delay_after(lived_seconds=1) == 1


@pytest.mark.parametrize(("code", "words"), [(3, "exit code 3"), (-9, "signal SIGKILL")])
def test_exit_is_told_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_killed_child_is_started_again(tmp_path: Path) -> None:
    process = supervise(tmp_path, "time.sleep(600)")
    try:
        wait_until(lambda: len(children_of(tmp_path)) == 1)
        os.kill(children_of(tmp_path)[0], signal.SIGKILL)
        wait_until(lambda: len(children_of(tmp_path)) == 2)
    finally:
        process.terminate()
        process.wait(10)

    assert (tmp_path / "ended").exists()
    assert not any(is_alive(pid) for pid in children_of(tmp_path))


def test_child_deaf_to_sigterm_is_ended_by_force(tmp_path: Path) -> None:
    process = supervise(
        tmp_path, "signal.signal(15, signal.SIG_IGN); (folder / 'deaf').touch(); time.sleep(600)"
    )
    wait_until((tmp_path / "deaf").exists)

    process.terminate()
    process.wait(10)

    assert not is_alive(children_of(tmp_path)[0])


def test_what_a_dead_child_left_behind_is_swept(tmp_path: Path) -> None:
    script = (
        "helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "(folder / f'helper-{helper.pid}').touch(); time.sleep(600)"
    )
    process = supervise(tmp_path, script)
    try:
        wait_until(lambda: list(tmp_path.glob("helper-*")))
        helper = int(next(tmp_path.glob("helper-*")).name.split("-")[1])
        os.kill(children_of(tmp_path)[0], signal.SIGKILL)
        wait_until(lambda: not is_alive(helper))
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux' alone")
def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    process = supervise(tmp_path, "time.sleep(600)")
    wait_until(lambda: len(children_of(tmp_path)) == 1)

    process.kill()
    process.wait(10)

    wait_until(lambda: not is_alive(children_of(tmp_path)[0]))
