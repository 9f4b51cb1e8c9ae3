"""The diary of the port: what it keeps, how much of it, and who may read it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from dicom_receiver import diary as diary_module
from dicom_receiver.causes import Cause
from dicom_receiver.diary import Diary, Entry, end_calls_of, prune_calls
from dicom_receiver.doctor.advice import examine
from dicom_receiver.doctor.models import Call
from dicom_receiver.models import Peer
from tests import factories

pytestmark = pytest.mark.django_db

STORE, ECHO = 0x0001, 0x0030
RELEASED, REFUSED = Call.Outcome.RELEASED, Call.Outcome.REFUSED


def begin(diary: Diary, title: str = "CT1") -> Entry:
    entry = diary.begin("192.0.2.1")
    entry.ae_title, entry.called_ae_title = title, "NOCTIS_SCP"
    return entry


def make_call(**also: object) -> Call:
    now = timezone.now()
    fixed = {"address": "192.0.2.1", "host": "h", "pid": 1, "started_at": now, "seen_at": now}
    return Call.objects.create(**{**fixed, "outcome": RELEASED, **also})


def test_call_is_seen_while_it_lives_and_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diary_module, "LIVE_SECONDS", 0)
    diary = Diary()
    entry = begin(diary)
    diary.flush()
    assert Call.objects.get().outcome == Call.Outcome.LIVE
    for _ in range(3):
        entry.note_answer(STORE, 0, "")
    entry.note_answer(STORE, 0xA700, "full")
    diary.flush()
    assert sorted(Call.objects.get().answers) == [[STORE, 0, "", 3], [STORE, 0xA700, "full", 1]]
    diary.end(entry, RELEASED)
    diary.flush()
    call = Call.objects.get()
    assert (call.outcome, call.has_trouble, call.ae_title) == (RELEASED, True, "CT1")


def test_calls_that_are_alike_share_a_row_and_others_do_not() -> None:
    diary = Diary()
    for title in ["MON", "MON", "CT1", "MON"]:
        entry = begin(diary, title)
        entry.note_answer(ECHO, 0, "")
        diary.end(entry, RELEASED)
        diary.flush()
    assert sorted(Call.objects.values_list("ae_title", "times")) == [("CT1", 1), ("MON", 3)]
    assert Call.objects.get(ae_title="MON").answers == [[ECHO, 0, "", 3]]


def test_flood_of_strangers_costs_a_bounded_number_of_rows() -> None:
    diary = Diary()
    for number in range(5_000):
        diary.note_refusal("192.0.2.1", Cause.CALLING_UNKNOWN, ae_title=f"X{number}", is_tls=False)
    diary.flush()
    assert Call.objects.count() <= diary_module.CALLS_A_FLUSH


def test_kinds_of_answers_are_bounded() -> None:
    diary = Diary()
    entry = begin(diary)
    for number in range(500):
        entry.note_answer(STORE, 0xC000, f"words {number}")
    diary.end(entry, RELEASED)
    diary.flush()
    assert len(Call.objects.get().answers) == diary_module.KINDS_OF_ANSWERS


def test_what_could_not_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    diary = Diary()
    diary.note_refusal("192.0.2.1", Cause.LIMIT, ae_title="CT1", is_tls=False)
    with monkeypatch.context() as patched:
        patched.setattr(diary, "_write", fail)
        with pytest.raises(DatabaseError):
            diary.flush()
    diary.flush()
    assert Call.objects.get().cause == "limit"


def fail(_: list[Entry]) -> None:
    raise DatabaseError


def test_old_calls_go_by_number_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diary_module, "KEPT_CALLS", 3)
    now = timezone.now()
    for hours in range(6):
        make_call(ae_title=f"H{hours}", seen_at=now - timedelta(hours=hours))
    make_call(ae_title="OLD", seen_at=now - timedelta(days=15))
    prune_calls()
    assert set(Call.objects.values_list("ae_title", flat=True)) == {"H0", "H1", "H2"}


def test_calls_of_a_process_that_died_are_over() -> None:
    make_call(outcome=Call.Outcome.LIVE, pid=7, ae_title="LOST")
    make_call(outcome=Call.Outcome.LIVE, pid=8, ae_title="LIVES")
    end_calls_of("h", [7])
    assert Call.objects.get(outcome=Call.Outcome.LIVE).ae_title == "LIVES"
    assert Call.objects.get(ae_title="LOST").cause == "failed"


def test_every_cause_has_words_and_a_fix() -> None:
    for cause in Cause:
        [finding] = examine(Call(outcome=REFUSED, cause=cause.code), None, may_change=True)
        assert finding.words, cause
        assert finding.fix, cause
        assert "%(" not in finding.words + finding.fix
        assert len(cause.code) <= 24


def test_stranger_becomes_a_peer_by_one_click(client: Client) -> None:
    """The link opens the form of a new peer with what the call has told filled in."""
    find = "1.2.840.10008.5.1.4.1.2.2.1"
    contexts = [{"classes": [find], "syntaxes": ["1.2.840.10008.1.2"], "result": 1, "chosen": ""}]
    make_call(ae_title="US7", contexts=contexts, has_trouble=True)
    client.force_login(factories.make_user("boss", Role.ADMIN, is_staff=True, is_superuser=True))
    page = client.get(reverse("doctor:call", args=[Call.objects.get().pk])).content.decode()
    address = f"{reverse('admin:dicom_receiver_peer_add')}?ae_title=US7&amp;host=192.0.2.1"
    assert address in page
    form = (
        client.get(
            reverse("admin:dicom_receiver_peer_add")
            + "?ae_title=US7&host=192.0.2.1&may_store=on&may_find=on"
        )
        .context["adminform"]
        .form
    )
    assert form["ae_title"].value() == "US7"
    assert form["may_find"].value() == "on"


def test_facility_administrator_sees_calls_of_their_peers_alone(client: Client) -> None:
    north, south = factories.make_facility("north"), factories.make_facility("south")
    Peer.objects.create(ae_title="MRS", facility=south)
    make_call(ae_title="CTN", facility=north)
    make_call(ae_title="MRS", facility=south)
    make_call(ae_title="STRANGE")
    client.force_login(factories.make_user("fa", Role.FACILITY_ADMIN, [north], is_staff=True))
    page = client.get(reverse("doctor:calls")).content.decode()
    assert "CTN" in page
    assert "MRS" not in page
    assert "STRANGE" not in page


def test_page_asks_the_database_no_more_for_more_calls(
    client: Client, django_assert_max_num_queries
) -> None:
    for number in range(60):
        make_call(ae_title=f"CT{number}", facility=None)
    client.force_login(factories.make_user("boss", Role.ADMIN, is_staff=True, is_superuser=True))
    with django_assert_max_num_queries(8):
        assert client.get(reverse("doctor:calls"), {"q": "ct", "show": ""}).status_code == 200
