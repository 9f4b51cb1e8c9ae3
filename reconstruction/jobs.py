"""Reconstruction jobs: asked for, looked at, cancelled, tried again.

A job is a row, written before anything happens. Whoever runs it holds a claim with a lease
(`reconstruction.running`); all that is written of a run is written under that claim, so a run
that was cancelled, or taken over, cannot change anything any more.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import KombuError
from rest_framework.exceptions import ValidationError

from accounts.audit import record_for_user
from accounts.models import Role, User
from archive.models import Series, Study
from imaging.errors import ConflictError, MissingError, NotAllowedError
from reconstruction.kinds import KINDS, load_kind
from reconstruction.models import ReconstructionJob
from reconstruction.tasks import look
from reconstruction.turns import publish
from reconstruction.volumes import refuse_unless_volume

logger = logging.getLogger("noctis.reconstruction")

# Queues of their own: what is large never stands before what somebody waits for.
INTERACTIVE, BULK = "reconstruction", "bulk"
LANES = (INTERACTIVE, BULK)
# More voxels than this wait among the large ones: 512 x 512 x 1,000.
BULK_VOXELS = 512 * 512 * 1000
ASKERS = {Role.RADIOLOGIST, Role.TECHNOLOGIST, Role.FACILITY_ADMIN}
KEY_LENGTH = 200
VALUES_LIMIT, DEPTH_LIMIT, TEXT_LIMIT, NUMBER_LIMIT = 30_000, 6, 2_000, 1e12
_NOT_KEPT = re.compile("[\\0\ud800-\udfff]")
Status = ReconstructionJob.Status


class TooManyJobsError(Exception):
    """The person has as many jobs under way as are allowed."""


def may_ask(user: User) -> bool:
    """Whether the user's role may have series made."""
    return user.is_active and (user.is_archive_admin or user.role in ASKERS)


