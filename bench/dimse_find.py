"""How fast studies are found: C-FIND at study level, Noctis beside Orthanc, in the same run.

    python -m bench.dimse_find [--studies 100000] [--questions 20] [--only noctis]

Both indexes are filled with the same studies, two a patient, without sending them: Noctis by
its models, Orthanc by copying the rows that it wrote itself for one study that was stored. The
same light client asks both in turns; a question is over when its last answer has come.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import sqlite3
import statistics
import struct
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from pydicom import Dataset

from archive.phantom import PhantomShape, build_datasets
from bench.find_archive import Entry
from bench.ingest import data_set_of
from bench.ingest import uid as ingest_uid
from bench.servers import ORTHANC, START_SECONDS, Noctis, Orthanc, Server
from tests.conformance.dimse import IMPLICIT_LITTLE, Client, context
from tests.dimse_client import CT_IMAGE_STORAGE, Association, PeerError, StoreMessage

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
CALLER = "BENCH"
RETURNED = (
    *((0x0008, element) for element in (0x0020, 0x0030, 0x0050, 0x0061, 0x1030)),
    *((0x0010, element) for element in (0x0010, 0x0020, 0x0030, 0x0040)),
    *((0x0020, element) for element in (0x000D, 0x0010, 0x1206, 0x1208)),
)
PROVISION = f"""
[[facility]]
code = "bench"
name = "Bench"

[[peer]]
ae_title = "{CALLER}"
host = "127.0.0.1"
port = 104
facility = "bench"
may = ["find"]
"""


# --- questions ----------------------------------------------------------------------------------
Key = tuple[int, int]
NAME, PATIENT_ID, DAY, ACCESSION = (0x10, 0x10), (0x10, 0x20), (0x08, 0x20), (0x08, 0x50)
MODALITIES_IN_STUDY, STUDY_UID = (0x08, 0x61), (0x20, 0x0D)


def questions(entry: Entry) -> Iterator[tuple[str, dict[Key, str]]]:
    """Yield what people ask, about a study that is there."""
    day = entry.day
    week = f"{day:%Y%m%d}-{day + timedelta(days=6):%Y%m%d}"
    yield "patient ID", {PATIENT_ID: entry.patient_id}
    yield "accession number", {ACCESSION: entry.accession}
    yield "study UID", {STUDY_UID: entry.uid(2)}
    yield "name, beginning", {NAME: f"{entry.name.split('^')[0]}*"}
    yield "name, lower case", {NAME: entry.name.lower()}
    yield "one day", {DAY: f"{day:%Y%m%d}"}
    yield "a week's modality", {DAY: week, MODALITIES_IN_STUDY: entry.modality}


def identifier(keys: dict[Key, str]) -> bytes:
    """Return a study level query in implicit VR little endian."""
    elements = {**dict.fromkeys(RETURNED, ""), (0x0008, 0x0052): "STUDY", **keys}
    out = b""
    for (group, element), text in sorted(elements.items()):
        raw = text.encode()
        raw += (b"\0" if (group, element) == STUDY_UID else b" ") * (len(raw) % 2)
        out += struct.pack("<HHL", group, element, len(raw)) + raw
    return out


class Asker:
    """One association on which questions are asked one after another."""

    def __init__(self, server: Server) -> None:
        self._client = Client(server.port, timeout=120)
        self._client.associate(
            context(1, STUDY_ROOT, IMPLICIT_LITTLE),
            called=server.called.encode(), calling=CALLER.encode(), max_pdu=131_072,
        )  # fmt: skip

    def ask(self, keys: dict[Key, str]) -> tuple[float, int]:
        """Return the milliseconds until the last answer, and how many answers there were."""
        data = identifier(keys)
        began = time.perf_counter()
        self._client.send_command(
            1, {0x0002: STUDY_ROOT, 0x0100: 0x0020, 0x0110: 1, 0x0700: 0, 0x0800: 0}
        )
        self._client.send_data_set(1, data)
        answers = 0
        while True:
            response = self._client.read_response()
            if response[0x0800] == 0x0101:
                break
            answers += 1
            while not self._client.read_pdu()[1][5] & 2:
                pass
        if status := int(response[0x0900]):
            raise RuntimeError(f"status {status:04X}")
        return (time.perf_counter() - began) * 1000, answers

    def close(self) -> None:
        self._client.release()
        self._client.sock.close()


# --- filling --------------------------------------------------------------------------------------


class FilledNoctis(Noctis):
    """A Noctis whose index is filled while it runs."""

    def fill(self, count: int) -> None:
        """Write the studies in a process with the server's settings."""
        code = f"from bench.find_models import fill_models; fill_models({count})"
        self._manage("shell", "-v", "0", "-c", code)


