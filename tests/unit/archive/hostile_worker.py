"""A decode worker whose codec is hostile: it does what the request names.

Run as `python -m tests.unit.archive.hostile_worker FD`; the conversation
around the codec is the real one.
"""

import os
import signal
import socket
import sys
import time

from archive.decode_worker import Message, serve

MEMORY_BYTES = 256 << 20


def misbehave(request: Message, payload: bytearray) -> tuple[Message, memoryview]:
    """Crash, hang, eat memory or answer, as asked."""
    act = request["act"]
    if act == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif act == "hang":
        time.sleep(3600)
    elif act == "spin":
        while True:
            pass
    elif act == "eat":
        bytearray(MEMORY_BYTES * 4)
    elif act == "lie":
        return {"pixels": "too many"}, memoryview(bytes(1 << 20))
    elif act == "claim":
        return {"shared": request["bytes"]}, memoryview(b"")
    elif act == "secrets":
        return {"environment": dict(os.environ)}, memoryview(b"")
    elif act == "wait":
        time.sleep(request["seconds"])
    return {"pid": os.getpid()}, memoryview(payload)


if __name__ == "__main__":
    serve(
        socket.socket(fileno=int(sys.argv[1])),
        misbehave,
        memory_bytes=MEMORY_BYTES,
        cpu_seconds=1,
    )
