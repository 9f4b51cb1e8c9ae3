"""What is to be sent to whom, and how far it is."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import User
from archive.access import VisibleQuerySet
from archive.models import FacilityRow, Instance, Study

REASON_LENGTH = 500
ASSOCIATIONS_LIMIT = 8


class Line(models.Model):
    """The way out to one peer: may it be used, how broadly, and how it went last."""

    peer = models.OneToOneField(
        "dicom_receiver.Peer", models.CASCADE, verbose_name=_("peer"), primary_key=True
    )
    is_paused = models.BooleanField(
        _("paused"), default=False, help_text=_("Transfers wait until this is taken back.")
    )
    associations = models.PositiveSmallIntegerField(
        _("associations at a time"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(ASSOCIATIONS_LIMIT)],
    )
    asks_commitment = models.BooleanField(
        _("ask for storage commitment"),
        default=False,
        help_text=_("After sending, the peer is asked to promise that it keeps what it got."),
    )
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    retry_at = models.DateTimeField(_("tried again"), null=True, editable=False)
    last_error = models.CharField(
        _("last trouble"), max_length=REASON_LENGTH, blank=True, editable=False
    )
    last_success_at = models.DateTimeField(_("last success"), null=True, editable=False)

    class Meta:
        verbose_name = _("way out")
        verbose_name_plural = _("ways out")

    def __str__(self) -> str:
        return str(self.peer)


class TransferQuerySet(VisibleQuerySet["Transfer"]):
    """Transfers."""

    def open(self) -> TransferQuerySet:
        """Return those that have not ended."""
        return self.filter(status__in=Transfer.OPEN)


class Transfer(FacilityRow):
    """Instances of one study that go to one peer."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        COMMITTING = "committing", _("Waits for storage commitment")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Why(models.TextChoices):
        ROUTED = "routed", _("By a rule")
        BY_HAND = "by_hand", _("By hand")
        ANSWER = "answer", _("Asked for by a peer")

    class Priority(models.IntegerChoices):
        LOW = -1, _("Low")
        MEDIUM = 0, _("Medium")
        HIGH = 1, _("High")

    class Commitment(models.TextChoices):
        NOT_ASKED = "", _("Not asked for")
        DUE = "due", _("To be asked for")
        ASKED = "asked", _("Asked for")
        PROMISED = "promised", _("Promised")
        REFUSED = "refused", _("Refused")

    OPEN = (Status.QUEUED, Status.RUNNING, Status.COMMITTING)

    study = models.ForeignKey(
        Study, models.CASCADE, verbose_name=_("study"), related_name="+", db_index=False
    )
    peer = models.ForeignKey(
        "dicom_receiver.Peer", models.CASCADE, verbose_name=_("peer"), related_name="transfers"
    )
    why = models.CharField(_("why"), max_length=10, choices=Why.choices)
    rule = models.ForeignKey(
        "dicom_receiver.RoutingRule",
        models.SET_NULL,
        verbose_name=_("rule"),
        null=True,
        related_name="+",
    )
    requested_by = models.ForeignKey(
        User, models.SET_NULL, verbose_name=_("asked for by"), null=True, related_name="+"
    )
    priority = models.SmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.MEDIUM
    )
    status = models.CharField(
        _("status"), max_length=12, choices=Status.choices, default=Status.QUEUED
    )
    is_paused = models.BooleanField(_("paused"), default=False)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH, blank=True)

    instance_count = models.PositiveIntegerField(_("instances"), default=0)
    size_bytes = models.BigIntegerField(_("bytes"), default=0)
    sent_count = models.PositiveIntegerField(_("sent"), default=0)
    sent_bytes = models.BigIntegerField(_("bytes sent"), default=0)
    failed_count = models.PositiveIntegerField(_("failed"), default=0)

    created_at = models.DateTimeField(_("asked for"))
    due_at = models.DateTimeField(_("due"))
    give_up_at = models.DateTimeField(_("given up"))
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    attempts = models.PositiveSmallIntegerField(
        _("attempts"), default=0, help_text=_("In which the peer answered and refused something.")
    )
    claim = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    worker = models.CharField(_("worker"), max_length=150, blank=True)

    commitment = models.CharField(
        _("storage commitment"),
        max_length=10,
        choices=Commitment.choices,
        blank=True,
        default=Commitment.NOT_ASKED,
    )
    commitment_attempts = models.PositiveSmallIntegerField(default=0, editable=False)

    objects: ClassVar[TransferQuerySet] = TransferQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        indexes = [
            models.Index(fields=["status", "due_at"], name="dicom_transfer_due"),
            models.Index(fields=["peer", "status"], name="dicom_transfer_by_peer"),
            models.Index(fields=["study", "peer", "status"], name="dicom_transfer_by_study"),
            models.Index(fields=["facility", "-id"], name="dicom_transfer_by_place"),
        ]

    def __str__(self) -> str:
        return f"{self.study_id} to {self.peer_id}"


class TransferItem(models.Model):
    """One instance of a transfer, and what the peer said of it."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Not needed")

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    transfer = models.ForeignKey(Transfer, models.CASCADE, related_name="items", db_index=False)
    instance = models.ForeignKey(Instance, models.CASCADE, related_name="+")
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    dimse_status = models.PositiveIntegerField(_("status"), null=True)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    is_committed = models.BooleanField(_("promised to be kept"), null=True)

    class Meta:
        verbose_name = _("instance of a transfer")
        verbose_name_plural = _("instances of transfers")
        constraints = [
            models.UniqueConstraint(
                fields=["transfer", "instance"], name="dicom_transfer_item_once"
            )
        ]
        indexes = [models.Index(fields=["transfer", "state"], name="dicom_transfer_item_state")]

    def __str__(self) -> str:
        return f"{self.transfer_id} {self.instance_id}"


class CommitmentRequest(models.Model):
    """A storage commitment that we asked a peer for; it may answer at any time."""

    transaction_uid = models.CharField("Transaction UID", max_length=64, primary_key=True)
    transfer = models.ForeignKey(
        Transfer, models.CASCADE, verbose_name=_("transfer"), related_name="commitment_requests"
    )
    asked_at = models.DateTimeField(_("asked for"))
    answered_at = models.DateTimeField(_("answered"), null=True)

    class Meta:
        verbose_name = _("request for storage commitment")
        verbose_name_plural = _("requests for storage commitment")

    def __str__(self) -> str:
        return self.transaction_uid
