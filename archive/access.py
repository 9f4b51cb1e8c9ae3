"""Who may see which rows: role says what, facility says where.

`visible_to(user)` on every queryset of patient data is the only way to
rows. What a user may not see is not there: foreign answers as missing.
No facility means quarantine, which administrators alone see.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from accounts.models import User

ModelT = TypeVar("ModelT", bound=models.Model)


class VisibleQuerySet(models.QuerySet[ModelT]):
    """Rows that belong to a facility, reached through `facility_path`."""

    facility_path = "facility"

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the rows that the user may see."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_archive_admin:
            return self.all()
        return self.filter(**{f"{self.facility_path}__in": user.facility_keys()})

    def in_facilities(self, facility_ids: Iterable[Any]) -> Self:
        """Return the rows of the given facilities: the twin of `visible_to` for peers."""
        return self.filter(**{f"{self.facility_path}__in": list(facility_ids)})


def may_see_quarantine(user: User | AnonymousUser) -> bool:
    """Whether the user may see rows without a facility."""
    return user.is_authenticated and user.is_archive_admin
