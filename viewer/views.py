"""The viewer's page."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from archive.models import Series, Study
from archive.passport import read_passport
from archive.viewing import ensure_view_recorded, record_view
from viewer.hanging import may_keep_for
from viewer.marks import may_mark
from viewer.page import build_page, list_series
from viewer.passport_sheet import describe_passport
from viewer.preferences import read_preferences


@require_safe
@login_required
@never_cache
def open_study(request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
    """Show one study; a foreign one is as missing as one that never was."""
    study = _read_study(request, study_id)
    assert isinstance(request.user, User)
    page = build_page(study, request.user, wanted_series=request.GET.get("series", ""))
    page["document"]["person"] = _describe_person(request, study)
    page["document"]["preferences"] = _describe_preferences(request)
    page["is_not_for_diagnosis"] = settings.NOCTIS_NOT_FOR_DIAGNOSIS
    # The trail's transaction is short: a write lock held while a stack is built would
    # keep the receiver waiting. The page leaves after the row is there.
    record_view(request, study)
    return render(request, "viewer/viewer.html", page)


@require_safe
@login_required
@never_cache
def show_series(request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
    """Answer an open page that has heard of news: the study's series as they are now."""
    study = _read_study(request, study_id)
    series = list_series(study)
    ensure_view_recorded(request, study)
    return JsonResponse({"series": series})


@require_safe
@login_required
@never_cache
def show_passport(request: HttpRequest, series_id: uuid.UUID) -> HttpResponse:
    """Answer the panel that tells what a series is good for, in words."""
    visible = Series.objects.visible_to(request.user).select_related("study__patient")
    series = visible.filter(pk=series_id).first()
    if series is None:
        raise Http404
    sheet = describe_passport(read_passport(series))
    ensure_view_recorded(request, series.study)
    return JsonResponse(sheet)


def _describe_person(request: HttpRequest, study: Study) -> dict[str, Any]:
    """Return who looks, what they may do here, and the token that their changes carry."""
    assert isinstance(request.user, User)
    facility = study.facility
    keeps = facility is not None and may_keep_for(request.user, facility)
    return {
        "may_keep_for": {"code": facility.code, "name": facility.name}
        if facility and keeps
        else {},
        "username": request.user.get_username(),
        "may_measure": may_mark(request.user),
        "csrf_token": get_token(request),
    }


def _describe_preferences(request: HttpRequest) -> dict[str, Any]:
    """Return the person's own settings; costs a query."""
    assert isinstance(request.user, User)
    version, document = read_preferences(request.user)
    return {"version": version, "document": document}


def _read_study(request: HttpRequest, study_id: uuid.UUID) -> Study:
    """Return a study that the person may see."""
    assert isinstance(request.user, User)
    studies = Study.objects.visible_to(request.user).select_related("facility", "patient")
    study = studies.filter(pk=study_id).first()
    if study is None:
        raise Http404
    return study
