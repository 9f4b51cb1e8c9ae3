"""Attribute matching of queries (PS3.4 C.2.2.2): keys to matchers, alone or as a data set.

The one place that decides what a query means, over DIMSE and over HTTP, for the archive and
for worklists. A key that matches everything has no matcher.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.multival import MultiValue

from imaging.errors import QueryError
from imaging.match_values import (
    LONGEST_PATTERN,
    AnyOf,
    Empty,
    Literal,
    Matcher,
    Number,
    Pattern,
    Period,
    Span,
    Uids,
    as_number,
    fuzzy_name_key,
    name_key,
    span_key,
)

# Where `*` and `?` are wild (C.2.2.2.4).
WILD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
SPAN_VRS = frozenset({"DA", "TM", "DT"})
NUMBER_VRS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
NEVER_MATCHED = frozenset({0x00080005})
NO_VALUE = '""'
_MOST_VALUES = 64


@dataclass(frozen=True)
class Rules:
    """What was agreed beyond the baseline (C.5.1.1; query parameters over HTTP)."""

    fuzzy_names: bool = False
    combined_times: bool = False
    empty_values: bool = False


PLAIN = Rules()


def compile_key(vr: str, values: Sequence[Any], rules: Rules = PLAIN) -> Matcher | None:
    """Return the matcher of a key, or None when it matches everything.

    Raises QueryError when the key breaks the rules of its VR.
    """
    if vr == "SQ":
        return _compile_items(values, rules)
    wanted = [value for value in (_plain(value) for value in values) if value != ""]
    if vr == "UI":
        return Uids(frozenset(map(str, wanted))) if wanted else None
    if len(wanted) > _MOST_VALUES:
        raise QueryError("A key has too many values.")
    keys = [_compile_value(vr, value, rules) for value in wanted]
    some = tuple(key for key in keys if key is not None)
    if len(some) < len(keys) or not some:
        return None
    return some[0] if len(some) == 1 else AnyOf(some)


def _plain(value: Any) -> Any:
    """Return a number as it is, everything else as text without padding."""
    return value if isinstance(value, int | float) else str(value).strip(" \0")


def _compile_value(vr: str, value: Any, rules: Rules) -> Matcher | None:
    text = str(value).strip(" \0")
    if len(text) > LONGEST_PATTERN:
        raise QueryError(f"A key is longer than {LONGEST_PATTERN} characters.")
    if rules.empty_values and text == NO_VALUE:
        return Empty()
    if vr in WILD_VRS and not text.strip("*"):
        return None
    if vr == "PN":
        return fuzzy_name_key(text) if rules.fuzzy_names else name_key(text)
    if vr in WILD_VRS and ("*" in text or "?" in text):
        return Pattern(text)
    if vr in SPAN_VRS:
        return span_key(vr, text)
    number = as_number(value) if vr in NUMBER_VRS else None
    return Literal(text) if number is None else Number(number)


@dataclass(frozen=True)
class Items:
    """A sequence: all keys of its one item fit the same item (C.2.2.2.6)."""

    keys: KeySet

    def matches(self, values: Sequence[Any]) -> bool:
        """Whether one of the items fits."""
        return any(self.keys.matches(item) for item in values)


def _compile_items(items: Sequence[Any], rules: Rules) -> Items | None:
    if len(items) > 1:
        raise QueryError("A sequence in a query has one item.")
    keys = KeySet.from_dataset(items[0], rules) if items else None
    return Items(keys) if keys is not None and not keys.is_universal else None


@dataclass(frozen=True)
class KeySet:
    """The keys of a data set: matchers by tag, and ranges of moments by the tags of their parts."""

    keys: Mapping[int, Matcher]
    periods: Mapping[tuple[int, int], Period]

    @classmethod
    def from_dataset(cls, dataset: Dataset, rules: Rules = PLAIN) -> KeySet:
        """Compile every key; raises QueryError when one breaks the rules."""
        keys = {}
        for element in dataset:
            tag = int(element.tag)
            if tag in NEVER_MATCHED or element.tag.element == 0:
                continue
            key = compile_key(element.VR, values_of(dataset, tag), rules)
            if key is not None:
                keys[tag] = key
        periods = dict(_combine(keys)) if rules.combined_times else {}
        parts = {tag for pair in periods for tag in pair}
        return cls({tag: key for tag, key in keys.items() if tag not in parts}, periods)

    @property
    def is_universal(self) -> bool:
        """Whether everything matches."""
        return not self.keys and not self.periods

    def matches(self, dataset: Dataset) -> bool:
        """Whether a data set fits all keys."""
        return all(key.matches(values_of(dataset, tag)) for tag, key in self.keys.items()) and all(
            period.holds(values_of(dataset, day), values_of(dataset, clock))
            for (day, clock), period in self.periods.items()
        )


def _combine(keys: Mapping[int, Matcher]) -> Iterator[tuple[tuple[int, int], Period]]:
    """Yield the ranges of moments: a range of dates whose times are given as a range, too."""
    for tag, days in keys.items():
        keyword = keyword_for_tag(tag)
        if not keyword.endswith("Date"):
            continue
        partner = tag_for_keyword(f"{keyword.removesuffix('Date')}Time")
        clock = keys.get(partner) if partner is not None else None
        if (
            isinstance(days, Span)
            and isinstance(clock, Span)
            and partner is not None
            and days.is_range
            and clock.is_range
        ):
            yield (tag, partner), Period(days, clock)


def values_of(dataset: Dataset, tag: int) -> list[Any]:
    """Return the values of an attribute that are not empty; items of a sequence as they are."""
    if tag not in dataset:
        return []
    value = dataset[tag].value
    values = list(value) if isinstance(value, list | tuple | MultiValue) else [value]
    if dataset[tag].VR == "SQ":
        return list(value)
    return [one for one in values if one is not None and one != "" and one != b""]
