"""Jobs: rows first, run by whoever is there, again when a worker died."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from archive import jobs
from archive.models import Job

pytestmark = pytest.mark.django_db

done: list[str] = []


def note(key: str) -> None:
    done.append(key)


def fail(key: str) -> None:
    raise ValueError(f"DOE^JANE {key}")


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    done.clear()
    monkeypatch.setattr(jobs, "_handlers", {})
    jobs.register("note", f"{__name__}.note")
    jobs.register("fail", f"{__name__}.fail")


def test_due_jobs_run_once_and_go() -> None:
    jobs.queue("note", ["a", "b"])
    assert jobs.run_due() == 2
    assert sorted(done) == ["a", "b"]
    assert jobs.run_due() == 0
    assert not Job.objects.exists()


def test_a_job_that_waits_already_is_not_doubled() -> None:
    jobs.queue("note", ["a"], delay=timedelta(hours=1))
    jobs.queue("note", ["a"])
    assert Job.objects.count() == 1


def test_a_job_waits_until_it_is_due() -> None:
    jobs.queue("note", ["a"], delay=timedelta(hours=1))
    assert jobs.run_due() == 0
    assert done == []


def test_a_failure_waits_longer_each_time_and_tells_no_patient_data() -> None:
    jobs.queue("fail", ["a"])
    jobs.run_due()
    job = Job.objects.get()
    assert (job.state, job.attempts) == (Job.State.WAITING, 1)
    assert job.last_error == "ValueError"
    first_wait = job.due_at - timezone.now()
    Job.objects.update(due_at=timezone.now())
    jobs.run_due()
    job.refresh_from_db()
    assert job.attempts == 2
    assert job.due_at - timezone.now() > first_wait


def test_a_job_that_never_works_fails_for_a_person_and_can_be_retried() -> None:
    jobs.queue("fail", ["a"])
    for _ in range(jobs.MAX_ATTEMPTS):
        Job.objects.update(due_at=timezone.now())
        jobs.run_due()
    assert Job.objects.get().state == Job.State.FAILED
    assert jobs.run_due() == 0
    assert jobs.retry(Job.objects.all()) == 1
    assert jobs.run_due() == 1


def test_a_dead_workers_job_is_taken_up_when_its_lease_ends() -> None:
    jobs.queue("note", ["a"])
    Job.objects.update(
        state=Job.State.RUNNING, attempts=1, locked_until=timezone.now() + timedelta(minutes=1)
    )
    assert jobs.run_due() == 0
    Job.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    assert jobs.run_due() == 1
    assert done == ["a"]


def test_what_is_queued_while_the_job_runs_is_not_lost() -> None:
    jobs.queue("fail", ["a"])
    running = Job.objects.get()
    assert jobs._claim(running)
    jobs.queue("fail", ["a"], delay=timedelta(hours=1))
    jobs._run(running)
    left = Job.objects.get()
    assert left.state == Job.State.WAITING
    assert left.pk != running.pk
