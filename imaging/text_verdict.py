"""What the flags of a series' instances say about its text."""

from collections.abc import Iterable
from typing import Any

WORDS = {
    "bad_charset": "Some text does not fit the character set that the file declares.",
    "unknown_charset": "The file declares a character set that is not known.",
    "missing_charset": "Text beyond ASCII came without a character set.",
    "text_cut": "Some text was longer than the standard allows and was cut.",
    "bad_date": "A date could not be read as the standard writes it.",
    "bad_time": "A time could not be read as the standard writes it.",
    "bad_age": "An age could not be read as the standard writes it.",
    "bad_number": "A number could not be read as the standard writes it.",
}
# Other flags of text begin so.
_BEGINNINGS = ("charset_", "text_", "name_", "date_", "time_", "age_")


def examine_text(flags: Iterable[Iterable[str]]) -> dict[str, Any]:
    """Return the passport's `text` from each instance's flags."""
    found = {flag for own in flags for flag in own if flag in WORDS or flag.startswith(_BEGINNINGS)}
    codes = sorted(found)
    return {
        "verdict": "flagged" if codes else "ok",
        "reasons": [WORDS.get(code, f"Text: {code.replace('_', ' ')}.") for code in codes],
        "reason_codes": codes,
    }