def ask_for(
    user: User, series: Series, wish: tuple[str, Mapping[str, Any]], *, key: str = "",
    address: str = "",
) -> ReconstructionJob:  # fmt: skip
    """Return the job that makes `wish` (kind and parameters) of a series with its study.

    The same wish of the same person that waits or runs already is the same job; so is one with
    the same idempotency `key`, whatever became of it.

    Raises
    ------
    ValidationError
        Kind or parameters are wrong; the words begin with the parameter's name.
    NotAVolumeError
        The passport forbids it, with its reasons.
    ConflictError
        The idempotency key was used for another wish.
    NotAllowedError
        The person's role may look only.
    TooManyJobsError
        The person has too many jobs under way.
    """
    kind, parameters = wish
    if not may_ask(user):
        raise NotAllowedError(_("Your role may look at reconstructions only."))
    check_wish(kind, parameters)
    digest = _digest(series, kind, parameters)
    known = _find_same(user, digest, key)
    if known is not None:
        return known
    refuse_unless_volume(series)
    now = timezone.now()
    job = ReconstructionJob(
        facility_id=series.facility_id, study=series.study, series=series, requested_by=user,
        kind=kind, parameters=dict(parameters), wish=digest, idempotency_key=key,
        lane=_lane_of(series), created_at=now, due_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            # Before its series, as everybody locks: a new row holds both.
            list(Study.objects.select_for_update(no_key=True).filter(pk=series.study_id))
            _check_limit(user)
            job.save(force_insert=True)
            _record(job, user, "reconstruction_requested", address)
            publish(job)
    except IntegrityError:
        # Asked for twice at the same moment.
        known = _find_same(user, digest, key)
        if known is None:
            # A job of a facility that the person has left.
            raise ConflictError(_("This Idempotency-Key was used for another job.")) from None
        return known
    wake(job)
    return job


def check_wish(kind: str, parameters: Mapping[str, Any]) -> None:
    """Raise `ValidationError` unless there is such a kind and it takes these parameters."""
    if kind not in KINDS:
        words = {"kinds": ", ".join(sorted(KINDS)) or "-"}
        raise ValidationError(_("kind: use one of %(kinds)s.") % words)
    left = VALUES_LIMIT
    for name, value in parameters.items():
        left -= _check_plain(str(name), value, left)
    try:
        load_kind(kind).parse(parameters)
    except (RecursionError, OverflowError):
        raise ValidationError(_("parameters: they cannot be understood.")) from None


def cancel_job(user: User, job: ReconstructionJob, *, address: str = "") -> None:
    """Stop a job; whoever runs it ends within a second. A cancelled one stays as it is.

    Raises ConflictError when it is too late.
    """
    with transaction.atomic():
        open_jobs = ReconstructionJob.objects.open().filter(pk=job.pk, is_storing=False)
        count = open_jobs.update(
            status=Status.CANCELLED, ended_at=timezone.now(), claim=None, lease_until=None
        )
        job.refresh_from_db()
        if count:
            _record(job, user, "reconstruction_cancelled", address)
            publish(job)
    if job.status in ReconstructionJob.OPEN:
        raise ConflictError(_("The result is coming into the archive already."))
    if job.status != Status.CANCELLED:
        raise ConflictError(_("This job has ended already."))


def retry_job(user: User, job: ReconstructionJob, *, address: str = "") -> None:
    """Let a job wait again that failed, was cancelled, or whose files have been removed.

    It keeps its progress: that of a job never runs backwards. Raises ConflictError when there is
    nothing to try again, NotAllowedError and TooManyJobsError as `ask_for`.
    """
    if not may_ask(user):
        raise NotAllowedError(_("Your role may look at reconstructions only."))
    ended = ReconstructionJob.objects.filter(pk=job.pk).filter(
        status__in=[Status.FAILED, Status.CANCELLED]
    ) | ReconstructionJob.objects.filter(
        pk=job.pk, status=Status.DONE, files_removed_at__isnull=False
    )
    try:
        with transaction.atomic():
            _check_limit(job.requested_by)
            count = ended.update(
                status=Status.QUEUED, attempts=0, due_at=timezone.now(), reason="",
                ended_at=None, files_removed_at=None, files=[], size_bytes=0, is_storing=False,
            )  # fmt: skip
            job.refresh_from_db()
            if count:
                _record(job, user, "reconstruction_retried", address)
                publish(job)
    except IntegrityError:
        raise ConflictError(_("The same is under way already.")) from None
    if not count:
        raise ConflictError(_("There is nothing to try again."))
    wake(job)


def find_job(user: User, key: uuid.UUID) -> ReconstructionJob:
    """Return a job that the person may see. Raises MissingError."""
    visible = ReconstructionJob.objects.visible_to(user)
    job = visible.select_related("series", "study__patient", "requested_by").filter(pk=key).first()
    if job is None:
        raise MissingError(_("There is no such job."))
    return job


def wake(job: ReconstructionJob) -> None:
    """Tell a worker to look at once; without a broker it looks a second later."""

    def send() -> None:
        try:
            look.apply_async((str(job.pk),), queue=job.lane)
        except (KombuError, OSError) as error:
            logger.warning("no worker could be woken: %s", type(error).__name__)

    transaction.on_commit(send)


def jobs_limit() -> int:
    """Return how many jobs of one person may wait and run at one time."""
    return int(settings.NOCTIS_RECONSTRUCTION_JOBS)


# --- asking -----------------------------------------------------------------------------
def _check_plain(name: str, value: object, left: int, depth: int = 0) -> int:
    """Refuse what no kind could mean, whatever it is; returns how many values were looked at."""
    if depth > DEPTH_LIMIT or left <= 0:
        raise ValidationError(_("%(name)s: it is too large.") % {"name": name[:80]})
    if isinstance(value, str):
        # Neither a zero nor half a surrogate pair can be kept.
        if len(value) > TEXT_LIMIT or _NOT_KEPT.search(value):
            raise ValidationError(
                _("%(name)s: this text is too long, or holds what is no character.")
                % {"name": name[:80]}
            )
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= NUMBER_LIMIT:
            raise ValidationError(_("%(name)s: give a finite number.") % {"name": name[:80]})
    elif isinstance(value, list | dict):
        looked_at = 1
        for one in value.values() if isinstance(value, dict) else value:
            looked_at += _check_plain(name, one, left - looked_at, depth + 1)
        return looked_at
    return 1


def _digest(series: Series, kind: str, parameters: Mapping[str, Any]) -> str:
    text = json.dumps([str(series.pk), kind, dict(parameters)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _find_same(user: User, digest: str, key: str) -> ReconstructionJob | None:
    mine = ReconstructionJob.objects.visible_to(user).filter(requested_by=user)
    mine = mine.select_related("series", "study")
    if key:
        known = mine.filter(idempotency_key=key).first()
        if known is not None and known.wish != digest:
            raise ConflictError(_("This Idempotency-Key was used for another job."))
        if known is not None:
            return known
    return mine.open().filter(wish=digest).first()


def _check_limit(user: User) -> None:
    """Refuse one job too many; must be in the transaction that writes the job."""
    # Of two requests at once, the other one waits here and counts the first one's job.
    list(User.objects.select_for_update(no_key=True).filter(pk=user.pk))
    limit = jobs_limit()
    if ReconstructionJob.objects.open().filter(requested_by=user).count() >= limit:
        raise TooManyJobsError(
            _("You have %(limit)d reconstructions under way: wait for one, or cancel one.")
            % {"limit": limit}
        )


def _lane_of(series: Series) -> str:
    """Return the queue in which jobs on this series wait. Costs a query."""
    first = series.instances.order_by("instance_number").values_list("rows", "columns").first()
    rows, columns = first or (0, 0)
    voxels = series.frame_count * (rows or 0) * (columns or 0)
    return BULK if voxels > BULK_VOXELS else INTERACTIVE


def _record(job: ReconstructionJob, user: User, action: str, address: str) -> None:
    """Write into the trail who has what made of whose series."""
    record_for_user(
        user,
        action,
        address=address,
        facility_id=job.facility_id,
        patient_id=job.study.patient.patient_id,
        study_instance_uid=job.study.study_instance_uid,
        detail={"job": str(job.pk), "kind": job.kind},
    )
