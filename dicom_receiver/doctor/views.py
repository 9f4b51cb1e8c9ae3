"""The modality doctor's page: who called, and what to do when it did not work."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import may_administer
from accounts.models import User
from dicom_receiver import contexts
from dicom_receiver.doctor import words
from dicom_receiver.doctor.advice import examine
from dicom_receiver.doctor.models import Call
from dicom_receiver.models import Peer

PAGE_SIZE = 100
LONGEST_SEARCH = 64
CHOICES = [
    ("", _("All calls")),
    ("trouble", _("With trouble")),
    ("live", _("Live")),
    ("refused", _("Refused")),
]
RESULTS = {
    contexts.ACCEPTED: _("accepted"),
    contexts.USER_REJECTION: _("no right"),
    contexts.ABSTRACT_SYNTAX_NOT_SUPPORTED: _("not offered"),
    contexts.TRANSFER_SYNTAXES_NOT_SUPPORTED: _("no transfer syntax in common"),
}


@require_safe
@login_required
@never_cache
def show_calls(request: HttpRequest, call_id: uuid.UUID | None = None) -> HttpResponse:
    """Show calls, newest first, and one of them whole; `?q=` and `?show=` narrow the list."""
    user = _administrator(request)
    asked = {
        "q": request.GET.get("q", "").strip()[:LONGEST_SEARCH],
        "show": request.GET.get("show", ""),
    }
    calls = list(_narrowed(user, asked)[:PAGE_SIZE])
    peers = {peer.ae_title: peer for peer in _peers_of(user, calls)}
    chosen = _find(user, call_id) if call_id else None
    if chosen is not None and chosen.ae_title not in peers:
        peers.update({peer.ae_title: peer for peer in _peers_of(user, [chosen])})
    may_change = user.is_archive_admin
    context = {
        "asked": asked,
        "choices": CHOICES,
        "rows": [_row(call, peers.get(call.ae_title), may_change) for call in calls],
        "chosen": _whole(chosen, peers.get(chosen.ae_title), may_change) if chosen else None,
        "is_narrowed": any(asked.values()),
        "ae_title": settings.NOCTIS_AET,
        "ports": [
            (f"{port[0]}:{port[1]}", how)
            for port, how in [(settings.NOCTIS_DICOM, ""), (settings.NOCTIS_DICOM_TLS, "TLS")]
            if port
        ],
        "today": timezone.localdate(),
    }
    return render(request, "doctor/calls.html", context)


def _administrator(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User) or not may_administer(user):
        raise PermissionDenied
    return user


def _find(user: User, call_id: uuid.UUID) -> Call:
    call = Call.objects.visible_to(user).filter(pk=call_id).first()
    if call is None:
        raise Http404
    return call


def _narrowed(user: User, asked: dict[str, str]) -> Any:
    calls = Call.objects.visible_to(user).select_related("facility")
    if asked["show"] == "trouble":
        calls = calls.filter(has_trouble=True)
    elif asked["show"] in {Call.Outcome.LIVE, Call.Outcome.REFUSED}:
        calls = calls.filter(outcome=asked["show"])
    if asked["q"]:
        calls = calls.filter(
            Q(ae_title__icontains=asked["q"])
            | Q(called_ae_title__icontains=asked["q"])
            | Q(address__icontains=asked["q"])
        )
    return calls.order_by("-seen_at", "-pk")


def _peers_of(user: User, calls: list[Call]) -> Any:
    peers = Peer.objects.filter(ae_title__in={call.ae_title for call in calls})
    if not user.is_archive_admin:
        peers = peers.filter(facility__in=user.facility_keys())
    return peers


def _row(call: Call, peer: Peer | None, may_change: bool) -> dict[str, Any]:
    findings = examine(call, peer, may_change=may_change)
    counts = {
        words.command_name(field): sum(one[3] for one in call.answers if one[0] == field)
        for field in dict.fromkeys(one[0] for one in call.answers)
    }
    return {
        "call": call,
        "peer": peer,
        "first": findings[0] if findings else None,
        "counts": counts,
    }


def _whole(call: Call, peer: Peer | None, may_change: bool) -> dict[str, Any]:
    accepted = sum(len(one["classes"]) for one in call.contexts if not one["result"])
    return {
        **_row(call, peer, may_change),
        "findings": examine(call, peer, may_change=may_change),
        "contexts": [_context(one) for one in call.contexts],
        "accepted": accepted,
        "proposed": sum(len(one["classes"]) for one in call.contexts),
        "answers": [
            {
                "command": words.command_name(field),
                "status": f"{status:04X}H",
                "meaning": words.status_words(field, status).meaning,
                "comment": words.noted(comment),
                "count": count,
            }
            for field, status, comment, count in call.answers
        ],
    }


def _context(context: dict[str, Any]) -> dict[str, Any]:
    return {
        "names": [(words.uid_name(uid), uid) for uid in context["classes"]],
        "syntaxes": [words.uid_name(uid) for uid in context["syntaxes"]],
        "chosen": words.uid_name(context["chosen"]) if context["chosen"] else "",
        "is_accepted": context["result"] == contexts.ACCEPTED,
        "result": RESULTS.get(context["result"], context["result"]),
    }
