"""How fast objects come in by the web: Noctis beside Orthanc with its plug-in, in turns.

    python -m bench web-store [--slices 1000] [--rounds 3] [--only noctis] [--keep-unsynced]

One CT is sent as a ZIP (our upload, Orthanc's `/instances`) and by STOW-RS in bodies of 100; the
clock stops when a search finds every instance. Each round is another study. Both sync their files
to the disk before they answer; with --keep-unsynced Orthanc does not.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread, dcmwrite
from pydicom.uid import generate_uid

from bench.servers import ORTHANC, Orthanc, cpu_seconds, process_tree
from bench.viewer import free_port
from bench.viewer_houses import DICOMWEB_PLUGIN, NoctisHouse, write_series

_BOUNDARY = "bench7c1f"
_PARTS_A_BODY = 100
_JSON = "application/dicom+json"
_PROVISION = '[[facility]]\ncode = "bench"\nname = "Bench"\n'


@dataclass
class Door:
    """A server: where it takes ZIPs and DICOMweb, and what a client must show."""

    name: str
    port: int
    root: str
    pid: int
    headers: dict[str, str]
    send_zip: Callable[[Door, bytes], None]
    stop: Callable[[], None]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Return status and body of one request."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method, path, body or None, {**self.headers, **named})
        answer = line.getresponse()
        found = answer.status, answer.read()
        line.close()
        return found

    def wait_for(self, study: str, count: int) -> None:
        """Return when a search finds all instances of the study."""
        deadline = time.monotonic() + 120
        path = f"{self.root}/studies/{study}/instances?limit=5000"
        while time.monotonic() < deadline:
            status, body = self.ask("GET", path, Accept=_JSON)
            if status == 200 and len(json.loads(body)) == count:
                return
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not show {count} instances")

    def cpu_seconds(self) -> float:
        """Return user and system time of the whole process tree so far."""
        return sum(cpu_seconds(pid) for pid in process_tree(self.pid))


# --- the two doors --------------------------------------------------------------------------------
def open_noctis(place: Path) -> Door:
    """Start Noctis with one facility."""
    house = NoctisHouse(place, (free_port(), free_port()))
    plan = place / "plan.toml"
    plan.write_text(_PROVISION)
    house._manage("provision", str(plan))
    cookies = house.enter()
    token = next(value for name, value in cookies.items() if "csrf" in name)
    said = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers = {"Cookie": said, "X-CSRFToken": token}
    pid = house._process.pid
    return Door("Noctis", house.ports[0], "/dicomweb", pid, headers, _upload, house.stop)


def _upload(door: Door, content: bytes) -> None:
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="ct.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    facility = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="facility"\r\n\r\nbench\r\n'
    body = facility.encode() + head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    status, said = door.ask(
        "POST", "/worklist/upload/files/", body, Content_Type=kind, Accept="application/x-ndjson"
    )
    if status != 200 or b'"refused"' in said or b'"done"' not in said:
        raise RuntimeError(f"{door.name}: {status} {said[:300]!r}")


def open_orthanc(place: Path, *, is_synced: bool) -> Door:
    """Start Orthanc with its DICOMweb plug-in."""
    also: dict[str, object] = {
        "Plugins": [str(DICOMWEB_PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "KeepAlive": True,
        "HttpThreadsCount": 50,
        "SyncStorageArea": is_synced,
        "OverwriteInstances": False,
    }
    orthanc = Orthanc(place, free_port(), also)
    orthanc.start()
    assert orthanc.pid is not None
    return Door(
        "Orthanc", orthanc.port + 1, "/dicom-web", orthanc.pid, {}, _post_instances, orthanc.stop
    )


def _post_instances(door: Door, content: bytes) -> None:
    status, said = door.ask("POST", "/instances", content, Content_Type="application/zip")
    if status != 200:
        raise RuntimeError(f"{door.name}: {status} {said[:300]!r}")


# --- what is sent ---------------------------------------------------------------------------------
def make_files(folder: Path, slices: int) -> tuple[str, list[bytes]]:
    """Return another CT of the same pixels: its Study Instance UID, and its files."""
    study, series = generate_uid(), generate_uid()
    files = []
    for path in sorted(folder.iterdir())[:slices]:
        dataset = dcmread(path)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        buffer = io.BytesIO()
        dcmwrite(buffer, dataset, enforce_file_format=True)
        files.append(buffer.getvalue())
    return study, files


def pack(files: Sequence[bytes]) -> bytes:
    """Return the files as a ZIP, packed lightly, as exports are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, content in enumerate(files):
            archive.writestr(f"CT/{number:05d}.dcm", content)
    return buffer.getvalue()


def bodies(files: Sequence[bytes]) -> Iterator[bytes]:
    """Yield bodies of many parts."""
    head = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    for begin in range(0, len(files), _PARTS_A_BODY):
        some = files[begin : begin + _PARTS_A_BODY]
        yield b"".join(head + one + b"\r\n" for one in some) + f"--{_BOUNDARY}--\r\n".encode()


def store_all(door: Door, packed: Sequence[bytes]) -> None:
    """Send bodies by STOW-RS; raises when one object is not stored."""
    kind = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'
    for body in packed:
        path = f"{door.root}/studies"
        status, said = door.ask("POST", path, body, Content_Type=kind, Accept=_JSON)
        if status != 200 or "Value" in json.loads(said).get("00081198", {}):
            raise RuntimeError(f"{door.name}: {status} {said[:300]!r}")


# --- the run --------------------------------------------------------------------------------------
def measure(doors: Sequence[Door], folder: Path, slices: int, rounds: int) -> None:
    """Send a ZIP and by STOW-RS, in turns."""
    for turn in range(rounds):
        for title in ("ZIP", "STOW-RS"):
            study, files = make_files(folder, slices)
            content = pack(files) if title == "ZIP" else b""
            packed = list(bodies(files)) if title == "STOW-RS" else []
            for door in doors if turn % 2 else doors[::-1]:
                cpu, began = door.cpu_seconds(), time.perf_counter()
                if title == "ZIP":
                    door.send_zip(door, content)
                else:
                    store_all(door, packed)
                door.wait_for(study, len(files))
                door.seconds.setdefault(title, []).append(time.perf_counter() - began)
                door.cpu.setdefault(title, []).append(door.cpu_seconds() - cpu)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench web-store", description=__doc__)
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["noctis"])
    parser.add_argument("--keep-unsynced", action="store_true")
    parser.add_argument("--place", type=Path, help="where the servers keep their storage")
    options = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix="bench-web-store-", dir=options.place))
    doors: list[Door] = []
    try:
        write_series(place / "ct", slices=options.slices, size=512)
        doors.append(open_noctis(place))
        if options.only is None and ORTHANC.is_file() and DICOMWEB_PLUGIN.is_file():
            doors.append(open_orthanc(place, is_synced=not options.keep_unsynced))
        measure(doors, place / "ct", options.slices, options.rounds)
    finally:
        for door in doors:
            door.stop()
        shutil.rmtree(place, ignore_errors=True)
    for title in doors[0].seconds:
        medians = [statistics.median(door.seconds[title]) for door in doors]
        for door, median in zip(doors, medians, strict=True):
            cpu = statistics.median(door.cpu[title])
            rate = options.slices / median
            print(f"{title:<8} {door.name:<8} {median:7.2f} s {rate:7.0f}/s, CPU {cpu:6.2f} s")
        if len(medians) > 1:
            print(f"{title:<8} ratio of times {medians[0] / medians[1]:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
