"""Studies over REST: found, and each by itself."""

from __future__ import annotations

import uuid
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

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.etags import Tagged
from accounts.models import User
from archive.api_pages import NewestFirst
from archive.models import Study
from archive.viewing import ensure_view_recorded
from imaging.search import search_forms

_LONGEST_IN_TRAIL = 200


class StudySerializer(serializers.ModelSerializer[Study]):
    """A study with its patient as its own files name them."""

    facility = serializers.CharField(
        source="facility.code", default=None, allow_null=True, help_text="Null: quarantine."
    )
    patient_id = serializers.CharField(source="patient.patient_id")
    issuer_of_patient_id = serializers.CharField(source="patient.issuer_of_patient_id")
    modalities = serializers.SerializerMethodField()
    body_parts = serializers.SerializerMethodField()

    class Meta:
        model = Study
        fields = [
            "id", "facility", "study_instance_uid", "patient_id", "issuer_of_patient_id",
            "patient_name", "patient_birth_date", "patient_sex", "patient_age", "study_date",
            "study_time", "study_id", "study_description", "accession_number",
            "referring_physician_name", "institution_name", "modalities", "body_parts",
            "series_count", "instance_count", "size_bytes", "first_received_at",
            "last_received_at", "has_discrepancy", "flags", "passport_badges",
        ]  # fmt: skip

    def get_modalities(self, study: Study) -> list[str]:
        """Return the modalities, sorted."""
        return [part for part in study.modalities.split("\\") if part]

    def get_body_parts(self, study: Study) -> list[str]:
        """Return the body parts, sorted."""
        return [part for part in study.body_parts.split("\\") if part]


class StudyFilter(filters.FilterSet):
    """What the list can be narrowed by; all conditions must hold."""

    facility = filters.CharFilter(field_name="facility__code", help_text="Code of a facility.")
    study_instance_uid = filters.CharFilter()
    patient_id = filters.CharFilter(field_name="patient__patient_id")
    patient_name = filters.CharFilter(
        method="by_name", help_text="Words of the name, in any of its groups and however written."
    )
    accession_number = filters.CharFilter()
    modality = filters.CharFilter(method="by_modality", help_text="One that the study holds.")
    study_date_from = filters.DateFilter(field_name="study_date", lookup_expr="gte")
    study_date_to = filters.DateFilter(field_name="study_date", lookup_expr="lte")
    received_from = filters.IsoDateTimeFilter(field_name="last_received_at", lookup_expr="gte")
    received_to = filters.IsoDateTimeFilter(field_name="last_received_at", lookup_expr="lte")

    def by_name(self, rows: QuerySet[Study], _name: str, value: str) -> QuerySet[Study]:
        """Return the studies whose patient's name has all the words."""
        for word in value.replace("^", " ").replace("=", " ").split():
            either = Q()
            for key in search_forms(word):
                either |= Q(search_key__contains=key)
            rows = rows.filter(either)
        return rows

    def by_modality(self, rows: QuerySet[Study], _name: str, value: str) -> QuerySet[Study]:
        """Return the studies that hold the modality: CT is not found in OCT."""
        either = Q(modalities=value) | Q(modalities__startswith=f"{value}\\")
        either |= Q(modalities__endswith=f"\\{value}") | Q(modalities__contains=f"\\{value}\\")
        return rows.filter(either)


class StudyList(ListAPIView[Study]):
    """The studies that the person may see."""

    serializer_class = StudySerializer
    filterset_class = StudyFilter
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Study]:
        """Return the visible studies."""
        return Study.objects.visible_to(self.request.user).select_related("patient", "facility")

    @extend_schema(operation_id="study_list", summary="Studies, newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return studies in the order of their arrival, newest first, narrowed by the query."""
        answer = super().get(request, *args, **kwargs)
        record_search(request)
        return answer


class StudyDetail(Tagged):
    """One study."""

    @extend_schema(
        operation_id="study_detail", summary="One study", responses={200: StudySerializer}
    )
    def get(self, request: Request, study_id: uuid.UUID) -> Response:
        """Return one study with its patient."""
        visible = Study.objects.visible_to(request.user).select_related("patient", "facility")
        study = visible.filter(pk=study_id).first()
        if study is None:
            raise NotFound(_("Not found."), "not_found")
        ensure_view_recorded(request._request, study)
        return Response(StudySerializer(study).data)


def record_search(request: Request) -> None:
    """Write into the trail what a list was asked for."""
    assert isinstance(request.user, User)
    asked = {
        name: text[:_LONGEST_IN_TRAIL]
        for name, text in list(request.query_params.items())[:20]
        if text
    }
    record_for_user(request.user, "search", address=read_address(request._request), detail=asked)


urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/", StudyList.as_view(), name="study-list"),
    path("studies/<uuid:study_id>/", StudyDetail.as_view(), name="study-detail"),
]
