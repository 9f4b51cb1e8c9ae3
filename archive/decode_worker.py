"""The child of the decode pool: takes one frame at a time, answers with its pixels.

It runs third-party codecs on bytes that strangers sent, so it is given
nothing worth stealing (no settings, no database, a bare environment),
little memory, little time, and it may die. It reads requests from one
socket until the parent closes it.

A message is a head of 12 bytes (u32le length of the text, u64le length of
the payload), then JSON text, then the payload. The payload of a larger answer
lies in memory that both sides see: then the text names its length as `shared`.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from imaging.errors import NoctisError, UnsupportedError
from imaging.icc import srgb_from_profile
from imaging.picture_files import decode_picture
from imaging.pixels import PixelDescription, decode_frame

Message = dict[str, Any]
Answer = Callable[[Message, bytearray], tuple[Message, memoryview]]

HEAD = struct.Struct("<IQ")
# A request with this name in it is followed by one byte that carries an open file.
DESCRIPTOR = "descriptor"
TEXT_LIMIT_BYTES = 8 << 20
SOCKET_BUFFER_BYTES = 1 << 20
# Answers of at least, and at most, so many bytes are shared instead of sent.
SHARED_FROM_BYTES, SHARED_BYTES = 64 << 10, 32 << 20
# On top of what the loaded libraries take: a frame of 100 megapixels and its copies.
MEMORY_BYTES = 1 << 30
CPU_SECONDS = 20


class ConnectionEndedError(Exception):
    """The other side closed its end or broke the rules of the conversation."""


def send_message(link: socket.socket, message: Message, payload: bytes | memoryview) -> None:
    """Send one message; may block until the other side has read it."""
    text = json.dumps(message, separators=(",", ":")).encode()
    link.sendall(HEAD.pack(len(text), len(payload)) + text)
    if len(payload):
        link.sendall(payload)


def receive_message(link: socket.socket, payload_limit_bytes: int) -> tuple[Message, bytearray]:
    """Return the next message; nothing is allocated beyond the limit, whatever the head claims."""
    text_bytes, payload_bytes = HEAD.unpack(_receive(link, HEAD.size))
    if text_bytes > TEXT_LIMIT_BYTES or payload_bytes > payload_limit_bytes:
        raise ConnectionEndedError("a message is larger than agreed")
    message = json.loads(_receive(link, text_bytes))
    return message, _receive(link, payload_bytes)


def _receive(link: socket.socket, count: int) -> bytearray:
    received = bytearray(count)
    view = memoryview(received)
    while view:
        step = link.recv_into(view)
        if not step:
            raise ConnectionEndedError("the other side closed the connection")
        view = view[step:]
    return received


def serve(link: socket.socket, answer: Answer, *, memory_bytes: int, cpu_seconds: int) -> None:
    """Answer requests until the parent closes the connection."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    _become_the_first_to_go()
    buffer = _share_memory(link)
    _limit_memory(memory_bytes)
    send_message(link, {"ready": os.getpid()}, b"")
    while True:
        try:
            request, payload = receive_message(link, sys.maxsize)
            if DESCRIPTOR in request:
                request[DESCRIPTOR] = _receive_descriptor(link)
        except (ConnectionEndedError, OSError):
            return
        _limit_cpu(cpu_seconds)
        try:
            reply, pixels = _answer_safely(answer, request, payload)
        finally:
            if DESCRIPTOR in request:
                os.close(request[DESCRIPTOR])
        if buffer is not None and SHARED_FROM_BYTES <= len(pixels) <= SHARED_BYTES:
            buffer[: len(pixels)] = pixels
            reply, pixels = {**reply, "shared": len(pixels)}, memoryview(b"")
        send_message(link, reply, pixels)


def _share_memory(link: socket.socket) -> mmap.mmap | None:
    """Make memory for answers and hand it to the parent; None where the system has no such.

    It has no name, so it is gone when both sides are, however they end; it
    takes room as it is used. It can't be made smaller: a parent that reads
    beyond its end would die of it.
    """
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.memfd_create("answers", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, SHARED_BYTES)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    except OSError:
        return None
    send_message(link, {"memory": SHARED_BYTES}, b"")
    socket.send_fds(link, [b"M"], [descriptor])
    buffer = mmap.mmap(descriptor, SHARED_BYTES)
    os.close(descriptor)
    return buffer


def map_memory(link: socket.socket) -> mmap.mmap:
    """Return, in the parent, the memory that a worker has made for its answers.

    Raises `ConnectionEndedError` when none comes or it could be made smaller.
    """
    descriptor = _receive_descriptor(link)
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        if not seals & fcntl.F_SEAL_SHRINK or os.fstat(descriptor).st_size < SHARED_BYTES:
            raise ConnectionEndedError("the shared memory is not as agreed")
        return mmap.mmap(descriptor, SHARED_BYTES, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)


def _receive_descriptor(link: socket.socket) -> int:
    _byte, descriptors, _flags, _address = socket.recv_fds(link, 1, 1)
    if not descriptors:
        raise ConnectionEndedError("no open file came with the request")
    return descriptors[0]


def _answer_safely(
    answer: Answer, request: Message, payload: bytearray
) -> tuple[Message, memoryview]:
    """Turn whatever a codec raises into an answer in words, without the data it stumbled on."""
    try:
        return answer(request, payload)
    except MemoryError:
        return {"failed": "memory"}, memoryview(b"")
    except NoctisError as error:
        kind = "unsupported" if isinstance(error, UnsupportedError) else "undecodable"
        return {"failed": kind, "words": str(error)}, memoryview(b"")
    except Exception as error:  # noqa: BLE001 - a codec may raise anything; it is told, in words
        words = f"the decoder failed ({type(error).__name__})"
        return {"failed": "undecodable", "words": words}, memoryview(b"")


def answer_with_pixels(request: Message, payload: bytearray) -> tuple[Message, memoryview]:
    """Decode one frame; the request is a `PixelDescription` without palette.

    With `icc_bytes` it is a colour profile of that length, then rgb8 pixels, to be made sRGB; with
    `picture` it is a picture file that DICOM has no syntax for.
    """
    if "picture" in request:
        picture = decode_picture(bytes(payload))
        return {"dtype": picture.dtype.str, "shape": picture.shape}, picture.data.cast("B")
    if "icc_bytes" in request:
        profile, pixels = bytes(payload[: request["icc_bytes"]]), payload[request["icc_bytes"] :]
        rgb = np.frombuffer(pixels, np.uint8).reshape(1, -1, 3)
        shown = np.ascontiguousarray(srgb_from_profile(rgb, profile))
        return {"dtype": "|u1", "shape": shown.shape}, shown.data.cast("B")
    array = decode_frame(bytes(payload), PixelDescription(**request))
    message = {"dtype": array.dtype.str, "shape": array.shape}
    return message, array.data.cast("B")


def _become_the_first_to_go() -> None:
    """Ask the kernel for little: low priority, and first to end when memory runs out."""
    os.nice(5)
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:
        return


def _limit_memory(memory_bytes: int) -> None:
    """Limit address space to what the loaded libraries take plus `memory_bytes`."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    loaded_bytes = int(pages) * resource.getpagesize()
    limit = loaded_bytes + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_cpu(cpu_seconds: int) -> None:
    """Give the next frame this much processor time; the kernel ends the process beyond it."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(spent.ru_utime + spent.ru_stime) + cpu_seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    serve(
        socket.socket(fileno=int(sys.argv[1])),
        answer_with_pixels,
        memory_bytes=MEMORY_BYTES,
        cpu_seconds=CPU_SECONDS,
    )
