"""Facilities over REST."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import FacilitySerializer
from accounts.api_pages import KeyPages
from accounts.etags import Tagged
from accounts.models import Facility


class FacilityList(ListAPIView[Facility]):
    """The facilities in which the person works."""

    serializer_class = FacilitySerializer
    pagination_class = KeyPages
    filter_backends = []

    def get_queryset(self) -> QuerySet[Facility]:
        """Return the active ones; all of them for administrators."""
        return Facility.objects.visible_to(self.request.user).filter(is_active=True)

    @extend_schema(operation_id="facility_list", summary="Facilities that the person sees")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the active facilities in which the person works; administrators see all."""
        return super().get(request, *args, **kwargs)


class FacilityDetail(Tagged):
    """One facility."""

    @extend_schema(
        operation_id="facility_detail", summary="One facility", responses={200: FacilitySerializer}
    )
    def get(self, request: Request, facility_id: uuid.UUID) -> Response:
        """Return one facility."""
        visible = Facility.objects.visible_to(request.user)
        facility = visible.filter(pk=facility_id, is_active=True).first()
        if facility is None:
            raise NotFound(_("Not found."), "not_found")
        return Response(FacilitySerializer(facility).data)


urlpatterns: list[URLPattern | URLResolver] = [
    path("facilities/", FacilityList.as_view(), name="facilities"),
    path("facilities/<uuid:facility_id>/", FacilityDetail.as_view(), name="facility"),
]
