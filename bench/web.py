"""How fast DICOMweb answers: Noctis beside Orthanc with its plug-in, in the same run, in turns.

    python -m bench web [--slices 500] [--rounds 5] [--studies 100000] [--large-mb 2048]
                        [--only noctis]

One CT goes to both: metadata of its series, raw frames and whole instances are asked for, by
one connection and by four. Then a study of some large objects is downloaded once, with the
highest memory of the servers while it leaves. With --studies, both indexes are filled without
sending (as `bench find` does it) and studies are searched for.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shutil
import statistics
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import generate_uid

from bench.dimse_find import PROVISION, FilledOrthanc
from bench.find_archive import Entry
from bench.servers import ORTHANC, process_tree
from bench.viewer import free_port
from bench.viewer_houses import DICOMWEB_PLUGIN, NoctisHouse, write_series

JSON = "application/dicom+json"
FRAMES = 'multipart/related; type="application/octet-stream"'
FILES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_LARGE_OBJECT_MB = 128
_AT_ONCE = 4


@dataclass
class Door:
    """A DICOMweb service: where it is, and what a client must show."""

    name: str
    port: int
    root: str
    pid: int
    headers: dict[str, str]
    stop: Callable[[], None]
    taken: dict[str, list[float]] = field(default_factory=dict)

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def get(self, line: http.client.HTTPConnection, path: str, accept: str) -> bytes:
        """Return the body of an answer."""
        line.request("GET", self.root + path, headers={"Accept": accept, **self.headers})
        answer = line.getresponse()
        body = answer.read()
        if answer.status not in (200, 204):
            raise RuntimeError(f"{self.name}: {path}: {answer.status} {body[:200]!r}")
        return body

    def memory_mb(self) -> float:
        """Return the memory of the whole process tree, shared pages counted once (PSS)."""
        total = 0
        for pid in process_tree(self.pid):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024


# --- the two doors --------------------------------------------------------------------------------
def open_noctis(place: Path, folders: Sequence[Path], studies: int) -> Door:
    """Start Noctis, give it the folders, fill its index."""
    house = NoctisHouse(place, (free_port(), free_port()))
    try:
        for folder in folders:
            house.take(folder)
        if studies:
            plan = place / "noctis" / "plan.toml"
            plan.write_text(PROVISION)
            house._manage("provision", str(plan))
            code = f"from bench.find_models import fill_models; fill_models({studies})"
            house._manage("shell", "-v", "0", "-c", code)
        cookies = "; ".join(f"{name}={value}" for name, value in house.enter().items())
        pid = house._process.pid
        return Door("Noctis", house.ports[0], "/dicomweb", pid, {"Cookie": cookies}, house.stop)
    except BaseException:
        house.stop()
        raise


def open_orthanc(place: Path, folders: Sequence[Path], studies: int) -> Door:
    """Start Orthanc with its DICOMweb plug-in, fill its index, give it the folders."""
    also: dict[str, object] = {
        "Plugins": [str(DICOMWEB_PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "KeepAlive": True,
        "HttpThreadsCount": 50,
        "SyncStorageArea": False,
        "OverwriteInstances": False,
    }
    orthanc = FilledOrthanc(place, free_port(), also)
    orthanc.start()
    try:
        if studies:
            orthanc.fill(studies)
        assert orthanc.pid is not None
        door = Door("Orthanc", orthanc.port + 1, "/dicom-web", orthanc.pid, {}, orthanc.stop)
        for folder in folders:
            for path in sorted(folder.iterdir()):
                line = door.connect()
                line.request("POST", "/instances", path.read_bytes())
                line.getresponse().read()
                line.close()
        return door
    except BaseException:
        orthanc.stop()
        raise


# --- what is asked --------------------------------------------------------------------------------
def instances_of(door: Door, study: str) -> list[str]:
    """Return the paths of a study's instances, in the order of their numbers."""
    rows = json.loads(door.get(door.connect(), f"/studies/{study}/instances", JSON))
    rows.sort(key=lambda row: int(row.get("00200013", {}).get("Value", [0])[0]))
    return [
        f"/studies/{study}/series/{row['0020000E']['Value'][0]}"
        f"/instances/{row['00080018']['Value'][0]}"
        for row in rows
    ]


