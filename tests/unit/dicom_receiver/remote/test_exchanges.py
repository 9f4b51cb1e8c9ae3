"""Imports and sendings by DICOMweb: rows first, bytes as they are, ends in words."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import transaction
from pydicom.uid import generate_uid

from accounts.models import AuditRow, Facility, User
from archive import storage
from archive.importing import import_many
from archive.ingest import Source
from archive.models import Instance, Study
from dicom_receiver.command import Command
from dicom_receiver.models import Peer
from dicom_receiver.remote import exchange_turns, exchanges
from dicom_receiver.remote.dimse_retrieve import check_last
from dicom_receiver.remote.exchange_run import run
from dicom_receiver.remote.models import Exchange, WebPeer
from dicom_receiver.remote.progress import Tally
from dicom_receiver.requestor import Response
from imaging.errors import ConflictError, NotAllowedError, PeerUnavailableError
from tests import factories
from tests.unit.dicom_receiver.remote.test_web_query import make_peer
from tests.unit.dicom_receiver.remote.web_server import Asked, Request, serve

pytestmark = pytest.mark.django_db(transaction=True)
STUDY = "1.2.826.0.1.3680043.8.498.1"
Status = Exchange.Status


def make_objects(count: int, study: str = STUDY) -> list[bytes]:
    """Return files of one series."""
    series = generate_uid()
    return [
        factories.as_part10(
            factories.read_bundled(
                "CT_small.dcm", StudyInstanceUID=study, SeriesInstanceUID=series,
                SOPInstanceUID=generate_uid(), PatientID="17", InstanceNumber=number,
            )
        )
        for number in range(count)
    ]  # fmt: skip


def say_parts(objects: list[bytes], *, is_whole: bool = True) -> Callable[[Request], None]:
    """Return what answers WADO-RS with these objects."""
    body = b"".join(
        b"--b\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in objects
    )
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    end = (
        b"--b--"
        if is_whole
        else b"--b\r\nContent-Type: application/dicom\r\n\r\n" + objects[0][:900]
    )
    return lambda request: request.say(200, body + end, Content_Type=kind)


def ask(user: User, peer: WebPeer, **also: object) -> Exchange:
    """Return an import of the study that waits."""
    facts = {"study_instance_uid": STUDY, "patient_id": "17", "expected": 3, **also}
    return exchanges.ask_for(user, peer, facts)


def run_next() -> Exchange:
    """Run the exchange whose turn it is to its end."""
    row = exchange_turns.claim_next("here")
    assert row is not None
    run(row, threading.Event())
    row.refresh_from_db()
    return row


def test_a_study_comes_in_byte_for_byte_at_the_peers_facility(north: Facility, rada: User) -> None:
    objects = make_objects(3)
    with serve(say_parts(objects)) as server:
        ask(rada, make_peer(north, server.url))
        row = run_next()
        asked = server.asked[0]
    assert (row.status, row.done, row.failed, row.reason) == (Status.DONE, 3, 0, "")
    assert asked.path == f"/dicom-web/studies/{STUDY}"
    assert "transfer-syntax=*" in asked.headers["Accept"]
    instances = Instance.objects.visible_to(rada).order_by("instance_number")
    assert [storage.open_instance(one.storage_key).read() for one in instances] == objects
    assert {one.facility_id for one in instances} == {north.pk}
    trail = AuditRow.objects.filter(study_instance_uid=STUDY).values_list(
        "action", "outcome", "actor"
    )
    assert {("import_requested", "success", "rada"), ("import_ended", "success", "rada")} <= set(
        trail
    )


def test_what_was_not_asked_for_is_not_taken(north: Facility, rada: User) -> None:
    objects = [*make_objects(1), *make_objects(1, "1.2.3.4"), b"no DICOM at all"]
    with serve(say_parts(objects)) as server:
        ask(rada, make_peer(north, server.url))
        row = run_next()
    assert (row.status, row.done, row.failed) == (Status.FAILED, 1, 2)
    assert "2 objects" in row.reason
    assert Study.objects.visible_to(rada).count() == 1


def test_an_import_that_breaks_off_waits_and_goes_on(
    north: Facility, rada: User, home: Path
) -> None:
    objects = make_objects(3)
    answers = [say_parts(objects[:2], is_whole=False), say_parts(objects)]
    with serve(lambda request: answers.pop(0)(request)) as server:
        ask(rada, make_peer(north, server.url))
        row = run_next()
        assert (row.status, row.attempts) == (Status.QUEUED, 1)
        assert "not whole" in row.reason
        assert [
            path
            for path in (home / "media").rglob("*")
            if "incoming" in str(path) and path.is_file() and path.stat().st_size
        ] == []
        Exchange.objects.update(due_at=row.created_at)
        row = run_next()
    assert (row.status, row.done) == (Status.DONE, 3)
    assert Instance.objects.visible_to(rada).count() == 3


def test_a_cancelled_import_ends_while_the_peer_still_sends(north: Facility, rada: User) -> None:
    objects = make_objects(1)

    def trickle(request: Request) -> None:
        say_parts(objects)(request) if request.server.over.is_set() else None
        request.send_response(200)
        request.send_header("Content-Type", "multipart/related; boundary=b")
        request.end_headers()
        part = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + objects[0] + b"\r\n"
        while not request.server.over.wait(0.05):
            request.wfile.write(part)

    with serve(trickle) as server:
        row = ask(rada, make_peer(north, server.url))
        stopper = threading.Timer(0.5, lambda: exchanges.cancel(rada, row))
        stopper.start()
        row = run_next()
        stopper.join()
    assert row.status == Status.CANCELLED
    assert Instance.objects.visible_to(rada).count() == 1


def test_the_same_is_asked_for_once_and_by_who_may(
    north: Facility, rada: User, strange: User
) -> None:
    peer = make_peer(north, "http://127.0.0.1:9/")
    row = ask(rada, peer)
    assert ask(rada, peer).pk == row.pk
    with pytest.raises(NotAllowedError):
        ask(strange, peer)
    with pytest.raises(ConflictError):
        exchanges.retry(rada, row)
    exchanges.cancel(rada, row)
    exchanges.retry(rada, row)
    assert exchange_turns.claim_next("here") == row
    assert exchange_turns.claim_next("there") is None


def test_files_go_out_as_they_lie_but_for_the_preamble(
    north: Facility, rada: User, tmp_path: Path
) -> None:
    objects = [b"#!/bin/sh".ljust(128, b"\n") + one[128:] for one in make_objects(30)]
    for number, one in enumerate(objects):
        (tmp_path / f"{number}.dcm").write_bytes(one)
    source = Source(door="import", sender="test", facility_id=north.pk)
    list(import_many(source, [tmp_path]))
    with serve(lambda request: request.say(200, b"{}")) as server:
        study = Study.objects.visible_to(rada).get()
        exchanges.ask_to_send(rada, make_peer(north, server.url), study)
        row = run_next()
        requests = server.asked
    assert (row.status, row.done, len(requests)) == (Status.DONE, 30, 2)
    received = [part for request in requests for part in _parts_of(request)]
    assert sorted(received) == sorted(bytes(128) + one[128:] for one in objects)


def _parts_of(request: Asked) -> list[bytes]:
    """Return the contents of a request's parts (RFC 2046 5.1.1)."""
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    before, *parts, after = request.body.split(b"--" + boundary)
    assert (before, after.strip()) == (b"", b"--")
    return [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts]


