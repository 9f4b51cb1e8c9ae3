"""The page of all that goes to other archives and comes from them, and "Send to…"."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.address import read_address
from accounts.models import User
from archive.models import Instance, Series, Study
from archive.news import newest_id
from dicom_receiver.models import Peer
from dicom_receiver.outgoing import asking as outgoing
from dicom_receiver.outgoing.models import Line, Transfer
from dicom_receiver.remote import exchanges
from dicom_receiver.remote.access import may_call_out
from dicom_receiver.remote.models import Exchange
from imaging.errors import ConflictError, LimitExceededError, MissingError, NotAllowedError
from worklist.doors import for_people, is_fragment, person_of
from worklist.filters import parse_keys

PAGE_SIZE = 50
MOST_ROWS = 50
SENT_BEFORE = 4
IN, OUT = "in", "out"
ACTS = ("cancel", "retry", "pause", "resume")


@dataclass(frozen=True, kw_only=True)
class Way:
    """One row of the page, wherever it is kept."""

    key: uuid.UUID
    kind: str
    is_outgoing: bool
    status: str
    status_name: str
    peer_name: str
    patient_name: str
    patient_id: str
    day: str
    modalities: str
    description: str
    is_series: bool
    done: int
    failed: int
    total: int | None
    reason: str
    created_at: Any
    asked_by: str
    study_id: uuid.UUID | None
    acts: tuple[str, ...]

    @property
    def percent(self) -> int | None:
        """How much of it is done; None when nobody said how much there is."""
        if self.status == "done":
            return 100
        return min(100, round(100 * self.done / self.total)) if self.total else None


def of_exchange(row: Exchange, study_id: uuid.UUID | None = None) -> Way:
    """Return the row of an import, or of what is sent by DICOMweb."""
    acts = ["cancel"] if row.status in Exchange.OPEN else []
    acts += ["retry"] if row.status in (Exchange.Status.FAILED, Exchange.Status.CANCELLED) else []
    return Way(
        key=row.pk, kind="exchange", is_outgoing=row.way == Exchange.Way.SEND, status=row.status,
        status_name=row.get_status_display(), peer_name=row.peer_name,
        patient_name=row.patient_name, patient_id=row.patient_id, day=row.study_date,
        modalities=row.modalities, description=row.description,
        is_series=bool(row.series_instance_uid), done=row.done, failed=row.failed,
        total=row.expected, reason=row.reason, created_at=row.created_at,
        asked_by=row.requested_by.get_username(), study_id=study_id, acts=tuple(acts),
    )  # fmt: skip


def of_transfer(row: Transfer, line: Line | None = None) -> Way:
    """Return the row of what is sent by DIMSE; why it waits is said where that is known."""
    study, status, name, reason = row.study, row.status, row.get_status_display(), row.reason
    acts: list[str] = []
    if row.status in Transfer.OPEN:
        acts = ["resume" if row.is_paused else "pause", "cancel"]
        if row.is_paused:
            status, name = "paused", _("Paused")
        elif line is not None and line.is_paused:
            status, name, reason = "paused", _("Paused"), _("Everything to this peer is paused.")
        elif row.status == Transfer.Status.QUEUED and line is not None and line.retry_at:
            reason = reason or line.last_error
    elif row.status in (Transfer.Status.FAILED, Transfer.Status.CANCELLED):
        acts = ["retry"]
    asked_by = row.requested_by.get_username() if row.requested_by else row.get_why_display()
    return Way(
        key=row.pk, kind="transfer", is_outgoing=True, status=status, status_name=name,
        peer_name=row.peer.ae_title, patient_name=study.patient_name,
        patient_id=study.patient.patient_id,
        day=f"{study.study_date:%Y-%m-%d}" if study.study_date else "",
        modalities=study.modalities, description=study.study_description,
        is_series=row.instance_count < study.instance_count, done=row.sent_count,
        failed=row.failed_count, total=row.instance_count, reason=reason,
        created_at=row.created_at, asked_by=asked_by, study_id=study.pk, acts=tuple(acts),
    )  # fmt: skip


@require_GET
@for_people
def show_ways(request: HttpRequest) -> HttpResponse:
    """Show what goes out and comes in, newest first; `?way=in|out`, `?status=` narrow."""
    user = _check_role(request)
    # Taken before the rows are read: what happens in between is told twice, never missed.
    newest = newest_id()
    asked = {name: request.GET.get(name, "") for name in ("way", "status")}
    before = next(iter(parse_keys([request.GET.get("before", "")], most=1)), None)
    rows = _find(user, asked, before)
    is_more = len(rows) > PAGE_SIZE
    context = {
        "rows": rows[:PAGE_SIZE],
        "asked": asked,
        "statuses": Exchange.Status.choices,
        "newest": newest,
        "is_first": before is None,
        "older": str(rows[PAGE_SIZE - 1].key) if is_more else "",
    }
    return render(request, "transfers/list.html", context)


def _find(user: User, asked: dict[str, str], before: uuid.UUID | None) -> list[Way]:
    """Return a page of rows and one more. Keys of both tables sort by time."""
    transfers, rows = _transfers(user), _exchanges(user)
    if asked["way"] == IN:
        transfers, rows = transfers.none(), rows.filter(way=Exchange.Way.FETCH)
    elif asked["way"] == OUT:
        rows = rows.filter(way=Exchange.Way.SEND)
    if asked["status"] in Exchange.Status.values:
        transfers = transfers.filter(status=asked["status"])
        rows = rows.filter(status=asked["status"])
    if before is not None:
        transfers, rows = transfers.filter(pk__lt=before), rows.filter(pk__lt=before)
    found = _ways(user, list(transfers[: PAGE_SIZE + 1]), list(rows[: PAGE_SIZE + 1]))
    return sorted(found, key=lambda way: way.key, reverse=True)[: PAGE_SIZE + 1]


def _ways(user: User, transfers: Iterable[Transfer], rows: Iterable[Exchange]) -> list[Way]:
    transfers, rows = list(transfers), list(rows)
    lines = {line.pk: line for line in Line.objects.filter(pk__in={t.peer_id for t in transfers})}
    uids = {row.study_instance_uid for row in rows}
    studies = Study.objects.visible_to(user).filter(study_instance_uid__in=uids)
    here: dict[tuple[uuid.UUID | None, str], uuid.UUID] = {
        (facility, uid): key
        for key, facility, uid in studies.values_list("pk", "facility_id", "study_instance_uid")
    }
    return [
        *(of_transfer(transfer, lines.get(transfer.peer_id)) for transfer in transfers),
        *(of_exchange(row, here.get((row.facility_id, row.study_instance_uid))) for row in rows),
    ]


def _transfers(user: User) -> Any:
    visible = Transfer.objects.visible_to(user).order_by("-id")
    return visible.select_related("peer", "study__patient", "requested_by")


def _exchanges(user: User) -> Any:
    return Exchange.objects.visible_to(user).order_by("-id").select_related("requested_by")


@require_GET
@for_people
def show_rows(request: HttpRequest) -> HttpResponse:
    """Show some rows, `?row=` each, as far as the person may see them."""
    user = _check_role(request)
    keys = parse_keys(request.GET.getlist("row"), most=MOST_ROWS)
    found = _ways(
        user,
        list(_transfers(user).filter(pk__in=keys)),
        list(_exchanges(user).filter(pk__in=keys)),
    )
    rows = sorted(found, key=lambda way: way.key, reverse=True)
    part = "peers/_ways.html" if "short" in request.GET else "transfers/_rows.html"
    return render(request, part, {"rows": rows})


@require_POST
@for_people
def act(request: HttpRequest, kind: str, key: uuid.UUID, what: str) -> HttpResponseBase:
    """Cancel, try again, pause or resume one; answers with its row, or why not."""
    user = _check_role(request)
    if kind not in ("transfer", "exchange") or what not in ACTS:
        raise Http404
    address = read_address(request)
    trouble = ""
    try:
        if kind == "transfer":
            _act_on_transfer(user, key, what, address)
        else:
            row = exchanges.find_exchange(user, key)
            verbs = {"cancel": exchanges.cancel, "retry": exchanges.retry}
            if what not in verbs:
                raise Http404
            verbs[what](user, row, address=address)
    except MissingError:
        raise Http404 from None
    except (ConflictError, LimitExceededError) as error:
        trouble = str(error)
    if not is_fragment(request):
        return redirect("transfers:list")
    rows = _ways(
        user,
        list(_transfers(user).filter(pk=key)) if kind == "transfer" else [],
        list(_exchanges(user).filter(pk=key)) if kind != "transfer" else [],
    )
    return render(request, "transfers/_rows.html", {"rows": rows, "trouble": trouble})


def _act_on_transfer(user: User, key: uuid.UUID, what: str, address: str) -> None:
    transfer = outgoing.find_transfer(user, key)
    if what == "cancel":
        outgoing.cancel(user, transfer, address=address)
    elif what == "retry":
        outgoing.retry(user, transfer, address=address)
    else:
        outgoing.pause(user, transfer, is_paused=what == "pause", address=address)


# --- send to… ---------------------------------------------------------------------------
@require_GET
@for_people
def choose_destination(request: HttpRequest) -> HttpResponse:
    """The peers to which a study, `?study=`, or a series of it, `?series=`, may be sent."""
    user = _check_role(request)
    study, series = _find_source(user, request.GET.get("study", ""), request.GET.get("series", ""))
    sent = _exchanges(user).filter(
        study_instance_uid=study.study_instance_uid,
        facility=study.facility_id,
        way=Exchange.Way.SEND,
    )
    ways = _ways(user, list(_transfers(user).filter(study=study)[:SENT_BEFORE]), sent[:SENT_BEFORE])
    context = {
        "study": study,
        "series": series,
        "peers": exchanges.find_destinations(user, study),
        "sent": sorted(ways, key=lambda way: way.key, reverse=True)[:SENT_BEFORE],
    }
    part = is_fragment(request)
    return render(request, "transfers/_send.html" if part else "transfers/send.html", context)


@require_POST
@for_people
def send(request: HttpRequest) -> HttpResponseBase:
    """Send a study or series to a peer."""
    user = _check_role(request)
    study, series = _find_source(
        user, request.POST.get("study", ""), request.POST.get("series", "")
    )
    peers = {str(peer.pk): peer for peer in exchanges.find_destinations(user, study)}
    peer = peers.get(request.POST.get("peer", ""))
    if peer is None:
        raise Http404
    address = read_address(request)
    context: dict[str, Any] = {"rows": []}
    try:
        if isinstance(peer, Peer):
            instances = Instance.objects.visible_to(user).filter(study=study)
            if series is not None:
                instances = instances.filter(series=series)
            made = outgoing.ask_to_send(user, peer, instances, address=address)
            context["rows"] = _ways(user, made, [])
        else:
            row = exchanges.ask_to_send(user, peer, study, series, address=address)
            context["rows"] = _ways(user, [], [row])
    except (ConflictError, LimitExceededError, NotAllowedError, MissingError) as error:
        context["trouble"] = str(error)
    if not is_fragment(request) and not context.get("trouble"):
        return redirect(f"{reverse('transfers:list')}?way={OUT}")
    return render(request, "peers/_ways.html", context)


def _find_source(user: User, study_key: str, series_key: str) -> tuple[Study, Series | None]:
    """Return a visible study, and a series of it when one is named. Raises Http404."""
    keys = parse_keys([study_key], most=1)
    visible = Study.objects.visible_to(user).select_related("patient")
    study = visible.filter(pk__in=keys).first()
    if study is None:
        raise Http404
    if not series_key:
        return study, None
    series = Series.objects.visible_to(user).filter(
        study=study, pk__in=parse_keys([series_key], most=1)
    )
    found = series.first()
    if found is None:
        raise Http404
    return study, found


def _check_role(request: HttpRequest) -> User:
    user = person_of(request)
    if not may_call_out(user):
        raise PermissionDenied
    return user
