"""Storage commitments that peers asked of us: a row first, so that a restart forgets none."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import Facility, User

REASON_LENGTH = 500


class Commitment(models.Model):
    """One N-ACTION of a peer: what it wants kept, what the check found, what was reported."""

    class Status(models.TextChoices):
        CHECKING = "checking", _("Being checked")
        CHECKED = "checked", _("Checked, to be reported")
        REPORTED = "reported", _("Reported")
        GIVEN_UP = "given_up", _("Given up")

    OPEN = (Status.CHECKING, Status.CHECKED)

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    transaction_uid = models.CharField("Transaction UID", max_length=64)
    is_repeat = models.BooleanField(
        default=False, editable=False, help_text=_("The Transaction UID was used before.")
    )
    ae_title = models.CharField(_("calling AE title"), max_length=16, blank=True)
    user = models.ForeignKey(
        User,
        models.CASCADE,
        verbose_name=_("asked over HTTP by"),
        null=True,
        related_name="+",
        help_text=_("Such a one is fetched, not reported."),
    )
    facility = models.ForeignKey(
        Facility,
        models.CASCADE,
        verbose_name=_("facility"),
        null=True,
        related_name="+",
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.CHECKING
    )
    references: models.JSONField[list[list[str]], list[list[str]]] = models.JSONField(
        _("references"), default=list, help_text=_("SOP class and SOP instance of each.")
    )
    instance_count = models.PositiveIntegerField(_("instances"), default=0)
    checked_count = models.PositiveIntegerField(_("checked"), default=0)
    failures: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(
        _("failures"), default=dict, help_text=_("Place in the references, and the reason.")
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    reason = models.CharField(_("last trouble"), max_length=REASON_LENGTH, blank=True)
    created_at = models.DateTimeField(_("asked for"))
    due_at = models.DateTimeField(_("due"))
    give_up_at = models.DateTimeField(_("given up"))
    held_until = models.DateTimeField(
        null=True,
        editable=False,
        help_text=_("So long the peer may still listen on the association on which it asked."),
    )
    checked_at = models.DateTimeField(_("checked at"), null=True)
    reported_at = models.DateTimeField(_("reported at"), null=True)
    claim = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[models.Manager[Commitment]] = models.Manager()

    class Meta:
        verbose_name = _("storage commitment")
        verbose_name_plural = _("storage commitments")
        indexes = [
            models.Index(fields=["status", "due_at"], name="dicom_commitment_due"),
            models.Index(fields=["ae_title", "transaction_uid"], name="dicom_commitment_by_uid"),
        ]

    def __str__(self) -> str:
        return self.transaction_uid

    @property
    def actor(self) -> str:
        """Who asked: the peer, or the person as whom a program came."""
        return self.user.get_username() if self.user else self.ae_title
