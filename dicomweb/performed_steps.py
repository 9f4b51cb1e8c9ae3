"""Performed procedure steps by HTTP: a scanner begins, goes on, ends, and looks (PS3.18 15)."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils.translation import gettext as _
from pydicom import Dataset
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.models import User
from dicomweb.destination import choose_destination
from dicomweb.payloads import read_payload
from dicomweb.search import AnyNegotiation
from dicomweb.statuses import Refusal
from dicomweb.store_answer import answer_dataset, choose_media_type
from dicomweb.unread import Unread
from imaging.errors import NoctisError
from imaging.matching import values_of
from worklist.order_models import PerformedStep
from worklist.performed_data import decode_said
from worklist.performed_rules import Fault, PerformedStepError
from worklist.performing import Scanner, change_performed_step, create_performed_step
from worklist.uploading import may_upload

_STATION_AE_TITLE = 0x00400241
_AE_LENGTH = 16
# What each fault is over HTTP (Tables 15.4.3-1 and 15.5.3-1).
_STATUSES = {
    Fault.DUPLICATE: HTTPStatus.CONFLICT,
    Fault.UNKNOWN: HTTPStatus.NOT_FOUND,
    Fault.FINAL: HTTPStatus.CONFLICT,
    Fault.NOT_ALLOWED: HTTPStatus.CONFLICT,
    Fault.INVALID: HTTPStatus.BAD_REQUEST,
    Fault.MISSING: HTTPStatus.BAD_REQUEST,
    Fault.EMPTY: HTTPStatus.BAD_REQUEST,
    Fault.TOO_LONG: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class _Refused(APIException):
    """A step that cannot be made or changed so."""

    def __init__(self, error: PerformedStepError) -> None:
        super().__init__(str(error))
        self.status_code = _STATUSES[error.fault]


class PerformedStepView(APIView):
    """`/modality-performed-procedure-steps/{uid}`."""

    content_negotiation_class = AnyNegotiation
    parser_classes = (Unread,)
    schema = None

    def post(self, request: Request, uid: str) -> HttpResponse:
        """Make a step, or change it with `?update`."""
        user = _person(request)
        try:
            said = read_payload(request)
            if "update" in request.query_params:
                change_performed_step(self._scanner(user, _find(user, uid), said), uid, said)
                return HttpResponse(status=HTTPStatus.OK)
            create_performed_step(self._scanner(user, self._facility(user), said), uid, said)
        except PerformedStepError as error:
            raise _Refused(error) from error
        except NoctisError as error:
            raise Refusal(error) from error
        response = HttpResponse(status=HTTPStatus.CREATED)
        response["Location"] = request.build_absolute_uri(request.path)
        return response

    def get(self, request: Request, uid: str) -> HttpResponse:
        """Return what was said of a step."""
        user = _person(request)
        accept = request.query_params.get("accept") or request.headers.get("Accept", "")
        media_type = choose_media_type(accept)
        rows = PerformedStep.objects.visible_to(user).filter(sop_instance_uid=uid)
        row = rows.first()
        if row is None:
            raise NotFound(_("Not found."), "not_found")
        return answer_dataset(decode_said(bytes(row.data_set)), media_type)

    def _facility(self, user: User) -> uuid.UUID:
        code = self.request.query_params.get("facility", "")
        facility_id = choose_destination(user, code).of_study("")
        if facility_id is None:
            raise PermissionDenied
        return facility_id

    def _scanner(self, user: User, facility_id: uuid.UUID, said: Dataset) -> Scanner:
        titles = values_of(said, _STATION_AE_TITLE)
        title = str(titles[0]) if titles else user.get_username()
        return Scanner(facility_id, title[:_AE_LENGTH], read_address(self.request._request), user)


def _person(request: Request) -> User:
    if not isinstance(request.user, User) or not may_upload(request.user):
        raise PermissionDenied
    return request.user


def _find(user: User, uid: str) -> uuid.UUID:
    """Return the facility of the person's that has the step."""
    rows = PerformedStep.objects.visible_to(user).filter(sop_instance_uid=uid)
    facility_id = rows.values_list("facility_id", flat=True).first()
    if facility_id is None:
        raise NotFound(_("Not found."), "not_found")
    return facility_id
