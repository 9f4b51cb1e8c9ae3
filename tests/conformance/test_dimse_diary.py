"""What the doctor reads: the diary of a real receiver, in several processes."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
from django.core import serializers
from django.test import Client as Browser
from django.urls import reverse
from pydicom.uid import JPEGLSLossless

from accounts.models import Facility, User
from dicom_receiver.doctor.models import Call, RefusalCount
from dicom_receiver.models import Peer
from tests.conformance.conftest import HASTY, StartPort
from tests.conformance.dimse import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    VERIFICATION,
    Client,
    ClosedError,
    RefusedError,
    context,
    encode,
)
from tests.conformance.inside import InsidePort
from tests.conformance.port import Port, wait_for
from tests.conformance.test_dimse_store import make_ct

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
ECHO = context(1, VERIFICATION, EXPLICIT_LITTLE)
CT = context(1, CT_IMAGE_STORAGE, EXPLICIT_LITTLE)


def call_as(port: Port, title: bytes, *contexts: bytes, called: bytes = b"NOCTIS_SCP") -> None:
    """Call, and go in order."""
    with suppress(RefusedError), port.client() as client:
        client.associate(*contexts, calling=title, called=called)
        client.release()


def find_call(title: str) -> Call:
    """Return the call of a title, as soon as it has ended and is written."""
    ended = Call.objects.filter(ae_title=title).exclude(outcome=Call.Outcome.LIVE)
    wait_for(ended.exists)
    return ended.get()


def test_doctor_hears_of_every_call_and_of_no_patient(start_port: StartPort) -> None:
    facility = Facility.objects.create(code="A", name="A")
    Peer.objects.create(ae_title="CT1", facility=facility)
    Peer.objects.create(ae_title="MR1", facility=facility, host="192.0.2.1", check_address=True)
    port = start_port(**HASTY)
    find = context(3, STUDY_ROOT_FIND, IMPLICIT_LITTLE)
    call_as(port, b"WRONG", ECHO, called=b"ORTHANC")
    call_as(port, b"MR1", ECHO)
    call_as(port, b"US7", CT, find)
    dataset = make_ct()
    with port.client() as client:
        client.associate(CT, find, context(5, MR, JPEGLSLossless), calling=b"CT1")
        client.store(CT_IMAGE_STORAGE, str(dataset.SOPInstanceUID), encode(dataset))
        client.store(CT_IMAGE_STORAGE, "1.2.3", encode(dataset))
        wait_for(lambda: Call.objects.filter(ae_title="CT1", outcome="live").exists())
        client.release()
    with Client(port.number) as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ClosedError):
            client.read(1)

    wrong = find_call("WRONG")
    assert (wrong.outcome, wrong.cause, wrong.called_ae_title) == (
        "refused",
        "called_unknown",
        "ORTHANC",
    )
    assert (find_call("MR1").cause, find_call("MR1").facility) == ("other_address", None)
    assert {one["result"] for one in find_call("US7").contexts} == {0, 1}
    call = find_call("CT1")
    assert (call.facility, call.outcome, call.address) == (facility, "released", "127.0.0.1")
    assert sorted(one[1] for one in call.answers) == [0x0000, 0xA900]
    assert {one["chosen"] for one in call.contexts} == {EXPLICIT_LITTLE, JPEGLSLossless, ""}
    assert find_call("").cause == "not_dicom"
    wait_for(lambda: RefusalCount.objects.filter(cause="called_unknown", count=1).exists())
    wait_for(lambda: RefusalCount.objects.filter(cause="not_dicom").exists())
    written = json.dumps(json.loads(serializers.serialize("json", Call.objects.all())))
    for secret in ("Secret", "P1", str(dataset.SOPInstanceUID), str(dataset.StudyInstanceUID)):
        assert secret not in written


MR = "1.2.840.10008.5.1.4.1.1.4"


def test_child_that_hangs_is_replaced_and_its_calls_are_over(start_port: StartPort) -> None:
    """A process that lives and does nothing is found, ended and started again."""
    port = start_port(NOCTIS_SILENT_SECONDS="2", **HASTY)
    first, second = port.children()
    with ExitStack() as opened:
        clients = [opened.enter_context(port.client()) for _ in range(2)]
        for client in clients:
            client.associate(ECHO, calling=b"HELD")
        live = Call.objects.filter(ae_title="HELD", outcome="live")
        wait_for(lambda: live.count() == 2)

        os.kill(first, signal.SIGSTOP)

        wait_for(lambda: "is silent and is killed" in port.said(), 60)
        wait_for(lambda: port.said().count(" serves") >= 3, 60)
        assert second in port.children()
        assert first not in port.children()
        wait_for(lambda: live.count() == 1)
        alive = [client for client in clients if answers(client)]
        assert len(alive) == 1
    for _ in range(4):
        assert port.echoes()


def answers(client: Client) -> bool:
    with suppress(ClosedError, ConnectionError):
        return client.echo() == 0
    return False


@pytest.mark.dcmtk
def test_doctor_says_what_to_do_when_a_move_names_an_unknown_destination(
    inside: InsidePort, north: Facility, admin: User, client_of: Callable[[User], Browser]
) -> None:
    Peer.objects.create(ae_title="ASKER", facility=north, may_move=True)
    said = subprocess.run(
        [
            *("movescu", "-d", "-P", "-aet", "ASKER", "-aec", "NOCTIS_SCP", "-aem", "NOBODY"),
            *("127.0.0.1", str(inside.number)),
            *("-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=P1"),
        ],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"0xa801" in said.stdout + said.stderr
    ended = Call.objects.filter(ae_title="ASKER").exclude(outcome=Call.Outcome.LIVE)
    wait_for(lambda: inside.write_counts() or ended.exists())

    call = ended.get()
    assert call.has_trouble
    page = client_of(admin).get(reverse("doctor:call", args=[call.pk])).content.decode()
    assert "A801H" in page
    assert "The destination it named is no peer that we know." in page
    assert html.escape("Add the destination's AE title as a peer, with host and port.") in page
    assert "P1" not in json.dumps([call.answers, call.contexts])