def measure_series(doors: Sequence[Door], study: str, rounds: int) -> None:
    """Ask for metadata, frames and instances, in turns."""
    paths = {door.name: instances_of(door, study) for door in doors}
    series = {name: some[0].partition("/instances/")[0] for name, some in paths.items()}
    for turn in range(rounds):
        for door in doors if turn % 2 else doors[::-1]:
            with _timed(door, "series metadata, s"):
                body = door.get(door.connect(), f"{series[door.name]}/metadata", JSON)
            if len(json.loads(body)) != len(paths[door.name]):
                raise RuntimeError(f"{door.name} gives other metadata")
        for below, accept, title in (("/frames/1", FRAMES, "frames"), ("", FILES, "instances")):
            for at_once in (1, _AT_ONCE):
                for door in doors if turn % 2 else doors[::-1]:
                    wanted = [path + below for path in paths[door.name]]
                    took = _fetch_all(door, wanted, accept, at_once)
                    key = f"{title}/s, {at_once} at once"
                    door.taken.setdefault(key, []).append(len(wanted) / took)


@contextmanager
def _timed(door: Door, key: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    door.taken.setdefault(key, []).append(time.perf_counter() - began)


def _fetch_all(door: Door, paths: Sequence[str], accept: str, at_once: int) -> float:
    def fetch(some: Sequence[str]) -> None:
        line = door.connect()
        for path in some:
            door.get(line, path, accept)

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(fetch, [paths[begin::at_once] for begin in range(at_once)]))
    return time.perf_counter() - began


def measure_lists(doors: Sequence[Door], study: str, rounds: int) -> None:
    """Ask for many frames of one object at once, in turns."""
    wanted = ",".join(str(number) for number in range(1, 101))
    for turn in range(rounds + 1):
        for door in doors if turn % 2 else doors[::-1]:
            path = f"{instances_of(door, study)[0]}/frames/{wanted}"
            line, began = door.connect(), time.perf_counter()
            size = len(door.get(line, path, FRAMES))
            if size < 100 * 512 * 512 * 2:
                raise RuntimeError(f"{door.name} gives {size} bytes")
            if turn:
                key = "frames/s, a list of 100"
                door.taken.setdefault(key, []).append(100 / (time.perf_counter() - began))


def measure_large(door: Door, study: str) -> None:
    """Download a study of large objects, and look at the server's memory meanwhile."""
    before, highest = door.memory_mb(), [0.0]
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            highest[0] = max(highest[0], door.memory_mb())

    looking = threading.Thread(target=look)
    looking.start()
    line, count, began = door.connect(), 0, time.perf_counter()
    try:
        path = f"{door.root}/studies/{study}"
        line.request("GET", path, headers={"Accept": FILES, **door.headers})
        answer = line.getresponse()
        while piece := answer.read(1 << 20):
            count += len(piece)
    finally:
        done.set()
        looking.join()
    seconds = time.perf_counter() - began
    print(
        f"{door.name}: a study of {count / 1e6:.0f} MB in {seconds:.1f} s, memory "
        f"{before:.0f} MB before, {highest[0]:.0f} MB at most"
    )


def measure_search(doors: Sequence[Door], studies: int, rounds: int) -> None:
    """Ask for studies, in turns."""
    chance = random.Random(1)
    lines = {door.name: door.connect() for door in doors}
    for turn in range(rounds + 2):
        for title, query in _questions(Entry(chance.randrange(studies))):
            counts = {}
            path = f"/studies?{urllib.parse.urlencode({**query, 'limit': 100})}"
            for door in doors if turn % 2 else doors[::-1]:
                began = time.perf_counter()
                body = door.get(lines[door.name], path, JSON)
                took = (time.perf_counter() - began) * 1000
                counts[door.name] = len(json.loads(body or b"[]"))
                if turn >= 2:
                    door.taken.setdefault(f"search {title}, ms", []).append(took)
                    door.taken.setdefault("search all, ms", []).append(took)
            if len(set(counts.values())) > 1:
                raise RuntimeError(f"{title}: the servers find {counts}")


