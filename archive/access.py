"""Who may see which rows: role says what, facility says where.

`visible_to(user)` on every queryset of patient data is the only way to
rows. What a user may not see is not there: foreign answers as missing.
No facility means quarantine, which administrators alone see.
"""

from __future__ import annotations

import uuid
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
        rows = self if user.grant.study_id is None else self._of_study(user.grant.study_id)
        if user.sees_every_facility:
            return rows.all()
        return rows.filter(**{f"{self.facility_path}__in": user.facility_keys()})

    def _of_study(self, study_id: uuid.UUID) -> Self:
        """Return what belongs to one study; what belongs to none is not there."""
        if self.model._meta.label == "archive.Study":
            return self.filter(pk=study_id)
        has_study = any(field.name == "study" for field in self.model._meta.concrete_fields)
        return self.filter(study=study_id) if has_study else self.none()

    def in_facilities(self, facility_ids: Iterable[Any]) -> Self:
        """Return the rows of the given facilities: the twin of `visible_to` for peers."""
        return self.filter(**{f"{self.facility_path}__in": list(facility_ids)})


def may_see_quarantine(user: User | AnonymousUser) -> bool:
    """Whether the user may see rows without a facility."""
    return user.is_authenticated and user.is_archive_admin
