"""Streams of strangers: whatever the bytes, an answer in words or frames, in time, in bounds."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archive.decode import DecodePool
from archive.decode_worker import Message
from archive.video_frames import COMMAND
from imaging.video_table import VideoTable

GOLDEN = Path(__file__).parents[2] / "golden"
MUTANTS = 90


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    made = DecodePool(COMMAND, workers=1, frame_seconds=60)
    yield made
    made.close()


def ask(
    pool: DecodePool, stream: bytes, table: bytes = b"", **request: object
) -> tuple[Message, bytes]:
    """Ask about a stream that lies whole in a file."""
    with tempfile.TemporaryFile() as file:
        file.write(stream)
        file.flush()
        spans = np.array([[0, len(stream)]], "<u8").tobytes()
        about = {"descriptor": file.fileno(), "spans": 1, "key": str(hash(stream))}
        message, data = pool.ask({**request, **about}, spans + table, answer_limit_bytes=256 << 20)
        return message, bytes(data)


def mutant(streams: list[bytes], chance: random.Random) -> bytes:
    """Return a stream with bits turned, bytes cleared, its end or beginning gone, or two in one."""
    made = bytearray(chance.choice(streams))
    for _ in range(chance.choice((1, 3, 10, 40))):
        place = chance.randrange(len(made))
        made[place] = chance.choice((made[place] ^ 1 << chance.randrange(8), 0, 255))
    cut = chance.randrange(len(made))
    other = chance.choice(streams)
    return chance.choice(
        (bytes(made), bytes(made), bytes(made[:cut]), bytes(made[cut:]), bytes(made[:cut]) + other)
    )


def test_mutants_give_frames_or_words(pool: DecodePool) -> None:
    names = ("mpeg2.mpg", "mpeg2.ts", "h264.ts", "bare.h264", "bare.hevc", "hevc.mp4")
    streams = [(GOLDEN / "video" / name).read_bytes() for name in names]
    chance, outcomes, served = random.Random(7), Counter[str](), set()
    for _ in range(MUTANTS):
        stream = mutant(streams, chance)
        message, packed = ask(pool, stream, do="survey")
        if "failed" in message:
            assert message["words"].endswith(".")
            outcomes["words"] += 1
            continue
        table = VideoTable.from_bytes(packed)
        for frame in {0, table.frame_count - 1} - {-1}:
            request = {"do": "frames", "first": frame, "count": 2, "lead": 2}
            message, pixels = ask(pool, stream, packed, **request)
            count = message.get("count", 0)
            assert "failed" in message or len(pixels) == count * table.frame_bytes
            outcomes["frames"] += count
        served.update(pool.process_ids())
    assert outcomes["words"] > 5
    assert outcomes["frames"] > MUTANTS
    assert len(served) == 1  # nothing ended the worker


@pytest.mark.parametrize(
    "stream",
    [
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"",
        b"\0" * 1000,
        b"G" * 5000,
    ],
)
def test_what_is_no_video_is_refused_in_words(pool: DecodePool, stream: bytes) -> None:
    """A playlist would make FFmpeg open other files, were it asked which format it sees."""
    message, data = ask(pool, stream, do="survey")
    assert (message["failed"], data) == ("undecodable", b"")


def test_a_worker_that_is_not_asked_ends_and_the_next_request_gets_another() -> None:
    pool = DecodePool((*COMMAND[:-1], "0.2"), workers=1)
    stream = (GOLDEN / "video" / "bare.h264").read_bytes()
    try:
        assert "failed" not in ask(pool, stream, do="survey")[0]
        (before,) = pool.process_ids()
        time.sleep(1)
        assert "failed" not in ask(pool, stream, do="survey")[0]
        assert pool.process_ids() != [before]
    finally:
        pool.close()


def test_a_claim_of_a_huge_picture_costs_its_claimant_alone(pool: DecodePool) -> None:
    """MPEG-2 headers that claim 4095 x 4095: refused, or the few pictures there are, in bounds."""
    stream = bytearray((GOLDEN / "video" / "mpeg2.ts").read_bytes())
    place = stream.find(b"\0\0\1\xb3")
    while place >= 0:
        stream[place + 4 : place + 7] = b"\xff\xff\xff"
        place = stream.find(b"\0\0\1\xb3", place + 1)
    message, packed = ask(pool, bytes(stream), do="survey")
    if "failed" not in message:
        request = {"do": "frames", "first": 0, "count": 1, "lead": 0}
        message, pixels = ask(pool, bytes(stream), packed, **request)
        assert len(pixels) <= 4096 * 4096 * 3
