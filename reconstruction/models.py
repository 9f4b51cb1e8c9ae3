"""Reconstruction jobs: what somebody wants made of a series, and how far it is."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.access import is_facility_admin
from accounts.models import User
from archive.access import VisibleQuerySet
from archive.models import FacilityRow, Series, Study

REASON_LENGTH = 500


class JobQuerySet(VisibleQuerySet["ReconstructionJob"]):
    """Jobs."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return a person's own jobs in their facilities; all there for who looks after them."""
        visible = super().visible_to(user)
        if not user.is_authenticated or user.is_archive_admin or is_facility_admin(user):
            return visible
        return visible.filter(requested_by=user)

    def open(self) -> Self:
        """Return the jobs that wait or run."""
        return self.filter(status__in=ReconstructionJob.OPEN)

    def held_by(self, key: uuid.UUID, claim: uuid.UUID) -> Self:
        """Return the job while it runs under this claim: nobody else may write of its run."""
        return self.filter(pk=key, claim=claim, status=ReconstructionJob.Status.RUNNING)


class ReconstructionJob(FacilityRow):
    """One job. What is made lies in the archive and below `archive.storage`, never in the row."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    OPEN = (Status.QUEUED, Status.RUNNING)

    study = models.ForeignKey(Study, models.CASCADE, related_name="+")
    series = models.ForeignKey(
        Series, models.CASCADE, verbose_name=_("series"), related_name="reconstruction_jobs"
    )
    requested_by = models.ForeignKey(
        User, models.CASCADE, verbose_name=_("requested by"), related_name="+"
    )
    kind = models.CharField(_("kind"), max_length=32)
    parameters: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("parameters"), default=dict
    )
    wish = models.CharField(
        max_length=64, editable=False, help_text=_("Hash of series, kind and parameters.")
    )
    idempotency_key = models.CharField(max_length=200, blank=True, editable=False)
    lane = models.CharField(
        _("lane"), max_length=16, help_text=_("The queue in which the job waits for its turn.")
    )

    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    progress = models.FloatField(_("progress"), default=0.0)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH, blank=True)
    series_instance_uid = models.CharField(
        "Series Instance UID", max_length=64, blank=True, help_text=_("Of the result.")
    )
    result = models.ForeignKey(
        Series, models.SET_NULL, verbose_name=_("result"), null=True, related_name="+"
    )
    files: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(
        _("files"), default=list, help_text=_("Name, size and media type of each.")
    )
    size_bytes = models.BigIntegerField(_("bytes of the files"), default=0)

    created_at = models.DateTimeField(_("asked for"))
    due_at = models.DateTimeField(_("due"))
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    files_removed_at = models.DateTimeField(_("files removed"), null=True)

    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claim = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    worker = models.CharField(_("worker"), max_length=150, blank=True)
    is_storing = models.BooleanField(
        default=False, help_text=_("Results are coming into the archive: too late to cancel.")
    )

    objects: ClassVar[JobQuerySet] = JobQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("reconstruction")
        verbose_name_plural = _("reconstructions")
        constraints = [
            models.UniqueConstraint(
                fields=["requested_by", "wish"],
                condition=models.Q(status__in=["queued", "running"]),
                name="reconstruction_job_one_of_a_wish",
            ),
            models.UniqueConstraint(
                fields=["requested_by", "idempotency_key"],
                condition=models.Q(idempotency_key__gt=""),
                name="reconstruction_job_one_a_key",
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "status", "due_at"], name="reconstruction_job_due"),
            models.Index(fields=["requested_by", "-id"], name="reconstruction_job_by_person"),
            models.Index(fields=["facility", "-id"], name="reconstruction_job_by_place"),
            models.Index(fields=["files_removed_at", "ended_at"], name="reconstruction_job_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
