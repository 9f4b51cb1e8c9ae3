"""Pages of other archives: test the connection, query, import."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.address import read_address
from archive.models import Series, Study
from archive.news import newest_id
from dicom_receiver.models import Peer
from dicom_receiver.remote import asking, exchanges
from dicom_receiver.remote.access import may_call_out
from dicom_receiver.remote.answers import Found, RemoteSeries, RemoteStudy
from dicom_receiver.remote.forms import QuestionForm
from dicom_receiver.remote.models import Exchange, WebPeer
from dicom_receiver.remote.probing import advise, probe
from dicom_receiver.remote.transfer_views import Way, of_exchange
from imaging.errors import (
    BusyError,
    ConflictError,
    LimitExceededError,
    MissingError,
    PeerUnavailableError,
)
from worklist.doors import for_people, is_fragment, person_of, tell

SALT = "noctis.peers.found"
# A list that was open over night still imports.
TOKEN_SECONDS = 24 * 3600


def check_role(request: HttpRequest) -> None:
    """Let only roles that may call out go on."""
    if not may_call_out(person_of(request)):
        raise PermissionDenied


@require_GET
@for_people
def show_peers(request: HttpRequest) -> HttpResponse:
    """The peers of the person's facilities, each with a button that tests the connection."""
    check_role(request)
    user = person_of(request)
    peers = Peer.objects.visible_to(user).select_related("facility")
    web_peers = WebPeer.objects.visible_to(user).select_related("facility")
    context = {"peers": [*peers, *web_peers], "may_change": user.is_archive_admin}
    return render(request, "peers/list.html", context)


@require_POST
@for_people
def test_peer(request: HttpRequest, peer_id: uuid.UUID) -> HttpResponse:
    """Call a peer and say what came of it."""
    check_role(request)
    user = person_of(request)
    peer: Peer | WebPeer | None = Peer.objects.visible_to(user).filter(pk=peer_id).first()
    peer = peer or WebPeer.objects.visible_to(user).filter(pk=peer_id).first()
    if peer is None:
        raise Http404
    result = probe(peer)
    tell(
        request,
        "peer_tested",
        outcome="success" if result.is_well else "failure",
        facility_id=peer.facility_id,
        detail={"peer": str(peer), "ms": result.took_ms},
    )
    context = {"peer": peer, "probe": result}
    part = is_fragment(request)
    return render(request, "peers/_probe.html" if part else "peers/probe.html", context)


@dataclass(frozen=True)
class Line:
    """One row of the table: what is there, what is here, and what may be done."""

    remote: RemoteStudy | RemoteSeries
    here: Study | Series | None
    under_way: Way | None
    token: str

    @property
    def is_whole(self) -> bool:
        """Whether as many instances are here as are said to be there."""
        count = self.remote.instance_count
        return self.here is not None and count is not None and self.here.instance_count >= count


@require_http_methods(["GET", "POST"])
@for_people
def query(request: HttpRequest) -> HttpResponse:
    """Ask another archive. A question is a POST: names of patients stay out of addresses."""
    check_role(request)
    user = person_of(request)
    form = QuestionForm(request.POST if request.method == "POST" else None, user=user)
    context: dict[str, Any] = {"form": form, "newest": newest_id()}
    if request.method == "POST" and form.is_valid():
        context |= _ask(request, form)
    part = is_fragment(request)
    return render(request, "peers/_found.html" if part else "peers/query.html", context)


def _ask(request: HttpRequest, form: QuestionForm) -> dict[str, Any]:
    """Return what the templates need of an answer, or of the trouble that came instead."""
    user, peer = person_of(request), form.chosen
    asked = {name: str(value) for name, value in form.cleaned_data.items() if value}
    found: Found[RemoteStudy] | None = None
    context: dict[str, Any] = {"peer": peer}
    try:
        found = asking.find_studies(peer, form.question)
    except PeerUnavailableError as error:
        context["trouble"] = str(error)
        context["advice"] = advise(error, is_web=isinstance(peer, WebPeer))
    except BusyError as error:
        context["trouble"] = str(error)
    tell(
        request,
        "peer_queried",
        outcome="success" if found is not None else "failure",
        facility_id=peer.facility_id,
        detail={**asked, "peer": str(peer), "found": len(found.rows) if found else 0},
    )
    if found is not None:
        known = asking.know_studies(user, peer, [row.uid for row in found.rows])
        context["found"] = found
        context["lines"] = [
            Line(
                row,
                known.here.get(row.uid),
                _way(known.under_way.get(row.uid)),
                _sign(peer, _facts_of(row)),
            )
            for row in found.rows
        ]
    return context


@require_POST
@for_people
def show_series(request: HttpRequest) -> HttpResponse:
    """The series of a study that another archive named."""
    check_role(request)
    user = person_of(request)
    peer, facts = _read_token(request)
    study_uid = facts["study_instance_uid"]
    context: dict[str, Any] = {"peer": peer}
    try:
        found = asking.find_series(peer, study_uid)
    except (PeerUnavailableError, BusyError) as error:
        context["trouble"] = str(error)
    else:
        known = asking.know_series(user, peer, study_uid)
        context["found"] = found
        context["lines"] = [
            Line(
                row,
                known.here.get(row.uid),
                _way(known.under_way.get(row.uid)),
                _sign(peer, {**facts, **_facts_of_series(row)}),
            )
            for row in found.rows
        ]
    tell(
        request,
        "peer_queried",
        outcome="failure" if "trouble" in context else "success",
        facility_id=peer.facility_id,
        patient_id=facts["patient_id"],
        study_instance_uid=study_uid,
        detail={"peer": str(peer), "level": "series"},
    )
    return render(request, "peers/_series.html", context)


@require_POST
@for_people
def start_import(request: HttpRequest) -> HttpResponseBase:
    """Import a study or series that another archive named."""
    check_role(request)
    peer, facts = _read_token(request)
    context: dict[str, Any] = {}
    try:
        row = exchanges.ask_for(person_of(request), peer, facts, address=read_address(request))
        context["rows"] = [of_exchange(row)]
    except (LimitExceededError, ConflictError) as error:
        context["trouble"] = str(error)
    if not is_fragment(request) and "rows" in context:
        return redirect("transfers:list")
    return render(request, "peers/_ways.html", context)


def _way(row: Exchange | None) -> Way | None:
    return of_exchange(row) if row is not None else None


def _sign(peer: Peer | WebPeer, facts: dict[str, Any]) -> str:
    """Return what an import is asked for with: nobody can ask for what was not found."""
    return signing.dumps({"peer": str(peer.pk), **facts}, salt=SALT, compress=True)


def _read_token(request: HttpRequest) -> tuple[Peer | WebPeer, dict[str, Any]]:
    try:
        facts = signing.loads(request.POST.get("token", ""), salt=SALT, max_age=TOKEN_SECONDS)
        peer = exchanges.find_peer(person_of(request), facts.pop("peer"))
    except (signing.BadSignature, MissingError):
        raise Http404(_("There is no such study.")) from None
    return peer, facts


def _facts_of(row: RemoteStudy) -> dict[str, Any]:
    return {
        "study_instance_uid": row.uid,
        "patient_name": row.patient_name,
        "patient_id": row.patient_id,
        "study_date": row.day,
        "modalities": "\\".join(row.modalities)[:255],
        "description": row.description,
        "expected": row.instance_count,
    }


def _facts_of_series(row: RemoteSeries) -> dict[str, Any]:
    return {
        "series_instance_uid": row.uid,
        "modalities": row.modality,
        "description": row.description,
        "expected": row.instance_count,
    }
