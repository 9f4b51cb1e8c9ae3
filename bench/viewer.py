"""How fast a study is on the screen: Noctis, and OHIF on Orthanc, in the same run.

    python -m bench.viewer [--rounds 5] [--slices 300] [--size 512] [--only noctis|ohif]

One CT goes to both. In each round a fresh browser with an empty cache opens the study on the
one and on the other, in turns, and notes when a large picture is first seen (Noctis: rendered
by its server), when pixels are first seen that were drawn from the file's own values, and when
all frames are in the page; then the memory of the browser's whole process tree (PSS) two
seconds later, and the animation frames of five seconds of wheel, beside those of a page with an
empty canvas. A visit through a counting wire tells the bytes before the first picture. OHIF's
released pages come by npm into a temporary folder; Orthanc and its DICOMweb plugin must be
installed.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.servers import ORTHANC
from bench.viewer_houses import (
    DICOMWEB_PLUGIN,
    NoctisHouse,
    OhifHouse,
    fetch_ohif,
    write_series,
)
from bench.viewer_visit import Visit, first_picture_at, visit, visit_empty
from bench.wire import CountedWire

LINES: list[tuple[str, str, Callable[[Visit], float], float | None]] = [
    ("first picture", "s", lambda one: one.first_picture, 0.15),
    ("first real pixels", "s", lambda one: one.first_pixels, 0.3),
    ("all frames", "s", lambda one: one.all_frames, 0.3),
    ("memory of the browser", "MB", lambda one: one.memory_mb, 0.6),
    ("processor time of the browser", "s", lambda one: one.cpu_seconds, None),
]


@dataclass
class Contender:
    """A house with what a browser needs to enter it."""

    house: NoctisHouse | OhifHouse
    address: str
    cookies: dict[str, str]
    visits: list[Visit]
    first_bytes: int = 0


def main(arguments: list[str] | None = None) -> int:
    """Measure, print; 0 when every contender loaded everything."""
    parser = argparse.ArgumentParser(prog="python -m bench.viewer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--only", choices=["noctis", "ohif"])
    options = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix="bench-viewer-"))
    contenders: list[Contender] = []
    try:
        study_uid = write_series(place / "ct", slices=options.slices, size=options.size)
        contenders.extend(make(place, study_uid) for make in _wanted(options.only))
        _measure(contenders, options.rounds, options.slices)
        empty = [visit_empty() for _ in range(min(3, options.rounds))]
        _print(contenders, *(statistics.median(values) for values in zip(*empty, strict=True)))
    finally:
        for one in contenders:
            one.house.stop()
        shutil.rmtree(place, ignore_errors=True)
    return 0


Maker = Callable[[Path, str], Contender]


def _wanted(only: str | None) -> list[Maker]:
    if only == "noctis":
        return [_open_noctis]
    if not ORTHANC.is_file() or not DICOMWEB_PLUGIN.is_file():
        print("Orthanc with its DICOMweb plugin is not installed: Noctis is measured alone.")
        return [_open_noctis]
    return [_open_ohif] if only == "ohif" else [_open_noctis, _open_ohif]


def _open_noctis(place: Path, study_uid: str) -> Contender:
    house = NoctisHouse(place, (free_port(), free_port()))
    try:
        house.take(place / "ct")
        return Contender(house, house.page_of(study_uid), house.enter(), [])
    except BaseException:
        house.stop()
        raise


def _open_ohif(place: Path, study_uid: str) -> Contender:
    house = OhifHouse(place, (free_port(), free_port(), free_port()), fetch_ohif(place))
    try:
        house.take(place / "ct")
        return Contender(house, house.page_of(study_uid), {}, [])
    except BaseException:
        house.stop()
        raise


def _measure(contenders: list[Contender], rounds: int, count: int) -> None:
    for one in contenders:  # the servers, too, have just started
        visit(one.address, one.cookies, count=count)
        one.first_bytes = _count_bytes(one)
    for number in range(rounds):
        for one in contenders if number % 2 == 0 else contenders[::-1]:
            seen = visit(one.address, one.cookies, count=count)
            one.visits.append(seen)
            print(
                f"round {number + 1}  {one.house.name:16} picture {seen.first_picture:6.2f}  "
                f"pixels {seen.first_pixels:6.2f}  all {seen.all_frames:6.2f} s  "
                f"{seen.memory_mb:6.0f} MB  CPU {seen.cpu_seconds:5.2f} s  "
                f"scroll {seen.scrolled}",
                flush=True,
            )


def _count_bytes(one: Contender) -> int:
    """Return the bytes that a browser has received when it shows the first picture."""
    with ExitStack() as stack:
        wires = [stack.enter_context(CountedWire(port)) for port in one.house.ports]
        address = one.house.through([wire.port for wire in wires], one.address)
        moment = first_picture_at(address, one.cookies)
        one.house.through(one.house.ports, address)
        return sum(wire.bytes_until(moment) for wire in wires)


def _print(contenders: list[Contender], empty_frames: float, empty_mb: float) -> None:
    print(
        f"\n{'medians':32}"
        + "".join(f"{one.house.name:>18}" for one in contenders)
        + "   ratio   aim"
    )
    for name, unit, read, aim in LINES:
        values = [statistics.median(map(read, one.visits)) for one in contenders]
        _print_line(f"{name}, {unit}", values, "{:18.2f}" if unit == "s" else "{:18.0f}", aim)
    _print_line(
        "before the first picture, kB",
        [one.first_bytes / 1000 for one in contenders],
        "{:18.0f}",
        0.15,
    )
    scrolled = [statistics.median(visit.scrolled for visit in one.visits) for one in contenders]
    _print_line("frames in 5 s of scrolling", scrolled, "{:18.0f}", None)
    print(f"{'frames of an empty canvas':32}{empty_frames:18.0f}")
    print(f"{'memory with an empty canvas, MB':32}{empty_mb:18.0f}")


def _print_line(name: str, values: list[float], form: str, aim: float | None) -> None:
    line = f"{name:32}" + "".join(form.format(value) for value in values)
    if len(values) == 2 and values[1]:
        line += f"{values[0] / values[1]:8.2f}" + (f"{aim:6.2f}" if aim else "")
    print(line)


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    raise SystemExit(main())
