"""Rules by which what comes in is sent on, and what was decided already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import Facility
from archive.models import Instance
from dicom_receiver.outgoing.models import Transfer

if TYPE_CHECKING:
    from dicom_receiver.models import Peer

_WILD = _("Capitals do not matter; * stands for any text, ? for one character. Empty: any.")


class RoutingRule(models.Model):
    """What comes in and fits all conditions goes to all of the peers."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    name = models.CharField(_("name"), max_length=120, unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    facility = models.ForeignKey(
        Facility,
        models.CASCADE,
        verbose_name=_("facility"),
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty: any. What lies in quarantine is never sent on."),
    )
    sender = models.CharField(
        _("sender"),
        max_length=150,
        blank=True,
        help_text=format_lazy("{} {}", _("AE title it came from."), _WILD),
    )
    modality = models.CharField(
        _("modality"), max_length=120, blank=True, help_text=_("Such as CT, MR. Empty: any.")
    )
    description = models.CharField(
        _("description"),
        max_length=200,
        blank=True,
        help_text=format_lazy("{} {}", _("Of the study, the series or its protocol."), _WILD),
    )
    body_part = models.CharField(_("body part"), max_length=120, blank=True, help_text=_WILD)
    time_from = models.TimeField(
        _("from"),
        null=True,
        blank=True,
        help_text=_("Arrival, in the time zone of the server; may run over midnight."),
    )
    time_until = models.TimeField(_("until"), null=True, blank=True)
    peers: models.ManyToManyField[Peer, Any] = models.ManyToManyField(
        "dicom_receiver.Peer", verbose_name=_("peers"), related_name="+"
    )
    priority = models.SmallIntegerField(
        _("priority"), choices=Transfer.Priority.choices, default=Transfer.Priority.MEDIUM
    )
    since = models.DateTimeField(
        _("since"), help_text=_("What came before is not sent on by this rule."), editable=False
    )

    objects: ClassVar[models.Manager[RoutingRule]] = models.Manager()

    class Meta:
        verbose_name = _("routing rule")
        verbose_name_plural = _("routing rules")
        ordering = ["-priority", "name"]

    def __str__(self) -> str:
        return self.name


class RoutedInstance(models.Model):
    """An instance for which the rules have decided: they decide once."""

    instance = models.OneToOneField(Instance, models.CASCADE, primary_key=True, related_name="+")
    at = models.DateTimeField(_("decided"))

    class Meta:
        verbose_name = _("routed instance")
        verbose_name_plural = _("routed instances")

    def __str__(self) -> str:
        return str(self.instance_id)


class Holder(models.Model):
    """A sender that brought an instance which was here already: it need not be sent there."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    instance = models.ForeignKey(Instance, models.CASCADE, related_name="+", db_index=False)
    ae_title = models.CharField(_("AE title"), max_length=16)

    class Meta:
        verbose_name = _("holder")
        verbose_name_plural = _("holders")
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "ae_title"], name="dicom_receiver_holder_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.ae_title} {self.instance_id}"
