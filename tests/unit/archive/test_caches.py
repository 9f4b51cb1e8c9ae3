"""Caches: bounded by bytes, made once, never wrong, never a reason to fail."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from archive.cache_counts import CacheCounts
from archive.caches import FRAMES, Piece, caches, disk_limit_bytes, make_key
from archive.disk_cache import DiskCache
from archive.memory_cache import Flights, MemoryCache
from imaging.errors import BusyError, UndecodableError

MIB = 1 << 20


def key_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


# --- memory ---------------------------------------------------------------------
def test_memory_is_bounded_by_bytes_and_the_least_recently_used_goes_first() -> None:
    cache: MemoryCache[bytes] = MemoryCache(100, len)
    for name in "abcd":
        cache.put(name, b"x" * 25)
    assert cache.get("a") is not None
    assert cache.put("e", b"x" * 20) == 1
    assert [name for name in "abcde" if cache.get(name)] == ["a", "c", "d", "e"]
    assert cache.used_bytes == 95


def test_one_value_does_not_push_out_all_others() -> None:
    cache: MemoryCache[bytes] = MemoryCache(100, len)
    cache.put("a", b"x" * 20)
    cache.put("huge", b"x" * 60)
    assert cache.get("huge") is None
    assert cache.get("a") is not None


def test_a_value_put_twice_is_counted_once() -> None:
    cache: MemoryCache[bytes] = MemoryCache(100, len)
    for _ in range(9):
        cache.put("a", b"x" * 20)
    assert cache.used_bytes == 20


def run_together(count: int, act: Callable[[], object]) -> list[object]:
    """Run `act` in several threads; returns results and errors."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(act())
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return results


class Key:
    """Counts the looks for it: two of who makes what is wanted, one of each who waits for that."""

    def __init__(self) -> None:
        self._looks = threading.Semaphore(0)

    def wait_for_looks(self, count: int) -> None:
        for _ in range(count):
            assert self._looks.acquire(timeout=60)

    def __hash__(self) -> int:
        self._looks.release()
        return 1


def test_what_many_want_at_once_is_made_once() -> None:
    flights: Flights[bytes] = Flights()
    key = Key()
    made = []

    def make() -> bytes:
        made.append(1)
        key.wait_for_looks(2 + 4)
        return b"frame"

    assert run_together(5, lambda: flights.join(key, make)) == [b"frame"] * 5
    assert len(made) == 1


def test_a_lasting_error_is_shared_and_a_passing_one_is_not() -> None:
    flights: Flights[bytes] = Flights()
    key = Key()
    tries = []

    def fail(error: Exception, others: int) -> bytes:
        tries.append(error)
        key.wait_for_looks(2 + others)
        raise error

    run_together(3, lambda: flights.join(key, lambda: fail(UndecodableError("broken"), 2)))
    assert len(tries) == 1
    run_together(3, lambda: flights.join("k", lambda: fail(BusyError("busy"), -2)))
    assert len(tries) == 1 + 3


# --- disk -----------------------------------------------------------------------
@pytest.fixture
def disk(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "pieces", lambda: MIB)


def files_of(folder: Path) -> list[Path]:
    return [path for path in (folder / "pieces").glob("??/*") if path.is_file()]


def test_the_disk_gives_back_what_was_kept_to_this_user_alone(
    disk: DiskCache, tmp_path: Path
) -> None:
    disk.put(key_of(1), "u16", b"pixels")
    assert disk.get(key_of(1)) == ("u16", b"pixels")
    assert disk.get(key_of(2)) is None
    (path,) = files_of(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("place", [0, 20, 45, 50, 58, 70, -1])
def test_a_damaged_file_is_missed_and_removed(disk: DiskCache, tmp_path: Path, place: int) -> None:
    disk.put(key_of(1), "u16", b"pixels" * 10)
    (path,) = files_of(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert disk.get(key_of(1)) is None
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 10, 60, 100])
def test_a_cut_file_is_missed(disk: DiskCache, tmp_path: Path, length: int) -> None:
    disk.put(key_of(1), "u16", b"pixels" * 10)
    (path,) = files_of(tmp_path)
    os.truncate(path, length)
    assert disk.get(key_of(1)) is None


def test_a_file_under_another_s_name_is_missed(disk: DiskCache, tmp_path: Path) -> None:
    disk.put(key_of(1), "u16", b"pixels")
    (path,) = files_of(tmp_path)
    path.rename(path.with_name(key_of(2).hex()[2:]))
    assert disk.get(key_of(2)) is None


