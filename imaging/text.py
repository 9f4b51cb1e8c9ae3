"""Text and dates of DICOM to what people read.

Nothing here raises on bad input: what parses says whether it had to be lenient.
"""

import math
import re
from datetime import date, datetime, time, timedelta, timezone

# C0 and C1 controls except line feed, carriage return and tab; marks that reorder or hide text.
# Joiners and the marks of direction belong to Persian, Arabic and Hebrew and are no harm.
_HARMFUL = (
    "\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb\U000e0000-\U000e007f"
)
_CONTROLS = re.compile(f"[{_HARMFUL}\x0c\u200e\u200f]")
_HARM = re.compile(f"[{_HARMFUL}]")
_SPACES = re.compile(r"\s+")


def has_controls(text: str) -> bool:
    """Whether display leaves something out of `text` that is neither padding nor a page's end."""
    found = _HARM.search(text)
    return found is not None and _HARM.search(text.rstrip(" \0"), found.start()) is not None


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


_PARTED_DATE = re.compile(r"^(\d{4})([.\-/])(\d{1,2})\2(\d{1,2})(?![\d.])", re.ASCII)


def parse_date(text: str) -> tuple[date | None, bool]:
    """Parse DA; also the old `1993.08.22` (conforming, PS3.5 6.2) and, flagged, other forms.

    The year comes first in all of them: `03.04.1993` could be two days and is refused.
    """
    text = text.strip(" \0")
    if not text:
        return None, True
    digits = text
    conforming = len(text) == 8
    parted = _PARTED_DATE.match(text)
    if parted:
        digits = parted[1] + parted[3].zfill(2) + parted[4].zfill(2)
        conforming = parted[2] == "." and len(text) == 10
    elif len(text) > 8 and text[:8].isdigit():
        digits = text[:8]
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return None, False
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])), conforming
    except ValueError:
        return None, False


_TIME = re.compile(r"^(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6})\d*)?)?)?$", re.ASCII)
# With one digit for the hour, a decimal comma, or half a day named.
_LOOSE_TIME = re.compile(
    r"^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)? ?([AP]M)?$", re.ASCII | re.IGNORECASE
)


def parse_time(text: str) -> tuple[time | None, bool]:
    """Parse TM, also with the colons of old; a leap second becomes 59 and is flagged."""
    text = text.strip(" \0")
    if not text:
        return None, True
    exact = _TIME.match(text)
    match = exact or _LOOSE_TIME.match(text)
    if not match:
        return None, False
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    if not exact and match[5]:
        if not 1 <= hour <= 12:
            return None, False
        hour = hour % 12 + (12 if match[5].upper() == "PM" else 0)
    micro = int((match[4] or "").ljust(6, "0"))
    leap = second == 60
    try:
        value = time(hour, minute, 59 if leap else second, micro)
        return value, exact is not None and not leap
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
        return _parse_iso_datetime(text), False
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


def _parse_iso_datetime(text: str) -> datetime | None:
    """Parse ISO 8601, which some writers put into DT; None for anything else."""
    if not re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


_AGE = re.compile(r"^(\d{1,4}) ?(?:([DWMY])|(?:(D)AY|(W)EEK|(M)ONTH|(Y)EAR)S?)$", re.ASCII)
_AGE_YEARS = {"D": 1 / 365.2425, "W": 7 / 365.2425, "M": 1 / 12, "Y": 1.0}


def parse_age_years(text: str) -> tuple[float | None, bool]:
    """Parse AS to years; `45Y` and `45 years` are understood and flagged.

    A number without its unit is refused: `045` could be days.
    """
    text = text.strip(" \0").upper()
    if not text:
        return None, True
    match = _AGE.match(text)
    if not match:
        return None, False
    unit = next(part for part in match.groups()[1:] if part)
    return int(match[1]) * _AGE_YEARS[unit], len(text) == 4 and text[:3].isdigit()


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


_THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2},\d{3}$", re.ASCII)


def parse_decimal(text: str) -> tuple[float | None, bool]:
    """Parse DS; a decimal comma is understood and flagged, NaN and infinity are refused.

    `1,250` is refused as well: the comma could part thousands.
    """
    text = text.strip(" \0")
    if not text:
        return None, True
    conforming = text.isascii()
    if "_" in text or _THOUSANDS.match(text):
        return None, False
    if "," in text and "." not in text:
        text, conforming = text.replace(",", ".", 1), False
    try:
        value = float(text)
    except ValueError:
        return None, False
    return (value, conforming) if math.isfinite(value) else (None, False)
