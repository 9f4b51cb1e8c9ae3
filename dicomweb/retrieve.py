"""WADO-RS: studies, series and instances as DICOM files (PS3.18 10.4)."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.models import Instance, Study
from archive.viewing import ensure_viewing_recorded
from dicomweb.bodies import Body, content_type_of, is_there, parts_of
from dicomweb.media_types import Wish
from dicomweb.multipart import OutPart, length_of_parts, new_boundary, related, write_parts
from dicomweb.ranges import answer_range
from dicomweb.rendered_targets import find_rows
from dicomweb.statuses import NotAcceptable
from dicomweb.streams import answer_pieces
from dicomweb.syntaxes import choose_syntax
from dicomweb.views import (
    RetrievingView,
    answer_unchanged,
    find_instance,
    keep_private,
    make_etag,
    service_address,
)
from imaging.encoders import ENCODED

DICOM = "application/dicom"
_FIELDS = (
    "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "number_of_frames", "storage_key",
    "size_bytes", "dataset_offset", "dataset_sha256", "study_id",
)  # fmt: skip


class RetrieveView(RetrievingView):
    """A study or a series: its instances, as parts of one body."""

    def get(self, request: Request, **uids: str) -> HttpResponseBase:
        """Stream the instances, in the order of series and numbers.

        Those that cannot be given as asked are left out, which status 206 and a warning say.
        """
        syntaxes = choose_packing(self.wishes(), is_one=False)[1]
        rows = find_rows(request.user, uids).select_related(None)
        needs_pixels = bool(set(syntaxes) & set(ENCODED))
        instances = list(rows.only(*_FIELDS, *(["image"] if needs_pixels else [])))
        if not instances:
            raise NotFound(_("Not found."), "not_found")
        plan = [
            (instance, syntax)
            for instance in instances
            if (syntax := choose_syntax(instance, syntaxes)) and is_there(instance)
        ]
        if not plan:
            raise NotAcceptable
        study = Study.objects.select_related("patient").get(pk=instances[0].study_id)
        self._record(request, study, uids, len(plan))
        etag = make_etag((one.dataset_sha256, one.pk, syntax) for one, syntax in plan)
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        boundary = new_boundary()
        pieces = write_parts(parts_of(plan), boundary)
        response = answer_pieces(request, pieces, related(DICOM, boundary))
        missing = len(instances) - len(plan)
        if missing:
            response.status_code = 206
            words = f"{missing} of {len(instances)} instances cannot be given as asked."
            response["Warning"] = f"299 {service_address(request)}: {words}"
        return keep_private(response, etag)

    def _record(self, request: Request, study: Study, uids: dict[str, Any], count: int) -> None:
        """Write into the trail that a whole study, or a series of it, leaves."""
        assert isinstance(request.user, User)
        record_for_user(
            request.user,
            "retrieve",
            address=read_address(request._request),
            facility_id=study.facility_id,
            patient_id=study.patient.patient_id,
            study_instance_uid=study.study_instance_uid,
            detail={"by": "WADO-RS", "instances": count, **uids},
        )


class InstanceView(RetrievingView):
    """An instance: one part, or alone."""

    def get(self, request: Request, **uids: str) -> HttpResponseBase:
        """Send the file; alone, any range of it."""
        is_multipart, syntaxes = choose_packing(self.wishes(), is_one=True)
        instance = find_instance(request, uids)
        syntax = choose_syntax(instance, syntaxes)
        if syntax is None:
            raise NotAcceptable
        ensure_viewing_recorded(request._request, instance.study_id)
        etag = make_etag([instance.dataset_sha256, instance.storage_key, syntax, is_multipart])
        if not is_multipart:
            etag = etag.removeprefix("W/")
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        body = Body(instance, syntax)
        if not is_multipart:
            return keep_private(self._alone(request, instance, body, etag), etag)
        boundary = new_boundary()
        parts = [OutPart(content_type_of(syntax), body, length=body.length)]
        response = answer_pieces(
            request,
            write_parts(parts, boundary),
            related(DICOM, boundary),
            length=length_of_parts(parts, boundary),
            then=body.close,
        )
        return keep_private(response, etag)

    def _alone(
        self, request: Request, instance: Instance, body: Body, etag: str
    ) -> HttpResponseBase:
        response = answer_range(
            request, body.length, body.part, content_type_of(body.syntax), etag, body.close
        )
        name = f"{instance.sop_instance_uid}.dcm"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def choose_packing(wishes: list[Wish], *, is_one: bool) -> tuple[bool, list[str]]:
    """Return whether the answer has parts, and the transfer syntaxes taken, dearest first.

    Several instances cannot leave but as parts (PS3.18 8.6.1.1). Raises NotAcceptable.
    """
    fitting = [
        wish for wish in wishes if wish.takes(DICOM) and (is_one or wish.is_multipart is not False)
    ]
    if not fitting:
        raise NotAcceptable
    is_multipart = fitting[0].is_multipart is not False
    same = [wish for wish in fitting if (wish.is_multipart is not False) == is_multipart]
    return is_multipart, [wish.syntax for wish in same]
