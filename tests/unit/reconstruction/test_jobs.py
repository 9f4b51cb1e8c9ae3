"""Jobs as people meet them: wishes, refusals, limits, results, retention."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditRow, Facility, User
from archive.models import Event, Instance, Series
from archive.news_views import read_missed
from imaging.errors import ConflictError
from reconstruction import results, turns
from reconstruction.jobs import ask_for, retry_job
from reconstruction.models import ReconstructionJob
from reconstruction.run import run_safely
from reconstruction.work import Work
from tests import factories
from tests.unit.reconstruction.conftest import Store, index_volume, make_slices, store_series
from tests.unit.reconstruction.jobs import (
    ADDRESS,
    ask,
    ask_by_http,
    claim_next,
    look_at,
    run_here,
)
from tests.unit.reconstruction.tiny.apps import KIND

pytestmark = pytest.mark.django_db(transaction=True)
ClientOf = Callable[[User], Client]


def test_a_wish_becomes_a_file_and_a_series(
    small: Series, rada: User, client_of: ClientOf, home: Path
) -> None:
    browser = client_of(rada)
    wish = {
        "series": small.series_instance_uid, "kind": "tiny",
        "parameters": {"steps": 5, "then": "series"},
    }  # fmt: skip

    accepted = browser.post(ADDRESS, wish, content_type="application/json")
    again = browser.post(ADDRESS, wish, content_type="application/json")

    assert accepted.status_code == 202
    assert accepted.json().keys() == {"id", "status", "progress"}
    assert (accepted.json()["status"], accepted.json()["progress"]) == ("queued", 0)
    assert again.json()["id"] == accepted.json()["id"]
    job = run_here(ReconstructionJob.objects.get())
    told = browser.get(f"{ADDRESS}{job.pk}/").json()
    assert (told["status"], told["progress"], told["reason"]) == ("done", 1, "")
    (file,) = told["files"]
    assert (file["name"], file["size"], file["media_type"]) == ("made.txt", 7, "text/plain")
    answer = browser.get(file["url"])
    assert b"".join(answer.streaming_content) == b"5 steps"  # type: ignore[attr-defined]
    assert answer["Content-Disposition"] == 'attachment; filename="made.txt"'
    made = Series.objects.get(series_instance_uid=told["series_instance_uid"])
    assert (made.study_id, made.facility_id) == (small.study_id, small.facility_id)
    assert told["result"] == str(made.pk)
    assert made.instances.get().door == "reconstruction"
    names = [path.name for path in (home / "media" / "derived").rglob("*")]
    assert len(names) == 2
    assert not any("made" in name or "work" in name for name in names)
    actions = set(AuditRow.objects.values_list("action", flat=True))
    assert {"reconstruction_requested", "reconstruction_fetched"} <= actions


WRONG = [
    ('{"kind": "tiny", "parameters": {}}', "series"),
    ('{"series": 7, "kind": "tiny"}', "series"),
    ('{"series": "nobody", "kind": "tiny"}', "series"),
    ('{"series": "%s", "kind": ["tiny"]}', "kind"),
    ('{"series": "%s", "kind": "os"}', "kind"),
    ('{"series": "%s", "kind": "tiny", "parameters": []}', "parameters"),
    ('{"series": "%s", "kind": "tiny", "colour": 1}', "colour"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"step": 3}}', "step"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"steps": "3"}}', "steps"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"steps": true}}', "steps"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"steps": 1e999}}', "steps"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"steps": 1e300}}', "steps"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"steps": 9999999999999999}}', "steps"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"steps": 1' + "0" * 400 + "}}", "steps"),
    ('{"series": "%s", "kind": "tiny", "\\ud800": 1}', ""),
    ('{"series": "%s", "kind": "tiny", "parameters": {"\\ud800": 3}}', ""),
    ('{"series": "%s", "kind": "tiny", "parameters": {"then": "\\ud800"}}', "then"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"then": "\\u0000"}}', "then"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"then": [[[[[[[[1]]]]]]]]}}', "then"),
    ('{"series": "%s", "kind": "tiny", "parameters": {"steps": NaN}}', ""),
    ("[1, 2]", ""),
    ("[" * 100_000, ""),
    ('{"series": "%s", "kind": "tiny", "parameters": {"steps": 1' + "0" * 5000 + "}}", ""),
]  # fmt: skip


def test_a_wrong_wish_is_refused_by_name(small: Series, rada: User, client_of: ClientOf) -> None:
    browser = client_of(rada)
    for body, name in WRONG:
        wish = body.replace("%s", str(small.pk))

        answer = browser.post(ADDRESS, wish, content_type="application/json")

        assert answer.status_code == 400, body[:200]
        assert answer.json()["detail"].startswith(name and f"{name}: "), body[:200]
    assert not ReconstructionJob.objects.exists()


def test_what_is_no_volume_is_refused_with_the_passports_reasons(
    tiny: None, store: Store, rada: User, client_of: ClientOf
) -> None:
    single = store(make_slices(index_volume()[:1]))

    answer = ask_by_http(client_of(rada), single)

    assert answer.status_code == 422
    assert answer.json()["code"] == "not_a_volume"
    assert answer.json()["reasons"]
    assert "few_slices" in " ".join(answer.json()["reason_codes"])


def test_who_sees_which_jobs(
    small: Series, rada: User, tess: User, nora: User, fiona: User, admin: User,
    client_of: ClientOf,
) -> None:  # fmt: skip
    begun = Event.objects.count()
    job = run_here(ask(rada, small))
    seen = {
        user.username: client_of(user).get(f"{ADDRESS}{job.pk}/").status_code
        for user in (rada, tess, nora, fiona, admin)
    }

    assert seen == {"rada": 200, "tess": 404, "nora": 200, "fiona": 404, "admin": 200}
    assert ask_by_http(client_of(fiona), small).status_code == 404
    assert client_of(tess).get(ADDRESS).json()["results"] == []
    listed = client_of(nora).get(ADDRESS, {"status": "done", "kind": "tiny"}).json()["results"]
    assert [one["id"] for one in listed] == [str(job.pk)]
    assert client_of(nora).get(ADDRESS, {"status": "failed"}).json()["results"] == []
    assert client_of(fiona).get(f"{ADDRESS}{job.pk}/files/made.txt").status_code == 404
    assert client_of(fiona).delete(f"{ADDRESS}{job.pk}/").status_code == 404
    pages = {
        user.username: client_of(user).get(f"/reconstructions/{what}").content.decode()
        for user, what in [
            (rada, ""), (nora, "?people=all"), (tess, "?people=all"), (fiona, f"rows/?job={job.pk}")
        ]
    }  # fmt: skip
    assert {name for name, page in pages.items() if str(job.pk) in page} == {"rada", "nora"}
    assert str(job.pk) in read_missed(rada, begun)[0].decode()
    assert str(job.pk) not in read_missed(fiona, begun)[0].decode()


def test_lists_cost_the_same_however_long_they_are(
    small: Series, rada: User, client_of: ClientOf
) -> None:
    browser, costs = client_of(rada), []
    for count in (1, 4):
        for steps in range(count):
            ask(rada, small, steps=count + steps)
        for address in (ADDRESS, "/reconstructions/"):
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(address).status_code == 200
            costs.append(len(queries))

    assert costs[:2] == costs[2:]


def test_a_person_has_so_many_jobs_and_a_key_one(
    small: Series, rada: User, client_of: ClientOf, settings: Settings
) -> None:
    settings.NOCTIS_RECONSTRUCTION_JOBS = 2
    browser = client_of(rada)

    def send(steps: int, key: str) -> Any:
        wish = {"series": str(small.pk), "kind": "tiny", "parameters": {"steps": steps}}
        return browser.post(
            ADDRESS, wish, content_type="application/json", headers={"Idempotency-Key": key}
        )

    first = send(1, "one").json()["id"]
    run_here(ReconstructionJob.objects.get())

    assert send(1, "one").json() == {"id": first, "status": "done", "progress": 1.0}
    assert send(2, "one").status_code == 409
    assert send(1, "new").json()["id"] != first
    assert send(2, "two").status_code == 202
    refused = send(3, "three")
    assert refused.status_code == 429
    assert refused["Retry-After"]
    assert "2 reconstructions" in refused.json()["detail"]


def test_a_key_of_a_job_that_is_not_seen_any_more_is_a_conflict(
    small: Series, rada: User, north: Facility
) -> None:
    ask_for(rada, small, (KIND, {"steps": 1}), key="one")
    ReconstructionJob.objects.update(facility=None)

    with pytest.raises(ConflictError):
        ask_for(rada, small, (KIND, {"steps": 2}), key="one")


def test_a_cancelled_job_stays_cancelled_until_somebody_tries_again(
    small: Series, rada: User, client_of: ClientOf
) -> None:
    browser, job = client_of(rada), ask(rada, small)
    address = f"{ADDRESS}{job.pk}/"
    claimed, claim = claim_next()
    turns.tell_progress(claimed, claim, 0.5)

    assert [browser.delete(address).status_code for _ in range(2)] == [204, 204]

    # The run goes on for a moment: nothing of it counts any more.
    turns.tell_progress(claimed, claim, 0.9)
    run_safely(claimed.pk, claim)
    assert not turns.renew(claimed, claim)
    now = look_at(job)
    assert (now.status, now.progress, now.files) == ("cancelled", 0.5, [])
    assert browser.post(f"{address}retry/").status_code == 202
    assert browser.post(f"{address}retry/").status_code == 409
    now = run_here(job)
    assert (now.status, now.progress) == ("done", 1.0)
    assert browser.delete(address).status_code == 409


def test_a_job_that_failed_while_it_stored_can_be_tried_again_and_cancelled(
    small: Series, rada: User, client_of: ClientOf
) -> None:
    browser, job = client_of(rada), ask(rada, small)
    claimed, claim = claim_next()
    assert turns.begin_storing(claimed, claim)
    assert browser.delete(f"{ADDRESS}{job.pk}/").status_code == 409
    turns.fail(claimed, claim, "The disk is full.")

    assert browser.post(f"{ADDRESS}{job.pk}/retry/").status_code == 202
    assert browser.delete(f"{ADDRESS}{job.pk}/").status_code == 204


def test_progress_never_runs_backwards(small: Series, rada: User) -> None:
    job = ask(rada, small, steps=3)
    first, first_claim = claim_next("one")
    for progress in (0.2, 0.6, 0.4):
        turns.tell_progress(first, first_claim, progress)
    ReconstructionJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    second, second_claim = claim_next("two")

    turns.tell_progress(first, first_claim, 0.9)
    assert look_at(job).progress == 0.6
    run_safely(second.pk, second_claim)
    told = [
        event.payload["progress"]
        for event in Event.objects.filter(kind="reconstruction").order_by("id")
    ]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    assert (look_at(job).status, look_at(job).attempts) == ("done", 2)


def test_a_job_that_runs_twice_makes_its_series_once(small: Series, rada: User) -> None:
    job = run_here(ask(rada, small, then="series"))
    made = Instance.objects.filter(series__series_instance_uid=job.series_instance_uid)
    assert made.count() == 1
    # As if the worker had died after storing and before it could say so.
    ReconstructionJob.objects.update(status="queued", is_storing=True, progress=0.95)

    again = run_here(job)

    assert (again.status, again.series_instance_uid) == ("done", job.series_instance_uid)
    assert made.count() == 1
    assert again.files == job.files
    assert not Instance.objects.filter(series__series_instance_uid=small.pk).exists()


def test_a_disk_that_fills_while_storing_is_tried_again_and_says_how_far_it_came(
    small: Series, rada: User, settings: Settings
) -> None:
    settings.NOCTIS_DISK_RESERVE_MB = 0
    job = run_here(ask(rada, small, then="fill_later"))
    uid = job.series_instance_uid
    words = "The disk is full: its reserve is reached. 2 of 3 images are stored."
    assert (job.status, job.reason, bool(uid)) == ("queued", words, True)
    made = Instance.objects.filter(series__series_instance_uid=uid)
    assert made.count() == 2

    for _ in range(2):
        ReconstructionJob.objects.update(due_at=timezone.now())
        job = run_here(job)
    assert (job.status, job.reason, job.series_instance_uid) == ("failed", words, uid)

    settings.NOCTIS_DISK_RESERVE_MB = 0
    retry_job(rada, job)
    ReconstructionJob.objects.update(parameters={"then": "several"})
    job = run_here(job)
    assert (job.status, job.reason, job.series_instance_uid) == ("done", "", uid)
    assert made.count() == 3


def test_a_conflict_while_storing_says_how_far_it_came(small: Series, rada: User) -> None:
    job = ask(rada, small, then="several")
    other = factories.read_bundled("CT_small.dcm")
    work = Work(series=small, person=rada, folder=Path(), job_id=job.pk)
    other.SOPInstanceUID = work.uid_of("instance", 1)
    store_series([other], Facility.objects.get())

    job = run_here(job)

    assert (job.status, job.series_instance_uid) == ("failed", work.uid_of("series"))
    assert job.reason.endswith("contradicts what is stored already. 1 of 3 images are stored.")


def test_a_study_given_to_a_facility_meanwhile_takes_its_result_along(
    tiny: None, home: Path, north: Facility, admin: User
) -> None:
    lost = store_series(make_slices(index_volume()[:3]), None)

    job = run_here(ask(admin, lost, then="move"))

    made = Series.objects.get(series_instance_uid=job.series_instance_uid)
    assert (job.status, job.reason) == ("done", "")
    assert (made.study_id, made.facility_id) == (lost.study_id, north.pk)
    assert (job.result_id, job.facility_id) == (made.pk, north.pk)


def test_one_job_cannot_push_out_the_files_of_others(
    small: Series, rada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOCTIS_RECONSTRUCTION_MB = 1
    assert run_here(ask(rada, small)).status == "done"
    # The text of the tiny kind has seven bytes.
    monkeypatch.setattr(results, "JOB_SHARE", 2**20 // 6)

    job = run_here(ask(rada, small, steps=2, then="series"))

    assert (job.status, job.files, job.series_instance_uid) == ("failed", [], "")
    assert "NOCTIS_RECONSTRUCTION_MB" in job.reason


def test_files_go_with_their_series_when_that_is_certain(small: Series, rada: User) -> None:
    job = run_here(ask(rada, small))
    folder = results.folder_of(job.pk)
    assert folder.is_dir()

    small.instances.all().delete()

    with transaction.atomic():
        Series.objects.filter(pk=small.pk).delete()
        transaction.set_rollback(True)
    assert folder.is_dir()

    Series.objects.filter(pk=small.pk).delete()
    assert not ReconstructionJob.objects.exists()
    assert not folder.exists()


def test_ten_people_at_once_get_one_job_each(small: Series, north: Facility) -> None:
    people = [factories.make_user(f"reader{number}", facilities=[north]) for number in range(10)]

    def work(number: int) -> str:
        try:
            ask(people[number], small)
            claimed, claim = claim_next(f"worker {number}")
            run_safely(claimed.pk, claim)
            return str(claimed.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        ran = list(threads.map(work, range(10)))

    assert len(set(ran)) == 10
    jobs = ReconstructionJob.objects.all()
    assert [job.status for job in jobs] == ["done"] * 10
    assert {job.requested_by_id for job in jobs} == {person.pk for person in people}
    assert {job.attempts for job in jobs} == {1}


def test_who_has_many_jobs_does_not_stand_before_others(
    small: Series, rada: User, tess: User
) -> None:
    for steps in range(1, 5):
        ask(rada, small, steps=steps)
    ask(tess, small)

    order = []
    while claimed := turns.claim_next("reconstruction", "here"):
        order.append(claimed.requested_by.username)

    assert order == ["rada", "tess", "rada", "rada", "rada"]


@pytest.mark.parametrize(
    ("then", "status", "words"),
    [
        ("refuse", "failed", "This cannot be made."),
        ("full", "failed", "The disk is full."),
        ("fill", "failed", "The disk is full: its reserve is reached."),
        ("crash", "failed", "An unexpected error was logged."),
        ("busy", "queued", "Much is going on."),
    ],
)
def test_a_failure_is_told_in_words(
    small: Series, rada: User, settings: Settings, then: str, status: str, words: str
) -> None:
    settings.NOCTIS_DISK_RESERVE_MB = 0
    job = run_here(ask(rada, small, then=then))

    assert (job.status, job.reason, job.claim) == (status, words, None)
    assert job.due_at > timezone.now() or status == "failed"


def test_attempts_are_bounded(small: Series, rada: User) -> None:
    job = ask(rada, small, then="busy")
    for _ in range(3):
        ReconstructionJob.objects.update(due_at=timezone.now())
        job = run_here(job)

    assert (job.status, job.reason, job.attempts) == ("failed", "Much is going on.", 3)


def test_a_lease_renewed_since_it_was_read_is_not_taken(small: Series, rada: User) -> None:
    ask(rada, small)
    late, claim = claim_next("one")
    ReconstructionJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    seen = look_at(late)
    assert turns.renew(late, claim)

    assert not turns._claim(seen, "two")

    assert turns.is_held(late.pk, claim)


def test_files_go_after_their_time_and_when_they_are_too_many(
    small: Series, rada: User, client_of: ClientOf, settings: Settings
) -> None:
    jobs = [run_here(ask(rada, small, steps=steps)) for steps in (1, 2, 3)]
    left_over = results.root() / f".work-{uuid.uuid4().hex}"
    left_over.mkdir()
    os.utime(left_over, (0, 0))
    old = timezone.now() - timedelta(days=8)
    ReconstructionJob.objects.filter(pk=jobs[0].pk).update(ended_at=old)

    assert results.sweep() == 1
    assert not left_over.exists()
    settings.NOCTIS_RECONSTRUCTION_MB = 1
    ReconstructionJob.objects.filter(pk__in=[job.pk for job in jobs[1:]]).update(size_bytes=600_000)
    assert results.sweep() == 1

    browser = client_of(rada)
    told = [browser.get(f"{ADDRESS}{job.pk}/").json() for job in jobs]
    assert [bool(one["files_removed_at"]) for one in told] == [True, True, False]
    assert [bool(one["files"][0]["url"]) for one in told] == [False, False, True]
    found = [browser.get(f"{ADDRESS}{job.pk}/files/made.txt").status_code for job in jobs]
    assert found == [404, 404, 200]
    assert browser.post(f"{ADDRESS}{jobs[0].pk}/retry/").status_code == 202
    assert run_here(jobs[0]).files_removed_at is None
    assert browser.post(f"{ADDRESS}{jobs[2].pk}/retry/").status_code == 409


@pytest.mark.parametrize("name", ["../made.txt", "a/b.txt", "Made.txt", ".txt", "a b.txt", "a"])
def test_files_have_harmless_names(small: Series, rada: User, tmp_path: Path, name: str) -> None:
    path = tmp_path / "made"
    path.write_text("x")
    work = Work(series=small, person=rada, folder=tmp_path)

    with pytest.raises(ValueError, match="no name"):
        work.keep_file(path, name, "text/plain")
    with pytest.raises(ValueError, match="folder"):
        work.keep_file(tmp_path / ".." / "made", "made.txt", "text/plain")
    assert json.dumps([one.name for one in work.files]) == "[]"
