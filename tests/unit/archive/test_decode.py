"""The decode pool survives what codecs do to their process."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.decode import SOURCE_ROOT, DecodePool
from archive.decode_worker import SHARED_BYTES, SHARED_FROM_BYTES
from imaging.errors import BusyError, UndecodableError

HOSTILE = (sys.executable, "-P", "-m", "tests.unit.archive.hostile_worker")
LIMIT_BYTES = 1 << 16


@pytest.fixture
def pool() -> Iterator[DecodePool]:
    """Return a pool of one worker, so that healing is visible."""
    pool = DecodePool(HOSTILE, workers=1, waiting_limit=1, wait_seconds=0.5, frame_seconds=3)
    yield pool
    pool.close()


def ask(pool: DecodePool, act: str, payload: bytes = b"", **more: object) -> dict[str, object]:
    answer, _ = pool.ask({"act": act, **more}, payload, answer_limit_bytes=LIMIT_BYTES)
    return answer


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_returns_what_the_worker_answers(pool: DecodePool) -> None:
    _, pixels = pool.ask({"act": "echo"}, b"abc" * 1000, answer_limit_bytes=LIMIT_BYTES)
    assert bytes(pixels) == b"abc" * 1000


def test_uses_a_worker_again(pool: DecodePool) -> None:
    assert ask(pool, "echo")["pid"] == ask(pool, "echo")["pid"]


@pytest.mark.parametrize("act", ["crash", "spin", "hang", "lie"])
def test_a_frame_that_ends_its_worker_fails_and_the_next_is_decoded(
    pool: DecodePool, act: str
) -> None:
    with pytest.raises(UndecodableError):
        ask(pool, act)
    assert ask(pool, "echo")["pid"] != os.getpid()


def test_a_frame_that_eats_memory_fails_and_the_next_is_decoded(pool: DecodePool) -> None:
    with pytest.raises(UndecodableError):
        ask(pool, "eat")
    assert ask(pool, "echo")["pid"]


def test_a_worker_killed_while_idle_costs_no_frame(pool: DecodePool) -> None:
    first = ask(pool, "echo")["pid"]
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    assert ask(pool, "echo")["pid"] != first


def test_a_failed_worker_leaves_no_process_behind(pool: DecodePool) -> None:
    first = ask(pool, "echo")["pid"]
    assert isinstance(first, int)
    with pytest.raises(UndecodableError):
        ask(pool, "crash")
    assert not is_alive(first)


def test_refuses_callers_beyond_the_queue(pool: DecodePool) -> None:
    ask(pool, "echo")
    slow = threading.Thread(target=lambda: ask(pool, "wait", seconds=2))
    slow.start()
    time.sleep(0.2)
    refusals: list[BaseException] = []

    def queue_up() -> None:
        try:
            ask(pool, "echo")
        except BusyError as refusal:
            refusals.append(refusal)

    started = time.monotonic()
    waiting = threading.Thread(target=queue_up)
    waiting.start()
    time.sleep(0.1)
    with pytest.raises(BusyError):
        ask(pool, "echo")
    assert time.monotonic() - started < 0.4, "beyond the queue the refusal comes at once"
    waiting.join()
    assert len(refusals) == 1, "in the queue the refusal comes after the wait"
    slow.join()
    assert ask(pool, "echo")["pid"]


def test_a_worker_knows_no_secrets_of_ours(
    pool: DecodePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:hunter2@localhost/noctis")
    environment = ask(pool, "secrets")["environment"]
    assert isinstance(environment, dict)
    assert "DATABASE_URL" not in environment
    assert "hunter2" not in str(environment)


def test_close_ends_idle_workers(pool: DecodePool) -> None:
    pid = ask(pool, "echo")["pid"]
    assert isinstance(pid, int)
    pool.close()
    assert not is_alive(pid)


def test_many_threads_share_few_workers() -> None:
    pool = DecodePool(HOSTILE, workers=2, waiting_limit=32)
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(pool, "wait", seconds=0.01)["pid"]))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert len(answers) == 16
    assert len(set(answers)) <= 2


def _ask_from_child(results: multiprocessing.Queue[object]) -> None:
    pool = DecodePool(HOSTILE, workers=1)
    results.put(ask(pool, "echo")["pid"])
    pool.close()


def test_works_in_daemonic_processes_as_celery_has_them() -> None:
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[object] = context.Queue()
    child = context.Process(target=_ask_from_child, args=(results,), daemon=True)
    child.start()
    assert isinstance(results.get(timeout=20), int)
    child.join(5)


def test_workers_end_when_their_parent_is_killed() -> None:
    program = (
        "import sys; from tests.unit.archive.test_decode import DecodePool, HOSTILE, ask;"
        "pool = DecodePool(HOSTILE, workers=1); print(ask(pool, 'echo')['pid'], flush=True);"
        "sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=SOURCE_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert is_alive(worker)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 5
    while is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(worker)


def test_leaves_no_descriptor_open_after_many_failures(pool: DecodePool) -> None:
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(UndecodableError):
            ask(pool, "crash")
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def shared_memory() -> list[str]:
    """Return this process' mappings of workers' answers."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in lines if "memfd:answers" in line]


def test_large_answers_come_by_shared_memory_and_stay_what_they_were(pool: DecodePool) -> None:
    """A few bytes, some kB, the most that is shared, and more than that: all arrive whole."""
    sizes = (1, SHARED_FROM_BYTES, 3_000_001, SHARED_BYTES, SHARED_BYTES + 1)
    answers = []
    for number, size in enumerate(sizes):
        message, pixels = pool.ask({"act": "echo"}, bytes([number]) * size, answer_limit_bytes=size)
        is_shared = SHARED_FROM_BYTES <= size <= SHARED_BYTES
        assert ("shared" in message) == (is_shared and sys.platform == "linux")
        answers.append(pixels)
    for number, (size, pixels) in enumerate(zip(sizes, answers, strict=True)):
        assert pixels == bytes([number]) * size


@pytest.mark.parametrize("claim", [LIMIT_BYTES + 1, SHARED_BYTES + 1, -1])
def test_a_worker_that_claims_to_have_shared_more_than_agreed_is_lost(
    pool: DecodePool, claim: int
) -> None:
    with pytest.raises(UndecodableError):
        ask(pool, "claim", bytes=claim)
    assert ask(pool, "echo")["pid"]


@pytest.mark.skipif(sys.platform != "linux", reason="memory without a name is Linux's")
def test_shared_memory_goes_with_its_worker_however_that_ends(pool: DecodePool) -> None:
    """It has no name, so once nobody maps it the kernel has taken it back."""
    before = shared_memory()
    payload = bytes(1 << 20)
    for act in ("crash", "lie"):
        pool.ask({"act": "echo"}, payload, answer_limit_bytes=len(payload))
        assert len(shared_memory()) == len(before) + 1
        with pytest.raises(UndecodableError):
            ask(pool, act)
        assert shared_memory() == before
    pid = ask(pool, "echo")["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    ask(pool, "echo")
    assert len(shared_memory()) == len(before) + 1
    pool.close()
    assert shared_memory() == before
