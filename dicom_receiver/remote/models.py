"""Archives that speak DICOMweb, and what people have fetched from other archives."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import Facility, User
from archive.access import VisibleQuerySet
from archive.models import TEXT_LENGTH, UID_LENGTH, FacilityRow
from dicom_receiver.remote.access import PeerQuerySet
from dicom_receiver.remote.web_address import check_base_url

REASON_LENGTH = 500


class WebPeer(models.Model):
    """Another archive that we call by DICOMweb (PS3.18)."""

    class Authentication(models.TextChoices):
        NONE = "none", _("none")
        BASIC = "basic", _("user and password")
        BEARER = "bearer", _("token")

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    name = models.CharField(_("name"), max_length=40, unique=True)
    description = models.CharField(_("description"), max_length=120, blank=True)
    base_url = models.CharField(
        _("address"),
        max_length=300,
        validators=[check_base_url],
        help_text=_("What stands before /studies, such as https://pacs.example.org/dicom-web"),
    )
    authentication = models.CharField(
        _("log in by"),
        max_length=8,
        choices=Authentication.choices,
        default=Authentication.NONE,
    )
    username = models.CharField(_("user"), max_length=150, blank=True)
    sealed_secret = models.TextField(
        blank=True, editable=False, help_text=_("Password or token, encrypted.")
    )
    verify_certificate = models.BooleanField(
        _("verify its certificate"),
        default=True,
        help_text=_("Without, anybody on the way can read and change what is sent."),
    )
    facility = models.ForeignKey(
        Facility,
        models.PROTECT,
        verbose_name=_("facility"),
        related_name="web_peers",
        help_text=_("What is imported from it belongs here; this facility's people see it."),
    )
    is_queried = models.BooleanField(_("people may query it"), default=True)
    is_destination = models.BooleanField(_("people may send to it"), default=True)
    timeout_seconds = models.PositiveSmallIntegerField(
        _("time-out in seconds"),
        default=30,
        validators=[MinValueValidator(2), MaxValueValidator(600)],
        help_text=_("How long we wait for its answer when we call it."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects: ClassVar[PeerQuerySet[WebPeer]] = PeerQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("DICOMweb peer")
        verbose_name_plural = _("DICOMweb peers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ExchangeQuerySet(VisibleQuerySet["Exchange"]):
    """Exchanges with other archives."""

    def open(self) -> ExchangeQuerySet:
        """Return those that wait or run."""
        return self.filter(status__in=Exchange.OPEN)

    def held_by(self, key: uuid.UUID, claim: uuid.UUID) -> ExchangeQuerySet:
        """Return the exchange while it runs under this claim: nobody else may write of its run."""
        return self.filter(pk=key, claim=claim, status=Exchange.Status.RUNNING)


class Exchange(FacilityRow):
    """One study or series that somebody fetches from another archive, or sends by DICOMweb.

    What is known of it is kept as text for the page; what it is, the files say. What goes out
    by DIMSE is a `Transfer`.
    """

    class Way(models.TextChoices):
        FETCH = "fetch", _("Import")
        SEND = "send", _("Send")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    OPEN = (Status.QUEUED, Status.RUNNING)

    peer = models.ForeignKey(
        "dicom_receiver.Peer", models.SET_NULL, verbose_name=_("peer"), null=True, related_name="+"
    )
    web_peer = models.ForeignKey(
        WebPeer, models.SET_NULL, verbose_name=_("DICOMweb peer"), null=True, related_name="+"
    )
    peer_name = models.CharField(_("archive"), max_length=40)
    way = models.CharField(_("way"), max_length=5, choices=Way.choices, default=Way.FETCH)
    requested_by = models.ForeignKey(
        User, models.CASCADE, verbose_name=_("requested by"), related_name="+"
    )
    wish = models.CharField(
        max_length=64, editable=False, help_text=_("Hash of way, peer, study and series.")
    )
    study_instance_uid = models.CharField("Study Instance UID", max_length=UID_LENGTH)
    series_instance_uid = models.CharField("Series Instance UID", max_length=UID_LENGTH, blank=True)
    patient_name = models.CharField(_("name"), max_length=TEXT_LENGTH, blank=True)
    patient_id = models.CharField(_("patient ID"), max_length=64, blank=True)
    study_date = models.CharField(_("study date"), max_length=10, blank=True)
    modalities = models.CharField(_("modalities"), max_length=255, blank=True)
    description = models.CharField(_("description"), max_length=TEXT_LENGTH, blank=True)

    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    expected = models.PositiveIntegerField(_("instances in all"), null=True)
    done = models.PositiveIntegerField(_("done"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH, blank=True)
    address = models.CharField(max_length=64, blank=True, editable=False)

    created_at = models.DateTimeField(_("asked for"))
    due_at = models.DateTimeField(_("due"))
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claim = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    worker = models.CharField(_("worker"), max_length=150, blank=True)

    objects: ClassVar[ExchangeQuerySet] = ExchangeQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("exchange")
        verbose_name_plural = _("exchanges")
        constraints = [
            models.UniqueConstraint(
                fields=["wish"],
                condition=models.Q(status__in=["queued", "running"]),
                name="dicom_receiver_exchange_once",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "due_at"], name="dicom_receiver_exchange_due"),
            models.Index(fields=["facility", "-id"], name="dicom_receiver_exchange_place"),
        ]

    def __str__(self) -> str:
        return f"{self.peer_name} {self.study_instance_uid}"
