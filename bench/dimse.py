"""How fast DICOM goes in and out over the port: Noctis beside Orthanc, in one run.

    python -m bench.dimse [store] [retrieve] [big] [many] [--rounds 3] [--cts 1000] [--mrs 5000]

`store`: C-STORE of CTs over 1 and 4 associations, of small MRs over 4. `retrieve`: C-MOVE and
C-GET of one study of CTs, and of one of small MRs. `big`: one multi-frame object of 1 GiB in
and out, and what memory that takes. `many`: 50,000 instances in one association; the last tenth
against the first. Storage is fresh for every store; each retrieval is asked for after one that
does not count, so that both servers read from the page cache. CPU time stands beside every
rate: on a machine that does other things as well it is the honest one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydicom import Dataset

from archive.phantom import PhantomShape, build_datasets
from bench import ingest
from bench.dimse_clients import SINK, Sink, get_study, move_study
from bench.ingest import MR_IMAGE_STORAGE, data_set_of, run_clients, uid
from bench.servers import ORTHANC, Noctis, Orthanc, Server, process_tree
from tests.conformance.dimse import command_set, p_data, pdv, store_command
from tests.dimse_client import CT_IMAGE_STORAGE, Association, StoreMessage

MIB = 1024 * 1024
PARTS = ("store", "retrieve", "big", "many")
BIG_BYTES = 1024 * MIB
BIG_ROWS = 1024
MULTI_FRAME_CLASS = "1.2.840.10008.5.1.4.1.1.7.3"


@dataclass(frozen=True)
class Figure:
    """One measurement of one server: things a second, and CPU seconds of the server for all."""

    what: str
    server: str
    per_second: float
    cpu_ms: float


def provisioning(sink_port: int) -> str:
    """Return what Noctis has to know of the clients here."""
    peers = (("BENCH", ""), ("LIGHT_SCU", ""), (SINK, f'host = "127.0.0.1"\nport = {sink_port}'))
    head = '[[facility]]\ncode = "bench"\nname = "Bench"\n'
    return head + "".join(
        f'[[peer]]\nae_title = "{title}"\nfacility = "bench"\n'
        f'may = ["store", "find", "move", "get"]\n{where}\n'
        for title, where in peers
    )


def servers_of(options: argparse.Namespace, place: Path) -> list[Server]:
    """Return the servers to be measured."""
    sink_port = options.port + 5
    servers: list[Server] = []
    if options.only != "orthanc":
        known = provisioning(sink_port)
        servers.append(Noctis(place, options.port, options.database_url, provision=known))
    if options.only != "noctis" and ORTHANC.exists():
        also: dict[str, object] = {
            "DicomModalities": {"sink": [SINK, "127.0.0.1", sink_port]},
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomCheckModalityHost": False,
        }
        servers.append(Orthanc(place, options.port + 2, also))
    return servers


def template_of(rows: int, sop_class: str) -> Dataset:
    """Return one slice of the phantom as a plain data set."""
    template = Dataset()
    shape = PhantomShape(rows=rows, columns=rows, slices=1)
    template.update(next(iter(build_datasets(shape))))
    template.SOPClassUID = sop_class
    template.Modality = "MR" if sop_class == MR_IMAGE_STORAGE else "CT"
    return template


def timed(server: Server, what: str, count: int, work: Callable[[], None]) -> Figure:
    """Return the figure of a piece of work on `count` things."""
    cpu, began = server.cpu_seconds(), time.monotonic()
    work()
    seconds = time.monotonic() - began
    cpu = server.cpu_seconds() - cpu
    figure = Figure(what, server.name, count / seconds, cpu / count * 1000)
    print(
        f"  {what:<22} {server.name:<8} {figure.per_second:8.1f}/s  CPU {figure.cpu_ms:6.2f} ms"
        f"  load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return figure


# --- store --------------------------------------------------------------------------------
def measure_store(options: argparse.Namespace, servers: list[Server]) -> list[Figure]:
    """Store CTs over one and four associations, small MRs over four."""
    ct, mr = template_of(512, CT_IMAGE_STORAGE), template_of(96, MR_IMAGE_STORAGE)
    figures = []
    for name, template, associations, count in (
        ("store CT x1", ct, 1, options.cts),
        ("store CT x4", ct, 4, options.cts),
        ("store MR x1", mr, 1, options.mrs),
        ("store MR x4", mr, 4, options.mrs),
    ):
        for server in servers:
            found = ingest.measure(server, template, associations, count)
            cpu_ms = found.server_cpu_seconds / count * 1000
            figures.append(Figure(name, server.name, found.per_second, cpu_ms))
            print(
                f"  {name:<22} {server.name:<8} {found.per_second:8.1f}/s  CPU {cpu_ms:6.2f} ms"
                f"  load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    return figures


# --- retrieve -----------------------------------------------------------------------------
def measure_retrieve(options: argparse.Namespace, servers: list[Server]) -> list[Figure]:
    """Move and get a study of CTs and one of small MRs, from each server."""
    return [figure for server in servers for figure in _retrieve_from(server, options)]


def _retrieve_from(server: Server, options: argparse.Namespace) -> Iterator[Figure]:
    kinds = (
        ("CT", 512, CT_IMAGE_STORAGE, options.cts),
        ("MR", 96, MR_IMAGE_STORAGE, options.mrs),
    )
    server.start()
    sink = Sink(options.port + 5)
    try:
        for number, (name, rows, sop_class, count) in enumerate(kinds):
            run_clients(server, [data_set_of(template_of(rows, sop_class), number)], count)
            study = uid(1, number)
            _move(server, sink, study, count)
            move = partial(_move, server, sink, study, count)
            get = partial(_get, server, study, sop_class, count)
            yield timed(server, f"move {name}", count, move)
            yield timed(server, f"get {name}", count, get)
    finally:
        sink.close()
        server.stop()


def _move(server: Server, sink: Sink, study: str, count: int) -> None:
    before = sink.count
    status, completed = move_study(server.port, server.called, study)
    if (status, completed) != (0, count) or sink.wait_for(before + count) != before + count:
        raise RuntimeError(f"{server.name}: C-MOVE ended with {status:04X}H after {completed}")


def _get(server: Server, study: str, sop_class: str, count: int) -> None:
    status, came, _ = get_study(server.port, server.called, study, sop_class)
    if (status, came) != (0, count):
        raise RuntimeError(f"{server.name}: C-GET ended with {status:04X}H after {came}")


# --- one big object -------------------------------------------------------------------------
class MemoryWatch:
    """The highest sum of resident memory of a server's processes while something runs."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_over = threading.Event()
        self.before_bytes = self.highest_bytes = self._now()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Return by how much it rose."""
        self._is_over.set()
        self._thread.join()
        return self.highest_bytes - self.before_bytes

    def _now(self) -> int:
        assert self._server.pid is not None
        return sum(_private_bytes(pid) for pid in process_tree(self._server.pid))

    def _watch(self) -> None:
        while not self._is_over.wait(0.05):
            self.highest_bytes = max(self.highest_bytes, self._now())


def _private_bytes(pid: int) -> int:
    """Return resident memory that is not of files."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def measure_big(options: argparse.Namespace, servers: list[Server]) -> list[Figure]:
    """Store, get and move one object of a gibibyte; prints the memory that each took."""
    return [figure for server in servers for figure in _big_at(server, options)]


