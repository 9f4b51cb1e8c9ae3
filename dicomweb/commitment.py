"""Storage commitment by HTTP: a request, and the check for its result (PS3.18 13, Annex J)."""

from __future__ import annotations

from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils.translation import gettext as _
from pydicom import DataElement, Dataset
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.models import User
from archive.promises import Promise, promiser
from dicomweb.payloads import read_payload
from dicomweb.search import AnyNegotiation
from dicomweb.statuses import Refusal
from dicomweb.store_answer import RETRY_SECONDS, answer_dataset, choose_media_type
from dicomweb.unread import Unread
from imaging.datasets import add_element
from imaging.errors import NoctisError, UnreadableError
from imaging.matching import values_of
from imaging.uids import checked_uid
from worklist.uploading import may_upload

_REFERENCED, _FAILED, _REASON = 0x00081199, 0x00081198, 0x00081197
_CLASS, _INSTANCE = 0x00081150, 0x00081155


class CommitmentView(APIView):
    """`/commitment-requests/{transaction}`: POST asks, GET fetches the result."""

    content_negotiation_class = AnyNegotiation
    parser_classes = (Unread,)
    schema = None

    def post(self, request: Request, transaction_uid: str) -> HttpResponse:
        """Ask that instances be kept: 200 with the result, or 202 while files are read."""
        user = _person(request)
        media_type = _accepted(request)
        try:
            references = _read_references(read_payload(request))
            address = read_address(request._request)
            promise = promiser().ask(user, transaction_uid, references, address)
        except NoctisError as error:
            raise Refusal(error) from error
        return _answer(promise, media_type)

    def get(self, request: Request, transaction_uid: str) -> HttpResponse:
        """Tell what became of a transaction: 200, or 202 while files are read."""
        user = _person(request)
        media_type = _accepted(request)
        try:
            promise = promiser().read(user, transaction_uid)
        except NoctisError as error:
            raise Refusal(error) from error
        return _answer(promise, media_type)


def _person(request: Request) -> User:
    """Return who asks; only who may store may ask what was stored of them."""
    if not isinstance(request.user, User) or not may_upload(request.user):
        raise PermissionDenied
    return request.user


def _accepted(request: Request) -> str:
    return choose_media_type(
        request.query_params.get("accept") or request.headers.get("Accept", "")
    )


def _read_references(payload: Dataset) -> list[list[str]]:
    """Return SOP class and SOP instance of each reference (Table J.1-1)."""
    items = values_of(payload, _REFERENCED)
    if not items:
        raise UnreadableError(_("Referenced SOP Sequence is missing or empty."))
    return [[_uid(item, _CLASS), _uid(item, _INSTANCE)] for item in items]


def _uid(item: Dataset, tag: int) -> str:
    values = values_of(item, tag)
    return checked_uid(str(values[0]) if values else "", "A UID of a reference")[0]


def _answer(promise: Promise, media_type: str) -> HttpResponse:
    if not promise.is_done:
        response = HttpResponse(status=HTTPStatus.ACCEPTED)
        response["Retry-After"] = str(RETRY_SECONDS)
        response["Cache-Control"] = "private, no-store"
        return response
    kept: list[Dataset] = []
    failed: list[Dataset] = []
    for number, (class_uid, uid) in enumerate(promise.references):
        item = Dataset()
        add_element(item, _CLASS, "UI", [class_uid])
        add_element(item, _INSTANCE, "UI", [uid])
        reason = promise.failures.get(str(number))
        if reason is not None:
            add_element(item, _REASON, "US", [reason])
        (kept if reason is None else failed).append(item)
    module = Dataset()
    for tag, items in ((_FAILED, failed), (_REFERENCED, kept)):
        if items:
            module.add(DataElement(tag, "SQ", items))
    return answer_dataset(module, media_type)
