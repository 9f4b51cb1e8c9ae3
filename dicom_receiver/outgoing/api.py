"""Transfers over REST: ask, look how far they are, cancel, pause, try again."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.models import User
from archive.api_pages import NewestFirst
from archive.json_bodies import PlainJSONParser
from archive.models import Instance
from dicom_receiver.models import Peer
from dicom_receiver.outgoing import asking
from dicom_receiver.outgoing.documents import (
    LineSerializer,
    TransferSerializer,
    TransferWishSerializer,
)
from dicom_receiver.outgoing.models import Transfer
from dicom_receiver.remote.access import may_call_out
from imaging.errors import NotAllowedError

_UID = re.compile(r"[0-9.]{1,64}")
_PROBLEMS = {
    400: OpenApiResponse(description="A field is wrong: `errors` says which and why."),
    403: OpenApiResponse(description="The role may look only."),
    404: OpenApiResponse(description="It is not there, or belongs to others."),
    409: OpenApiResponse(description="It has ended, or is under way already."),
}


class _TransferView(APIView):
    http_method_names = ["get", "head", "options", "post", "delete"]
    parser_classes = [PlainJSONParser]

    def person(self) -> User:
        """Return who asks."""
        assert isinstance(self.request.user, User)
        return self.request.user

    def address(self) -> str:
        """Return from where they ask."""
        return read_address(self.request._request)

    def check_role(self) -> None:
        """Raise NotAllowedError for roles that may look only, whatever they name."""
        if not may_call_out(self.person()):
            raise NotAllowedError(_("Your role may not send to other archives."))

    def answer(self, transfer: Transfer, status: int = 200) -> Response:
        """Return the transfer as it is now."""
        found = asking.find_transfer(self.person(), transfer.pk)
        return Response(TransferSerializer(found).data, status=status)

    def handle_exception(self, exc: Exception) -> Response:
        """Let no refusal be kept."""
        response = super().handle_exception(exc)
        response["Cache-Control"] = "private, no-store"
        return response

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """Let no answer be kept: it is old in a second."""
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response


class TransferFilter(filters.FilterSet):
    """What the list can be narrowed by; all conditions must hold."""

    status = filters.MultipleChoiceFilter(choices=Transfer.Status.choices)
    why = filters.MultipleChoiceFilter(choices=Transfer.Why.choices)
    peer = filters.CharFilter(field_name="peer__ae_title")
    study = filters.UUIDFilter(field_name="study_id")


class TransferList(_TransferView, ListAPIView[Transfer]):
    """The transfers that the person may see."""

    serializer_class = TransferSerializer
    filterset_class = TransferFilter
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Transfer]:
        """Return the visible transfers."""
        visible = Transfer.objects.visible_to(self.request.user)
        return visible.select_related("peer", "study", "requested_by", "rule")

    @extend_schema(operation_id="transfer_list", responses=TransferSerializer(many=True))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return what goes and went to other archives, newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="transfer_create",
        request=TransferWishSerializer,
        responses={202: TransferSerializer(many=True), **_PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """Send a study, a series or images to a peer; it goes in the background."""
        self.check_role()
        wish = TransferWishSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        peer = _find_peer(self.person(), wish.validated_data["peer"])
        found = _find_instances(self.person(), wish.validated_data)
        made = asking.ask_to_send(self.person(), peer, found, address=self.address())
        keys = [one.pk for one in made]
        rows = self.get_queryset().filter(pk__in=keys).order_by("id")
        response = Response(TransferSerializer(rows, many=True).data, status=202)
        response["Location"] = reverse("api:transfer", args=[keys[0]])
        return response


class TransferDetail(_TransferView):
    """One transfer."""

    @extend_schema(operation_id="transfer_detail", responses={200: TransferSerializer, **_PROBLEMS})
    def get(self, request: Request, transfer_id: uuid.UUID) -> Response:
        """Return how far it is."""
        return self.answer(asking.find_transfer(self.person(), transfer_id))

    @extend_schema(operation_id="transfer_cancel", responses={204: None, **_PROBLEMS})
    def delete(self, request: Request, transfer_id: uuid.UUID) -> Response:
        """Cancel it; what has arrived there stays there."""
        self.check_role()
        transfer = asking.find_transfer(self.person(), transfer_id)
        asking.cancel(self.person(), transfer, address=self.address())
        return Response(status=204)


class TransferRetry(_TransferView):
    """A transfer that is tried again."""

    @extend_schema(
        operation_id="transfer_retry",
        request=None,
        responses={202: TransferSerializer, **_PROBLEMS},
    )
    def post(self, request: Request, transfer_id: uuid.UUID) -> Response:
        """Let it wait again when it failed or was cancelled; what has arrived is not sent again."""
        self.check_role()
        transfer = asking.find_transfer(self.person(), transfer_id)
        asking.retry(self.person(), transfer, address=self.address())
        return self.answer(transfer, 202)


class TransferPause(_TransferView):
    """A transfer that waits until somebody takes that back, or goes on."""

    is_paused = True

    @extend_schema(request=None, responses={200: TransferSerializer, **_PROBLEMS})
    def post(self, request: Request, transfer_id: uuid.UUID) -> Response:
        """Pause it, or let it go on."""
        self.check_role()
        transfer = asking.find_transfer(self.person(), transfer_id)
        asking.pause(self.person(), transfer, is_paused=self.is_paused, address=self.address())
        return self.answer(transfer)


class LineList(_TransferView):
    """The peers to which the person may send."""

    @extend_schema(operation_id="transfer_peers", responses=LineSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return each with how much waits for it, whether it answers and whether it is paused."""
        rows = [_line_document(peer, counts) for peer, counts in _peers_with_counts(self.person())]
        documents: Any = LineSerializer(rows, many=True)  # type: ignore[arg-type]
        return Response(documents.data)


