"""Pages by key: a page begins where the last one ended, whatever arrived meanwhile.

The place is the sort values of a row, not a number of rows, so that a page
deep in a large list costs the same as the first and no row is shown twice
or passed over when studies arrive.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db.models import Q, QuerySet

from worklist.models import WorklistEntry

PAGE_SIZE = 50

# Moments before 1970 become positive; keys have 128 bits.
_TOKEN_ZERO = 10**18
_TOKEN_TOP = 10**39


@dataclass(frozen=True)
class Order:
    """A way to sort: (field, is it descending), ending in the key so that no two rows tie."""

    columns: tuple[tuple[str, bool], ...]

    def reversed(self) -> Order:
        """Return the order read from the other end; the same index serves it."""
        return Order(tuple((name, not descending) for name, descending in self.columns))

    def sorted(self, rows: list[WorklistEntry]) -> list[WorklistEntry]:
        """Return the rows in this order."""
        for name, descending in reversed(self.columns):
            rows = sorted(rows, key=attrgetter(name), reverse=descending)
        return rows

    @property
    def terms(self) -> list[str]:
        """What `order_by` takes."""
        return [f"-{name}" if descending else name for name, descending in self.columns]


def _order(*terms: str) -> Order:
    return Order(tuple((term.lstrip("-"), term.startswith("-")) for term in terms))


ORDERS = {
    "-study": _order("-study_at", "-id"),
    "study": _order("study_at", "id"),
    "-arrival": _order("-arrived_at", "-id"),
    "arrival": _order("arrived_at", "id"),
    "patient": _order("patient_key", "id"),
    "-patient": _order("-patient_key", "-id"),
    "priority": _order("priority", "-study_at", "-id"),
    "-priority": _order("-priority", "study_at", "id"),
}
DEFAULT_SORT = "-study"


@dataclass(frozen=True)
class Cursor:
    """A place in the list: just after, or just before, the row with these sort values."""

    sort: str
    is_backward: bool
    values: tuple[Any, ...]

    def encode(self) -> str:
        """Return the place as text for an address."""
        plain = [
            value.isoformat() if isinstance(value, datetime) else str(value)
            for value in self.values
        ]
        text = json.dumps([self.sort, self.is_backward, plain], ensure_ascii=False)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, sort: str) -> Cursor | None:
        """Return the place, or None when the text is not a place in this order."""
        try:
            padded = text + "=" * (-len(text) % 4)
            kind, is_backward, plain = json.loads(base64.urlsafe_b64decode(padded))
            names = [name for name, _ in ORDERS[sort].columns]
            values = tuple(_PARSERS[name](value) for name, value in zip(names, plain, strict=True))
        except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
            return None
        return cls(sort, bool(is_backward), values) if kind == sort else None


def _parse_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment


def _parse_text(text: str) -> str:
    if not isinstance(text, str) or "\0" in text:
        raise ValueError("not a text")
    return text


_PARSERS: dict[str, Any] = {
    "study_at": _parse_moment,
    "arrived_at": _parse_moment,
    "patient_key": _parse_text,
    "priority": lambda text: {"1": 1, "2": 2, "3": 3}[text],
    "id": uuid.UUID,
}


@dataclass(frozen=True)
class Page:
    """The rows of a page and the places before and after them (empty: the list ends there)."""

    rows: list[WorklistEntry]
    before: str
    after: str


def read_page(
    entries: QuerySet[WorklistEntry],
    sort: str,
    cursor: Cursor | None,
    *,
    size: int = PAGE_SIZE,
    parts: Sequence[Q] = (Q(),),
) -> Page:
    """Read one page; at most three queries a part, each a range of one index.

    `parts` divide the entries into ranges that an index can walk one by one;
    they are merged here.
    """
    is_backward = cursor is not None and cursor.is_backward
    order = ORDERS[sort].reversed() if is_backward else ORDERS[sort]
    rows: list[WorklistEntry] = []
    for condition in _ranges(order, cursor):
        wanted = size + 1 - len(rows)
        if wanted > 0:
            found = [
                row
                for part in parts
                for row in entries.filter(part & condition).order_by(*order.terms)[:wanted]
            ]
            rows += (order.sorted(found) if len(parts) > 1 else found)[:wanted]
    has_more = len(rows) > size
    rows = rows[:size]
    if is_backward:
        rows.reverse()
        if not has_more:
            # The beginning of the list: show it whole, not what was left over.
            return read_page(entries, sort, None, size=size, parts=parts)
    before, after = "", ""
    if rows and cursor is not None:
        before = _place(sort, rows[0], is_backward=True)
    if rows and (has_more or is_backward):
        after = _place(sort, rows[-1], is_backward=False)
    return Page(rows, before, after)


def _ranges(order: Order, cursor: Cursor | None) -> Iterator[Q]:
    """Yield conditions, in order, that together are all rows beyond the place.

    For (a, b, id): first the rest of the rows with the same a, then those
    beyond a. Within the last two columns one condition does, with a bound
    that an index can seek to.
    """
    if cursor is None:
        yield Q()
        return
    places = list(zip(order.columns, cursor.values, strict=True))
    (value_column, value), (key_column, key) = places[-2:]
    same = Q(**{column[0]: at for column, at in places[:-2]})
    yield (
        same
        & _not_before(value_column, value)
        & (_beyond(value_column, value) | _beyond(key_column, key))
    )
    for column, at in reversed(places[:-2]):
        yield _beyond(column, at)


def _beyond(column: tuple[str, bool], value: Any) -> Q:
    name, descending = column
    return Q(**{f"{name}__{'lt' if descending else 'gt'}": value})


def _not_before(column: tuple[str, bool], value: Any) -> Q:
    name, descending = column
    return Q(**{f"{name}__{'lte' if descending else 'gte'}": value})


def _place(sort: str, row: WorklistEntry, *, is_backward: bool) -> str:
    values = tuple(getattr(row, name) for name, _ in ORDERS[sort].columns)
    return Cursor(sort, is_backward, values).encode()


def sort_token(row: WorklistEntry, sort: str) -> str:
    """Return a text by which a page places a row: compared letter by letter, ascending.

    For orders by patient the page must turn the comparison round when the
    order is descending; numbers are turned round here.
    """
    parts = []
    for name, descending in ORDERS[sort].columns:
        value = getattr(row, name)
        if isinstance(value, datetime):
            value = int(value.timestamp() * 1_000_000) + _TOKEN_ZERO
        if isinstance(value, uuid.UUID):
            value = value.int
        if isinstance(value, int):
            value = f"{_TOKEN_TOP - value if descending else value:040d}"
        parts.append(value)
    return " ".join(parts)
