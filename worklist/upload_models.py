"""Uploads that come in pieces, and what became of each file in them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import User
from archive.access import VisibleQuerySet
from archive.models import TEXT_LENGTH, UID_LENGTH, FacilityRow

NAME_LENGTH = 200


class Upload(FacilityRow):
    """One file, or one ZIP, on its way in; its bytes wait in the storage until all are there."""

    class State(models.TextChoices):
        RECEIVING = "receiving", _("Receiving")
        WAITING = "waiting", _("Waiting to be stored")
        STORING = "storing", _("Being stored")
        DONE = "done", _("Stored")
        FAILED = "failed", _("Failed")

    created_by = models.ForeignKey(User, models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    size_bytes = models.BigIntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    state = models.CharField(
        _("state"), max_length=12, choices=State.choices, default=State.RECEIVING
    )
    reason = models.CharField(_("reason"), max_length=TEXT_LENGTH, blank=True)
    claim = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    file_count = models.PositiveIntegerField(_("files"), default=0)
    counts: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(
        _("verdicts"), default=dict, blank=True
    )
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("forgotten"))

    objects: ClassVar[VisibleQuerySet[Upload]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        indexes = [
            models.Index(fields=["state", "lease_until"], name="worklist_upload_due"),
            models.Index(fields=["expires_at"], name="worklist_upload_by_end"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class UploadVerdict(models.Model):
    """What became of one file of an upload."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    upload = models.ForeignKey(Upload, models.CASCADE, related_name="verdicts", db_index=False)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=TEXT_LENGTH)
    status = models.CharField(max_length=12)
    reason = models.CharField(max_length=TEXT_LENGTH, blank=True)
    study_instance_uid = models.CharField(max_length=UID_LENGTH, blank=True)
    sop_instance_uid = models.CharField(max_length=UID_LENGTH, blank=True)

    objects: ClassVar[models.Manager[UploadVerdict]] = models.Manager()

    class Meta:
        verbose_name = _("verdict")
        verbose_name_plural = _("verdicts")
        constraints = [
            models.UniqueConstraint(
                fields=["upload", "number"], name="worklist_upload_verdict_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.upload_id} {self.number}"
