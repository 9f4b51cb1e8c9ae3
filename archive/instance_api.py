"""Instances over REST: found, and each by itself."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.etags import Tagged
from archive.api_pages import NewestFirst
from archive.known_facts import without_facts
from archive.models import Instance
from archive.study_api import record_search
from archive.viewing import ensure_view_recorded


class InstanceSerializer(serializers.ModelSerializer[Instance]):
    """An instance: what it is, how large, when it came. Its elements are at `tags/`."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    series_instance_uid = serializers.CharField(source="series.series_instance_uid")
    modality = serializers.CharField(source="series.modality")

    class Meta:
        model = Instance
        fields = [
            "id", "study", "series", "study_instance_uid", "series_instance_uid",
            "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "modality",
            "instance_number", "number_of_frames", "rows", "columns", "size_bytes",
            "dataset_sha256", "door", "received_at", "flags",
        ]  # fmt: skip


class InstanceFilter(filters.FilterSet):
    """What the list can be narrowed by; all conditions must hold."""

    study = filters.UUIDFilter(field_name="study_id")
    series = filters.UUIDFilter(field_name="series_id")
    study_instance_uid = filters.CharFilter(field_name="study__study_instance_uid")
    series_instance_uid = filters.CharFilter(field_name="series__series_instance_uid")
    sop_instance_uid = filters.CharFilter()
    sop_class_uid = filters.CharFilter()
    modality = filters.CharFilter(field_name="series__modality")


class InstanceList(ListAPIView[Instance]):
    """The instances that the person may see."""

    serializer_class = InstanceSerializer
    filterset_class = InstanceFilter
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Instance]:
        """Return the visible instances."""
        return _related(Instance.objects.visible_to(self.request.user))

    @extend_schema(operation_id="instance_list", summary="Instances, newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return instances in the order of their arrival, newest first, narrowed by the query."""
        answer = super().get(request, *args, **kwargs)
        record_search(request)
        return answer


class InstanceDetail(Tagged):
    """One instance."""

    @extend_schema(
        operation_id="instance_detail",
        summary="One instance",
        responses={200: InstanceSerializer},
    )
    def get(self, request: Request, instance_id: uuid.UUID) -> Response:
        """Return what is known of one instance."""
        visible = _related(Instance.objects.visible_to(request.user))
        instance = visible.select_related("study__patient").filter(pk=instance_id).first()
        if instance is None:
            raise NotFound(_("Not found."), "not_found")
        ensure_view_recorded(request._request, instance.study)
        return Response(InstanceSerializer(instance).data)


def _related(rows: QuerySet[Instance]) -> QuerySet[Instance]:
    return without_facts(rows).select_related("study", "series")


urlpatterns: list[URLPattern | URLResolver] = [
    path("instances/", InstanceList.as_view(), name="instance-list"),
    path("instances/<uuid:instance_id>/", InstanceDetail.as_view(), name="instance-detail"),
]
