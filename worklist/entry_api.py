"""The worklist over REST: studies as staff see them, with their state and their order."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time
from typing import Any

from django.db.models import Q, QuerySet
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
from accounts.models import User
from archive.api_pages import NewestFirst
from archive.study_api import record_search
from archive.viewing import ensure_view_recorded
from imaging.search import search_forms
from worklist.listing import find_entries
from worklist.models import WorklistEntry


class EntrySerializer(serializers.ModelSerializer[WorklistEntry]):
    """One row of the worklist."""

    facility = serializers.CharField(source="facility.code", default=None, allow_null=True)
    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    patient_id = serializers.CharField(source="study.patient.patient_id")
    patient_name = serializers.CharField(source="study.patient_name")
    patient_birth_date = serializers.DateField(source="study.patient_birth_date", allow_null=True)
    patient_sex = serializers.CharField(source="study.patient_sex")
    study_description = serializers.CharField(source="study.study_description")
    accession_number = serializers.CharField(source="study.accession_number")
    series_count = serializers.IntegerField(source="study.series_count")
    instance_count = serializers.IntegerField(source="study.instance_count")
    has_discrepancy = serializers.BooleanField(source="study.has_discrepancy")
    modalities = serializers.SerializerMethodField()

    class Meta:
        model = WorklistEntry
        fields = [
            "id", "study", "study_instance_uid", "facility", "status", "priority", "acquisition",
            "order", "study_at", "arrived_at", "patient_id", "patient_name",
            "patient_birth_date", "patient_sex", "study_description", "accession_number",
            "modalities", "series_count", "instance_count", "has_discrepancy",
        ]  # fmt: skip

    def get_modalities(self, entry: WorklistEntry) -> list[str]:
        """Return the modalities, sorted."""
        return [part for part in entry.modalities.split("\\") if part]


class EntryFilter(filters.FilterSet):
    """What the list can be narrowed by; all conditions must hold."""

    facility = filters.CharFilter(field_name="facility__code", help_text="Code of a facility.")
    status = filters.MultipleChoiceFilter(choices=WorklistEntry.Status.choices)
    priority = filters.MultipleChoiceFilter(choices=WorklistEntry.Priority.choices)
    study = filters.UUIDFilter(field_name="study_id")
    study_instance_uid = filters.CharFilter(field_name="study__study_instance_uid")
    patient_id = filters.CharFilter(field_name="study__patient__patient_id")
    patient_name = filters.CharFilter(
        method="by_name", help_text="Words of the name, in any of its groups and however written."
    )
    accession_number = filters.CharFilter(field_name="study__accession_number")
    study_date_from = filters.DateFilter(method="by_day")
    study_date_to = filters.DateFilter(method="by_day")

    def by_name(
        self, rows: QuerySet[WorklistEntry], _name: str, value: str
    ) -> QuerySet[WorklistEntry]:
        """Return the entries whose patient's name has all the words."""
        for word in value.replace("^", " ").replace("=", " ").split():
            either = Q()
            for key in search_forms(word):
                either |= Q(patient_key__contains=key)
            rows = rows.filter(either)
        return rows

    def by_day(
        self, rows: QuerySet[WorklistEntry], name: str, value: Any
    ) -> QuerySet[WorklistEntry]:
        """Compare days as the scanner wrote them: `study_at` holds them read as UTC."""
        if name == "study_date_from":
            return rows.filter(study_at__gte=datetime.combine(value, time(), UTC))
        return rows.filter(study_at__lte=datetime.combine(value, time.max, UTC))


class EntryList(ListAPIView[WorklistEntry]):
    """The worklist."""

    serializer_class = EntrySerializer
    filterset_class = EntryFilter
    pagination_class = NewestFirst
    queryset = WorklistEntry.objects.none()

    def get_queryset(self) -> QuerySet[WorklistEntry]:
        """Return the visible entries."""
        assert isinstance(self.request.user, User)
        return find_entries(self.request.user)

    @extend_schema(operation_id="worklist_list", summary="The worklist, newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return entries in the order in which their studies began to arrive, newest first."""
        answer = super().get(request, *args, **kwargs)
        record_search(request)
        return answer


class EntryDetail(Tagged):
    """One row of the worklist."""

    @extend_schema(
        operation_id="worklist_detail",
        summary="One row of the worklist",
        responses={200: EntrySerializer},
    )
    def get(self, request: Request, entry_id: uuid.UUID) -> Response:
        """Return one entry."""
        assert isinstance(request.user, User)
        entry = find_entries(request.user).filter(pk=entry_id).first()
        if entry is None:
            raise NotFound(_("Not found."), "not_found")
        ensure_view_recorded(request._request, entry.study)
        return Response(EntrySerializer(entry).data)


urlpatterns: list[URLPattern | URLResolver] = [
    path("worklist/", EntryList.as_view(), name="worklist"),
    path("worklist/<uuid:entry_id>/", EntryDetail.as_view(), name="worklist-entry"),
]
