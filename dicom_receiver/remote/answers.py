"""What another archive says that it has: the same for C-FIND and QIDO-RS, and bounded.

All of it is foreign text: shown, never trusted, cut at lengths that no honest value reaches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, TypeVar

ANSWERS_LIMIT = 200
SERIES_LIMIT = 1000
TEXT_LIMIT = 256
COUNT_LIMIT = 10_000_000

# Tags as numbers: keyword of the answer and what it is asked for by.
PATIENT_NAME, PATIENT_ID, ISSUER = 0x00100010, 0x00100020, 0x00100021
BIRTH_DATE, SEX = 0x00100030, 0x00100040
STUDY_UID, STUDY_DATE, STUDY_TIME = 0x0020000D, 0x00080020, 0x00080030
ACCESSION, STUDY_DESCRIPTION, MODALITIES = 0x00080050, 0x00081030, 0x00080061
STUDY_SERIES, STUDY_INSTANCES = 0x00201206, 0x00201208
SERIES_UID, SERIES_NUMBER, MODALITY = 0x0020000E, 0x00200011, 0x00080060
SERIES_DESCRIPTION, BODY_PART, SERIES_INSTANCES = 0x0008103E, 0x00180015, 0x00201209

STUDY_TAGS = (
    *(STUDY_DATE, STUDY_TIME, ACCESSION, MODALITIES, STUDY_DESCRIPTION, PATIENT_NAME, PATIENT_ID),
    *(ISSUER, BIRTH_DATE, SEX, STUDY_UID, STUDY_SERIES, STUDY_INSTANCES),
)
SERIES_TAGS = (
    *(MODALITY, SERIES_DESCRIPTION, BODY_PART, STUDY_UID, SERIES_UID, SERIES_NUMBER),
    *(SERIES_INSTANCES,),
)

# How a door reads one attribute of an answer: the values as text.
Reader = Callable[[int], Sequence[str]]

_UID = re.compile(r"[0-9.]{1,64}")
_DAY = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person looks for; texts as typed, `*` and `?` are wild cards."""

    patient_name: str = ""
    patient_id: str = ""
    accession_number: str = ""
    first: date | None = None
    last: date | None = None
    modality: str = ""
    description: str = ""

    def keys(self) -> dict[int, str]:
        """Return the matching keys by tag (PS3.4 C.2.2.2), those that are set."""
        found = {
            PATIENT_NAME: _as_name(self.patient_name),
            PATIENT_ID: _plain(self.patient_id),
            ACCESSION: _plain(self.accession_number),
            STUDY_DATE: self._days(),
            MODALITIES: self.modality,
            STUDY_DESCRIPTION: _as_part(self.description),
        }
        return {tag: value for tag, value in found.items() if value}

    def _days(self) -> str:
        first = f"{self.first:%Y%m%d}" if self.first else ""
        last = f"{self.last:%Y%m%d}" if self.last else ""
        return first if first == last else f"{first}-{last}"


def _plain(text: str) -> str:
    """Return the text without what separates values or breaks lines."""
    return "".join(letter for letter in text if letter.isprintable() and letter != "\\").strip()


def _as_name(text: str) -> str:
    """Return words of a name as its beginning and parts: `mil an` finds Miller^Anna."""
    text = _plain(text)
    if not text or "*" in text or "?" in text or "=" in text:
        return text
    return "*".join(text.replace("^", " ").replace(",", " ").split()) + "*"


def _as_part(text: str) -> str:
    text = _plain(text)
    return text if not text or "*" in text or "?" in text else f"*{text}*"


@dataclass(frozen=True, kw_only=True)
class RemoteSeries:
    """A series that another archive has."""

    uid: str
    number: str
    modality: str
    description: str
    body_part: str
    instance_count: int | None


@dataclass(frozen=True, kw_only=True)
class RemoteStudy:
    """A study that another archive has."""

    uid: str
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    day: str
    time: str
    accession_number: str
    modalities: tuple[str, ...]
    description: str
    series_count: int | None
    instance_count: int | None


RowT = TypeVar("RowT", RemoteStudy, RemoteSeries)


@dataclass(kw_only=True)
class Found(Generic[RowT]):
    """What an archive answered.

    `is_cut`: there are more than we take. `unusable`: answers that name no study or series.
    """

    rows: list[RowT] = field(default_factory=list)
    is_cut: bool = False
    unusable: int = 0
    took_ms: int = 0


def read_study(read: Reader) -> RemoteStudy | None:
    """Return the study of one answer; None when it names none."""
    uid = _uid(read(STUDY_UID))
    if not uid:
        return None
    return RemoteStudy(
        uid=uid,
        patient_name=_text(read(PATIENT_NAME)),
        patient_id=_text(read(PATIENT_ID), 64),
        birth_date=_day(read(BIRTH_DATE)),
        sex=_text(read(SEX), 16),
        day=_day(read(STUDY_DATE)),
        time=_time(read(STUDY_TIME)),
        accession_number=_text(read(ACCESSION), 64),
        modalities=tuple(_clean(one, 16) for one in list(read(MODALITIES))[:12] if one.strip()),
        description=_text(read(STUDY_DESCRIPTION)),
        series_count=_count(read(STUDY_SERIES)),
        instance_count=_count(read(STUDY_INSTANCES)),
    )


def read_series(read: Reader) -> RemoteSeries | None:
    """Return the series of one answer; None when it names none."""
    uid = _uid(read(SERIES_UID))
    if not uid:
        return None
    return RemoteSeries(
        uid=uid,
        number=_text(read(SERIES_NUMBER), 12),
        modality=_text(read(MODALITY), 16),
        description=_text(read(SERIES_DESCRIPTION)),
        body_part=_text(read(BODY_PART), 64),
        instance_count=_count(read(SERIES_INSTANCES)),
    )


def gather(
    answers: Iterable[Reader], read: Callable[[Reader], RowT | None], limit: int
) -> Found[RowT]:
    """Return the answers, each study or series once, at most `limit` of them.

    Who repeats itself, or says what is of no use, is not listened to for ever.
    """
    found: Found[RowT] = Found()
    seen: set[str] = set()
    for heard, answer in enumerate(answers):
        row = read(answer)
        is_new = row is not None and row.uid not in seen
        if (len(found.rows) == limit and is_new) or heard - len(found.rows) > limit:
            found.is_cut = True
            break
        if row is None:
            found.unusable += 1
        elif is_new:
            seen.add(row.uid)
            found.rows.append(row)
    return found


def _text(values: Sequence[str], limit: int = TEXT_LIMIT) -> str:
    return _clean(values[0], limit) if values else ""


def _clean(text: str, limit: int) -> str:
    """Return printable text of a bounded length."""
    kept = "".join(letter for letter in text[: 4 * limit] if letter.isprintable()).strip()
    return kept if len(kept) <= limit else f"{kept[: limit - 1]}…"


def _uid(values: Sequence[str]) -> str:
    text = values[0].strip(" \0") if values else ""
    return text if _UID.fullmatch(text) else ""


def _day(values: Sequence[str]) -> str:
    found = _DAY.match(values[0].strip()) if values else None
    return "-".join(found.groups()) if found else ""


def _time(values: Sequence[str]) -> str:
    found = _TIME.match(values[0].strip()) if values else None
    return ":".join(found.groups()) if found else ""


def _count(values: Sequence[str]) -> int | None:
    text = values[0].strip() if values else ""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
    return number if number is not None and number <= COUNT_LIMIT else None
