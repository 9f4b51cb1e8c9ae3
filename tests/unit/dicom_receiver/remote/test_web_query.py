"""Questions to DICOMweb peers that answer well, badly, or with intent."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import Facility
from dicom_receiver.remote.answers import ANSWERS_LIMIT, Question
from dicom_receiver.remote.models import WebPeer
from dicom_receiver.remote.secrets import SecretLostError, seal, unseal
from dicom_receiver.remote.web_query import find_studies
from imaging.errors import PeerUnavailableError
from tests.unit.dicom_receiver.remote.web_server import Request, serve

ANNA = Question(patient_name="miller an", patient_id="17*")
# As PS3.18 F.4 writes it.
ONE = b"""[{"0020000D": {"vr": "UI", "Value": ["1.2.392.200036.9116.2.2.2.1762893313"]},
 "00080020": {"vr": "DA", "Value": ["20130409"]}, "00080061": {"vr": "CS", "Value": ["CT", "PET"]},
 "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Wang^XiaoDong", "Ideographic": "\xe7\x8e\x8b^\xe5\xb0\x8f\xe4\xb8\x9c"}]},
 "00100020": {"vr": "LO", "Value": ["12345"]}, "00201208": {"vr": "IS", "Value": [1000]}}]"""


def make_peer(facility: Facility, url: str, **also: Any) -> WebPeer:
    """Return a peer that is waited for one second."""
    return WebPeer.objects.create(
        name="there", facility=facility, base_url=url, **{"timeout_seconds": 1, **also}
    )


def say_json(body: bytes) -> Callable[[Request], None]:
    """Return what answers with this body."""
    return lambda request: request.say(200, body, Content_Type="application/dicom+json")


def trouble_of(facility: Facility, answer: Callable[[Request], None]) -> str:
    """Return the word for what went wrong when a server answers so, within seconds."""
    began = time.monotonic()
    with serve(answer) as server, pytest.raises(PeerUnavailableError) as caught:
        find_studies(make_peer(facility, server.url), ANNA)
    assert time.monotonic() - began < 8
    assert "there" in str(caught.value)
    return caught.value.trouble


def test_a_study_is_read_as_the_standard_writes_it(north: Facility) -> None:
    with serve(say_json(ONE)) as server:
        found = find_studies(make_peer(north, server.url), ANNA)
        query = server.asked[0].path
    (study,) = found.rows
    assert study.uid == "1.2.392.200036.9116.2.2.2.1762893313"
    assert study.patient_name == "Wang^XiaoDong=王^小东"
    assert (study.patient_id, study.day, study.instance_count) == ("12345", "2013-04-09", 1000)
    assert study.modalities == ("CT", "PET")
    assert "00100010=miller*an*" in query
    assert "00100020=17*" in query
    assert f"limit={ANSWERS_LIMIT + 1}" in query


def test_answers_are_counted_and_cut(north: Facility) -> None:
    row = '{"0020000D": {"Value": ["1.2.%d"]}, "00100010": {"Value": [{"Alphabetic": "%s"}]}}'
    rows = ",".join(row % (number, "x" * 5000) for number in range(ANSWERS_LIMIT + 50))
    rows = f'[{{}}, {{"0020000D": {{"Value": ["../../etc"]}}}}, {rows}]'
    with serve(say_json(rows.encode())) as server:
        found = find_studies(make_peer(north, server.url), ANNA)
    assert (len(found.rows), found.is_cut, found.unusable) == (ANSWERS_LIMIT, True, 2)
    assert all(len(study.patient_name) <= 256 for study in found.rows)


@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>", b'{"error": 1}', b"[1, 2]", b"[" * 200_000, b"[" + b"9" * 100_000 + b"]"),
    ],
)
def test_what_is_no_dicomweb_is_told(north: Facility, body: bytes) -> None:
    assert trouble_of(north, say_json(body)) == "not dicomweb"


def test_an_answer_without_an_end_is_cut(north: Facility) -> None:
    def endless(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        while not request.server.over.is_set():
            request.wfile.write(b" " * 65536)

    assert trouble_of(north, endless) == "not dicomweb"


@pytest.mark.parametrize("where", ["headers", "body"])
def test_an_answer_in_drips_is_not_waited_for(north: Facility, where: str) -> None:
    def drip(request: Request) -> None:
        start = b"HTTP/1.1 200 OK\r\nX-A: " if where == "headers" else b"HTTP/1.1 200 OK\r\n\r\n["
        request.wfile.write(start)
        while not request.server.over.wait(0.05):
            request.wfile.write(b" ")

    assert trouble_of(north, drip) == "timed out"


def test_nothing_is_unpacked_that_was_not_asked_for(north: Facility) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = lambda request: request.say(200, bomb, Content_Encoding="gzip")  # noqa: E731
    assert trouble_of(north, answer) == "not dicomweb"


def test_nobody_leads_us_to_another_place(north: Facility) -> None:
    with serve(say_json(b"[]")) as other:
        away = f"{other.url}/studies"
        assert trouble_of(north, lambda request: request.say(302, Location=away)) == "redirect"
        assert other.asked == []


def test_a_redirect_within_the_same_place_is_followed_and_not_for_ever(north: Facility) -> None:
    def once(request: Request) -> None:
        is_first = len(request.server.asked) == 1
        request.say(307, Location="/elsewhere") if is_first else request.say(200, ONE)

    with serve(once) as server:
        assert len(find_studies(make_peer(north, server.url), ANNA).rows) == 1
    WebPeer.objects.all().delete()
    circle = lambda request: request.say(307, Location=request.path)  # noqa: E731
    assert trouble_of(north, circle) == "redirect"


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(401, "login"), (403, "login"), (404, "no service"), (406, "no context"), (503, "busy")],
)
def test_a_status_that_says_no_has_its_word(north: Facility, status: int, trouble: str) -> None:
    assert trouble_of(north, lambda request: request.say(status)) == trouble


def test_our_own_house_is_not_called(north: Facility, settings: Settings) -> None:
    with serve(say_json(ONE)) as server:
        settings.NOCTIS_HTTP = ("127.0.0.1", server.server_port)
        with pytest.raises(PeerUnavailableError) as caught:
            find_studies(make_peer(north, server.url), ANNA)
        assert caught.value.trouble == "address"
        assert server.asked == []


def test_passwords_and_tokens_are_kept_sealed_and_sent(north: Facility, settings: Settings) -> None:
    sealed = seal("open sesame")
    assert "sesame" not in sealed
    with serve(say_json(b"[]")) as server:
        peer = make_peer(
            north, server.url, authentication="basic", username="ali", sealed_secret=sealed
        )
        find_studies(peer, ANNA)
        peer.authentication = "bearer"
        find_studies(peer, ANNA)
        sent = [request.headers["Authorization"] for request in server.asked]
    assert sent == [f"Basic {base64.b64encode(b'ali:open sesame').decode()}", "Bearer open sesame"]
    settings.SECRET_KEY = "another"
    with pytest.raises(SecretLostError):
        unseal(sealed)
