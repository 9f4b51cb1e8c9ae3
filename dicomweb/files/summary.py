"""A file in sentences for clinicians: who, which examination, how it was taken.

The words are part of the interface and are English everywhere, as DICOM's own are.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from typing import Any

from imaging.text import display_name, parse_age_years, parse_date, parse_time

Document = dict[str, Any]
Line = tuple[str, str | None]

_SEXES = {"M": "Male", "F": "Female", "O": "Other"}
_AGES = {"D": "day", "W": "week", "M": "month", "Y": "year"}


def summarize(document: Document, *, patient: bool, study: bool, technical: bool) -> str:
    """Return the wanted sections, a line for each fact that the file tells."""
    wanted: list[tuple[bool, str, Callable[[Document], list[Line]]]] = [
        (patient, "PATIENT INFORMATION", _patient),
        (study, "STUDY INFORMATION", _study),
        (technical, "TECHNICAL PARAMETERS", _technical),
    ]
    sections = [_section(title, lines(document)) for is_on, title, lines in wanted if is_on]
    return "\n\n".join(sections)


def structure(document: Document, *, patient: bool, study: bool, technical: bool) -> Document:
    """Return the values behind the wanted sections, as the file has them."""
    found: Document = {}
    if patient:
        found["patient"] = document["patient"]
    if study:
        found["study"] = document["study"]
    if technical:
        found["technical"] = {
            **document["series"],
            **document["image"],
            **document["equipment"],
        }
    return found


def _section(title: str, lines: list[Line]) -> str:
    told = [f"{label}: {value}" for label, value in lines if value]
    return "\n".join([title, *(told or ["Not available"])])


def _patient(document: Document) -> list[Line]:
    facts = document["patient"]
    sex = facts["patient_sex"]
    return [
        ("Name", display_name(facts["patient_name"] or "")),
        ("Patient ID", facts["patient_id"]),
        ("Date of Birth", _day(facts["patient_birth_date"])),
        ("Age", _age(facts["patient_age"])),
        ("Sex", _SEXES.get(sex, sex)),
    ]


def _study(document: Document) -> list[Line]:
    facts, series = document["study"], document["series"]
    return [
        ("Date", _day(facts["study_date"])),
        ("Time", _time(facts["study_time"])),
        ("Description", facts["study_description"]),
        ("Modality", series["modality"]),
        ("Body Part", series["body_part"]),
        ("Series", series["series_description"]),
        ("Accession Number", facts["accession_number"]),
        ("Referring Physician", display_name(facts["referring_physician"] or "")),
    ]


def _technical(document: Document) -> list[Line]:
    image, equipment = document["image"], document["equipment"]
    spacing = image["pixel_spacing"]
    rows, columns = image["rows"], image["columns"]
    maker = " ".join(one for one in (equipment["manufacturer"], equipment["model"]) if one)
    return [
        ("Slice Thickness", _length(image["slice_thickness"])),
        ("Pixel Spacing", f"{_number(spacing[0])} x {_number(spacing[1])} mm" if spacing else None),
        ("Matrix", f"{rows} x {columns}" if rows and columns else None),
        ("Bits Stored", str(image["bits_stored"]) if image["bits_stored"] else None),
        ("Photometric Interpretation", image["photometric_interpretation"]),
        ("Equipment", maker),
        ("Station", equipment["station_name"]),
    ]


def _day(text: str | None) -> str | None:
    day, _ = parse_date(text or "")
    return f"{calendar.month_name[day.month]} {day.day}, {day.year}" if day else text


def _time(text: str | None) -> str | None:
    moment, _ = parse_time(text or "")
    return f"{moment:%H:%M:%S}" if moment else text


def _age(text: str | None) -> str | None:
    years, is_conforming = parse_age_years(text or "")
    if not text or years is None or not is_conforming:
        return text
    count, unit = int(text[:3]), _AGES[text[3]]
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _length(value_mm: float | None) -> str | None:
    return None if value_mm is None else f"{_number(value_mm)} mm"


def _number(value: float) -> str:
    """Return a number with at least one digit behind the point, and no more than six that count."""
    short = f"{value:.6g}"
    return short if "." in short or "e" in short else f"{value:.1f}"
