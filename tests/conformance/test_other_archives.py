"""Orthanc as the archive that people query, import from and send to, by DIMSE and by DICOMweb."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from accounts.models import Facility, Role, User
from archive import storage
from archive.models import Instance, Study
from dicom_receiver.models import Peer
from dicom_receiver.remote import asking, exchange_turns, exchanges
from dicom_receiver.remote.answers import Question
from dicom_receiver.remote.exchange_run import run
from dicom_receiver.remote.exchanges import AnyPeer
from dicom_receiver.remote.models import Exchange, WebPeer
from dicom_receiver.remote.probing import probe
from tests import factories
from tests.conformance.port import Port, wait_for
from tests.conformance.test_orthanc import ORTHANC, Orthanc
from tests.services import find_free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

pytestmark = [
    pytest.mark.skipif(not Path(ORTHANC).exists(), reason="Orthanc is not installed"),
    pytest.mark.skipif(not PLUGIN.exists(), reason="Orthanc's DICOMweb is not installed"),
]
STUDY, NAME = generate_uid(), "Müller^Änne"
DATA_SET_TRAILING_PADDING = 0xFFFCFFFC
# Orthanc's DICOMweb 1.7 takes %C3%BC for six letters, so that no name with an umlaut is found.
WANTED = Question(patient_id="1?", accession_number="A*", modality="CT")


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Orthanc]:
    """Run an Orthanc with a study of three images."""
    there = Orthanc(find_free_port(), find_free_port())
    configuration = {
        **{f"{name}Directory": str(tmp_path / "orthanc") for name in ("Storage", "Index")},
        "DicomAet": "ORTHANC",
        "DicomPort": there.dicom,
        "HttpPort": there.http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "StableAge": 1,
        "DicomCheckCalledAet": False,
        "Plugins": [str(PLUGIN)],
        **{f"DicomAlwaysAllow{name}": True for name in ("Find", "Get", "Move")},
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(configuration))
    process = subprocess.Popen(
        [ORTHANC, str(tmp_path / "orthanc.json")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(there.answers, 30)
        _fill(there, tmp_path)
        yield there
    finally:
        process.terminate()
        process.wait(20)


def _fill(there: Orthanc, folder: Path) -> None:
    """Upload two series of one study: as it is, and compressed without loss."""
    about = {"StudyInstanceUID": STUDY, "PatientID": "17", "PatientName": NAME}
    about |= {"StudyDate": "20240305", "StudyTime": "0915", "PatientSex": "F"}
    about |= {"StudyDescription": "CT", "PatientBirthDate": "19700102"}
    also = {"SpecificCharacterSet": "ISO_IR 100", "AccessionNumber": "A1", "Modality": "CT"}
    for name, count in (("CT_small.dcm", 2), ("MR_small_RLE.dcm", 1)):
        series = generate_uid()
        for _number in range(count):
            uids = {"SeriesInstanceUID": series, "SOPInstanceUID": generate_uid()}
            dataset = factories.read_bundled(name, **about, **also, **uids)
            # Orthanc leaves the padding behind the data set out when it sends.
            dataset.pop(DATA_SET_TRAILING_PADDING, None)
            path = folder / f"{uids['SOPInstanceUID']}.dcm"
            path.write_bytes(factories.as_part10(dataset))
            there.upload(path)


def _introduce(there: Orthanc, ae_title: str, port: int) -> None:
    """Tell the other archive where we are, and what we are called."""
    about = {"AET": ae_title, "Host": "127.0.0.1", "Port": port}
    request = urllib.request.Request(
        f"http://127.0.0.1:{there.http}/modalities/noctis",
        data=json.dumps(about).encode(),
        method="PUT",
    )
    urllib.request.urlopen(request, timeout=30).close()


def _here(facility: Facility) -> dict[str, bytes]:
    """Return every data set of a facility by SOP Instance UID."""
    found = {}
    for one in Instance.objects.in_facilities([facility.pk]):
        content = storage.open_instance(one.storage_key).read()
        found[one.sop_instance_uid] = content[one.dataset_offset :]
    return found


def _bring(user: User, peer: AnyPeer, **facts: Any) -> Exchange:
    exchanges.ask_for(user, peer, {"study_instance_uid": STUDY, **facts})
    return _run_next()


def _run_next() -> Exchange:
    row = exchange_turns.claim_next("here")
    assert row is not None
    run(row, threading.Event())
    row.refresh_from_db()
    return row


def test_an_archive_is_asked_fetched_from_and_sent_to(port: Port, there: Orthanc) -> None:
    """One story: starting the other archive takes longer than any of its chapters."""
    places = {code: factories.make_facility(code) for code in ("web", "get", "move")}
    anna = factories.make_user("anna", Role.RADIOLOGIST, places.values())
    at = {"host": "127.0.0.1", "port": there.dicom}
    mover = Peer.objects.create(ae_title="ORTHANC", facility=places["move"], **at)
    getter = Peer.objects.create(
        ae_title="ORTHGET", facility=places["get"], retrieve_method="get", **at
    )
    address = f"http://127.0.0.1:{there.http}/dicom-web"
    web = WebPeer.objects.create(name="web", facility=places["web"], base_url=address)
    _introduce(there, "NOCTIS_SCP", port.number)

    # It answers a test, and the same to both kinds of question.
    assert probe(mover).is_well
    assert probe(web).is_well
    by_dimse, by_web = (asking.find_studies(peer, WANTED).rows for peer in (mover, web))
    assert by_dimse == by_web
    assert asking.find_studies(mover, Question(patient_name="müller än")).rows == by_dimse
    (study,) = by_dimse
    assert (study.patient_name, study.accession_number) == (NAME, "A1")
    assert (study.series_count, study.instance_count) == (2, 3)
    by_uid = lambda row: row.uid  # noqa: E731
    one, other = (sorted(asking.find_series(peer, STUDY).rows, key=by_uid) for peer in (mover, web))
    assert one == other
    assert sorted(row.instance_count or 0 for row in one) == [1, 2]

    # A series, then the study; by each of the three ways, byte for byte.
    truth = there.data_sets()
    small = next(row for row in one if row.instance_count == 1)
    for peer in (web, getter, mover):
        place = peer.facility
        row = _bring(anna, peer, series_instance_uid=small.uid, expected=1)
        assert (row.status, row.done, row.reason) == ("done", 1, ""), peer
        assert len(_here(place)) == 1
        row = _bring(anna, peer, expected=3)
        assert (row.status, row.done, row.reason) == ("done", 3, ""), peer
        assert _here(place) == truth, peer

    # Back again, to an archive that has lost it.
    there.forget()
    exchanges.ask_to_send(anna, web, Study.objects.in_facilities([places["web"].pk]).get())
    assert _run_next().status == "done"
    assert there.data_sets() == truth
