"""Opening a study in a program on one's desk, and the ZIP that some programs fetch for it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.models import Instance, Study
from imaging.errors import BusyError, NoctisError
from viewer.export_stream import AsyncPieceStream, PieceStream
from viewer.export_zip import Entry, zip_pieces
from viewer.file_stream import open_file
from viewer.launch_links import PROGRAMS, Place
from viewer.launches import make_ticket, redeem_once
from viewer.statuses import RETRY_SECONDS


class LaunchRedirect(HttpResponseRedirect):
    """To a program on the desk."""

    allowed_schemes = list(PROGRAMS)


@require_GET
@login_required
@never_cache
@sensitive_variables("ticket")
def open_in(request: HttpRequest, study_id: uuid.UUID, program: str) -> HttpResponse:
    """Go to a program on the desk with a ticket for this study."""
    assert isinstance(request.user, User)
    visible = Study.objects.visible_to(request.user).select_related("patient")
    study = visible.filter(pk=study_id).first()
    if study is None or program not in settings.NOCTIS_OPEN_IN:
        raise Http404
    _name, link, needs_ticket = PROGRAMS[program]
    address = read_address(request)
    ticket = make_ticket(request.user, study, program, address=address) if needs_ticket else "-"
    place = Place(
        study_instance_uid=study.study_instance_uid,
        dicomweb=_absolute(request, reverse("dicomweb:studies").removesuffix("/studies")),
        ae_title=settings.NOCTIS_AET,
        zip_address=_absolute(request, reverse("launch-study", args=[ticket])),
        ticket=ticket,
    )
    return LaunchRedirect(link(place))


@require_GET
@never_cache
def fetch_study(request: HttpRequest, ticket: str) -> HttpResponseBase:
    """Answer the program that has a ticket with the study as a ZIP, once.

    A ticket that is used, over or no ticket answers as one that never was.
    """
    address = read_address(request)
    redeemed = redeem_once(ticket, address)
    if redeemed is None:
        raise Http404
    launch, person = redeemed
    rows = Instance.objects.visible_to(person).filter(study=launch.study_id)
    found = list(rows.select_related("series").order_by("series_id", "instance_number", "pk"))
    if not found:
        raise Http404
    record_for_user(
        person,
        "study_fetched",
        address=address,
        facility_id=launch.study.facility_id,
        patient_id=launch.study.patient.patient_id,
        study_instance_uid=launch.study.study_instance_uid,
        detail={"program": launch.program, "instances": len(found)},
    )
    try:
        stream = PieceStream(zip_pieces(_entries(found)))
    except BusyError:
        return HttpResponse(status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    is_asgi = isinstance(request, ASGIRequest)
    answer = StreamingHttpResponse(AsyncPieceStream(stream) if is_asgi else stream)
    answer["Content-Type"] = "application/zip"
    answer["Content-Disposition"] = 'attachment; filename="study.zip"'
    return answer


def _entries(instances: list[Instance]) -> Iterator[Entry]:
    """Yield the files of a study, a folder a series; what cannot be read is named at the end."""
    folders: dict[object, tuple[int, int]] = {}
    missing = []
    for instance in instances:
        number, within = folders.get(instance.series_id, (len(folders) + 1, 0))
        folders[instance.series_id] = (number, within + 1)
        name = f"SE{number:06}/IM{within + 1:06}.dcm"
        try:
            piece = open_file(instance)
        except NoctisError as error:
            missing.append(f"{name}: {error}\r\n")
            continue
        with piece:
            yield Entry(name, piece, instance.size_bytes)
    if missing:
        yield Entry("INCOMPLETE.TXT", ["".join(missing).encode()])


def _absolute(request: HttpRequest, path: str) -> str:
    return request.build_absolute_uri(path)
