"""The list page and its parts."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from worklist import listing
from worklist.doors import for_people, is_fragment, person_of, tell
from worklist.filters import Day, FilterForm, find_facilities, parse_keys
from worklist.models import WorklistEntry
from worklist.paging import ORDERS, Page

THEMES = ("dark", "light")
THEME_COOKIE = "noctis-theme"
_YEAR_SECONDS = 365 * 24 * 3600
_MOST_ROWS = 100


@require_GET
@for_people
@vary_on_headers("HX-Request")
def show_list(request: HttpRequest) -> HttpResponse:
    """The worklist: the page, or only its table when a filter, a sort or a page turn asks."""
    user = person_of(request)
    form = FilterForm(request.GET, user=user)
    sort = listing.pick_sort(request.GET.get("sort", ""))
    # Taken before the rows are read: what arrives in between is told twice, never missed.
    newest = listing.newest_event_id()
    page = Page([], "", "")
    if form.is_valid():
        page = listing.list_page(user, form, sort, request.GET.get("at", ""))
    tell(request, "search", detail=_asked(form))
    context = {
        "form": form,
        "page": page,
        "sort": sort,
        "sort_links": _sort_links(sort),
        "newest": newest,
        "days": Day.CHOICES,
        "facilities": find_facilities(user),
        "is_first": not page.before,
        "is_empty": not page.rows and form.is_valid() and listing.is_empty(user),
    }
    part = is_fragment(request)
    return render(request, "worklist/_list.html" if part else "worklist/list.html", context)


@require_GET
@for_people
def show_rows(request: HttpRequest) -> HttpResponse:
    """The rows of some studies, as far as they belong into the narrowed list."""
    user = person_of(request)
    form = FilterForm(request.GET, user=user)
    sort = listing.pick_sort(request.GET.get("sort", ""))
    study_ids = parse_keys(request.GET.getlist("study"), most=_MOST_ROWS)
    rows = listing.find_rows(user, form, sort, study_ids) if form.is_valid() else []
    context = {"rows": rows, "sort": sort, "facilities": find_facilities(user)}
    return render(request, "worklist/_rows.html", context)


@require_GET
@for_people
def show_preview(request: HttpRequest, entry_id: uuid.UUID) -> HttpResponse:
    """A study's series and the patient's other studies, beside the list."""
    try:
        preview = listing.read_preview(person_of(request), entry_id)
    except WorklistEntry.DoesNotExist:
        raise Http404 from None
    study = preview.entry.study
    tell(
        request,
        "view",
        facility_id=study.facility_id,
        patient_id=study.patient.patient_id,
        study_instance_uid=study.study_instance_uid,
        detail={"part": "preview"},
    )
    return render(request, "worklist/_preview.html", {"preview": preview, "study": study})


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponseBase:
    """Keep light or dark in a cookie, so that the server draws the first paint right."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure()):
        back = "/"
    response = redirect(back)
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            theme,
            _YEAR_SECONDS,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
    return response


def _asked(form: FilterForm) -> dict[str, Any]:
    """Return the filters that were set, for the audit trail."""
    return {name: str(value) for name, value in form.cleaned_data.items() if value}


def _sort_links(sort: str) -> dict[str, dict[str, str]]:
    """Return for each sortable column where its head leads and how it is sorted now."""
    links = {}
    for name, usual in {"study": "-", "arrival": "-", "patient": "", "priority": ""}.items():
        first, other = f"{usual}{name}", ("" if usual else "-") + name
        assert {first, other} <= ORDERS.keys()
        state = ""
        if sort in (first, other):
            state = "descending" if sort.startswith("-") else "ascending"
        links[name] = {"sort": other if sort == first else first, "state": state}
    return links
