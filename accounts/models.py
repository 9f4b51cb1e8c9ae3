"""Facilities, users and the audit trail."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.access import AuditQuerySet, FacilityQuerySet, PeopleManager, TokenQuerySet
from accounts.grants import WHOLE, Grant
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

    # Of the credential by which the person came; authentication narrows it.
    grant: Grant = WHOLE

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
        return self.sees_every_facility and self.grant.study_id is None

    @property
    def sees_every_facility(self) -> bool:
        """Whether no facility bounds the rows; a study may (`grants`)."""
        is_admin = self.is_superuser or self.role == Role.ADMIN
        return self.is_active and is_admin and self.grant.facility_id is None

    def facility_keys(self) -> list[uuid.UUID]:
        """Return the keys of this person's active facilities (one query, kept per object)."""
        cached: list[uuid.UUID] | None = getattr(self, "_facility_keys", None)
        if cached is None:
            active = self._facilities_to_be_in().filter(is_active=True)
            if self.grant.facility_id is not None:
                active = active.filter(pk=self.grant.facility_id)
            cached = list(active.values_list("id", flat=True))
            self._facility_keys = cached
        return cached

    def _facilities_to_be_in(self) -> models.QuerySet[Facility]:
        """Return the person's facilities; an administrator bound to one need not work there."""
        if self.grant.facility_id is not None and (self.is_superuser or self.role == Role.ADMIN):
            return Facility.objects.all()
        return self.facilities.all()


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


class ApiToken(models.Model):
    """A credential for programs, made by a person; `accounts.api_tokens` makes and reads them.

    Only a hash is kept: whoever reads the table cannot use what is in it.
    """

    class Scope(models.TextChoices):
        READ = "read", _("Reads only")
        WRITE = "write", _("Reads and changes")

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    user = models.ForeignKey(
        User, models.CASCADE, verbose_name=_("user"), related_name="api_tokens"
    )
    name = models.CharField(_("name"), max_length=100)
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    password_stamp = models.CharField(max_length=128, editable=False)
    scope = models.CharField(_("scope"), max_length=10, choices=Scope.choices)
    facility = models.ForeignKey(
        Facility,
        models.PROTECT,
        verbose_name=_("facility"),
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty: all facilities of the person."),
    )
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True)
    last_address = models.CharField(_("last address"), max_length=64, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    objects: ClassVar[TokenQuerySet[ApiToken]] = TokenQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scope__in=["read", "write"]),
                name="accounts_apitoken_scope_is_known",
            )
        ]

    def __str__(self) -> str:
        return self.name


class TokenFamily(models.Model):
    """One log-in by JSON Web Token: every refresh token that came of it; see `accounts.jwts`.

    `generation` is that of the one refresh token which is good; an older one that
    comes back was stolen, or its successor was, and the family ends.
    """

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    password_stamp = models.CharField(max_length=128)
    generation = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("log-in by token")
        verbose_name_plural = _("log-ins by token")

    def __str__(self) -> str:
        return str(self.pk)
