"""Questions of the list page: one page of entries, some rows, one study's preview."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from accounts.models import User
from archive.access import VisibleQuerySet
from archive.models import Event, Series, Study
from worklist.filters import FilterForm, narrow
from worklist.models import WorklistEntry
from worklist.paging import DEFAULT_SORT, ORDERS, Cursor, Page, read_page

MOST_SERIES = 200
MOST_PARTS = 8
MOST_OTHERS = 8


def find_entries(user: User) -> VisibleQuerySet[WorklistEntry]:
    """Return the entries that the user may see, with all that a row shows."""
    return WorklistEntry.objects.visible_to(user).select_related("study__patient", "facility")


def pick_sort(text: str) -> str:
    """Return the order that was asked for, or the usual one."""
    return text if text in ORDERS else DEFAULT_SORT


def list_page(user: User, form: FilterForm, sort: str, place: str) -> Page:
    """Return the page at a place of the narrowed list; a place that is none is the beginning."""
    cursor = Cursor.decode(place, sort) if place else None
    entries = narrow(find_entries(user), form)
    return read_page(entries, sort, cursor, parts=_parts(user, form))


def _parts(user: User, form: FilterForm) -> list[Q]:
    """Return the facilities one by one where the database cannot walk several in order.

    SQLite sorts all rows of several facilities for a page; of one facility it
    reads the page's rows alone. PostgreSQL weighs that by itself.
    """
    keys = user.facility_keys()
    is_one_range = user.is_archive_admin or form.cleaned_data["facility"] or len(keys) < 2
    if connection.vendor != "sqlite" or is_one_range or len(keys) > MOST_PARTS:
        return [Q()]
    return [Q(facility=key) for key in keys]


def find_rows(
    user: User, form: FilterForm, sort: str, study_ids: list[uuid.UUID]
) -> list[WorklistEntry]:
    """Return the entries of these studies that belong into the narrowed list, sorted."""
    entries = narrow(find_entries(user), form).filter(study__in=study_ids)
    return list(entries.order_by(*ORDERS[sort].terms))


def newest_event_id() -> int:
    """Return the id of the newest event: a page that shows now what is true listens from here."""
    return Event.objects.order_by("-id").values_list("id", flat=True).first() or 0


@dataclass(frozen=True)
class Preview:
    """A study beside the list: its series and what else is here of this patient."""

    entry: WorklistEntry
    series: list[Series]
    others: list[WorklistEntry]


def read_preview(user: User, entry_id: uuid.UUID) -> Preview:
    """Return the preview; raises `WorklistEntry.DoesNotExist` for what the user may not see."""
    entry = find_entries(user).select_related("order").get(pk=entry_id)
    series = Series.objects.visible_to(user).filter(study=entry.study_id)
    others = find_entries(user).filter(study__patient=entry.study.patient_id)
    return Preview(
        entry,
        list(series.order_by("series_number", "id")[:MOST_SERIES]),
        list(others.exclude(pk=entry.pk).order_by("-study_at", "-id")[:MOST_OTHERS]),
    )


def is_empty(user: User) -> bool:
    """Whether the user sees no study at all."""
    return not Study.objects.visible_to(user).exists()
