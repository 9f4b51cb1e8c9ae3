"""The audit trail over REST, for those who may read it; reading it leaves a row, too."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, path
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import may_administer
from accounts.address import read_address
from accounts.api_pages import NumberPages
from accounts.audit import record_for_user
from accounts.models import AuditRow, User

_LONGEST_IN_TRAIL = 200


class AuditSerializer(serializers.ModelSerializer[AuditRow]):
    """Who did what to whose data, when, from where. `hash` covers the row and the one before."""

    facility = serializers.CharField(source="facility.code", default=None, allow_null=True)
    detail = serializers.DictField()

    class Meta:
        model = AuditRow
        fields = [
            "id", "at", "actor", "user", "address", "action", "outcome", "facility",
            "patient_id", "study_instance_uid", "detail", "hash",
        ]  # fmt: skip


class AuditFilter(filters.FilterSet):
    """What the trail can be narrowed by; all conditions must hold."""

    actor = filters.CharFilter(help_text="Log-in name or AE title.")
    action = filters.CharFilter()
    outcome = filters.CharFilter()
    facility = filters.CharFilter(field_name="facility__code", help_text="Code of a facility.")
    patient_id = filters.CharFilter()
    study_instance_uid = filters.CharFilter()
    at_from = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    at_to = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lte")


class MayReadTrail(BasePermission):
    """Administrators read the trail, facility administrators that of their facilities."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the person looks after people."""
        return may_administer(request.user)


class TrailPages(NumberPages):
    """Newest first."""

    max_page_size = 500


class AuditList(ListAPIView[AuditRow]):
    """The audit trail."""

    serializer_class = AuditSerializer
    filterset_class = AuditFilter
    pagination_class = TrailPages
    permission_classes = [IsAuthenticated, MayReadTrail]

    def get_queryset(self) -> QuerySet[AuditRow]:
        """Return the rows that the person may read."""
        return AuditRow.objects.visible_to(self.request.user).select_related("facility")

    @extend_schema(
        operation_id="audit_list",
        summary="The audit trail, newest first",
        responses={
            200: AuditSerializer(many=True),
            403: OpenApiResponse(description="The role does not read the trail."),
        },
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return rows of the trail, newest first, narrowed by the query."""
        answer = super().get(request, *args, **kwargs)
        assert isinstance(request.user, User)
        asked = {
            name: text[:_LONGEST_IN_TRAIL]
            for name, text in list(request.query_params.items())[:20]
            if text
        }
        record_for_user(
            request.user, "audit_read", address=read_address(request._request), detail=asked
        )
        answer["Cache-Control"] = "private, no-store"
        return answer


urlpatterns: list[URLPattern | URLResolver] = [
    path("audit/", AuditList.as_view(), name="audit"),
]