def _big_at(server: Server, options: argparse.Namespace) -> Iterator[Figure]:
    study = uid(1, 50)
    server.start()
    sink = Sink(options.port + 5)
    try:
        for what, work in (
            ("big store", partial(_store_big, server)),
            ("big get", partial(_get, server, study, MULTI_FRAME_CLASS, 1)),
            ("big move", partial(_move, server, sink, study, 1)),
        ):
            watch = MemoryWatch(server)
            yield timed(server, what, 1, work)
            print(f"    {what} took {watch.end() / MIB:.0f} MiB more of memory", flush=True)
    finally:
        sink.close()
        server.stop()


def _big_head() -> bytes:
    """Return the data set of the big object up to its pixels, which are zeros."""
    template = template_of(32, CT_IMAGE_STORAGE)
    template.SOPClassUID, template.Modality = MULTI_FRAME_CLASS, "OT"
    template.Rows = template.Columns = BIG_ROWS
    template.NumberOfFrames = BIG_BYTES // (2 * BIG_ROWS * BIG_ROWS)
    del template.PixelData
    head = data_set_of(template, 50)
    return head + b"\xe0\x7f\x10\x00OW\0\0" + BIG_BYTES.to_bytes(4, "little")


def _store_big(server: Server) -> None:
    association = Association(
        ("127.0.0.1", server.port), called=server.called, sop_class_uid=MULTI_FRAME_CLASS
    )
    association.wait_longer(300)
    command = command_set(store_command(MULTI_FRAME_CLASS, uid(3, 50)))
    association.send(p_data(pdv(1, 3, command)) + p_data(pdv(1, 0, _big_head())))
    step = 65_536
    zeros = p_data(pdv(1, 0, bytes(step)))
    for _ in range(BIG_BYTES // step - 1):
        association.send(zeros)
    association.send(p_data(pdv(1, 2, bytes(step))))
    answer = association.read_answer()
    association.release()
    if answer.status:
        raise RuntimeError(f"{server.name}: {answer.status:04X}H for the big object")


# --- very many -----------------------------------------------------------------------------
def measure_many(options: argparse.Namespace, servers: list[Server]) -> list[Figure]:
    """Store very many small instances in one association; prints how the pace went."""
    return [_many_at(server, options.many // 10) for server in servers]


def _many_at(server: Server, tenth: int) -> Figure:
    data_set = data_set_of(template_of(32, CT_IMAGE_STORAGE), 60)
    server.start()
    try:
        association = Association(("127.0.0.1", server.port), called=server.called)
        largest = association.max_pdu_bytes
        message = StoreMessage(CT_IMAGE_STORAGE, uid(3, 60), data_set, largest)

        def store(numbers: range) -> None:
            for number in numbers:
                if association.store(message.for_instance(uid(3, 60, number))).status:
                    raise RuntimeError(f"{server.name} did not store everything")

        figures = []
        for part in range(10):
            numbers = range(1 + part * tenth, 1 + (part + 1) * tenth)
            work = partial(store, numbers)
            figures.append(timed(server, f"many, tenth {part + 1}", tenth, work))
        association.release()
    finally:
        server.stop()
    # The first tenth finds a server that has just started: the second is the measure.
    time_ratio = figures[1].per_second / figures[-1].per_second
    cpu_ratio = figures[-1].cpu_ms / figures[1].cpu_ms
    print(f"    the last tenth by the second: time {time_ratio:.2f}, CPU {cpu_ratio:.2f}")
    return Figure("many, last tenth", server.name, figures[-1].per_second, figures[-1].cpu_ms)


# --- all ------------------------------------------------------------------------------------
MEASURES = {
    "store": measure_store,
    "retrieve": measure_retrieve,
    "big": measure_big,
    "many": measure_many,
}


def report(figures: list[Figure]) -> None:
    """Print the medians and, where both were measured, the ratios of rate and of CPU."""
    print(f"\n{'what':<24}{'Noctis/s':>10}{'Orthanc/s':>11}{'ratio':>7}{'CPU ratio':>11}")
    for what in dict.fromkeys(figure.what for figure in figures):
        rate = {
            name: statistics.median([one.per_second for one in group])
            for name in ("Noctis", "Orthanc")
            if (group := [one for one in figures if (one.what, one.server) == (what, name)])
        }
        cpu = {
            name: statistics.median(
                [one.cpu_ms for one in figures if (one.what, one.server) == (what, name)]
            )
            for name in rate
        }
        words = "".join(
            f"{rate[name]:>{width}.1f}" if name in rate else " " * (width - 1) + "-"
            for name, width in (("Noctis", 10), ("Orthanc", 11))
        )
        if len(rate) == 2:
            words += f"{rate['Noctis'] / rate['Orthanc']:>7.2f}"
            words += f"{cpu['Orthanc'] / max(cpu['Noctis'], 1e-6):>11.2f}"
        print(f"{what:<24}{words}")
    print("ratio: Noctis' rate by Orthanc's. CPU ratio: Orthanc's CPU time by Noctis'.")


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 when a server lost something or did not start."""
    parser = argparse.ArgumentParser(prog="bench.dimse", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cts", type=int, default=1000)
    parser.add_argument("--mrs", type=int, default=5000)
    parser.add_argument("--many", type=int, default=50_000)
    parser.add_argument("--only", choices=["noctis", "orthanc"])
    parser.add_argument("--port", type=int, default=12_640, help="and the five above it")
    parser.add_argument("--folder", type=Path, help="where storage lies")
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL", ""))
    options = parser.parse_args(arguments)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="noctis-bench-", dir=options.folder) as folder:
        servers = servers_of(options, Path(folder))
        try:
            for number in range(options.rounds):
                for part in options.parts or PARTS:
                    order = servers if number % 2 == 0 else servers[::-1]
                    figures += MEASURES[part](options, order)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
    report(figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
