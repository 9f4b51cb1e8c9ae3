"""The upload page and the door behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_POST

from accounts.address import read_address
from archive.access import may_see_quarantine
from archive.importing import Verdict
from worklist import uploading
from worklist.doors import for_people, person_of
from worklist.filters import QUARANTINE
from worklist.streaming import stream

LINES = "application/x-ndjson"
# A page without JavaScript shows this many verdicts one by one; the totals count all.
_MOST_SHOWN = 500


@require_GET
@for_people
def show_upload(request: HttpRequest) -> HttpResponse:
    """The upload page."""
    _check_role(request)
    return render(request, "worklist/upload.html", _page_facts(request))


@csrf_exempt  # checked below, when the files may be read: the check reads the form
@require_POST
@for_people
def take_files(request: HttpRequest) -> HttpResponseBase:
    """Take files: a line of JSON for each verdict, or a result page for a plain form."""
    _check_role(request)
    handler = uploading.RoomUploadHandler(request)
    request.upload_handlers = [handler]
    try:
        return _take_checked(request)
    except (TooManyFilesSent, RequestDataTooBig):
        return _refuse(request, _("Too many files in one go: send fewer, or a ZIP."), 413)
    except MultiPartParserError:
        return _refuse(request, _("The upload was cut off or is no form."), 400)


@csrf_protect
def _take_checked(request: HttpRequest) -> HttpResponseBase:
    user = person_of(request)
    files = request.FILES.getlist("files")
    handler = request.upload_handlers[0]
    trouble = getattr(handler, "trouble", None)
    if trouble is not None:
        return _refuse(request, str(trouble), 507)
    try:
        facility_id = uploading.read_destination(user, request.POST.get("facility", ""))
    except uploading.UnknownFacilityError:
        return _refuse(request, _("Choose the facility to which the studies belong."), 400)
    if not files:
        return _refuse(request, _("No file was chosen."), 400)
    named = uploading.name_files(request.POST.getlist("names"), files)
    offer = uploading.Offer(user, read_address(request), facility_id, named)
    if _wants_lines(request):
        return stream(request, _lines(offer), LINES)
    return _show_result(request, offer)


def _lines(offer: uploading.Offer) -> Iterator[bytes]:
    for number, verdict in uploading.store(offer):
        yield uploading.as_line(number, verdict)
    yield uploading.LAST_LINE


def _show_result(request: HttpRequest, offer: uploading.Offer) -> HttpResponse:
    counts: Counter[str] = Counter()
    shown: list[Verdict] = []
    verdicts = (verdict for _, verdict in uploading.store(offer))
    for verdict in islice(verdicts, _MOST_SHOWN):
        shown.append(verdict)
        counts[verdict.status] += 1
    for verdict in verdicts:
        counts[verdict.status] += 1
    facts = {**_page_facts(request), "verdicts": shown, "counts": dict(counts)}
    facts["hidden"] = counts.total() - len(shown)
    return render(request, "worklist/upload_result.html", facts)


def _refuse(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    if _wants_lines(request):
        return JsonResponse({"detail": reason}, status=status)
    facts = {**_page_facts(request), "refusal": reason}
    return render(request, "worklist/upload.html", facts, status=status)


def _wants_lines(request: HttpRequest) -> bool:
    return LINES in request.headers.get("Accept", "")


def _check_role(request: HttpRequest) -> None:
    if not uploading.may_upload(person_of(request)):
        raise PermissionDenied


def _page_facts(request: HttpRequest) -> dict[str, Any]:
    user = person_of(request)
    destinations = uploading.find_destinations(user)
    if may_see_quarantine(user):
        destinations.append((QUARANTINE, _("No facility: quarantine")))
    return {"destinations": destinations}
