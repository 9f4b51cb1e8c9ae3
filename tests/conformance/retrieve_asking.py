"""How tests ask for retrievals: movescu and getscu, and a bare client for what those cannot do."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from tests.conformance.dcmtk import Storescp
from tests.conformance.dimse import (
    DATA_SET_TYPE,
    FIELD,
    IMPLICIT_LITTLE,
    MESSAGE_ID,
    SOP_CLASS,
    STATUS,
    Client,
    context,
    encode,
)
from tests.conformance.port import Port
from tests.conformance.retrieving import Stock
from tests.conformance.test_dimse_store import read_data_set

PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"


@dataclass
class House:
    """The receiver, what is in it, and a destination that takes uncompressed images alone."""

    stock: Stock
    scp: Storescp
    compressed: str
    foreign: str

    @property
    def port(self) -> Port:
        return self.stock.port


def keys_of(level: str, **keys: str) -> list[str]:
    pairs = {"QueryRetrieveLevel": level, **keys}
    return [word for name, value in pairs.items() for word in ("-k", f"{name}={value}")]


def movescu(
    house: House,
    level: str,
    *options: str,
    to: str = "THERE",
    calling: str = "ASKER",
    root: str = "-S",
    **keys: str,
) -> str:
    """Run movescu; return all it says."""
    return subprocess.run(
        [
            *("movescu", "-d", root, "-aet", calling, "-aec", "NOCTIS_SCP", "-aem", to),
            *(*options, "localhost", str(house.port.number), *keys_of(level, **keys)),
        ],
        check=False,
        timeout=60,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ).stdout


def last(said: str) -> tuple[int, dict[str, int]]:
    """Return status and counters of the last response in what a DCMTK program says."""
    message = said.rpartition("DIMSE MESSAGE =")[0].rpartition("Message Type")[2]
    status = re.findall(r"DIMSE Status +: 0x([0-9a-f]{4})", said)[-1]
    counters = re.findall(r"(\w+) Suboperations +: (\d+)", message)
    return int(status, 16), {name: int(count) for name, count in counters}


def received(folder: Path) -> dict[str, Path]:
    return {str(dcmread(path).SOPInstanceUID): path for path in folder.iterdir()}


def assert_whole(house: House, folder: Path, uids: set[str]) -> None:
    """Exactly these came, each with the very data set that was stored."""
    came = received(folder)
    assert set(came) == uids
    for uid, path in came.items():
        assert read_data_set(path) == read_data_set(house.stock.files[uid])


def asked_for(stock: Stock, case: str) -> tuple[str, str, dict[str, str], set[str]]:
    """Return root, level, keys, and the instances that they mean."""
    anna = stock.value("StudyInstanceUID", PatientID="ANNA")
    series = stock.value("SeriesInstanceUID", StudyInstanceUID=anna[0])
    instances = stock.value("SOPInstanceUID", SeriesInstanceUID=series[0])
    of_study = {"StudyInstanceUID": anna[0]}
    of_series = {**of_study, "SeriesInstanceUID": series[0]}
    patient = {"PatientID": "ANNA"}
    cases: dict[str, tuple[str, str, dict[str, str], set[str]]] = {
        "patient": ("-P", "PATIENT", patient, stock.uids(**patient)),
        "study": ("-S", "STUDY", of_study, stock.uids(**of_study)),
        "studies": ("-S", "STUDY", {"StudyInstanceUID": "\\".join(anna)}, stock.uids(**patient)),
        "study of patient": ("-P", "STUDY", {**patient, **of_study}, stock.uids(**of_study)),
        "study of another": ("-P", "STUDY", {"PatientID": "BERT", **of_study}, set()),
        "series": ("-S", "SERIES", of_series, stock.uids(**of_series)),
        "two series": (
            "-S",
            "SERIES",
            {**of_study, "SeriesInstanceUID": "\\".join(series)},
            stock.uids(**of_study),
        ),
        "images": (
            "-P",
            "IMAGE",
            {**patient, **of_series, "SOPInstanceUID": "\\".join(instances[:2])},
            set(instances[:2]),
        ),
        "unknown among images": (
            "-S",
            "IMAGE",
            {**of_series, "SOPInstanceUID": f"{instances[0]}\\1.2.3"},
            {instances[0]},
        ),
        "nothing": ("-S", "STUDY", {"StudyInstanceUID": "1.2.3"}, set()),
    }
    return cases[case]


def getscu(
    house: House, folder: Path, level: str, *options: str, root: str = "-S", **keys: str
) -> str:
    """Run getscu, which keeps data sets exactly as they come (+B); return all it says."""
    return subprocess.run(
        [
            *("getscu", "-d", "+B", root, "-aet", "ASKER", "-aec", "NOCTIS_SCP", *options),
            *("-od", str(folder), "localhost", str(house.port.number), *keys_of(level, **keys)),
        ],
        check=False,
        timeout=60,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ).stdout


def run_movescu(house: House, keys: list[str]) -> str:
    """Run movescu with these keys alone."""
    return subprocess.run(
        [
            *("movescu", "-d", "-S", "-aet", "ASKER", "-aec", "NOCTIS_SCP", "-aem", "THERE"),
            *("localhost", str(house.port.number), *keys),
        ],
        check=False,
        timeout=60,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ).stdout


def read_answer(client: Client) -> dict[int, int]:
    """Return the next response's numbers; its data set, if it has one, is passed over."""
    raw = client.read_response()
    answer = {
        number: value if isinstance(value, int) else int.from_bytes(value[:2], "little")
        for number, value in raw.items()
    }
    if answer[DATA_SET_TYPE] != 0x0101:
        while not client.read_pdu()[1][5] & 2:
            pass
    return answer


def answers_of(client: Client) -> Iterator[dict[int, int]]:
    while True:
        answer = read_answer(client)
        yield answer
        if answer[STATUS] != 0xFF00:
            return


def ask(client: Client, context_id: int, sop_class: str, field: int, **also: str) -> None:
    to = {0x0600: "THERE"} if field == 0x0021 else {}
    client.send_command(
        context_id,
        {SOP_CLASS: sop_class, FIELD: field, MESSAGE_ID: 9, 0x0700: 0, DATA_SET_TYPE: 0, **to},
    )
    identifier = Dataset()
    for keyword, value in also.items():
        setattr(identifier, keyword, value)
    client.send_data_set(context_id, encode(identifier, IMPLICIT_LITTLE))


@contextlib.contextmanager
def get_client(house: House, level: str, **keys: str) -> Iterator[tuple[Client, int]]:
    """Ask by C-GET on an association that has no context for any image."""
    with house.port.client() as client:
        client.associate(context(1, PATIENT_ROOT_GET, IMPLICIT_LITTLE), calling=b"ASKER")
        ask(client, 1, PATIENT_ROOT_GET, 0x0010, QueryRetrieveLevel=level, **keys)
        yield client, 1
        client.release()
