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
    """The rows of each level that one asker may see.

    `facilities` are those whose rows these are; None is all, quarantine too. With `is_narrow`
    there is a bound besides the facility, so that no row goes unchecked.
    """

    narrow: Callable[[VisibleQuerySet[Any]], VisibleQuerySet[Any]]
    facilities: frozenset[uuid.UUID] | None
    is_narrow: bool = False

    @classmethod
    def of_user(cls, user: User | AnonymousUser) -> Scope:
        """Return what a person may see."""
        facilities: frozenset[uuid.UUID] | None = frozenset()
        is_narrow = False
        if user.is_authenticated and user.is_active:
            facilities = None if user.sees_every_facility else frozenset(user.facility_keys())
            is_narrow = user.grant.study_id is not None
        return cls(lambda rows: rows.visible_to(user), facilities, is_narrow)

    @classmethod
    def of_facility(cls, facility_id: uuid.UUID | None) -> Scope:
        """Return what a peer of a facility may see; without a facility that is nothing."""
        keys = frozenset() if facility_id is None else frozenset({facility_id})
        return cls(lambda rows: rows.in_facilities(keys), keys)

    def rows(self, level: Level) -> VisibleQuerySet[Any]:
        """Return the rows of a level."""
        return self.narrow(MODELS[level].objects.all())

    def unchecked(self, level: Level) -> VisibleQuerySet[Any]:
        """Return the rows of a level whoever they belong to: each must be asked `allows`.

        For rows that are named by their keys or by those of rows above: a database that knows
        only that a facility has rows, not how many, walks through all of them to find a few.
        """
        if self.is_narrow:
            return self.rows(level)
        return MODELS[level].objects.all()  # type: ignore[no-any-return]

    def allows(self, facility_id: uuid.UUID | None) -> bool:
        """Whether rows of a facility are of this scope; None is quarantine."""
        return self.facilities is None or facility_id in self.facilities
