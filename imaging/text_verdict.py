"""What the flags of a series' instances say about its text, dates and numbers."""

from collections.abc import Iterable
from typing import Any

from imaging.text_flags import TEXT_FLAGS, find_text_flags

VALUES = {
    "bad_date": "A date is not written as the standard wants it.",
    "bad_time": "A time is not written as the standard wants it.",
    "bad_age": "An age is not written as the standard wants it.",
    "bad_number": "A number is not written as the standard wants it.",
    "long_value": "A value is longer than any text or number can be; it was not read.",
}


def examine_text(flags: Iterable[Iterable[str]]) -> dict[str, Any]:
    """Return the passport's `text` from each instance's flags, worst first.

    What still reads rightly is a reason to know, not a reason to flag.
    """
    found = {flag for own in flags for flag in own}
    texts, values = find_text_flags(found), sorted(found & VALUES.keys())
    is_flagged = bool(values) or any(TEXT_FLAGS[code].level != "note" for code in texts)
    words = [TEXT_FLAGS[code].reason for code in texts] + [VALUES[code] for code in values]
    return {
        "verdict": "flagged" if is_flagged else "ok",
        "reasons": words,
        "reason_codes": [*texts, *values],
    }