class FilledOrthanc(Orthanc):
    """An Orthanc that is started again on what it has."""

    def fill(self, count: int) -> None:
        """Store one instance, stop, copy the rows of its four levels for every study, go on."""
        # Copied into a plain data set, which is written without file meta information.
        template = Dataset()
        template.update(next(iter(build_datasets(PhantomShape(rows=32, columns=32, slices=1)))))
        data_set = data_set_of(template, 0)
        association = Association(("127.0.0.1", self.port), called=self.called, timeout_s=300)
        message = StoreMessage(
            CT_IMAGE_STORAGE, ingest_uid(3, 0), data_set, association.max_pdu_bytes
        )
        if association.store(message.data).status:
            raise RuntimeError("Orthanc did not store the first instance")
        association.release()
        self.stop()
        with closing(sqlite3.connect(self.folder / "index" / "index")) as index:
            _copy_rows(index, count)
        self._process = self._start_again()
        wait_for(self)

    def _start_again(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(ORTHANC), str(self.folder / "orthanc.json")],
            env={**os.environ, "TCP_NODELAY": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def wait_for(server: Server) -> None:
    """Wait until a server that was started takes associations."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            Association(("127.0.0.1", server.port), called=server.called).release()
            return
        except (OSError, PeerError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _copy_rows(index: sqlite3.Connection, count: int) -> None:
    levels = index.execute(
        "SELECT internalId, resourceType FROM Resources ORDER BY resourceType"
    ).fetchall()
    kept = {
        (table, level): index.execute(f"SELECT * FROM {table} WHERE id = ?", (row,)).fetchall()
        for row, level in levels
        for table in ("MainDicomTags", "DicomIdentifiers", "Metadata")
    }
    following = max(row for row, _ in levels) + 1
    patient_row = 0
    for number in range(count):
        entry = Entry(number)
        parent: int | None = None
        for level in (1, 2, 3, 4):
            if level == 1 and number % 2:
                parent = patient_row
                continue
            row, following = following, following + 1
            names = (entry.patient_id, entry.uid(2), entry.uid(3), entry.uid(4))
            digest = hashlib.sha1("|".join(names[:level]).encode()).hexdigest()
            public = "-".join(digest[begin : begin + 8] for begin in range(0, 40, 8))
            index.execute(
                "INSERT INTO Resources(internalId, resourceType, publicId, parentId) "
                "VALUES (?, ?, ?, ?)", (row, level, public, parent),
            )  # fmt: skip
            if level == 1:
                patient_row = row
                index.execute("INSERT INTO PatientRecyclingOrder(patientId) VALUES (?)", (row,))
            for table in ("MainDicomTags", "DicomIdentifiers"):
                index.executemany(
                    f"INSERT INTO {table} VALUES (?, ?, ?, ?)",
                    [
                        (row, group, element, _value(entry, (group, element), old))
                        for _, group, element, old in kept[table, level]
                    ],
                )
            index.executemany(
                f"INSERT INTO Metadata VALUES ({', '.join('?' * len(kept['Metadata', level][0]))})",
                [(row, *rest) for _, *rest in kept["Metadata", level]],
            )
            parent = row
    index.commit()


def _value(entry: Entry, key: Key, old: str) -> str:
    """Return what a study has in a tag; other tags stay as they were stored."""
    return {
        NAME: entry.name,
        PATIENT_ID: entry.patient_id,
        (0x0010, 0x0030): f"{entry.birth:%Y%m%d}",
        DAY: f"{entry.day:%Y%m%d}",
        ACCESSION: entry.accession,
        (0x0008, 0x0060): entry.modality,
        (0x0008, 0x1030): "BENCH STUDY",
        STUDY_UID: entry.uid(2),
        (0x0020, 0x000E): entry.uid(3),
        (0x0008, 0x0018): entry.uid(4),
    }.get(key, old)


# --- the run -------------------------------------------------------------------------------------
def run(servers: list[Server], studies: int, rounds: int) -> None:
    """Ask every server the same questions in turns and print what they took."""
    asker = {server.name: Asker(server) for server in servers}
    chance = random.Random(1)
    taken: dict[tuple[str, str], list[float]] = {}
    counts: dict[str, list[int]] = {}
    for turn in range(rounds + 2):
        entry = Entry(chance.randrange(studies))
        for kind, keys in questions(entry):
            found = {}
            for server in servers if turn % 2 else servers[::-1]:
                milliseconds, found[server.name] = asker[server.name].ask(keys)
                if turn >= 2:
                    taken.setdefault((kind, server.name), []).append(milliseconds)
            if len(set(found.values())) > 1:
                raise RuntimeError(f"{kind}: the servers find {found}")
            counts.setdefault(kind, []).append(next(iter(found.values())))
    for one in asker.values():
        one.close()
    _report(servers, taken, counts)


def _report(
    servers: list[Server], taken: dict[tuple[str, str], list[float]], counts: dict[str, list[int]]
) -> None:
    print(f"\n{'question':<20}{'answers':>9}", end="")
    for server in servers:
        print(f"{server.name + ' ms':>14}{'p95':>9}", end="")
    print(f"{'ratio p95':>12}")
    for kind, found in [*counts.items(), ("all", [0])]:
        print(f"{kind:<20}{statistics.median(found):>9.0f}", end="")
        p95s = []
        for server in servers:
            values = [
                value
                for (asked, name), some in taken.items()
                for value in some
                if name == server.name and kind in (asked, "all")
            ]
            p95s.append(statistics.quantiles(values, n=20)[-1])
            print(f"{statistics.median(values):>14.1f}{p95s[-1]:>9.1f}", end="")
        print(f"{p95s[0] / p95s[-1]:>12.3f}" if len(p95s) > 1 else "")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=20, help="of each kind")
    parser.add_argument("--only", choices=["noctis", "orthanc"])
    parser.add_argument("--place", type=Path, help="where the servers keep their storage")
    parser.add_argument("--port", type=int, default=11190)
    options = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix=f"bench-{uuid.uuid4().hex[:6]}-", dir=options.place))
    servers: list[Server] = []
    try:
        if options.only != "orthanc":
            noctis = FilledNoctis(place, options.port, provision=PROVISION)
            noctis.start()
            servers.append(noctis)
            noctis.fill(options.studies)
        if options.only != "noctis" and ORTHANC.exists():
            also: dict[str, object] = {"DicomAlwaysAllowFind": True, "OverwriteInstances": False}
            orthanc = FilledOrthanc(place, options.port + 2, also)
            orthanc.start()
            servers.append(orthanc)
            orthanc.fill(options.studies)
        run(servers, options.studies, options.questions)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