def _questions(entry: Entry) -> Iterator[tuple[str, dict[str, str]]]:
    week = f"{entry.day:%Y%m%d}-{entry.day + timedelta(days=6):%Y%m%d}"
    yield "patient ID", {"PatientID": entry.patient_id}
    yield "accession number", {"AccessionNumber": entry.accession}
    yield "study UID", {"StudyInstanceUID": entry.uid(2)}
    yield "name, beginning", {"PatientName": f"{entry.name.split('^')[0]}*"}
    yield "one day", {"StudyDate": f"{entry.day:%Y%m%d}"}
    yield "a week's modality", {"StudyDate": week, "ModalitiesInStudy": entry.modality}


# --- the run --------------------------------------------------------------------------------------
def _write_large(folder: Path, template: Path, megabytes: int) -> str:
    """Write a study of objects of many frames, none larger than 128 MB; return its UID."""
    folder.mkdir()
    each = min(megabytes, _LARGE_OBJECT_MB)
    study, series = generate_uid(), generate_uid()
    frame = np.random.default_rng(1).integers(0, 4096, (512, 512), "<u2").tobytes()
    for number in range(megabytes // each):
        dataset: Dataset = dcmread(template)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.InstanceNumber = number + 1
        dataset.NumberOfFrames = (each << 20) // len(frame)
        dataset.PixelData = frame * dataset.NumberOfFrames
        dcmwrite(folder / f"{number}.dcm", dataset, enforce_file_format=True)
    return study


def _report(doors: Sequence[Door]) -> None:
    print(f"\n{'':<34}" + "".join(f"{door.name:>12}{'p95':>9}" for door in doors) + f"{'ratio':>9}")
    for key in doors[0].taken:
        medians, tops = [], []
        for door in doors:
            values = door.taken[key]
            medians.append(statistics.median(values))
            tops.append(statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0])
        print(f"{key:<34}", end="")
        for median, top in zip(medians, tops, strict=True):
            print(f"{median:>12.3g}{top:>9.3g}", end="")
        chosen = tops if key.startswith("search") else medians
        print(f"{chosen[0] / chosen[-1]:>9.3f}" if len(doors) > 1 else "")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench web", description=__doc__)
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=20, help="of each kind")
    parser.add_argument("--studies", type=int, default=0)
    parser.add_argument("--large-mb", type=int, default=0)
    parser.add_argument("--only", choices=["noctis"])
    parser.add_argument("--place", type=Path, help="where the servers keep their storage")
    options = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix="bench-web-", dir=options.place))
    doors: list[Door] = []
    try:
        study = write_series(place / "ct", slices=options.slices, size=512)
        frames = _write_large(place / "frames", place / "ct" / "0000.dcm", 50)
        folders = [place / "ct", place / "frames"]
        large = ""
        if options.large_mb:
            large = _write_large(place / "large", place / "ct" / "0000.dcm", options.large_mb)
            folders.append(place / "large")
        doors.append(open_noctis(place, folders, options.studies))
        if options.only is None and ORTHANC.is_file() and DICOMWEB_PLUGIN.is_file():
            doors.append(open_orthanc(place, folders, options.studies))
        measure_series(doors, study, options.rounds)
        measure_lists(doors, frames, options.rounds)
        if options.studies:
            measure_search(doors, options.studies, options.questions)
        _report(doors)
        for door in doors if large else []:
            measure_large(door, large)
    finally:
        for door in doors:
            door.stop()
        shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
