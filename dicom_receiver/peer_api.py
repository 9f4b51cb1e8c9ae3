"""Peers over REST: the other archives that the person may query, import from and send to."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_pages import KeyPages
from accounts.etags import Tagged
from dicom_receiver.models import Peer


class PeerSerializer(serializers.ModelSerializer[Peer]):
    """Another application entity, and what it may do here."""

    facility = serializers.CharField(source="facility.code")

    class Meta:
        model = Peer
        fields = [
            "id", "ae_title", "description", "host", "port", "facility", "use_tls", "may_store",
            "may_find", "may_move", "may_get", "may_mwl", "may_mpps", "may_commit", "is_queried",
            "is_destination",
        ]  # fmt: skip


class PeerList(ListAPIView[Peer]):
    """The peers of the person's facilities."""

    serializer_class = PeerSerializer
    pagination_class = KeyPages
    filterset_fields = ["ae_title"]

    def get_queryset(self) -> QuerySet[Peer]:
        """Return the visible peers: none for roles that call no other archive."""
        return Peer.objects.visible_to(self.request.user).select_related("facility")

    @extend_schema(operation_id="peer_list", summary="Peers of the person's facilities")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the active peers; roles that may not call other archives see none."""
        return super().get(request, *args, **kwargs)


class PeerDetail(Tagged):
    """One peer."""

    @extend_schema(operation_id="peer_detail", summary="One peer", responses={200: PeerSerializer})
    def get(self, request: Request, peer_id: uuid.UUID) -> Response:
        """Return one peer."""
        visible = Peer.objects.visible_to(request.user).select_related("facility")
        peer = visible.filter(pk=peer_id).first()
        if peer is None:
            raise NotFound(_("Not found."), "not_found")
        return Response(PeerSerializer(peer).data)


urlpatterns: list[URLPattern | URLResolver] = [
    path("peers/", PeerList.as_view(), name="peers"),
    path("peers/<uuid:peer_id>/", PeerDetail.as_view(), name="peer"),
]
