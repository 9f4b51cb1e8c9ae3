"""The audit trail for a page that leafs through time: dates are found by the index alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.access import AuditQuerySet
from accounts.models import AuditRow


class Timeline(AuditQuerySet[AuditRow]):
    """Answers the two questions of the admin's date hierarchy without reading the table.

    Django asks for the first and the last time in one query, and for every
    year by looking at every row: seconds for a million rows. Here each end,
    and whether a span has any row, is one step into the index.
    """

    def aggregate(self, *args: Any, **named: Any) -> dict[str, Any]:
        """Return the first and the last time; anything else as Django does."""
        if args or set(named) != {"first", "last"}:
            return super().aggregate(*args, **named)
        times = self.values_list("at", flat=True)
        return {"first": times.order_by("at").first(), "last": times.order_by("-at").first()}

    def datetimes(self, field_name: str, kind: str, *args: Any, **named: Any) -> Any:
        """Return the beginnings of the years, months or days that have a row, as a list."""
        ends = self.aggregate(first=None, last=None)
        if ends["first"] is None:
            return []
        begins = []
        begin = _floor(timezone.localtime(ends["first"]), kind)
        while begin <= ends["last"]:
            following = _next(begin, kind)
            if self.filter(at__gte=begin, at__lt=following).exists():
                begins.append(begin)
            begin = following
        return begins


def find_actions() -> list[str]:
    """Return every action that the trail knows, each by one step into the index."""
    actions: list[str] = []
    while True:
        later = AuditRow.objects.filter(action__gt=actions[-1] if actions else "")
        found = later.order_by("action").values_list("action", flat=True).first()
        if found is None:
            return actions
        actions.append(found)


def _floor(moment: datetime, kind: str) -> datetime:
    """Return the beginning of the moment's year, month or day."""
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "day":
        return start
    return start.replace(day=1) if kind == "month" else start.replace(month=1, day=1)


def _next(begin: datetime, kind: str) -> datetime:
    """Return the beginning of the span after the one that begins here."""
    days = {"day": 1, "month": 31, "year": 366}[kind]
    # Half a day more reaches over a change of the clocks.
    return _floor(begin + timedelta(days=days, hours=12), kind)