def test_the_disk_stays_below_its_bound_whoever_writes(tmp_path: Path) -> None:
    writers = [DiskCache(tmp_path / "pieces", lambda: MIB) for _ in range(4)]
    for number in range(60):
        writers[number % 4].put(key_of(number), "u8", bytes(50_000))
    taken = sum(path.stat().st_blocks * 512 for path in files_of(tmp_path))
    assert 0.5 * MIB < taken <= MIB
    assert writers[0].get(key_of(59)) is not None
    assert writers[0].get(key_of(0)) is None


def test_many_tiny_files_count_as_what_they_take(tmp_path: Path, disk: DiskCache) -> None:
    for number in range(300):
        disk.put(key_of(number), "u8", b"x")
    assert len(files_of(tmp_path)) <= MIB // 4096


def test_what_was_read_lately_stays(disk: DiskCache, tmp_path: Path) -> None:
    for number in range(10):
        disk.put(key_of(number), "u8", bytes(90_000))
    for path in files_of(tmp_path):
        os.utime(path, (1_000_000, 1_000_000))
    assert disk.get(key_of(3)) is not None
    disk.put(key_of(10), "u8", bytes(90_000))
    disk.put(key_of(11), "u8", bytes(90_000))
    assert disk.get(key_of(3)) is not None


def test_a_full_disk_keeps_nothing_and_breaks_nothing(
    disk: DiskCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", refuse)
    assert disk.put(key_of(1), "u8", b"x") == 0
    assert disk.get(key_of(1)) is None
    assert files_of(tmp_path) == []


def test_a_place_that_cannot_be_written_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    disk = DiskCache(tmp_path / "file", lambda: MIB)
    assert disk.put(key_of(1), "u8", b"x") == 0
    assert disk.get(key_of(1)) is None
    assert disk.tidy() == 0


def test_tidying_follows_a_smaller_bound_and_sweeps_old_drafts(tmp_path: Path) -> None:
    limit = [MIB]
    disk = DiskCache(tmp_path / "pieces", lambda: limit[0])
    for number in range(10):
        disk.put(key_of(number), "u8", bytes(90_000))
    draft = files_of(tmp_path)[0].with_name(".new-left")
    draft.write_bytes(b"half")
    os.utime(draft, (1_000_000, 1_000_000))
    limit[0] = MIB // 4
    assert disk.tidy() > 5
    assert disk.used_bytes() <= MIB // 4
    assert not draft.exists()


# --- together -------------------------------------------------------------------
def test_a_piece_is_made_once_for_this_process_and_the_next(settings: Settings) -> None:
    made = []

    def make() -> Piece:
        made.append(1)
        return Piece("u8", b"pixels")

    key = make_key(FRAMES, "sha", 0)
    first = caches()
    for _ in range(3):
        assert first.read(FRAMES, key, make).data == b"pixels"
    another = type(first)()
    assert another.read(FRAMES, key, make).data == b"pixels"
    assert len(made) == 1
    another.counts.flush()
    counts = first.counts.read()
    assert counts["frames memory hits"] == 2
    assert counts["frames memory misses"] == 2
    assert counts["frames disk hits"] == 1
    assert counts["frames disk misses"] == 1


def test_what_was_cheap_to_make_is_not_written_to_the_disk(home: Path) -> None:
    key = make_key(FRAMES, "sha", 0)
    caches().read(FRAMES, key, lambda: Piece("u8", b"pixels", is_costly=False))
    assert files_of(home / "cache") == []


def test_another_question_has_another_key() -> None:
    keys = {make_key(FRAMES, *parts) for parts in [("a", 0), ("a", 1), ("b", 0), ("a", "0")]}
    assert len(keys) == 4


def test_no_cache_at_all_when_none_is_wanted(settings: Settings, home: Path) -> None:
    settings.NOCTIS_MEMORY_CACHE_MB = settings.NOCTIS_DISK_CACHE_MB = 0
    made = []
    for _ in range(2):
        caches().read(FRAMES, make_key("x"), lambda: made.append(1) or Piece("u8", b"p"))
    assert len(made) == 2
    assert files_of(home / "cache") == []


def test_the_disk_s_cache_gives_way_before_the_reserve_is_touched(settings: Settings) -> None:
    assert disk_limit_bytes() > 0
    settings.NOCTIS_DISK_RESERVE_MB = 1 << 30
    assert disk_limit_bytes() == 0


def test_counts_of_several_processes_are_added_and_outlive_them(tmp_path: Path) -> None:
    first, second = (CacheCounts(tmp_path / "counts.json") for _ in range(2))
    first.add("frames memory hits", amount=3)
    second.add("frames memory hits", "disk evictions")
    second.flush()
    assert first.read()["frames memory hits"] == 4
    (tmp_path / "counts.json").write_bytes(b"\xff not json")
    first.add("frames memory hits")
    assert first.read()["frames memory hits"] == 1
