"""Commitment, worklist and performed steps by HTTP: what DIMSE has, by other words (PS3.18 13-15)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditRow, Facility, Role, User
from archive import storage
from archive.models import Instance
from dicom_receiver.commitment.checking import check_next
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.commitment.reporting import report_next
from imaging.dicom_xml import to_xml
from imaging.json_reader import read_metadata
from tests.factories import make_user
from tests.unit.dicomweb.bodies import JSON, STUDY, body, file, part, store
from tests.unit.worklist.ordering import make_order
from worklist.order_models import PerformedStep, ScheduledStep

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
COMMITMENT = "/dicomweb/commitment-requests/1.2.3.4"
STEPS = "/dicomweb/modality-scheduled-procedure-steps"
STEP = "/dicomweb/modality-performed-procedure-steps/1.2.840.77"


def _post(client: Client, path: str, document: dict[str, Any] | bytes, kind: str = JSON) -> Any:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(path, content, content_type=kind)


# --- commitment ----------------------------------------------------------------------------
def _wish(*uids: str) -> dict[str, Any]:
    items = [
        {"00081150": {"vr": "UI", "Value": [CAPTURE]}, "00081155": {"vr": "UI", "Value": [uid]}}
        for uid in uids
    ]
    return {"00081199": {"vr": "SQ", "Value": items}}


def _promised(response: Any) -> dict[str, int]:
    """Return the reason of each instance, 0 of those that are promised."""
    found = {}
    for tag in ("00081199", "00081198"):
        for item in response.json().get(tag, {}).get("Value", []):
            reason = item.get("00081197", {"Value": [0]})["Value"][0]
            found[item["00081155"]["Value"][0].removeprefix(f"{STUDY}.1.")] = reason
    return found


def test_what_is_stored_is_promised_once_its_file_was_read(
    north: Facility, south: Facility, tess: User, fiona: User, client: Client
) -> None:
    client.force_login(tess)
    store(client, body(part(file(1)), part(file(2))))
    broken = Instance.objects.get(sop_instance_uid=f"{STUDY}.1.2")
    path = storage.path_of(broken.storage_key)
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    response = _post(client, COMMITMENT, _wish(f"{STUDY}.1.1", f"{STUDY}.1.2", f"{STUDY}.1.9"))

    assert response.status_code == 200
    assert _promised(response) == {"1": 0, "2": 0x0110, "9": 0x0112}
    assert _promised(client.get(COMMITMENT)) == _promised(response)
    assert _post(client, COMMITMENT, _wish(f"{STUDY}.1.1")).status_code == 409
    actions = list(AuditRow.objects.filter(user=tess).values_list("action", flat=True))
    assert {"commitment_requested", "commitment_reported"} <= set(actions)
    # Nobody is called: who asked fetches it, and nobody else.
    assert not report_next()
    client.force_login(fiona)
    assert client.get(COMMITMENT).status_code == 404
    assert _promised(_post(client, COMMITMENT, _wish(f"{STUDY}.1.1"))) == {"1": 0x0112}


def test_a_long_check_is_fetched_later(north: Facility, tess: User, client: Client) -> None:
    client.force_login(tess)
    store(client, body(part(file(1))))
    _post(client, COMMITMENT, _wish(f"{STUDY}.1.1"))
    # As if the worker were still at it.
    Commitment.objects.update(status=Commitment.Status.CHECKING, checked_count=0)

    waiting = client.get(COMMITMENT)

    assert (waiting.status_code, waiting["Retry-After"]) == (202, "5")
    assert check_next()
    assert _promised(client.get(COMMITMENT)) == {"1": 0}


@pytest.mark.parametrize(
    ("document", "kind", "status"),
    [
        ({}, JSON, 400),
        (b"{", JSON, 400),
        (_wish("1.2.x"), JSON, 400),
        (_wish("1.2"), "text/plain", 415),
        (b" " * (9 << 20), JSON, 413),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    document: Any, kind: str, status: int, north: Facility, tess: User, client: Client
) -> None:
    client.force_login(tess)

    assert _post(client, COMMITMENT, document, kind).status_code == status
    assert Commitment.objects.count() == 0


# --- worklist ------------------------------------------------------------------------------
def _patients(client: Client, **keys: str) -> list[str]:
    response = client.get(STEPS, keys)
    assert response.status_code == 200, response.content
    return [answer["00100020"]["Value"][0] for answer in response.json()]


def test_the_worklist_answers_as_it_does_to_scanners(
    north: Facility, south: Facility, rada: User, client: Client
) -> None:
    ct = make_order(rada, north, patient_id="P-CT")
    make_order(rada, north, patient_id="P-MR")
    make_order(rada, south, patient_id="P-FOREIGN")
    ScheduledStep.objects.filter(order=ct).update(modality="XA")
    client.force_login(rada)

    assert sorted(_patients(client)) == ["P-CT", "P-MR"]
    assert _patients(client, **{"ScheduledProcedureStepSequence.Modality": "XA"}) == ["P-CT"]
    assert _patients(client, PatientID="P-M*") == ["P-MR"]
    (answer,) = client.get(STEPS, {"00400100.00080060": "XA"}).json()
    (step,) = answer["00400100"]["Value"]
    assert (step["00080060"]["Value"], answer["0020000D"]["Value"]) == (
        ["XA"],
        [ct.study_instance_uid],
    )
    page = client.get(STEPS, {"limit": "1"})
    assert (len(page.json()), "offset=1" in page["Link"]) == (1, True)
    assert client.get(STEPS, {"PixelSpacing": "1"}).status_code == 400
    assert client.get(STEPS, {"Nonsense": "1"}).status_code == 400
    trail = AuditRow.objects.filter(action="search").latest("id")
    assert trail.detail["by"] == "modality worklist over HTTP"


# --- performed steps -----------------------------------------------------------------------
def _begun(order: Any) -> dict[str, Any]:
    said = {
        "00400253": ("SH", "PPS1"), "00400241": ("AE", "CT1"), "00400244": ("DA", "20240305"),
        "00400245": ("TM", "0915"), "00400252": ("CS", "IN PROGRESS"), "00080060": ("CS", "CT"),
        "00100020": ("LO", order.patient_id),
    }  # fmt: skip
    found = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in said.items()}
    uid = {"vr": "UI", "Value": [order.study_instance_uid]}
    return {**found, "00400270": {"vr": "SQ", "Value": [{"0020000D": uid}]}}


def test_a_step_is_begun_changed_and_ended_once(
    north: Facility, south: Facility, tess: User, fiona: User, client: Client
) -> None:
    order = make_order(tess, north, patient_id="P1")
    client.force_login(tess)

    made = _post(client, STEP, _begun(order))

    assert (made.status_code, made["Location"]) == (201, f"http://testserver{STEP}")
    assert ScheduledStep.objects.get(order=order).status == ScheduledStep.Status.STARTED
    assert _post(client, STEP, _begun(order)).status_code == 409
    assert client.get(STEP).json()["00400253"] == {"vr": "SH", "Value": ["PPS1"]}
    assert PerformedStep.objects.get().sender == "CT1"
    assert AuditRow.objects.get(action="procedure_step_started").user == tess
    # Only of one's own facility, and only what may change.
    client.force_login(fiona)
    stopped = {"00400252": {"vr": "CS", "Value": ["DISCONTINUED"]}}
    assert (
        client.get(STEP).status_code == _post(client, f"{STEP}?update", stopped).status_code == 404
    )
    client.force_login(tess)
    assert _post(client, f"{STEP}?update", {"00080060": {"vr": "CS"}}).status_code == 409
    assert _post(client, f"{STEP}?update", stopped).status_code == 400
    ends = {
        "00400250": {"vr": "DA", "Value": ["20240305"]},
        "00400251": {"vr": "TM", "Value": ["0930"]},
    }
    text = to_xml(read_metadata({**stopped, **ends}).dataset)
    assert _post(client, f"{STEP}?update", text, "application/dicom+xml").status_code == 200
    assert PerformedStep.objects.get().status == PerformedStep.Status.DISCONTINUED
    assert _post(client, f"{STEP}?update", stopped).status_code == 409


def test_referrers_neither_scan_nor_store(north: Facility, client: Client) -> None:
    client.force_login(make_user("ref", Role.REFERRER, [north]))

    for path in (STEP, COMMITMENT):
        assert client.get(path).status_code == _post(client, path, {}).status_code == 403
