"""The page of jobs: what was asked for, how far it is, what came of it."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import may_administer
from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.news import newest_id
from reconstruction.job_documents import address_of
from reconstruction.job_words import describe, name_of
from reconstruction.jobs import may_ask
from reconstruction.models import ReconstructionJob
from reconstruction.told import say_reason

PAGE_SIZE = 50
MOST_ROWS = 50
Status = ReconstructionJob.Status


@require_safe
@login_required
@never_cache
def show_jobs(request: HttpRequest) -> HttpResponse:
    """Show a person's jobs, newest first; `?people=all` all of a facility, to who looks after it.

    `?status=` narrows, `?before=` turns the page.
    """
    user = _person(request)
    # Taken before the rows are read: what happens in between is told twice, never missed.
    newest = newest_id()
    asked = {name: request.GET.get(name, "") for name in ("people", "status")}
    found = _narrowed(user, asked)
    before = _key(request.GET.get("before", ""))
    if before is not None:
        found = found.filter(pk__lt=before)
    jobs = list(found[: PAGE_SIZE + 1])
    record_for_user(
        user, "search", address=read_address(request), detail={"page": "reconstructions", **asked}
    )
    is_more = len(jobs) > PAGE_SIZE
    next_query = {**asked, "before": str(jobs[PAGE_SIZE - 1].pk)} if is_more else None
    context = {
        "rows": [_row(user, job) for job in jobs[:PAGE_SIZE]],
        "asked": asked,
        "may_see_all": may_administer(user),
        "statuses": Status.choices,
        "newest": newest,
        "is_first": before is None,
        "older": urlencode(next_query) if next_query else "",
    }
    return render(request, "reconstruction/jobs.html", context)


@require_safe
@login_required
@never_cache
def show_rows(request: HttpRequest) -> HttpResponse:
    """Show the rows of some jobs, `?job=` each, as far as the person may see them."""
    user = _person(request)
    keys = [_key(text) for text in request.GET.getlist("job")[:MOST_ROWS]]
    found = _visible(user).filter(pk__in=[key for key in keys if key is not None])
    return render(
        request, "reconstruction/_rows.html", {"rows": [_row(user, job) for job in found]}
    )


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _visible(user: User) -> QuerySet[ReconstructionJob]:
    visible = ReconstructionJob.objects.visible_to(user).order_by("-id")
    return visible.select_related("series", "study__patient", "requested_by", "facility")


def _narrowed(user: User, asked: dict[str, str]) -> QuerySet[ReconstructionJob]:
    found = _visible(user)
    if asked["people"] != "all":
        found = found.filter(requested_by=user)
    return found.filter(status=asked["status"]) if asked["status"] in Status.values else found


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _row(user: User, job: ReconstructionJob) -> dict[str, Any]:
    """Return what the row shows beside the job's own fields."""
    query = {"study": job.study.study_instance_uid, "series": job.series_instance_uid}
    ended = (Status.FAILED, Status.CANCELLED)
    can_be_made_again = job.status in ended or job.files_removed_at is not None
    return {
        "job": job,
        "kind": name_of(job.kind),
        "parameters": describe(job.parameters),
        "reason": say_reason(job.reason),
        "percent": round(100 * job.progress),
        "is_open": job.status in ReconstructionJob.OPEN,
        "may_cancel": job.status in ReconstructionJob.OPEN and not job.is_storing,
        "may_retry": can_be_made_again and may_ask(user),
        "result": f"{reverse('viewer:find')}?{urlencode(query)}" if query["series"] else "",
        "files": [{**one, "url": address_of(job, one["name"])} for one in job.files],
    }
