"""Programs of DCMTK as the other side: started on a free port, ended with the test."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dicom_receiver.contexts import VERIFICATION
from dicom_receiver.requestor import Offer, Requestor, Target
from imaging.errors import PeerUnavailableError
from tests.conformance.port import wait_for
from tests.services import find_free_port


@dataclass
class Storescp:
    """A running storescp; what it received lies in `folder`, what it said in `log`."""

    port: int
    folder: Path
    log: Path

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def run_storescp(
    folder: Path, *options: str, is_tls: bool = False, port: int = 0
) -> Iterator[Storescp]:
    """Run storescp, which keeps data sets exactly as they come (+B)."""
    port = port or find_free_port()
    received, log = folder / "received", folder / "storescp.log"
    received.mkdir()
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["storescp", "-d", "+B", "-od", str(received), *options, str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        if is_tls:
            wait_for(lambda: _listens(port), 20)
        else:
            wait_for(lambda: _answers(port), 20)
        yield Storescp(port, received, log)
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    target = Target(host="127.0.0.1", port=port, called_ae="STORESCP")
    with (
        contextlib.suppress(PeerUnavailableError),
        Requestor(target, [Offer(VERIFICATION)]) as peer,
    ):
        return peer.echo() == 0
    return False


def _listens(port: int) -> bool:
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    return any(
        fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
        for fields in map(str.split, table.splitlines()[1:])
        if len(fields) > 3 and ":" in fields[1]
    )
