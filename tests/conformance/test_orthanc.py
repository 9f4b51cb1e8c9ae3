"""Orthanc as the other PACS: C-STORE, C-FIND and C-MOVE both ways, bit-exact."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from dicom_receiver import command as dimse
from dicom_receiver.contexts import STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from dicom_receiver.requestor import Offer, Requestor, Target
from tests.conformance.dimse import encode
from tests.conformance.port import Port, wait_for
from tests.conformance.retrieving import Stock, fill, provision
from tests.conformance.test_dimse_store import make_ct, read_data_set
from tests.services import find_free_port

ORTHANC = shutil.which("Orthanc") or "/usr/sbin/Orthanc"

pytestmark = pytest.mark.skipif(not Path(ORTHANC).exists(), reason="Orthanc is not installed")


@dataclass
class Orthanc:
    """A running Orthanc, asked over its REST interface."""

    dicom: int
    http: int

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}{path}",
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if path.rpartition("/")[2] != "file" else content

    def answers(self) -> bool:
        with suppress(OSError, urllib.error.URLError):
            return bool(self.ask("/system"))
        return False

    def data_sets(self) -> dict[str, bytes]:
        """Return every stored data set by SOP Instance UID."""
        found = {}
        for name in self.ask("/instances"):
            uid = self.ask(f"/instances/{name}")["MainDicomTags"]["SOPInstanceUID"]
            content = self.ask(f"/instances/{name}/file")
            found[uid] = content[144 + int.from_bytes(content[140:144], "little") :]
        return found

    def upload(self, path: Path) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/instances", data=path.read_bytes()
        )
        urllib.request.urlopen(request, timeout=30).close()

    def forget(self) -> None:
        for name in self.ask("/patients"):
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.http}/patients/{name}", method="DELETE"
            )
            urllib.request.urlopen(request, timeout=30).close()


@dataclass
class Two:
    """Noctis with a stock that is stored there, and Orthanc; each knows the other."""

    stock: Stock
    orthanc: Orthanc

    @property
    def port(self) -> Port:
        return self.stock.port

    @property
    def study(self) -> str:
        return self.stock.value("StudyInstanceUID", PatientID="ANNA")[0]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("two")
    (folder / "stock").mkdir()
    port = Port(folder, DATABASE_URL="")
    orthanc = Orthanc(find_free_port(), find_free_port())
    process = start_orthanc(folder, orthanc, port.number)
    try:
        port.migrate()
        provision(
            port,
            f"""
            [[facility]]
            code = "north"
            name = "North"
            [[peer]]
            ae_title = "ORTHANC"
            facility = "north"
            host = "127.0.0.1"
            port = {orthanc.dicom}
            may = ["store", "find", "move", "get"]
            """,
        )
        stock = Stock(port, folder / "stock")
        fill(stock)
        port.start()
        wait_for(orthanc.answers, 30)
        yield Two(stock, orthanc)
    finally:
        port.stop()
        process.terminate()
        process.wait(20)


def start_orthanc(folder: Path, orthanc: Orthanc, noctis: int) -> subprocess.Popen[bytes]:
    configuration = {
        "StorageDirectory": str(folder / "orthanc"),
        "IndexDirectory": str(folder / "orthanc"),
        "DicomAet": "ORTHANC",
        "DicomPort": orthanc.dicom,
        "HttpPort": orthanc.http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"noctis": ["NOCTIS_SCP", "127.0.0.1", noctis]},
        "StableAge": 1,
        "Plugins": [],
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    return subprocess.Popen(
        [ORTHANC, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def test_both_ways(two: Two) -> None:
    """One story, because each step needs what the one before it brought."""
    stock, orthanc = two.stock, two.orthanc
    truth = {uid: read_data_set(path) for uid, path in stock.files.items()}

    # Noctis stores in Orthanc, and Orthanc in Noctis.
    said = two.port.manage(
        "send_dicom", str(stock.folder), "--port", str(orthanc.dicom), "--called", "ORTHANC",
        "--aet", "NOCTIS_SCP",
    )  # fmt: skip
    assert said.splitlines()[-1] == "20 files: 20 stored, 0 failed"
    assert orthanc.data_sets() == truth
    for name in orthanc.ask("/patients"):
        answer = orthanc.ask("/modalities/noctis/store", {"Resources": [name], "Synchronous": True})
        assert answer["FailedInstancesCount"] == 0
    assert stored_in(two.port) == truth

    # Orthanc has Noctis send to Orthanc what it has forgotten.
    orthanc.forget()
    assert orthanc.data_sets() == {}
    orthanc.ask(
        "/modalities/noctis/move",
        {
            "Level": "Study",
            "Resources": [{"StudyInstanceUID": two.study}],
            "TargetAet": "ORTHANC",
            "Synchronous": True,
        },
    )
    wanted = {uid: truth[uid] for uid in stock.uids(StudyInstanceUID=two.study)}
    assert orthanc.data_sets() == wanted

    # Each asks the other what it has.
    query = orthanc.ask(
        "/modalities/noctis/query", {"Level": "Study", "Query": {"PatientID": "ANNA"}}
    )
    answers = orthanc.ask(f"{query['Path']}/answers?expand&simplify")
    found = sorted(answer["StudyInstanceUID"] for answer in answers)
    assert found == stock.value("StudyInstanceUID", PatientID="ANNA")
    target = Target(host="127.0.0.1", port=orthanc.dicom, called_ae="ORTHANC")
    with Requestor(target, [Offer(STUDY_ROOT_FIND), Offer(STUDY_ROOT_MOVE)]) as peer:
        asked = ask_orthanc(peer, STUDY_ROOT_FIND, dimse.C_FIND_RQ, StudyInstanceUID="")
        found = [dcm.StudyInstanceUID for dcm in asked]
        assert found == [two.study]

        # Orthanc sends to Noctis what Noctis does not have yet.
        new = make_ct(PatientID="NEW")
        stock.add(new)
        uid, study = str(new.SOPInstanceUID), str(new.StudyInstanceUID)
        orthanc.upload(stock.files[uid])
        ask_orthanc(peer, STUDY_ROOT_MOVE, dimse.C_MOVE_RQ, StudyInstanceUID=study)
    assert stored_in(two.port) == {**truth, uid: read_data_set(stock.files[uid])}


def ask_orthanc(peer: Requestor, sop_class: str, field: int, **keys: str) -> list[Dataset]:
    """Ask at study level; return the identifiers of the pending answers."""
    agreed = peer.context_for(sop_class)
    assert agreed is not None
    elements: dict[int, int | str | bytes] = {
        dimse.AFFECTED_SOP_CLASS_UID: sop_class,
        dimse.COMMAND_FIELD: field,
        dimse.PRIORITY: 0,
    }
    if field == dimse.C_MOVE_RQ:
        elements[dimse.MOVE_DESTINATION] = "NOCTIS_SCP"
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    *pending, last = peer.request(agreed, elements, encode(identifier, agreed.transfer_syntax))
    assert last.status == 0
    return [
        dcmread(io.BytesIO(one.data_set), force=True) for one in pending if one.data_set is not None
    ]


def stored_in(port: Port) -> dict[str, bytes]:
    """Return every data set in Noctis' archive, by the UID in its header."""
    found = {}
    for path in (port.home / "media" / "studies").rglob("*.dcm"):
        content = path.read_bytes()
        begin = content.index(b"\x08\x00\x18\x00UI")
        size = int.from_bytes(content[begin + 6 : begin + 8], "little")
        uid = content[begin + 8 : begin + 8 + size].rstrip(b"\0").decode()
        found[uid] = read_data_set(path)
    return found
