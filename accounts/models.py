"""Facilities, users and the audit trail."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.access import AuditQuerySet, FacilityQuerySet, PeopleManager
from accounts.keys import new_key


class Facility(models.Model):
    """A hospital, clinic or practice; patients and studies belong to exactly one."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    code = models.CharField(
        _("code"),
        max_length=32,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")],
        help_text=_("Short name used in set-up files and filters."),
    )
    name = models.CharField(_("name"), max_length=120)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects: ClassVar[FacilityQuerySet[Facility]] = FacilityQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("facility")
        verbose_name_plural = _("facilities")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a person does; the facility says where."""

    RADIOLOGIST = "radiologist", _("Radiologist")
    TECHNOLOGIST = "technologist", _("Technologist")
    REFERRER = "referrer", _("Referring physician")
    FACILITY_ADMIN = "facility_admin", _("Facility administrator")
    ADMIN = "admin", _("Administrator")


class User(AbstractUser):
    """A person who logs in; sees the studies of their facilities."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    role = models.CharField(_("role"), max_length=20, choices=Role.choices, default=Role.REFERRER)
    facilities = models.ManyToManyField(
        Facility, verbose_name=_("facilities"), related_name="users", blank=True
    )

    objects: ClassVar[PeopleManager] = PeopleManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["username"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=[choice.value for choice in Role]),
                name="accounts_user_role_is_known",
            )
        ]

    @property
    def is_archive_admin(self) -> bool:
        """Whether this person sees every facility and the quarantine."""
        return self.is_active and (self.is_superuser or self.role == Role.ADMIN)

    def facility_keys(self) -> list[uuid.UUID]:
        """Return the keys of this person's active facilities (one query, kept per object)."""
        cached: list[uuid.UUID] | None = getattr(self, "_facility_keys", None)
        if cached is None:
            active = self.facilities.filter(is_active=True)
            cached = list(active.values_list("id", flat=True))
            self._facility_keys = cached
        return cached


class AuditRow(models.Model):
    """One fact of who did what to whose data; written once, chained by hash.

    `accounts.audit` is the only writer. `hash` covers this row and the hash
    of the row before, so that a changed or missing row shows itself.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("time"), db_index=True)
    user = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("user"), null=True, related_name="audit_rows"
    )
    actor = models.CharField(_("actor"), max_length=150)
    address = models.CharField(_("address"), max_length=64, blank=True)
    action = models.CharField(_("action"), max_length=40, db_index=True)
    outcome = models.CharField(_("outcome"), max_length=20, default="success")
    facility = models.ForeignKey(
        Facility,
        models.PROTECT,
        verbose_name=_("facility"),
        null=True,
        db_index=False,
        related_name="+",
    )
    patient_id = models.CharField(_("patient ID"), max_length=64, blank=True)
    study_instance_uid = models.CharField(max_length=64, blank=True, db_index=True)
    detail: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("detail"), default=dict
    )
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    objects: ClassVar[AuditQuerySet[AuditRow]] = AuditQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("audit row")
        verbose_name_plural = _("audit trail")
        ordering = ["-id"]
        indexes = [models.Index(fields=["facility", "-at"], name="accounts_audit_in_facility")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action}"


class LoginDelay(models.Model):
    """Failed log-ins of one name, one address, or both together; see `accounts.throttle`."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    key = models.CharField(max_length=64, unique=True)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    blocked_until = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(
        null=True, help_text=_("When this name last logged in from this address.")
    )

    class Meta:
        verbose_name = _("log-in delay")
        verbose_name_plural = _("log-in delays")
        indexes = [models.Index(fields=["failed_at"], name="accounts_login_delay_by_age")]

    def __str__(self) -> str:
        return self.key
