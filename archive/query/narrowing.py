"""Keys as conditions of the database: never too narrow, and said when they are exact.

What the database lets through is looked at once more by the matcher itself; a condition only
saves that work. So a condition must hold for everything that matches, whatever the database
thinks of case and letters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q

from archive.name_forms import HasOtherForms
from archive.query.attributes import Column, Kind, Level, path_of, way_up
from imaging.errors import TooBroadError
from imaging.match_values import (
    AnyOf,
    Empty,
    FuzzyName,
    Literal,
    Matcher,
    Name,
    Number,
    Pattern,
    Span,
    Uids,
)

MOST_UIDS = 20_000
_MOST_PIECES = 3
_INTEGER_LIMIT = 2**63


@dataclass(frozen=True)
class Narrowed:
    """A condition, and whether it lets through what matches and nothing else."""

    condition: Q
    is_exact: bool


NOTHING = Q(pk__in=[])
UNKNOWN = Narrowed(Q(), is_exact=False)


def narrow(level: Level, column: Column, key: Matcher) -> Narrowed:
    """Return the condition of a key on a column, asked from the rows of a level."""
    path = path_of(level, column)
    if isinstance(key, AnyOf):
        parts = [narrow(level, column, one) for one in key.keys]
        if any(not part.condition for part in parts):
            return UNKNOWN
        condition = Q()
        for part in parts:
            condition |= part.condition
        return Narrowed(condition, all(part.is_exact for part in parts))
    if isinstance(key, Empty):
        missing = column.kind in (Kind.MOMENT, Kind.NUMBER)
        return Narrowed(Q(**{f"{path}__isnull": True} if missing else {path: ""}), is_exact=True)
    if column.kind is Kind.NAME:
        return _by_name(level, column, key)
    if column.kind is Kind.FRAMES:
        return UNKNOWN
    if column.kind is Kind.LIST:
        return _by_list(path, key)
    if column.kind is Kind.NUMBER:
        return _by_number(path, key)
    if isinstance(key, Span):
        bounds = {f"{path}__gte": key.first, f"{path}__lte": key.last}
        return Narrowed(
            Q(**{name: value for name, value in bounds.items() if value is not None}),
            is_exact=True,
        )
    return _by_text(path, key)


def _by_text(path: str, key: Matcher) -> Narrowed:
    if isinstance(key, Uids):
        if len(key.uids) > MOST_UIDS:
            raise TooBroadError(f"A list of more than {MOST_UIDS} UIDs is too long.")
        return Narrowed(Q(**{f"{path}__in": sorted(key.uids)}), is_exact=True)
    if isinstance(key, Literal):
        return Narrowed(Q(**{path: key.text}), is_exact=True)
    if isinstance(key, Pattern):
        beginning = re.split(r"[*?]", key.pattern)[0]
        if beginning:
            return Narrowed(_begins(path, beginning), is_exact=key.pattern == f"{beginning}*")
        return Narrowed(_contains(path, _pieces(key.pattern)), is_exact=False)
    return UNKNOWN


def _by_list(path: str, key: Matcher) -> Narrowed:
    """Values separated by backslashes: any of them."""
    if isinstance(key, Literal):
        return Narrowed(Q(**{f"{path}__contains": key.text}), is_exact=False)
    return UNKNOWN


def _by_number(path: str, key: Matcher) -> Narrowed:
    if isinstance(key, Number):
        if not key.number.is_integer() or abs(key.number) >= _INTEGER_LIMIT:
            return Narrowed(NOTHING, is_exact=True)
        return Narrowed(Q(**{path: int(key.number)}), is_exact=True)
    return Narrowed(NOTHING, is_exact=True) if isinstance(key, Literal | Pattern) else UNKNOWN


def _by_name(level: Level, column: Column, key: Matcher) -> Narrowed:
    if column.field != "patient_name":
        return UNKNOWN
    way = way_up(level, column.level)
    path = f"{way}search_key"
    condition = by_search_key(path, key)
    beginnings = _beginnings(key)
    if beginnings:
        begins = Q()
        for beginning in beginnings:
            begins |= _begins(path, beginning)
        # An index each: the keys that begin so, and those few that say more than the name.
        condition = (begins & _pieces_of(path, key)) | (
            Q(HasOtherForms(f"{way}patient_name")) & condition
        )
    return Narrowed(condition, is_exact=False)


def by_search_key(path: str, key: Matcher | None) -> Q:
    """Return the condition on names' search keys: every piece of the name is in there."""
    condition = _pieces_of(path, key)
    if condition:
        # So that the database walks along the index of the search keys.
        condition &= Q(**{f"{path}__gt": ""})
    return condition


def _pieces_of(path: str, key: Matcher | None) -> Q:
    condition = Q()
    if isinstance(key, Name):
        for forms in key.groups:
            condition &= _any_form(path, forms)
    elif isinstance(key, FuzzyName):
        for forms in key.words:
            condition &= _any_form(path, forms)
    return condition


def _beginnings(key: Matcher) -> list[str]:
    """Return with what a name of one group begins; nothing when that may be anything."""
    if not isinstance(key, Name) or len(key.groups) > 1:
        return []
    found = [re.split(r"[*?^\s]", form)[0] for form in key.groups[0]]
    return found if all(found) else []


def _any_form(path: str, forms: tuple[str, ...]) -> Q:
    condition = Q()
    for form in forms:
        pieces = _contains(path, _pieces(form))
        if not pieces:
            return Q()
        condition |= pieces
    return condition


def _pieces(pattern: str) -> list[str]:
    """Return the longest pieces of a pattern that are in whatever matches it."""
    return sorted(filter(None, re.split(r"[*?^\s]+", pattern)), key=len, reverse=True)[
        :_MOST_PIECES
    ]


def _contains(path: str, pieces: list[str]) -> Q:
    condition = Q()
    for piece in pieces:
        condition &= Q(**{f"{path}__contains": piece})
    return condition


def _begins(path: str, beginning: str) -> Q:
    """Return the condition that text begins so, as a range where an index needs that.

    SQLite compares byte by byte, so what begins so lies between two bounds; its LIKE would
    look at every row. PostgreSQL may sort otherwise.
    """
    if connection.vendor != "sqlite":
        return Q(**{f"{path}__startswith": beginning})
    bounds: dict[str, Any] = {f"{path}__gte": beginning}
    last = ord(beginning[-1])
    if last < 0x10FFFF and not 0xD7FF <= last < 0xDFFF:
        bounds[f"{path}__lt"] = beginning[:-1] + chr(last + 1)
    return Q(**bounds)
