"""Who may look into other archives, fetch from them and send to them.

The role says whether, the facility where: a person sees the peers of their own facilities, and
what is fetched belongs to the peer's facility. Administrators alone write peers down, so that
nobody else chooses where this server calls.
"""

from __future__ import annotations

from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from accounts.models import Role, User
from archive.access import ModelT

CALLERS = frozenset({Role.RADIOLOGIST, Role.TECHNOLOGIST, Role.FACILITY_ADMIN, Role.ADMIN})


def may_call_out(user: User | AnonymousUser) -> bool:
    """Whether the user's role may test, query, import from and send to peers."""
    if not user.is_authenticated or not user.is_active:
        return False
    return user.is_archive_admin or user.role in CALLERS


class PeerQuerySet(models.QuerySet[ModelT]):
    """Peers, by DIMSE or DICOMweb."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the active peers of the user's facilities; all active ones for administrators."""
        if not user.is_authenticated or not may_call_out(user):
            return self.none()
        active = self.filter(is_active=True, facility__is_active=True)
        if user.is_archive_admin:
            return active
        return active.filter(facility__in=user.facility_keys())
