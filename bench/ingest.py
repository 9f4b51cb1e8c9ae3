"""How fast objects are stored: Noctis, and Orthanc when it is installed, in the same run.

    python -m bench.ingest [--count 2000] [--rounds 3] [--associations 1 4] [--only noctis]

Every association is a process with a light client of its own and a study of
its own. An instance counts when its success has come back; afterwards the
server's own index must find them all. Storage is fresh for every figure, and
the order of the servers alternates.
"""

from __future__ import annotations

import argparse
import io
import itertools
import multiprocessing as mp
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier as BarrierType
from pathlib import Path

from pydicom import dcmwrite
from pydicom.dataset import Dataset

from archive.phantom import PhantomShape, build_datasets
from bench.servers import ORTHANC, Noctis, Orthanc, Server
from tests.dimse_client import CT_IMAGE_STORAGE, Association, StoreMessage

UID_ROOT = "1.2.826.0.1.3680043.10.1714.9"
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
WARM_UP = 20
WARM_UP_ASSOCIATION = 99


@dataclass(frozen=True)
class Figure:
    """One measurement of one server."""

    server: str
    associations: int
    per_second: float
    server_cpu_seconds: float
    client_cpu_seconds: float


def uid(level: int, association: int, number: int = 0) -> str:
    """Return a UID whose length is always the same."""
    return f"{UID_ROOT}.{level}.1{association:02d}{number:06d}"


def data_set_of(template: Dataset, association: int) -> bytes:
    """Return the encoded data set of an association's first instance, in its own study."""
    template.SOPInstanceUID = uid(3, association)
    template.SeriesInstanceUID = uid(2, association)
    template.StudyInstanceUID = uid(1, association)
    template.PatientID = f"BENCH{association}"
    buffer = io.BytesIO()
    dcmwrite(buffer, template, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def send(
    address: tuple[str, int], called: str, data_set: bytes, numbers: range, barrier: BarrierType
) -> None:
    """Send one association's instances one after another; any failure ends the process with 1."""
    sop_class = (
        MR_IMAGE_STORAGE if f"{MR_IMAGE_STORAGE}\0".encode() in data_set else CT_IMAGE_STORAGE
    )
    association = Association(address, called=called, sop_class_uid=sop_class)
    index = int(data_set_association(data_set))
    message = StoreMessage(sop_class, uid(3, index), data_set, association.max_pdu_bytes)
    barrier.wait(60)
    for number in numbers:
        instance = uid(3, index, number)
        answer = association.store(message.for_instance(instance))
        if answer.status != 0 or answer.sop_instance_uid != instance:
            sys.exit(f"0x{answer.status:04X} for {instance}")
    association.release()


def data_set_association(data_set: bytes) -> str:
    """Return the association's number from the SOP Instance UID in the data set."""
    marker = f"{UID_ROOT}.3.1".encode()
    place = data_set.index(marker) + len(marker)
    return data_set[place : place + 2].decode()


def run_clients(server: Server, data_sets: list[bytes], count: int) -> tuple[float, float]:
    """Send `count` instances over one association a data set; returns (seconds, client CPU)."""
    barrier = mp.Barrier(len(data_sets) + 1)
    share, rest = divmod(count, len(data_sets))
    processes = []
    for place, data_set in enumerate(data_sets):
        numbers = range(1, 1 + share + (1 if place < rest else 0))
        arguments = (("127.0.0.1", server.port), server.called, data_set, numbers, barrier)
        processes.append(mp.Process(target=send, args=arguments))
    cpu_before = _children_cpu()
    for process in processes:
        process.start()
    barrier.wait(60)
    began = time.monotonic()
    for process in processes:
        process.join()
    seconds = time.monotonic() - began
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"{server.name} did not store everything")
    return seconds, _children_cpu() - cpu_before


def measure(server: Server, template: Dataset, associations: int, count: int) -> Figure:
    """Return one figure from fresh storage; raises when the index does not find everything."""
    server.start()
    try:
        run_clients(server, [data_set_of(template, WARM_UP_ASSOCIATION)], WARM_UP)
        data_sets = [data_set_of(template, number) for number in range(associations)]
        cpu_before = server.cpu_seconds()
        seconds, client_cpu = run_clients(server, data_sets, count)
        cpu = server.cpu_seconds() - cpu_before
        found = server.count_searchable()
        if found != (associations + 1, count + WARM_UP):
            raise RuntimeError(f"{server.name} finds {found} after {count} in {associations}")
    finally:
        server.stop()
    return Figure(server.name, associations, count / seconds, cpu, client_cpu)


