"""What was said at the port, for the modality doctor; nothing of patients, and bounded."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import Facility
from dicom_receiver.doctor.access import CallQuerySet


class Call(models.Model):
    """One association, or several alike that came soon after each other (`times`).

    `contexts` and `answers` have the form that `dicom_receiver.diary` writes.
    """

    class Outcome(models.TextChoices):
        """How it stands, or ended."""

        LIVE = "live", _("Live")
        RELEASED = "released", _("Ended in order")
        BROKEN = "broken", _("Ended early")
        REFUSED = "refused", _("Refused")

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    started_at = models.DateTimeField(_("started"))
    seen_at = models.DateTimeField(_("last seen"))
    times = models.PositiveIntegerField(_("times"), default=1)
    ae_title = models.CharField(_("calling AE title"), max_length=16, blank=True)
    called_ae_title = models.CharField(_("called AE title"), max_length=16, blank=True)
    address = models.CharField(_("address"), max_length=64)
    is_tls = models.BooleanField(_("by TLS"), default=False)
    implementation = models.CharField(_("implementation"), max_length=16, blank=True)
    max_pdu_bytes = models.PositiveBigIntegerField(_("its longest PDU"), default=0)
    facility = models.ForeignKey(
        Facility, models.CASCADE, null=True, related_name="+", verbose_name=_("facility")
    )
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices)
    cause = models.CharField(_("cause"), max_length=24, blank=True)
    detail = models.CharField(_("detail"), max_length=200, blank=True)
    contexts = models.JSONField(_("contexts"), default=list)
    answers = models.JSONField(_("answers"), default=list)
    has_trouble = models.BooleanField(_("has trouble"), default=False)

    objects: ClassVar[CallQuerySet[Call]] = CallQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ["-seen_at"]
        indexes = [models.Index(fields=["-seen_at"], name="dicom_receiver_call_seen")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M} {self.ae_title}"


class RefusalCount(models.Model):
    """How often associations were refused for one cause, ever; for the metrics."""

    cause = models.CharField(_("cause"), max_length=24, primary_key=True)
    count = models.PositiveBigIntegerField(_("count"), default=0)

    objects: ClassVar[models.Manager[RefusalCount]] = models.Manager()

    class Meta:
        verbose_name = _("refusals")
        verbose_name_plural = _("refusals")

    def __str__(self) -> str:
        return self.cause
