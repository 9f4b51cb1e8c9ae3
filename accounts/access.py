"""Who may see which people, facilities and audit rows.

The rules of the archive in small: administrators see all, others what is of
their own facilities; what a user may not see is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.contrib.auth.models import AnonymousUser, UserManager
from django.db import models

if TYPE_CHECKING:
    from accounts.models import User

ModelT = TypeVar("ModelT", bound=models.Model)

FACILITY_ADMIN = "facility_admin"


def is_facility_admin(user: User | AnonymousUser) -> bool:
    """Whether the user looks after the people of their own facilities."""
    if not user.is_authenticated or user.grant.study_id is not None:
        return False
    return user.is_active and user.role == FACILITY_ADMIN


def may_administer(user: User | AnonymousUser) -> bool:
    """Whether the user may open administration pages at all."""
    return user.is_authenticated and (user.is_archive_admin or is_facility_admin(user))


def may_change_person(user: User, person: User) -> bool:
    """Whether the user may change this person's facts, role and password.

    A facility administrator changes only people all of whose facilities are
    their own, never an administrator; nobody changes their own rights.
    """
    if user.is_archive_admin:
        return True
    if not is_facility_admin(user) or person.is_superuser or person.role == "admin":
        return False
    theirs = set(person.facilities.values_list("id", flat=True))
    return bool(theirs) and theirs <= set(user.facility_keys())


class FacilityQuerySet(models.QuerySet[ModelT]):
    """Facilities."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the facilities in which the user works; all for administrators."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_archive_admin:
            return self.all()
        if user.grant.study_id is not None:
            return self.none()
        return self.filter(pk__in=user.facility_keys())


class AuditQuerySet(models.QuerySet[ModelT]):
    """Rows of the audit trail."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return all rows for administrators, own facilities' for facility administrators."""
        if not user.is_authenticated or not may_administer(user):
            return self.none()
        if user.is_archive_admin:
            return self.all()
        return self.filter(facility__in=user.facility_keys())


class PeopleManager(UserManager["User"]):
    """People."""

    use_in_migrations = False

    def visible_to(self, user: User | AnonymousUser) -> models.QuerySet[User]:
        """Return the user, and who shares a facility with them when they look after people."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_archive_admin:
            return self.all()
        own = models.Q(pk=user.pk)
        if is_facility_admin(user):
            shared: Any = self.filter(facilities__in=user.facility_keys()).values("pk")
            own |= models.Q(pk__in=shared)
        return self.filter(own)


class TokenQuerySet(models.QuerySet[ModelT]):
    """Credentials that people made."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the tokens of the people whom the user may see."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        people: Any = self.model._meta.get_field("user").related_model
        people = people.objects.visible_to(user).values("pk")
        return self.filter(user__in=people)
