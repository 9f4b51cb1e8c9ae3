"""The Range header: one span of bytes (RFC 9110, section 14)."""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class NotSatisfiableError(Exception):
    """The range lies outside what there is: answered with 416."""


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Return start and end (not included) of the span asked for; None for the whole.

    Several ranges, and what is no range, mean the whole, as the standard allows. Raises
    NotSatisfiableError for a range behind the end.
    """
    match = _ONE_RANGE.fullmatch(text.replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise NotSatisfiableError
    return start, end
