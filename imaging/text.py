"""Text and dates of DICOM to what people read, and to search keys.

Nothing here raises on bad input: what parses says whether it had to be lenient.
"""

import math
import re
import unicodedata
from datetime import date, datetime, time, timedelta, timezone

# C0 and C1 controls except line feed, carriage return and tab; also the marks that reorder text.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """Return `text` for display: no control or reordering characters, no outer blanks."""
    return _CONTROLS.sub("", text).strip()


def clean_line(text: str) -> str:
    """Return `text` for one line of display: as `clean`, with inner white space made single."""
    return _SPACES.sub(" ", clean(text)).strip()


def name_groups(person_name: str) -> tuple[str, str, str]:
    """Split a PN value into its alphabetic, ideographic and phonetic groups (PS3.5 6.2.1)."""
    groups = [clean_line(group) for group in person_name.split("=")[:3]]
    groups += [""] * (3 - len(groups))
    return groups[0], groups[1], groups[2]


def display_name(person_name: str) -> str:
    """Return a PN value for people: "Family, Given Middle", prefix before and suffix after.

    The ideographic group follows in brackets when there is one.
    """
    alphabetic, ideographic, phonetic = name_groups(person_name)
    shown = [_display_group(group) for group in (alphabetic, ideographic)]
    shown = [group for group in shown if group]
    if not shown:
        return _display_group(phonetic)
    return shown[0] if len(shown) == 1 else f"{shown[0]} ({shown[1]})"


def _display_group(group: str) -> str:
    family, given, middle, prefix, suffix = (
        [part.strip() for part in group.split("^")] + [""] * 5
    )[:5]
    if not group.isascii() and not (middle or prefix or suffix) and _is_ideographic(group):
        return f"{family} {given}".strip()
    first = " ".join(part for part in (prefix, given, middle) if part)
    return ", ".join(part for part in (family, first, suffix) if part)


def _is_ideographic(group: str) -> bool:
    return any("\u2e80" <= letter <= "\ud7ff" for letter in group)


def search_key(text: str) -> str:
    """Return the form under which `text` is searched: casefolded, no accents, single blanks.

    For person names all three groups are kept, with `^` and `=` as blanks.
    """
    spaced = clean_line(text.replace("^", " ").replace("=", " "))
    if spaced.isascii():
        return spaced.lower()
    folded = unicodedata.normalize("NFKD", spaced.casefold())
    bare = "".join(letter for letter in folded if not unicodedata.combining(letter))
    # Korean and kana come apart in NFKD; put together what belongs together.
    return unicodedata.normalize("NFC", bare)


def parse_date(text: str) -> tuple[date | None, bool]:
    """Parse DA; also the old `1993.08.22` (conforming, PS3.5 6.2) and, flagged, other forms."""
    text = text.strip(" \0")
    if not text:
        return None, True
    digits = text
    conforming = len(text) == 8
    if len(text) == 10 and text[4] == text[7] and text[4] in ".-/":
        digits = text[:4] + text[5:7] + text[8:]
        conforming = text[4] == "."
    elif len(text) > 8 and text[:8].isdigit():
        digits = text[:8]
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return None, False
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])), conforming
    except ValueError:
        return None, False


_TIME = re.compile(r"^(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6})\d*)?)?)?$", re.ASCII)


def parse_time(text: str) -> tuple[time | None, bool]:
    """Parse TM, also with the colons of old; a leap second becomes 59 and is flagged."""
    text = text.strip(" \0")
    if not text:
        return None, True
    match = _TIME.match(text)
    if not match:
        return None, False
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    micro = int((match[4] or "").ljust(6, "0"))
    leap = second == 60
    try:
        return time(hour, minute, 59 if leap else second, micro), not leap
    except ValueError:
        return None, False


_DATETIME = re.compile(
    r"^(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:\.(\d{1,6})\d*)?([+-]\d{4})?$", re.ASCII
)


def parse_datetime(text: str) -> tuple[datetime | None, bool]:
    """Parse DT; aware when it carries an offset from UTC, missing parts are the first."""
    text = text.strip(" \0")
    if not text:
        return None, True
    match = _DATETIME.match(text)
    if not match:
        return None, False
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    hour, minute, second = (int(match[index] or 0) for index in (4, 5, 6))
    micro = int((match[7] or "").ljust(6, "0"))
    leap = second == 60
    try:
        zone = None
        if match[8]:
            offset = timedelta(hours=int(match[8][1:3]), minutes=int(match[8][3:]))
            zone = timezone(-offset if match[8][0] == "-" else offset)
        value = datetime(year, month, day, hour, minute, 59 if leap else second, micro, zone)
    except ValueError:
        return None, False
    return value, not leap


_AGE = re.compile(r"^(\d{1,3})([DWMY])$", re.ASCII)
_AGE_YEARS = {"D": 1 / 365.2425, "W": 7 / 365.2425, "M": 1 / 12, "Y": 1.0}


def parse_age_years(text: str) -> tuple[float | None, bool]:
    """Parse AS to years; `45Y` for `045Y` is understood and flagged."""
    text = text.strip(" \0").upper()
    if not text:
        return None, True
    match = _AGE.match(text)
    if not match:
        return None, False
    return int(match[1]) * _AGE_YEARS[match[2]], len(text) == 4


def parse_integer(text: str) -> tuple[int | None, bool]:
    """Parse IS; `1.0` is understood and flagged, anything beyond 64 bits is refused."""
    text = text.strip(" \0")
    if not text:
        return None, True
    if len(text) > 64:
        return None, False
    try:
        value, conforming = int(text), "_" not in text and len(text) <= 12 and text.isascii()
    except ValueError:
        number, _ = parse_decimal(text)
        if number is None or number != int(number):
            return None, False
        value, conforming = int(number), False
    if not -(2**63) <= value < 2**63:
        return None, False
    return value, conforming


def parse_decimal(text: str) -> tuple[float | None, bool]:
    """Parse DS; a decimal comma is understood and flagged, NaN and infinity are refused."""
    text = text.strip(" \0")
    if not text:
        return None, True
    conforming = "_" not in text and text.isascii()
    if "," in text and "." not in text:
        text, conforming = text.replace(",", ".", 1), False
    try:
        value = float(text)
    except ValueError:
        return None, False
    return (value, conforming) if math.isfinite(value) else (None, False)
