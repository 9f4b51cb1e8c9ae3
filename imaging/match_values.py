"""What one key matches, by kind of value (PS3.4 C.2.2.2): text, names, UIDs, times, numbers.

A matcher is asked with the values of an attribute: text as stored, or dates and times. Each is
plain data, so that a database query can be made of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

from imaging.errors import QueryError
from imaging.search import search_forms
from imaging.text import parse_date, parse_datetime, parse_time

LONGEST_PATTERN = 1024
LONGEST_TEXT = 10_240


class Matcher(Protocol):
    """A key that is not universal."""

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether an attribute with these values matches; absent or empty has none."""
        ...


@dataclass(frozen=True)
class AnyOf:
    """Several values in a key: one that matches is enough (C.2.2.2.8)."""

    keys: tuple[Matcher, ...]

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether any key matches."""
        return any(key.matches(values) for key in self.keys)


@dataclass(frozen=True)
class Empty:
    """Two quotation marks: the attribute is absent or has no value (C.2.2.2.7)."""

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether there is no value."""
        return not any(_text(value) for value in values)


# --- text ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Literal:
    """The very value; padding does not count (C.2.2.2.1)."""

    text: str

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether one of the values is the text."""
        return any(_text(value) == self.text for value in values)


@dataclass(frozen=True)
class Pattern:
    """`*` for any characters, `?` for one; case counts (C.2.2.2.4)."""

    pattern: str

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether one of the values fits; no value is an empty one."""
        return any(fits(self.pattern, _text(value)) for value in values or ("",))


@dataclass(frozen=True)
class Uids:
    """A UID, or a list of them (C.2.2.2.2)."""

    uids: frozenset[str]

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether one of the values is in the list."""
        return any(str(value) in self.uids for value in values)


@dataclass(frozen=True)
class Number:
    """A number, however it is written: `1`, `01` and `1.0` are the same."""

    number: float

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether one of the values is the number."""
        return any(as_number(value) == self.number for value in values)


def as_number(value: Any) -> float | None:
    """Return a value as a number, or None."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def fits(pattern: str, text: str) -> bool:
    """Whether text fits a pattern of `*` and `?`; takes linear time for each piece of it."""
    text = text[:LONGEST_TEXT]
    first, *others = pattern.split("*")
    if not others:
        return len(first) == len(text) and _find(first, text, 0) == 0
    *middle, last = others
    if len(pattern) - pattern.count("*") > len(text):
        return False
    if _find(first, text[: len(first)], 0) != 0:
        return False
    position = len(first)
    for piece in middle:
        place = _find(piece, text, position)
        if place < 0:
            return False
        position = place + len(piece)
    tail = len(text) - len(last)
    return tail >= position and _find(last, text[tail:], 0) == 0


def _find(piece: str, text: str, position: int) -> int:
    """Return where a piece without `*` fits first, from a position on; -1 for nowhere."""
    if "?" not in piece:
        return text.find(piece, position)
    for place in range(position, len(text) - len(piece) + 1):
        pairs = zip(piece, text[place : place + len(piece)], strict=True)
        if all(wanted in ("?", letter) for wanted, letter in pairs):
            return place
    return -1


# --- person names ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Name:
    """A person's name: case, accents, trailing delimiters and ways of writing do not count.

    `groups` are the forms in which each group is asked for: a form that is found in any group
    of the name is enough, and where the key has several groups, each must fit its own.
    """

    groups: tuple[tuple[str, ...], ...]

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether one of the names fits."""
        return any(self._fits_name(str(value)) for value in values or ("",))

    def _fits_name(self, name: str) -> bool:
        groups = [name_forms(group) for group in name.split("=")]
        if len(self.groups) == 1:
            return any(_any_fits(self.groups[0], forms) for forms in groups)
        groups += [("",)] * (len(self.groups) - len(groups))
        return all(
            _any_fits(wanted, forms)
            for wanted, forms in zip(self.groups, groups, strict=False)
            if any(wanted)
        )


@dataclass(frozen=True)
class FuzzyName:
    """Words of a name in any order, each the beginning of a word of it, however written."""

    words: tuple[tuple[str, ...], ...]

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether all words are found in one of the names."""
        return any(self._fits_name(str(value)) for value in values)

    def _fits_name(self, name: str) -> bool:
        own = {word for key in search_forms(name) for word in key.split()}
        return all(
            any(word.startswith(form) for form in forms for word in own) for forms in self.words
        )


def name_forms(group: str) -> tuple[str, ...]:
    """Return how one group of a name is compared: as it is searched, umlauts also spelt out."""
    parts = [search_forms(part) or ("",) for part in group.strip(" \0").split("^")]
    forms = ("^".join(part[place] for part in parts).rstrip("^ ") for place in (0, -1))
    return tuple(dict.fromkeys(forms))


def _any_fits(patterns: tuple[str, ...], forms: tuple[str, ...]) -> bool:
    return any(_fits_form(pattern, form) for pattern in patterns for form in forms)


def _fits_form(pattern: str, form: str) -> bool:
    """Whether a form fits; components at the end that are empty may be left out or written."""
    missing = pattern.count("^") - form.count("^")
    return fits(pattern, form) or (missing > 0 and fits(pattern, form + "^" * missing))


def name_key(text: str) -> Name:
    """Return the matcher of a name as a key has it."""
    return Name(tuple(name_forms(group) for group in text.split("=")))


def fuzzy_name_key(text: str) -> FuzzyName | None:
    """Return the fuzzy matcher of a name; None when it asks for nothing."""
    words = re.sub(r"[*?^=,]", " ", text).split()
    forms = (search_forms(word) for word in words)
    found = tuple(form for form in forms if form)
    return FuzzyName(found) if found else None


# --- dates and times -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Span:
    """From one moment to another, both included; None is open (C.2.2.2.5).

    Moments are `date`, `time` or `datetime`, as `kind` says: DA, TM or DT. `is_range` tells a
    range from a single value, which spans what its precision leaves open.
    """

    kind: str
    first: Any
    last: Any
    is_range: bool

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether one of the values lies inside."""
        return any(self._holds(as_moment(self.kind, value)) for value in values)

    def _holds(self, moment: Any) -> bool:
        if moment is None:
            return False
        first, last = self.first, self.last
        if isinstance(moment, datetime):
            moment, first, last = (_in_utc(one) for one in (moment, first, last))
        return (first is None or first <= moment) and (last is None or moment <= last)


