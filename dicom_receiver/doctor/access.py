"""Who may read the diary of the port: administrators all, facility administrators their peers'."""

from __future__ import annotations

from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from accounts.access import is_facility_admin
from accounts.models import User
from archive.access import ModelT


class CallQuerySet(models.QuerySet[ModelT]):
    """Calls at the port. Those of strangers belong to no facility."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return all calls for administrators, those of their peers for facility administrators."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_archive_admin:
            return self.all()
        if is_facility_admin(user):
            return self.filter(facility__in=user.facility_keys())
        return self.none()
