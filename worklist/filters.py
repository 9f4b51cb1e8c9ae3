"""What the list is asked for: read from the address, turned into a query."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Facility, User
from archive.access import VisibleQuerySet, may_see_quarantine
from imaging.search import search_forms
from worklist.models import WorklistEntry

QUARANTINE = "none"
LONGEST_TEXT = 200

# What hospitals have, in the order of a typical department (PS3.3 C.7.3.1.1.1).
MODALITIES = (
    *("CT", "MR", "CR", "DX", "US", "MG", "XA", "RF", "PT", "NM", "OT", "SC", "ECG", "ES", "GM"),
    *(
        "IO",
        "PX",
        "OP",
        "OPT",
        "IVUS",
        "BMD",
        "SM",
        "XC",
        "RTSTRUCT",
        "RTPLAN",
        "RTDOSE",
        "RTIMAGE",
    ),
    *("SEG", "SR", "PR", "KO", "DOC", "REG"),
)


class Day:
    """Spans of days that people ask for by name."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    WEEK = "week"
    CHOICES = ((TODAY, _("Today")), (YESTERDAY, _("Yesterday")), (WEEK, _("Last 7 days")))


def find_days(name: str, today: date) -> tuple[date | None, date | None]:
    """Return the first and the last day of a named span; None is open."""
    if name == Day.TODAY:
        return today, today
    if name == Day.YESTERDAY:
        return today - timedelta(days=1), today - timedelta(days=1)
    if name == Day.WEEK:
        return today - timedelta(days=6), today
    return None, None


def _text_field(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, max_length=LONGEST_TEXT, strip=True)


class FilterForm(forms.Form):
    """The filters above the list; choices are those that the user may see."""

    q = _text_field(_("Search"))
    name = _text_field(_("Name"))
    id = _text_field(_("Patient ID"))
    accession = _text_field(_("Accession"))
    day = forms.ChoiceField(label=_("Day"), required=False, choices=[("", ""), *Day.CHOICES])
    first = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    last = forms.DateField(
        label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    modality = forms.MultipleChoiceField(
        label=_("Modality"),
        required=False,
        choices=[(name, name) for name in MODALITIES],
        widget=forms.CheckboxSelectMultiple,
    )
    facility = forms.ChoiceField(label=_("Facility"), required=False)
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("Any status")), *WorklistEntry.Status.choices],
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.facility_ids = {facility.code: facility.pk for facility in find_facilities(user)}
        field = self.fields["facility"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", _("All facilities")),
            *((facility.code, facility.name) for facility in find_facilities(user)),
            *([(QUARANTINE, _("Quarantine"))] if may_see_quarantine(user) else []),
        ]

    def clean(self) -> dict[str, Any]:
        """Refuse a span of days that ends before it begins."""
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and first > last:
            self.add_error("last", _("The last day lies before the first day."))
        return cleaned

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter is set, so that an empty list may be due to it."""
        return any(self.cleaned_data.get(name) for name in self.fields)


def find_facilities(user: User) -> list[Facility]:
    """Return the active facilities whose studies the user sees, by name (kept per user object)."""
    cached: list[Facility] | None = getattr(user, "_worklist_facilities", None)
    if cached is None:
        active = Facility.objects.filter(is_active=True)
        if not user.is_archive_admin:
            active = active.filter(users=user)
        cached = list(active)
        user._worklist_facilities = cached  # type: ignore[attr-defined]
    return cached


def narrow(
    entries: VisibleQuerySet[WorklistEntry], form: FilterForm
) -> VisibleQuerySet[WorklistEntry]:
    """Return the entries that the valid form asks for."""
    asked = form.cleaned_data
    condition = Q()
    for build in (_by_text, _by_days, _by_modality):
        condition &= build(asked)
    if asked["status"]:
        condition &= Q(status=asked["status"])
    if asked["facility"] == QUARANTINE:
        condition &= Q(facility__isnull=True)
    elif asked["facility"]:
        condition &= Q(facility=form.facility_ids[asked["facility"]])
    return entries.filter(condition)


def _by_text(asked: dict[str, Any]) -> Q:
    condition = Q()
    for word in asked["name"].replace("^", " ").replace("=", " ").split():
        condition &= _by_name(word)
    if asked["id"]:
        condition &= Q(study__patient__patient_id__icontains=asked["id"])
    if asked["accession"]:
        condition &= Q(study__accession_number__icontains=asked["accession"])
    for word in asked["q"].split():
        condition &= _by_word(word)
    return condition


def _by_word(word: str) -> Q:
    """Find the word in name, ID, accession number or description."""
    condition = (
        Q(study__patient__patient_id__icontains=word)
        | Q(study__accession_number__icontains=word)
        | Q(study__study_description__icontains=word)
    )
    return condition | _by_name(word) if search_forms(word) else condition


def _by_name(word: str) -> Q:
    """Find the word in any group of the name, however it is written there."""
    condition = Q()
    for key in search_forms(word):
        condition |= Q(patient_key__contains=key)
    return condition


def _by_days(asked: dict[str, Any]) -> Q:
    """Compare days as the scanner wrote them: `study_at` holds them read as UTC."""
    first, last = find_days(asked["day"], timezone.localdate())
    first, last = asked["first"] or first, asked["last"] or last
    condition = Q()
    if first:
        condition &= Q(study_at__gte=datetime.combine(first, time(), UTC))
    if last:
        condition &= Q(study_at__lte=datetime.combine(last, time.max, UTC))
    return condition


def _by_modality(asked: dict[str, Any]) -> Q:
    """Find whole names in the backslash-separated list: CT is not found in OCT."""
    condition = Q()
    for name in asked["modality"]:
        condition |= (
            Q(modalities=name)
            | Q(modalities__startswith=f"{name}\\")
            | Q(modalities__endswith=f"\\{name}")
            | Q(modalities__contains=f"\\{name}\\")
        )
    return condition


def parse_keys(texts: list[str], *, most: int) -> list[uuid.UUID]:
    """Return the first `most` texts that are keys; others name nothing."""
    keys: list[uuid.UUID] = []
    for text in texts[:most]:
        try:
            keys.append(uuid.UUID(text))
        except ValueError:
            continue
    return keys