def _in_utc(moment: datetime | None) -> datetime | None:
    """Return a moment without zone: in UTC when it says how far it is from there."""
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def as_moment(kind: str, value: Any) -> Any:
    """Return a stored value as date, time or datetime; None when it is none."""
    if isinstance(value, date | time):
        return value
    parse: Any = {"DA": parse_date, "TM": parse_time, "DT": parse_datetime}[kind]
    return parse(str(value))[0]


def span_key(kind: str, text: str) -> Span:
    """Return the matcher of a date, time or date-time as a key has it.

    Raises QueryError when it is neither a value nor a range.
    """
    parts = _split_range(kind, text)
    bounds = [_bounds(kind, part) if part else (None, None) for part in parts]
    return Span(kind, bounds[0][0], bounds[-1][1], is_range=len(parts) == 2)


# An offset from UTC is at most fourteen hours; what is more is a year (C.2.2.2.5.3).
_DT_VALUE = r"\d{4}(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-](?:0\d|1[0-4])[0-5]\d(?!\d))?"
_DT_SINGLE = re.compile(_DT_VALUE, re.ASCII)
_DT_RANGE = re.compile(f"({_DT_VALUE})? *- *({_DT_VALUE})?", re.ASCII)


def _split_range(kind: str, text: str) -> list[str]:
    """Split a range at its hyphen; that of an offset from UTC is none."""
    if kind == "DT":
        found = None if _DT_SINGLE.fullmatch(text) else _DT_RANGE.fullmatch(text)
        parts = [found[1] or "", found[2] or ""] if found else [text]
    else:
        parts = [part.strip() for part in text.split("-")]
    if len(parts) > 2 or not any(parts):
        raise QueryError("A range has one hyphen and at least one value.")
    return parts


_DAY = re.compile(r"\d{8}|\d{4}\.\d\d\.\d\d", re.ASCII)
_CLOCK = re.compile(r"\d\d(:?\d\d(:?\d\d(\.\d{1,6})?)?)?", re.ASCII)
_MOMENT = re.compile(r"\d{4}(\d\d){0,5}(\.\d{1,6})?([+-]\d{4})?", re.ASCII)
_SHAPES = {"DA": _DAY, "TM": _CLOCK, "DT": _MOMENT}


def _bounds(kind: str, text: str) -> tuple[Any, Any]:
    """Return the first and the last moment that a value of some precision stands for."""
    value = as_moment(kind, text) if _SHAPES[kind].fullmatch(text) else None
    if value is None:
        raise QueryError(f"A key of VR {kind} is neither a value nor a range.")
    if kind == "DA":
        return value, value
    digits = re.sub(r"\D", "", re.sub(r"[+-]\d{4}$", "", text))
    known = len(digits) if kind == "DT" else len(digits) + 8
    full = value if kind == "DT" else datetime.combine(date(2000, 1, 1), value)
    last = _end_of(full, known)
    return value, last if kind == "DT" else last.time()


def _end_of(moment: datetime, digits: int) -> datetime:
    """Return the last microsecond of a moment of which so many digits are known."""
    if digits == 4:
        return moment.replace(month=12, day=31, hour=23, minute=59, second=59, microsecond=999_999)
    if digits == 6:
        following = (moment.replace(day=28) + timedelta(days=4)).replace(day=1)
        return following - timedelta(microseconds=1)
    steps = {8: timedelta(days=1), 10: timedelta(hours=1), 12: timedelta(minutes=1)}
    if digits <= 14:
        step = steps.get(digits, timedelta(seconds=1))
    else:
        step = timedelta(microseconds=10 ** (20 - digits))
    return moment + step - timedelta(microseconds=1)


@dataclass(frozen=True)
class Period:
    """A range of dates and one of times that together are one range of moments (C.2.2.2.5.4)."""

    days: Span
    clock: Span

    def holds(self, days: Sequence[Any], clocks: Sequence[Any]) -> bool:
        """Whether a date with its time lies inside; without a time the date decides."""
        day = as_moment("DA", days[0]) if days else None
        clock = as_moment("TM", clocks[0]) if clocks else None
        if day is None or clock is None:
            return day is not None and self.days.matches([day])
        moment = datetime.combine(day, clock)
        first, last = self.bounds()
        return (first is None or first <= moment) and (last is None or moment <= last)

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Return both ends; a missing time is the beginning or the end of the day."""
        days, clock = self.days, self.clock
        return (
            datetime.combine(days.first, clock.first or time.min) if days.first else None,
            datetime.combine(days.last, clock.last or time.max) if days.last else None,
        )


def _text(value: Any) -> str:
    return str(value).strip(" \0")
