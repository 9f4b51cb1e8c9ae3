"""Decoding ahead: bounded, only when nothing else is to be done, dropped when not wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from archive.caches import caches
from archive.models import Instance
from archive.places import Places
from archive.prefetch import FRAMES_AHEAD, READERS, Prefetcher, is_worth_decoding_ahead


def wait_for(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_so()


def frames_of(size: int, count: int) -> list[tuple[Instance, int]]:
    instance = Instance(rows=size, columns=size)
    return [(instance, frame) for frame in range(count)]


def test_reads_the_next_frames_in_their_order_and_not_more_than_a_few() -> None:
    seen: list[int] = []
    Prefetcher(lambda _instance, frame: seen.append(frame), lambda: True).wish(
        "reader", frames_of(512, 40)
    )
    assert wait_for(lambda: len(seen) == FRAMES_AHEAD)
    time.sleep(0.05)
    assert seen == list(range(FRAMES_AHEAD))


def test_huge_frames_are_not_decoded_ahead_beyond_a_share_of_the_memory() -> None:
    seen: list[int] = []
    Prefetcher(lambda _instance, frame: seen.append(frame), lambda: True).wish(
        "reader", frames_of(2048, 8)
    )
    time.sleep(0.1)
    assert len(seen) * 2048 * 2048 * 4 <= caches().memory.limit_bytes / 8
    assert seen


def test_nothing_is_decoded_while_decoders_are_busy() -> None:
    seen: list[int] = []
    idle = threading.Event()
    ahead = Prefetcher(lambda _instance, frame: seen.append(frame), idle.is_set)
    ahead.wish("reader", frames_of(64, 3))
    time.sleep(0.1)
    assert seen == []
    idle.set()
    assert wait_for(lambda: seen == [0, 1, 2])


def test_what_was_wanted_is_dropped_when_the_reader_goes_elsewhere() -> None:
    seen: list[int] = []
    idle = threading.Event()
    ahead = Prefetcher(lambda _instance, frame: seen.append(frame), idle.is_set)
    ahead.wish("reader", frames_of(64, 5))
    time.sleep(0.05)
    ahead.wish("reader", [(Instance(rows=64, columns=64), 99)])
    idle.set()
    assert wait_for(lambda: seen == [99])
    time.sleep(0.05)
    assert seen == [99]
    assert caches().counts.read()["prefetch dropped"] == 5


def test_only_the_last_readers_are_remembered() -> None:
    seen: list[int] = []
    idle = threading.Event()
    ahead = Prefetcher(lambda _instance, frame: seen.append(frame), idle.is_set)
    for reader in range(READERS + 5):
        ahead.wish(reader, [(Instance(rows=64, columns=64), reader)])
    idle.set()
    wait_for(lambda: len(seen) >= READERS)
    time.sleep(0.05)
    assert READERS - 1 <= len(seen) <= READERS + 1
    assert seen[-1] >= 4


def test_a_place_is_left_for_what_is_asked_for() -> None:
    places = Places(2)
    assert places.has_spare()
    with places.one():
        assert not places.has_spare()
    assert not Places(1).has_spare()


def test_only_frames_that_cost_something_are_worth_it() -> None:
    worth = [
        is_worth_decoding_ahead(Instance(transfer_syntax_uid=f"1.2.840.10008.1.2{end}"))
        for end in ("", ".1", ".2", ".1.99", ".5", ".4.90")
    ]
    assert worth == [False, False, False, True, True, True]