def test_what_the_other_side_did_not_store_is_told(
    north: Facility, rada: User, tmp_path: Path
) -> None:
    for number, one in enumerate(make_objects(3)):
        (tmp_path / f"{number}.dcm").write_bytes(one)
    list(import_many(Source(door="import", sender="t", facility_id=north.pk), [tmp_path]))
    instance = Instance.objects.visible_to(rada).first()
    assert instance is not None
    item = {
        "00081155": {"vr": "UI", "Value": [instance.sop_instance_uid]},
        "00081197": {"vr": "US", "Value": [0x0110]},
    }
    answer = json.dumps({"00081198": {"vr": "SQ", "Value": [item]}}).encode()
    with serve(lambda request: request.say(202, answer)) as server, transaction.atomic():
        study = Study.objects.visible_to(rada).get()
        exchanges.ask_to_send(rada, make_peer(north, server.url), study)
    with serve(lambda request: request.say(202, answer)) as server:
        WebPeer.objects.update(base_url=server.url)
        row = run_next()
    assert (row.status, row.done, row.failed) == (Status.FAILED, 2, 1)
    assert "0110H" in row.reason


def test_a_peer_that_does_not_know_us_is_told_apart_from_one_that_failed(north: Facility) -> None:
    peer = Peer(ae_title="OLDPACS", facility=north)
    tally = Tally(lambda tally: None)
    for status, trouble, word in (
        (0xA801, "destination", "NOCTIS_SCP"),
        (0xC000, "refused", "C000H"),
    ):
        with pytest.raises(PeerUnavailableError, match=word) as caught:
            check_last(peer, Response(status, Command({}), None), tally)
        assert caught.value.trouble == trouble
