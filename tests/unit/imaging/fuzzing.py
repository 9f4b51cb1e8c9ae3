"""Mutants of DICOM files, and what reads them: a program of its own, because codecs may die.

    python -m tests.unit.imaging.fuzzing FIRST COUNT

Mutant n is always the same bytes as long as the seed files are. Each is read as production
reads it: header, frame index, facts, then the first and last frame decoded and drawn. A line of
JSON tells what is not our error; the number before it tells where a native crash happened.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import struct
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from imaging.display import Grayscale, render_frame
from imaging.errors import NoctisError
from imaging.facts import InstanceFacts
from imaging.frames import DEFLATED, FrameIndex, index_frames
from imaging.header import Header, read_header
from imaging.ordering import Placement
from imaging.overlays import Plane, bits_of_plane, frame_of_overlay
from imaging.pixels import PixelDescription, decode_frame
from imaging.shape import examine_shape
from imaging.source import inflate
from tests.unit.imaging.fuzz_seeds import seeds

# Address space and seconds that one mutant may take beyond the loaded libraries.
MEMORY_BYTES, SECONDS = 1 << 30, 20
INFLATED_LIMIT = 1 << 26
INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
# Elements whose numbers decide how much is read, as they lie in little endian files.
SIZES = (
    b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x02\x00", b"\x28\x00\x08\x00",
    b"\x28\x00\x00\x01", b"\x28\x00\x01\x01", b"\x28\x00\x02\x01", b"\x28\x00\x06\x00",
    b"\x28\x00\x02\x30", b"\x28\x00\x01\x11", b"\x00\x60\x10\x00", b"\x00\x60\x11\x00",
    b"\x00\x60\x15\x00", b"\x20\x00\x32\x00", b"\x20\x00\x37\x00", b"\x28\x00\x30\x00",
)  # fmt: skip
VRS = (b"SQ", b"UN", b"OB", b"OW", b"US", b"DS", b"FD", b"UT", b"PN", b"AT", b"??")
Facts = dict[str, Any]


# --- mutants ------------------------------------------------------------------------
def mutant(contents: list[bytes], number: int) -> bytes:
    """Return mutant `number`: one seed file, changed in one to forty places."""
    chance = random.Random(number)
    changed = bytearray(contents[number % len(contents)])
    pixels = changed.rfind(b"\xe0\x7f\x10\x00")
    head = pixels if pixels > 400 else len(changed)
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        # Headers, item heads of pixels (offset tables, codestream markers), or anywhere.
        low, high = chance.choice(((128, head), (132, 6000), (head, head + 700), (0, len(changed))))
        high = min(high, len(changed))
        at = chance.randrange(min(low, high - 1), high) if high > 1 else 0
        chance.choice(ACTIONS)(changed, at, chance)
        if len(changed) < 16:
            break
    return bytes(changed)


def _flip(changed: bytearray, at: int, chance: random.Random) -> None:
    changed[at] = chance.choice((*INTERESTING, changed[at] ^ 1 << chance.randrange(8)))


def _length(changed: bytearray, at: int, chance: random.Random) -> None:
    value = chance.choice((0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 0x80000000, 0, 1, 0x10000))
    changed[at : at + 4] = struct.pack("<L", value)


def _cut(changed: bytearray, at: int, chance: random.Random) -> None:
    del changed[at : at + chance.randrange(1, 12)]


def _truncate(changed: bytearray, at: int, chance: random.Random) -> None:
    if chance.random() < 0.2:
        del changed[at:]


def _repeat(changed: bytearray, at: int, chance: random.Random) -> None:
    piece = changed[at : at + chance.choice((2, 8, 64, 400))]
    changed[at:at] = piece * chance.choice((1, 2, 20))


def _swap(changed: bytearray, at: int, chance: random.Random) -> None:
    size = chance.choice((4, 8, 32))
    one, other = changed[at : at + size], changed[at + size : at + 2 * size]
    changed[at : at + 2 * size] = other + one


def _size(changed: bytearray, _at: int, chance: random.Random) -> None:
    """Change a value or VR of an element that decides how much is read."""
    found = changed.find(chance.choice(SIZES), 132)
    if found < 0:
        return
    if chance.random() < 0.2:
        changed[found + 4 : found + 6] = chance.choice(VRS)
        return
    binary = chance.choice((b"\xff\xff", b"\x00\x00", b"\xff\x7f", b"\x00\x80", b"\x01\x00"))
    is_text = bytes(changed[found + 4 : found + 6]) in (b"IS", b"DS")
    value = chance.choice((b"99999999", b"-1", b"1e308", b"nan", b"9,9")) if is_text else binary
    changed[found + 8 : found + 8 + len(value)] = value


def _nest(changed: bytearray, at: int, chance: random.Random) -> None:
    head = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    changed[at:at] = head * chance.choice((1, 20, 300))


ACTIONS: tuple[Callable[[bytearray, int, random.Random], None], ...] = (
    _flip, _flip, _flip, _length, _cut, _truncate, _repeat, _swap, _size, _size, _nest,
)  # fmt: skip


# --- reading ------------------------------------------------------------------------
def read_all(content: bytes) -> None:
    """Read a file as production does; raises what production would."""
    file = BytesIO(content)
    header = read_header(file, size=len(content))
    index = index_frames(file, header)
    FrameIndex.from_bytes(index.to_bytes())
    facts = InstanceFacts.from_header(header, index)
    json.dumps(facts.image, allow_nan=False)
    for tag in header.tags():
        header.texts(tag)
        header.floats(tag)
        header.items(tag)
    count = len(facts.image.get("frames", {}).get("per_frame", ())) or 1
    shape = examine_shape(
        [Placement.from_image_facts(n, facts.image, n, frame=n) for n in range(min(count, 50))]
    )
    json.dumps(shape.to_json(), allow_nan=False)
    if index.is_addressable and index.count:
        for frame in sorted({0, index.count - 1}):
            _draw(content, header, index, facts.image, frame)


def _draw(content: bytes, header: Header, index: FrameIndex, image: Facts, frame: int) -> None:
    description = PixelDescription.from_header(header)
    offset, length = index.span(frame)
    source = content
    if index.kind == DEFLATED:
        source = inflate(BytesIO(content), header.dataset_offset, INFLATED_LIMIT)
    data = index.payload(source[offset : offset + length])
    pixels = decode_frame(data, description, first_bit=index.first_bit(frame))
    gray = Grayscale.from_image_facts(image, frame=min(frame, 2)).with_tables(header)
    planes = []
    for facts in image.get("overlays", ()):
        at, raw = frame_of_overlay(facts, frame), header.raw(int(facts["group"], 16) << 16 | 0x3000)
        if at is None or raw is None or facts.get("is_embedded"):
            continue
        bits = bits_of_plane(raw, facts, at)
        if bits is not None:
            planes.append(Plane(0x6000, (1, 1), False, bits))
    with np.errstate(all="ignore"):
        render_frame(
            pixels, gray, bits_stored=description.bits_stored, shutter=image.get("shutter"),
            overlays=planes,
        )  # fmt: skip


# --- the program --------------------------------------------------------------------
def main(first: int, count: int) -> None:
    """Read `count` mutants from number `first` on, saying each number before it is read."""
    warnings.simplefilter("ignore")
    contents = seeds()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, _too_long)
    slowest, whole = (0.0, first), 0
    for number in range(first, first + count):
        print(number, flush=True)
        began = time.monotonic()
        signal.alarm(SECONDS)
        try:
            read_all(mutant(contents, number))
            whole += 1
        except NoctisError:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            where = traceback.extract_tb(error.__traceback__)[-1]
            told = {"mutant": number, "error": repr(error)[:200], "where": f"{where}"[-120:]}
            print(json.dumps(told), flush=True)
        signal.alarm(0)
        slowest = max(slowest, (time.monotonic() - began, number))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        json.dumps(
            {
                "ended": True,
                "read_to_the_end": whole,
                "slowest_s": round(slowest[0], 2),
                "slowest_mutant": slowest[1],
                "peak_mb": peak,
            }
        ),
        flush=True,
    )


def _too_long(*_args: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def run(first: int, count: int) -> tuple[list[Facts], list[int], list[Facts]]:
    """Return foreign errors, mutants at which a codec died, and the ends of the programs."""
    errors: list[Facts] = []
    crashes: list[int] = []
    ends: list[Facts] = []
    end = first + count
    while first < end:
        command = [sys.executable, "-m", __spec__.name, str(first), str(end - first)]
        # A hanging codec hears no alarm of Python's: the whole run has its end, too.
        done = subprocess.run(
            command, stdout=subprocess.PIPE, check=False, timeout=60 + (end - first), text=True
        )
        lines = done.stdout.split("\n")
        told = [json.loads(line) for line in lines if line.startswith("{")]
        errors += [one for one in told if "error" in one]
        ends += [one for one in told if "ended" in one]
        numbers = [int(line) for line in lines if line.isdigit()]
        if any("ended" in one for one in told):
            break
        if not numbers:
            raise RuntimeError(f"the program did not start: {done.returncode}")
        crashes.append(numbers[-1])
        first = numbers[-1] + 1
    return errors, crashes, ends


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
