"""Other application entities and what passed between them and us."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import Facility

AE_TITLE = RegexValidator(
    r"^[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?$",
    _("1 to 16 printable characters without backslash (PS3.5 6.2)."),
)


class Peer(models.Model):
    """Another application entity, its facility, and what it may ask of us."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    ae_title = models.CharField(_("AE title"), max_length=16, unique=True, validators=[AE_TITLE])
    description = models.CharField(_("description"), max_length=120, blank=True)
    host = models.CharField(
        _("host"),
        max_length=255,
        blank=True,
        help_text=_("Where it listens; also the only address it may call from, unless empty."),
    )
    port = models.PositiveIntegerField(
        _("port"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
    )
    check_address = models.BooleanField(
        _("check address"),
        default=False,
        help_text=_("Refuse associations in its name from other addresses than its host."),
    )
    facility = models.ForeignKey(
        Facility,
        models.PROTECT,
        verbose_name=_("facility"),
        related_name="peers",
        help_text=_("What it stores belongs here; it sees this facility's studies alone."),
    )
    may_store = models.BooleanField(_("may store"), default=True)
    may_find = models.BooleanField(_("may query"), default=False)
    may_move = models.BooleanField(_("may move"), default=False)
    may_get = models.BooleanField(_("may get"), default=False)
    may_mwl = models.BooleanField(_("may ask the modality worklist"), default=False)
    may_mpps = models.BooleanField(_("may report procedure steps"), default=False)
    may_commit = models.BooleanField(_("may ask for storage commitment"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("peer")
        verbose_name_plural = _("peers")
        ordering = ["ae_title"]

    def __str__(self) -> str:
        return self.ae_title


class SenderStatistics(models.Model):
    """What one sender did on one day. Counted in memory, added to the row in groups."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    day = models.DateField(_("day"))
    ae_title = models.CharField(_("calling AE title"), max_length=16)
    address = models.CharField(_("address"), max_length=64)
    associations = models.PositiveBigIntegerField(_("associations"), default=0)
    refused = models.PositiveBigIntegerField(_("refused associations"), default=0)
    objects_stored = models.PositiveBigIntegerField(_("objects"), default=0)
    bytes_stored = models.PositiveBigIntegerField(_("bytes"), default=0)
    failures = models.PositiveBigIntegerField(_("failures"), default=0)
    last_seen_at = models.DateTimeField(_("last seen"))

    objects: ClassVar[models.Manager[SenderStatistics]] = models.Manager()

    class Meta:
        verbose_name = _("sender statistics")
        verbose_name_plural = _("sender statistics")
        ordering = ["-day", "ae_title"]
        constraints = [
            models.UniqueConstraint(
                fields=["day", "ae_title", "address"], name="dicom_receiver_statistics_once_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.ae_title}"
