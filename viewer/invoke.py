"""Being called by other systems: IHE Invoke Image Display (RAD-106) and links by number.

Who is not logged in logs in first and then gets where the link led. One study opens at once,
of several one chooses, and when there is none, words say what was looked for and where.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.models import Series, Study

STUDIES_LIMIT = 50
UIDS_LIMIT = 50
_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
_LONGEST_IN_TRAIL = 200


class BadRequestError(ValueError):
    """The call is not one that the profile knows; the words are for the one who built it."""


@dataclass(frozen=True)
class Wanted:
    """What a link asks for: a filter of studies, words for it, and how many at most."""

    studies: Q
    words: str
    limit: int = STUDIES_LIMIT
    series: str = ""
    keys: dict[str, str] = field(default_factory=dict)


@require_safe
@login_required
@never_cache
def invoke(request: HttpRequest) -> HttpResponse:
    """Show what an `IHEInvokeImageDisplay` request names."""
    try:
        wanted = read_invocation({key: str(value) for key, value in request.GET.items()})
    except BadRequestError as error:
        return render(request, "viewer/choose.html", {"trouble": str(error)}, status=400)
    return _answer(request, wanted, "IID")


@require_safe
@login_required
@never_cache
def find_study(request: HttpRequest) -> HttpResponse:
    """Go to a study by its UID or accession number: `?study=…[&series=…]` or `?accession=…`.

    Where several facilities that the person may see hold the UID, the study that was received
    last is shown.
    """
    number = request.GET.get("accession", "").strip()
    uid = request.GET.get("study", "")
    if number and not uid:
        words = _("accession number %(number)s") % {"number": number}
        wanted = Wanted(Q(accession_number=number), words, keys={"accession": number})
        return _answer(request, wanted, "link")
    if not _UID.fullmatch(uid):
        raise Http404
    series = request.GET.get("series", "")
    return _answer(request, Wanted(Q(study_instance_uid=uid), "", limit=1, series=series), "")


def read_invocation(asked: dict[str, str]) -> Wanted:
    """Return what a request asks for (RAD-106, Tables 4.106.4.1.2-1 and -2).

    Raises BadRequestError for a request that names neither patient nor study.
    """
    kind = asked.get("requestType", "")
    keys = {name: value[:_LONGEST_IN_TRAIL] for name, value in list(asked.items())[:20]}
    if kind == "STUDY":
        return _read_studies(asked, keys)
    if kind == "PATIENT":
        return _read_patient(asked, keys)
    raise BadRequestError(_("requestType has to be STUDY or PATIENT."))


def _read_studies(asked: dict[str, str], keys: dict[str, str]) -> Wanted:
    uids = _split(asked.get("studyUID", ""))
    # An accession number may come with its issuer: the number is what counts here.
    numbers = [one.partition("^")[0].strip() for one in _split(asked.get("accessionNumber", ""))]
    if uids:
        if not all(_UID.fullmatch(uid) for uid in uids):
            raise BadRequestError(_("studyUID has to be UIDs, separated by commas."))
        words = _("Study Instance UID %(uid)s") % {"uid": ", ".join(uids)}
        return Wanted(Q(study_instance_uid__in=uids), words, keys=keys)
    if numbers:
        words = _("accession number %(number)s") % {"number": ", ".join(numbers)}
        return Wanted(Q(accession_number__in=numbers), words, keys=keys)
    raise BadRequestError(_("requestType STUDY needs studyUID or accessionNumber."))


def _read_patient(asked: dict[str, str], keys: dict[str, str]) -> Wanted:
    """Read a patient in HL7's form: `number^^^namespace&oid&ISO`, the number alone will do."""
    parts = asked.get("patientID", "").split("^")
    number = parts[0].strip()
    if not number:
        raise BadRequestError(_("requestType PATIENT needs patientID."))
    studies = Q(patient__patient_id=number)
    authority = [one for one in parts[3].split("&") if one] if len(parts) > 3 else []
    if authority:
        issuers = ["", *authority]
        studies &= Q(patient__issuer_of_patient_id__in=issuers)
    if asked.get("patientBirthDate"):
        born = _read_day(asked["patientBirthDate"], "patientBirthDate")
        studies &= Q(patient_birth_date=born) | Q(patient_birth_date=None)
    studies &= _read_times(asked)
    modalities = _split(asked.get("modalitiesInStudy", "").upper())
    if modalities:
        series = Series.objects.filter(modality__in=modalities)
        studies &= Q(pk__in=series.values("study"))
    recent = asked.get("mostRecentResults", "")
    if recent and not _NUMBER.fullmatch(recent):
        raise BadRequestError(_("mostRecentResults has to be a number."))
    limit = min(int(recent or 0) or STUDIES_LIMIT, STUDIES_LIMIT)
    return Wanted(studies, _("patient ID %(number)s") % {"number": number}, limit, keys=keys)


def _read_times(asked: dict[str, str]) -> Q:
    """Return the filter of `lowerDateTime` and `upperDateTime`, each a day or a moment."""
    studies = Q()
    for name, after in (("lowerDateTime", "gt"), ("upperDateTime", "lt")):
        text = asked.get(name, "")
        if not text:
            continue
        day, clock = _read_moment(text, name)
        that_day = Q(study_date=day)
        if clock is not None:
            that_day &= Q(**{f"study_time__{after}e": clock}) | Q(study_time=None)
        studies &= Q(**{f"study_date__{after}": day}) | that_day
    return studies


def _read_moment(text: str, name: str) -> tuple[date, time | None]:
    """Return the day and, of a moment, the clock on the wall, as scanners write studies' times."""
    try:
        moment = parse_datetime(text) if "T" in text else None
    except ValueError:
        moment = None
    if moment is None:
        return _read_day(text, name), None
    return moment.date(), moment.time()


def _read_day(text: str, name: str) -> date:
    plain = f"{text[:4]}-{text[4:6]}-{text[6:]}" if re.fullmatch(r"\d{8}", text) else text
    try:
        day = parse_date(plain)
    except ValueError:
        day = None
    if day is None:
        raise BadRequestError(_("%(name)s has to be a date.") % {"name": name})
    return day


def _split(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()][:UIDS_LIMIT]


# --- the answer ------------------------------------------------------------------------
def _answer(request: HttpRequest, wanted: Wanted, by: str) -> HttpResponse:
    """Open the one study, let one choose of several, say that there is none."""
    user = request.user
    assert isinstance(user, User)
    found = list(_find(user, wanted)[: wanted.limit])
    if by:
        detail: dict[str, Any] = {"by": by, "keys": wanted.keys, "answers": len(found)}
        record_for_user(user, "search", address=read_address(request), detail=detail)
    if len(found) == 1:
        address = reverse("viewer:study", args=[found[0].pk])
        query = urlencode({"series": wanted.series}) if wanted.series else ""
        return redirect(f"{address}?{query}" if query else address)
    if not found and not wanted.words:
        raise Http404
    context = {"studies": found, "words": wanted.words, "is_cut": len(found) == STUDIES_LIMIT}
    return render(request, "viewer/choose.html", context, status=200 if found else 404)


def _find(user: User, wanted: Wanted) -> QuerySet[Study]:
    """Return what the person may see of it, the latest first."""
    visible = Study.objects.visible_to(user).select_related("facility", "patient")
    order = ("-last_received_at", "-pk") if wanted.limit == 1 and not wanted.keys else _LATEST
    return visible.filter(wanted.studies).order_by(*order)


_LATEST = ("-study_date", "-study_time", "-pk")
