"""The query of a search: keys, what to include, paging (PS3.18 8.3.4, 10.6.1).

No name of the client's ever reaches the database: each is looked up in the dictionary first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.http import QueryDict
from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag

from imaging.datasets import add_element
from imaging.dictionary import TAG_OF_KEYWORD, vr_of
from imaging.errors import QueryError
from imaging.matching import Rules

MOST_ANSWERS = 5_000
_DEPTH = 4
_MOST_DIGITS = 19
_HEX = re.compile(r"[0-9A-Fa-f]{8}")
# Where a comma separates values, whatever was asked for: it cannot be part of one.
_LISTED_VRS = frozenset({"UI", "CS", "AE"})
_OURS = frozenset(
    {
        "accept", "charset", "emptyvaluematching", "fuzzymatching", "includefield", "limit",
        "multiplevaluematching", "offset",
    }
)  # fmt: skip


@dataclass
class Parameters:
    """What a search asks for."""

    keys: Dataset = field(default_factory=Dataset)
    include: frozenset[int] = frozenset()
    includes_all: bool = False
    rules: Rules = field(default_factory=Rules)
    limit: int = MOST_ANSWERS
    offset: int = 0


def parse_parameters(query: QueryDict) -> Parameters:
    """Read the parameters.

    Raises QueryError for a name that is none, a key that comes twice, and a bad number.
    """
    found = Parameters()
    has_lists = _flag(query, "multiplevaluematching")
    for name, values in query.lists():
        if name in _OURS:
            continue
        if len(values) > 1:
            raise QueryError("An attribute is given twice.")
        _add_key(found.keys, name, values[0], has_lists=has_lists)
    found.rules = Rules(
        fuzzy_names=_flag(query, "fuzzymatching"),
        empty_values=_flag(query, "emptyvaluematching"),
    )
    _read_include(query, found)
    found.limit = min(_number(query, "limit", MOST_ANSWERS), MOST_ANSWERS)
    found.offset = _number(query, "offset", 0)
    return found


def tag_of_name(name: str) -> int:
    """Return the tag of a keyword or of eight hexadecimal digits.

    Raises QueryError for what the dictionary lacks.
    """
    tag = int(name, 16) if _HEX.fullmatch(name) else TAG_OF_KEYWORD.get(name)
    if tag is None or not dictionary_has_tag(tag):
        raise QueryError("A query parameter is neither an attribute nor known otherwise.")
    return tag


def _add_key(keys: Dataset, path: str, text: str, *, has_lists: bool) -> None:
    """Add a key; a path leads through sequences to it (8.3.4.1)."""
    *sequences, last = (tag_of_name(name) for name in path.split(".")[: _DEPTH + 1])
    if path.count(".") > _DEPTH:
        raise QueryError("An attribute lies too deep.")
    at = keys
    for tag in sequences:
        if vr_of(tag) != b"SQ":
            raise QueryError("A path leads through what is no sequence.")
        if tag not in at:
            add_element(at, tag, "SQ", [])
            at[tag].value = [Dataset()]
        at = at[tag].value[0]
    vr = vr_of(last).decode("ascii")[:2]
    if last in at:
        raise QueryError("An attribute is given twice.")
    if vr == "SQ":
        if text:
            raise QueryError("A sequence has no value of its own.")
        add_element(at, last, vr, [])
        at[last].value = []
        return
    separators = r"[,\\]" if has_lists or vr in _LISTED_VRS else r"\\"
    add_element(at, last, vr, re.split(separators, text) if text else [])


def _read_include(query: QueryDict, found: Parameters) -> None:
    names = [name for value in query.getlist("includefield") for name in value.split(",") if name]
    found.includes_all = "all" in names
    # A path asks for its sequence: that is given whole.
    found.include = frozenset(tag_of_name(name.split(".")[0]) for name in names if name != "all")


def _flag(query: QueryDict, name: str) -> bool:
    text = query.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise QueryError(f"{name} is true or false.")
    return text == "true"


def _number(query: QueryDict, name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise QueryError(f"{name} is a number that is not negative.")
    return int(text)
