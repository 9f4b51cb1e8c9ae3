"""Other application entities and what passed between them and us."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import Facility
from dicom_receiver.certificates import parse_fingerprint, parse_subject
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.outgoing.models import CommitmentRequest, Line, Transfer, TransferItem
from dicom_receiver.remote.access import PeerQuerySet
from dicom_receiver.routing.models import Holder, RoutedInstance, RoutingRule

__all__ = [
    "AE_TITLE",
    "Commitment",
    "CommitmentRequest",
    "Holder",
    "Line",
    "Peer",
    "RoutedInstance",
    "RoutingRule",
    "SenderStatistics",
    "Transfer",
    "TransferItem",
]

AE_TITLE = RegexValidator(
    r"^[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?$",
    _("1 to 16 printable characters without backslash (PS3.5 6.2)."),
)


class RetrieveMethod(models.TextChoices):
    """How we fetch what a peer has."""

    MOVE = "move", "C-MOVE"
    GET = "get", "C-GET"


class RetrieveSyntaxes(models.TextChoices):
    """Which transfer syntaxes we accept when a peer answers C-GET."""

    ANY = "any", _("as it is stored there")
    UNCOMPRESSED = "uncompressed", _("uncompressed")


def check_binding(text: str) -> None:
    """Raise ValidationError when a text is neither a fingerprint nor parts of a subject."""
    if parse_fingerprint(text) is None and not parse_subject(text):
        raise ValidationError(
            _("Write a SHA-256 fingerprint (64 hexadecimal digits) or parts such as CN=ct1.")
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
    use_tls = models.BooleanField(
        _("calls by TLS"),
        default=False,
        help_text=_("What we send there goes by DICOM over TLS; its certificate is verified."),
    )
    certificate = models.CharField(
        _("certificate"),
        max_length=400,
        blank=True,
        validators=[check_binding],
        help_text=_(
            "SHA-256 fingerprint or parts of the subject, such as CN=ct1, O=Hospital. It may then "
            "call by TLS with this certificate alone; whoever else uses its title is a stranger."
        ),
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
    is_queried = models.BooleanField(
        _("people may query it"),
        default=True,
        help_text=_("Offer it for query and import; needs host and port."),
    )
    is_destination = models.BooleanField(
        _("people may send to it"),
        default=True,
        help_text=_("Offer it under \u201cSend to\u201d; needs host and port."),
    )
    retrieve_method = models.CharField(
        _("import by"),
        max_length=8,
        choices=RetrieveMethod.choices,
        default=RetrieveMethod.MOVE,
        help_text=_(
            "C-MOVE: it sends to our port, and must know our AE title and address. C-GET: it "
            "answers on the association that we open."
        ),
    )
    retrieve_syntaxes = models.CharField(
        _("import as"),
        max_length=16,
        choices=RetrieveSyntaxes.choices,
        default=RetrieveSyntaxes.ANY,
        help_text=_("What we accept when it sends by C-GET."),
    )
    timeout_seconds = models.PositiveSmallIntegerField(
        _("time-out in seconds"),
        default=30,
        validators=[MinValueValidator(2), MaxValueValidator(600)],
        help_text=_("How long we wait for its answer when we call it."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects: ClassVar[PeerQuerySet[Peer]] = PeerQuerySet.as_manager()  # type: ignore[assignment]

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


# Django looks for models here alone.
from dicom_receiver.doctor.models import Call, RefusalCount  # noqa: E402, F401
from dicom_receiver.remote.models import Exchange, WebPeer  # noqa: E402, F401
