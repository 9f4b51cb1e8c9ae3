"""A study goes into a program on a desk: one ticket, one study, one machine, minutes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, unquote_plus, urlsplit

import pydicom
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditRow, Facility, Role, User
from archive import storage
from archive.models import Instance, Study
from tests import factories
from tests.factories import make_whole_study
from tests.stored import store_files
from viewer import launches
from viewer.launch_models import Launch

HERE = "http://testserver"
DESK = {"REMOTE_ADDR": "192.0.2.10"}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.99"}


def launch(client: Client, study: Study, program: str) -> str:
    """Return the address to which the browser is sent."""
    answer = client.get(f"/viewer/{study.pk}/open-in/{program}/")
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


def ticket_of(client: Client, study: Study) -> str:
    asked = dict(parse_qsl(urlsplit(launch(client, study, "slicer")).query))
    return asked["access_token"]


def ask(ticket: str, address: str = "/dicomweb/studies", **also: Any) -> Any:
    headers = {"Authorization": f"Bearer {ticket}"}
    return Client().get(address, headers=headers, **{**DESK, **also})


def uids(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.content
    return {one["0020000D"]["Value"][0] for one in answer.json()}


@pytest.fixture
def rada_here(client_of: Callable[[User], Client], rada: User) -> Client:
    return client_of(rada)


def test_each_program_is_called_as_its_maker_says(rada_here: Client, north: Facility) -> None:
    study = make_whole_study(north)
    uid = study.study_instance_uid

    # weasis.org, Weasis Web Protocol: the command of $dicom:rs, URL-encoded after the scheme.
    weasis = launch(rada_here, study, "weasis")
    assert weasis.startswith("weasis://%24dicom%3Ars+--url+%22http%3A%2F%2Ftestserver")
    command = unquote_plus(weasis.removeprefix("weasis://"))
    assert f'$dicom:rs --url "{HERE}/dicomweb" -r "requestType=STUDY&studyUID={uid}"' in command
    assert '-H "Authorization: Bearer noctis-ticket_' in command

    # Slicer's documentation: slicer://viewer/?studyUID=…&access_token=…&dicomweb_endpoint=…
    slicer = urlsplit(launch(rada_here, study, "slicer"))
    assert (slicer.scheme, slicer.netloc, slicer.path) == ("slicer", "viewer", "/")
    asked = parse_qs(slicer.query)
    assert (asked["studyUID"], asked["dicomweb_endpoint"]) == ([uid], [f"{HERE}/dicomweb"])

    # RadiAnt's manual, URL protocol: each name n and value v of the command line by turns.
    radiant = launch(rada_here, study, "radiant")
    assert unquote(radiant) == f'radiant://?n=paet&v=NOCTIS_SCP&n=pstv&v=0020000D&v="{uid}"'

    # OsiriX, RIS integration: methodName=DownloadURL; Horos has it from there.
    for scheme in ("osirix", "horos"):
        address = launch(rada_here, study, scheme)
        assert address.startswith(f"{scheme}://?methodName=downloadURL&Display=YES&URL='http%3A")
        fetched = unquote(address).split("URL=")[1].strip("'")
        assert fetched.startswith(f"{HERE}/launch/noctis-ticket_")
        assert fetched.endswith("/study.zip")


def test_a_ticket_reads_its_study_and_nothing_else(
    rada_here: Client, north: Facility, rada: User
) -> None:
    mine, other = (store_files(north, 1)[0] for _ in range(2))
    ticket = ticket_of(rada_here, mine.study)
    study, series = mine.study.study_instance_uid, mine.series.series_instance_uid
    foreign = other.study.study_instance_uid

    assert uids(ask(ticket)) == {study}
    assert uids(ask(ticket, "/dicomweb/instances")) == {study}
    assert len(ask(ticket, f"/dicomweb/studies/{study}/series/{series}/instances").json()) == 1
    assert uids(ask(ticket, f"/dicomweb/studies?StudyInstanceUID={foreign}")) == set()
    assert ask(ticket, f"/dicomweb/studies/{foreign}/series").status_code == 404
    for address in ("/api/v1/me/", "/api/v1/tokens/", f"/api/v1/series/{mine.series_id}/stack/"):
        assert ask(ticket, address).status_code == 403
    headers = {"Authorization": f"Bearer {ticket}"}
    refused = Client(REMOTE_ADDR=DESK["REMOTE_ADDR"]).post("/dicomweb/studies", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "read_only_token")
    searches = AuditRow.objects.filter(user=rada, action="search").first()
    assert searches is not None
    assert searches.detail["token"] == "slicer"


def test_a_ticket_of_an_administrator_is_as_narrow(
    client_of: Callable[[User], Client], north: Facility
) -> None:
    boss = factories.make_user("boss", Role.ADMIN, is_superuser=True)
    lost = make_whole_study(None)
    make_whole_study(north)

    assert uids(ask(ticket_of(client_of(boss), lost))) == {lost.study_instance_uid}


def test_the_first_machine_redeems_and_a_second_one_ends_the_ticket(
    rada_here: Client, north: Facility
) -> None:
    ticket = ticket_of(rada_here, make_whole_study(north))
    assert ask(ticket).status_code == 200
    assert ask(ticket).status_code == 200

    assert ask(ticket, **ELSEWHERE).status_code == 401
    assert ask(ticket).status_code == 401
    told = AuditRow.objects.filter(action__startswith="launch").order_by("id")
    assert [(row.action, row.outcome) for row in told] == [
        ("launch_made", "success"),
        ("launch_redeemed", "success"),
        ("launch_reused", "failure"),
    ]


@pytest.mark.parametrize("what", ["late", "over", "password", "is_active", "facility"])
def test_a_ticket_ends_at_once(
    rada_here: Client, rada: User, north: Facility, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    ticket = ticket_of(rada_here, make_whole_study(north))
    if what == "late":
        late = timezone.now() + timedelta(seconds=121)
        monkeypatch.setattr("viewer.launches.timezone.now", lambda: late)
    else:
        assert ask(ticket).status_code == 200
    if what == "over":
        late = timezone.now() + timedelta(minutes=31)
        monkeypatch.setattr("viewer.launches.timezone.now", lambda: late)
    elif what == "password":
        rada.set_password("another one entirely")
        rada.save()
    elif what == "is_active":
        User.objects.filter(pk=rada.pk).update(is_active=False)
    elif what == "facility":
        rada.facilities.clear()
        assert uids(ask(ticket)) == set()
        return

    assert ask(ticket).status_code == 401


def fetch(ticket: str, **also: Any) -> Any:
    return Client().get(f"/launch/{ticket}/study.zip", **{**DESK, **also})


def test_a_program_fetches_the_study_once_as_it_was_stored(
    rada_here: Client, north: Facility
) -> None:
    instances = store_files(north, 3)
    ticket = ticket_of(rada_here, instances[0].study)

    answer = fetch(ticket)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}

    stored = {}
    for instance in instances:
        with storage.open_instance(instance.storage_key) as file:
            stored[instance.sop_instance_uid] = file.read()[128:]
    found = {
        str(pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID): data[128:] for data in files.values()
    }
    assert found == stored
    assert fetch(ticket).status_code == 404
    assert ask(ticket).status_code == 401
    row = AuditRow.objects.get(action="study_fetched")
    assert row.study_instance_uid == instances[0].study.study_instance_uid


def test_a_damaged_file_is_named_and_the_others_come(rada_here: Client, north: Facility) -> None:
    instances = store_files(north, 2)
    Instance.objects.filter(pk=instances[0].pk).update(size_bytes=1)
    answer = fetch(ticket_of(rada_here, instances[0].study))

    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert archive.namelist() == ["SE000001/IM000002.dcm", "INCOMPLETE.TXT"]
        assert b"SE000001/IM000001.dcm" in archive.read("INCOMPLETE.TXT")


def test_the_menu_offers_what_the_house_chose(
    rada_here: Client, north: Facility, settings: Settings
) -> None:
    study = make_whole_study(north)
    settings.NOCTIS_OPEN_IN = ["horos"]
    page = rada_here.get(f"/viewer/{study.pk}/").content.decode()

    assert f"/viewer/{study.pk}/open-in/horos/" in page
    assert "open-in/weasis" not in page
    assert rada_here.get(f"/viewer/{study.pk}/open-in/weasis/").status_code == 404
    settings.NOCTIS_OPEN_IN = []
    assert "open-in" not in rada_here.get(f"/viewer/{study.pk}/").content.decode()


def test_old_launches_are_forgotten(rada_here: Client, north: Facility) -> None:
    ticket_of(rada_here, make_whole_study(north))
    assert launches.forget_old() == 0
    Launch.objects.update(ends_at=timezone.now())

    assert launches.forget_old() == 1
