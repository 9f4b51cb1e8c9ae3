"""Jobs of the tiny kind: asked for, run in this process, waited for."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from django.test import Client

from accounts.models import User
from archive.models import Series
from reconstruction import turns
from reconstruction.jobs import INTERACTIVE, ask_for
from reconstruction.models import ReconstructionJob
from reconstruction.run import run_safely
from tests.unit.reconstruction.tiny.apps import KIND

ADDRESS = "/api/v1/reconstructions/"
WAIT_SECONDS = 60.0


def ask(user: User, series: Series, **parameters: Any) -> ReconstructionJob:
    return ask_for(user, series, (KIND, parameters))


def ask_by_http(browser: Client, series: Series, **parameters: Any) -> Any:
    wish = {"series": str(series.pk), "kind": KIND, "parameters": parameters}
    return browser.post(ADDRESS, wish, content_type="application/json")


def claim_next(worker: str = "here") -> tuple[ReconstructionJob, uuid.UUID]:
    """Return the job whose turn it is, and the claim on it."""
    claimed = turns.claim_next(INTERACTIVE, worker)
    assert claimed is not None
    assert claimed.claim is not None
    return claimed, claimed.claim


def run_here(job: ReconstructionJob) -> ReconstructionJob:
    """Run the job in this process, as a worker's child does."""
    claimed, claim = claim_next()
    assert claimed.pk == job.pk
    run_safely(claimed.pk, claim)
    return look_at(job)


def look_at(job: ReconstructionJob) -> ReconstructionJob:
    return ReconstructionJob.objects.select_related("study").get(pk=job.pk)


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
