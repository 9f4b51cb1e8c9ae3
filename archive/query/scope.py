"""Whose rows a question may see: a person's, or those of a peer's facility."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from archive.access import VisibleQuerySet
from archive.models import Instance, Patient, Series, Study
from archive.query.attributes import Level

MODELS: dict[Level, Any] = {
    Level.PATIENT: Patient,
    Level.STUDY: Study,
    Level.SERIES: Series,
    Level.IMAGE: Instance,
}


@dataclass(frozen=True)
class Scope:
    """The rows of each level that one asker may see."""

    narrow: Callable[[VisibleQuerySet[Any]], VisibleQuerySet[Any]]

    @classmethod
    def of_user(cls, user: User | AnonymousUser) -> Scope:
        """Return what a person may see."""
        return cls(lambda rows: rows.visible_to(user))

    @classmethod
    def of_facility(cls, facility_id: uuid.UUID | None) -> Scope:
        """Return what a peer of a facility may see; without a facility that is nothing."""
        keys = [] if facility_id is None else [facility_id]
        return cls(lambda rows: rows.in_facilities(keys))

    def rows(self, level: Level) -> VisibleQuerySet[Any]:
        """Return the rows of a level."""
        return self.narrow(MODELS[level].objects.all())
