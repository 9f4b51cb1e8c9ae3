"""How the facts of a study are written in rows and panels."""

from __future__ import annotations

import re
from datetime import date, datetime

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from archive.badges import describe_badges
from archive.models import Study
from imaging.text import display_name, name_groups, parse_age_years
from worklist.models import WorklistEntry
from worklist.paging import sort_token

register = template.Library()

register.filter("sort_token", sort_token)
register.filter("described", describe_badges)

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Paediatricians count months before the second birthday.
_COUNTED_IN_YEARS = 2
_DAYS_A_YEAR = 365.2425
# The units of an age string (PS3.5 6.2, AS).
_AGES = {
    "Y": gettext_lazy("%(count)d y"),
    "M": gettext_lazy("%(count)d mo"),
    "W": gettext_lazy("%(count)d wk"),
    "D": gettext_lazy("%(count)d d"),
}


@register.filter
def names(person_name: str) -> list[str]:
    """Return the ways in which a name is written: alphabetic first, then ideographic."""
    alphabetic, ideographic, phonetic = (display_name(g) for g in name_groups(person_name))
    shown = [name for name in (alphabetic, ideographic) if name]
    return shown or [phonetic] * bool(phonetic)


@register.filter
def whole_name(person_name: str) -> str:
    """Return the name with all its groups, for a hint."""
    shown = (display_name(group) for group in name_groups(person_name))
    return " · ".join(name for name in shown if name)


@register.filter
def age(study: Study) -> str:
    """Return the patient's age at the study, as the file says or from the birth date."""
    text = study.patient_age.strip().upper()
    said, _conforming = parse_age_years(text)
    if said is not None:
        count, unit = re.match(r"(\d+) ?([DWMY])", text).groups()  # type: ignore[union-attr]
        return _AGES[unit] % {"count": int(count)}
    if not study.patient_birth_date or not study.study_date:
        return ""
    years = _years_between(study.patient_birth_date, study.study_date)
    if years < 0:
        return ""
    if years >= _COUNTED_IN_YEARS:
        return _AGES["Y"] % {"count": int(years)}
    if years >= 1 / 12:
        return _AGES["M"] % {"count": int(years * 12 + 1e-6)}
    return _AGES["D"] % {"count": round(years * _DAYS_A_YEAR)}


def _years_between(birth: date, at: date) -> float:
    whole = at.year - birth.year - ((at.month, at.day) < (birth.month, birth.day))
    return whole if whole >= _COUNTED_IN_YEARS else (at - birth).days / _DAYS_A_YEAR


@register.filter
def backslashed(text: str) -> list[str]:
    """Return the values of a multi-valued text."""
    return [part for part in text.split("\\") if part]


@register.filter
def ago(moment: datetime) -> str:
    """Return how long ago it was, short enough for a column."""
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    if seconds < _MINUTE:
        return _("now")
    if seconds < _HOUR:
        return _("%(count)d min") % {"count": seconds // _MINUTE}
    if seconds < _DAY:
        return _("%(count)d h") % {"count": seconds // _HOUR}
    days = seconds // _DAY
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


@register.filter
def priority_class(entry: WorklistEntry) -> str:
    """Return the style of the priority's mark."""
    return WorklistEntry.Priority(entry.priority).name.lower()