def probe_disk(folder: Path, size_bytes: int, count: int = 100) -> float:
    """Return how many files of this size one thread writes and syncs a second."""
    block = os.urandom(size_bytes)
    began = time.monotonic()
    for number in range(count):
        path = folder / f"probe-{number}"
        with path.open("wb") as file:
            file.write(block)
            file.flush()
            os.fdatasync(file.fileno())
    seconds = time.monotonic() - began
    for number in range(count):
        (folder / f"probe-{number}").unlink()
    return count / seconds


def report(figures: list[Figure], count: int) -> None:
    """Print the medians and, where both were measured, the ratio."""
    print(f"\n{'server':<10}{'assoc.':>7}{'inst/s':>9}{'range':>14}{'CPU ms/inst':>13}{'ratio':>7}")
    medians: dict[tuple[str, int], float] = {}
    groups = itertools.groupby(
        sorted(figures, key=lambda one: (one.associations, one.server, one.per_second)),
        key=lambda one: (one.associations, one.server),
    )
    rows = [(key, list(group)) for key, group in groups]
    for (associations, name), group in rows:
        medians[name, associations] = statistics.median(one.per_second for one in group)
    for (associations, name), group in rows:
        rates = [one.per_second for one in group]
        cpu = statistics.median(one.server_cpu_seconds for one in group) / count * 1000
        other = medians.get(("Orthanc", associations))
        ratio = f"{medians[name, associations] / other:.2f}" if other else "-"
        span = f"{min(rates):.0f}-{max(rates):.0f}"
        rate = medians[name, associations]
        print(f"{name:<10}{associations:>7}{rate:>9.0f}{span:>14}{cpu:>13.2f}{ratio:>7}")


def _warn_of_space(place: Path, figure_bytes: int, figures: int) -> None:
    """Say so when the disk may not hold all that is stored until the end."""
    free_bytes = shutil.disk_usage(place).free
    if figure_bytes * figures > 0.8 * free_bytes:
        print(
            f"{figures} figures leave {figure_bytes * figures >> 30} GiB until the end, and "
            f"{free_bytes >> 30} GiB are free: --rounds or --count may have to be less."
        )


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench.ingest", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="instances a figure (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions (%(default)s)")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--processes", type=int, default=2, help="of Noctis' receiver")
    parser.add_argument("--only", choices=["noctis", "orthanc"])
    parser.add_argument("--port", type=int, default=12_610, help="and the one above it")
    parser.add_argument("--folder", type=Path, help="where storage lies; its disk is measured")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("DATABASE_URL", ""),
        help="a PostgreSQL whose user may create databases, for Noctis instead of SQLite",
    )
    return parser.parse_args(arguments)


def servers_of(options: argparse.Namespace, place: Path) -> list[Server]:
    """Return the servers to be measured."""
    servers: list[Server] = []
    if options.only != "orthanc":
        servers.append(Noctis(place, options.port, options.database_url, options.processes))
    if options.only != "noctis":
        if ORTHANC.exists():
            servers.append(Orthanc(place, options.port))
        else:
            print("Orthanc is not installed: Noctis is measured alone.")
    return servers


def run_rounds(options: argparse.Namespace, servers: list[Server], place: Path) -> list[Figure]:
    """Measure everything `--rounds` times, printing as it goes."""
    # Copied into a plain data set, which is written without file meta information.
    template = Dataset()
    template.update(next(iter(build_datasets(PhantomShape(rows=512, columns=512, slices=1)))))
    size = len(data_set_of(template, 0))
    figure_count = options.rounds * len(options.associations) * len(servers)
    _warn_of_space(place, size * options.count, figure_count)
    print(f"{options.count} CT of {size / 1024:.0f} KiB a figure, {os.cpu_count()} cores.")
    figures = []
    for number in range(options.rounds):
        rate = probe_disk(place, size)
        load = os.getloadavg()[0]
        print(f"round {number + 1}: the disk syncs {rate:.0f} such files a second, load {load:.1f}")
        for associations in options.associations:
            for server in servers if number % 2 == 0 else reversed(servers):
                figure = measure(server, template, associations, options.count)
                figures.append(figure)
                print(
                    f"  {figure.server:<8} {associations} assoc. {figure.per_second:7.1f}/s  "
                    f"server CPU {figure.server_cpu_seconds:6.2f} s, "
                    f"client CPU {figure.client_cpu_seconds:5.2f} s",
                    flush=True,
                )
    return figures


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 when a server lost something or did not start."""
    options = read_options(arguments)
    with tempfile.TemporaryDirectory(prefix="noctis-bench-", dir=options.folder) as folder:
        place = Path(folder)
        try:
            figures = run_rounds(options, servers_of(options, place), place)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
    report(figures, options.count)
    return 0


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    raise SystemExit(main())