class LinePause(_TransferView):
    """All that goes to one peer."""

    is_paused = True

    @extend_schema(request=None, responses={204: None, **_PROBLEMS})
    def post(self, request: Request, peer_id: uuid.UUID) -> Response:
        """Pause it, or let it go on and forget that it did not answer; for administrators."""
        if not self.person().is_archive_admin:
            raise NotAllowedError(_("Only administrators pause a peer."))
        peer = _find_peer(self.person(), str(peer_id))
        asking.pause_line(self.person(), peer, is_paused=self.is_paused, address=self.address())
        return Response(status=204)


# --- finding what is named -------------------------------------------------------
def _find_peer(user: User, named: str) -> Peer:
    """Return the visible peer of this id or AE title."""
    peers = Peer.objects.visible_to(user)
    key = _as_key(named)
    found = peers.filter(pk=key) if key else peers.filter(ae_title=named)
    peer = found.first()
    if peer is None:
        raise NotFound(_("There is no such peer."), "not_found")
    return peer


def _find_instances(user: User, wish: dict[str, Any]) -> QuerySet[Instance]:
    """Return the visible instances of what is named; one that is not visible is missing."""
    visible = Instance.objects.visible_to(user)
    if "study" in wish:
        found = visible.filter(_named("study", "study__study_instance_uid", wish["study"]))
    elif "series" in wish:
        found = visible.filter(_named("series", "series__series_instance_uid", wish["series"]))
    else:
        names = list(dict.fromkeys(wish["instances"]))
        keys = [key for key in map(_as_key, names) if key]
        uids = [name for name in names if _UID.fullmatch(name)]
        found = visible.filter(Q(pk__in=keys) | Q(sop_instance_uid__in=uids))
        if found.count() < len(names):
            raise NotFound(_("There is no such image."), "not_found")
    if not found.exists():
        raise NotFound(_("There is nothing of that name."), "not_found")
    return found


def _named(key_field: str, uid_field: str, named: str) -> Q:
    key = _as_key(named)
    return Q(**{key_field: key}) if key else Q(**{uid_field: named})


def _as_key(named: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(named)
    except ValueError:
        return None


def _peers_with_counts(user: User) -> list[tuple[Peer, dict[str, int]]]:
    peers = Peer.objects.visible_to(user).select_related("line").order_by("ae_title")
    counts = asking.count_by_peer(Transfer.objects.visible_to(user))
    nothing = {"transfers": 0, "instances": 0}
    return [
        (peer, counts.get(peer.pk, nothing)) for peer in peers.exclude(host="").exclude(port=None)
    ]


def _line_document(peer: Peer, counts: dict[str, int]) -> dict[str, Any]:
    line = getattr(peer, "line", None)
    return {
        "id": peer.pk,
        "ae_title": peer.ae_title,
        "description": peer.description,
        "is_paused": bool(line and line.is_paused),
        "failures": line.failures if line else 0,
        "retry_at": line.retry_at if line else None,
        "last_error": line.last_error if line else "",
        "last_success_at": line.last_success_at if line else None,
        **counts,
    }


urlpatterns: list[URLPattern | URLResolver] = [
    path("transfers/", TransferList.as_view(), name="transfers"),
    path("transfers/peers/", LineList.as_view(), name="transfer-peers"),
    path(
        "transfers/peers/<uuid:peer_id>/pause/",
        LinePause.as_view(),
        name="transfer-peer-pause",
    ),
    path(
        "transfers/peers/<uuid:peer_id>/resume/",
        LinePause.as_view(is_paused=False),
        name="transfer-peer-resume",
    ),
    path("transfers/<uuid:transfer_id>/", TransferDetail.as_view(), name="transfer"),
    path("transfers/<uuid:transfer_id>/retry/", TransferRetry.as_view(), name="transfer-retry"),
    path("transfers/<uuid:transfer_id>/pause/", TransferPause.as_view(), name="transfer-pause"),
    path(
        "transfers/<uuid:transfer_id>/resume/",
        TransferPause.as_view(is_paused=False),
        name="transfer-resume",
    ),
]
