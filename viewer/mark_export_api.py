"""Marks on their way out: DICOM objects that are stored, tables that are saved."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.json_bodies import PlainJSONParser
from archive.models import Study
from imaging.presentation_writer import Look
from viewer.annotations_form import AnnotationSerializer, KeyImageSerializer, LayerSerializer
from viewer.mark_api import PICTURE, PROBLEMS, MayMark
from viewer.mark_exports import FORMS, Wish, export_marks
from viewer.mark_fields import COORDINATE_LIMIT, LinesField, Strict
from viewer.mark_rows import StudyMarks, gather_marks
from viewer.mark_tables import write_table
from viewer.marks import Author
from viewer.measurements_form import MeasurementSerializer

_NUMBER: dict[str, Any] = {"min_value": -COORDINATE_LIMIT, "max_value": COORDINATE_LIMIT}
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


class LookForm(Strict):
    """How the pictures are shown, as a presentation state keeps it (PS3.3 C.10.4, C.10.6)."""

    window_center = serializers.FloatField(required=False, **_NUMBER)
    window_width = serializers.FloatField(required=False, min_value=1e-6, max_value=1e6)
    voi_lut_function = serializers.ChoiceField(_FUNCTIONS, default="LINEAR")
    inverted = serializers.BooleanField(
        default=False, help_text="Against how the image comes; MONOCHROME1 comes white first."
    )
    rotation_deg = serializers.ChoiceField([0, 90, 180, 270], default=0, help_text="Clockwise.")
    flipped = serializers.BooleanField(
        default=False, help_text="Left to right, after the rotation."
    )
    area_px = serializers.ListField(
        child=serializers.FloatField(**_NUMBER),
        min_length=4,
        max_length=4,
        required=False,
        help_text="[left, top, right, bottom] of the stored image, from its outer corner.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse half a window and an area without inside."""
        attrs = super().validate(attrs)
        if ("window_center" in attrs) != ("window_width" in attrs):
            raise ValidationError(
                {"window_center": [_("Give window_center and window_width, or none.")]}
            )
        left, top, right, bottom = attrs.get("area_px", (0, 0, 1, 1))
        if not (left < right and top < bottom):
            raise ValidationError({"area_px": [_("Give left, top, right, bottom.")]})
        return attrs

    @staticmethod
    def to_look(facts: dict[str, Any]) -> Look:
        """Return the look that the validated facts describe."""
        window = None
        if "window_center" in facts:
            window = (facts["window_center"], facts["window_width"])
        return Look(
            window=window,
            window_function=facts["voi_lut_function"],
            is_inverted=facts["inverted"],
            rotation_deg=int(facts["rotation_deg"]),
            is_flipped=facts["flipped"],
            area_px=tuple(facts["area_px"]) if "area_px" in facts else None,
        )


class MarkExportForm(Strict):
    """What is to be written."""

    forms = serializers.ListField(
        child=serializers.ChoiceField(FORMS), min_length=1, max_length=len(FORMS)
    )
    marks = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        min_length=1,
        max_length=5000,
        help_text="Keys of the marks; all of the study when left out.",
    )
    coordinates = serializers.ChoiceField(["image", "patient"], default="image")
    note = LinesField(max_length=1000, allow_blank=True, default="")
    look = LookForm(required=False)


class StoredObjects(serializers.Serializer[Any]):
    """What was stored, and what could not be written."""

    objects = serializers.ListField(child=serializers.DictField())
    left_out = serializers.ListField(child=serializers.DictField())


class _StudyView(APIView):
    permission_classes = [IsAuthenticated, MayMark]
    parser_classes = [PlainJSONParser]

    def find_study(self, study_id: uuid.UUID) -> Study:
        """Return a study that the person may see."""
        visible = Study.objects.visible_to(self.request.user)
        study = visible.select_related("patient").filter(pk=study_id).first()
        if study is None:
            raise NotFound(_("Not found."), "not_found")
        return study

    def author(self) -> Author:
        """Return who asks."""
        assert isinstance(self.request.user, User)
        return Author(self.request.user, read_address(self.request._request))

    def save(self, study: Study, name: str, marks: StudyMarks) -> None:
        """Write into the trail that marks leave as a file."""
        author = self.author()
        record_for_user(
            author.user,
            "marks_saved",
            address=author.address,
            facility_id=study.facility_id,
            patient_id=study.patient.patient_id,
            study_instance_uid=study.study_instance_uid,
            detail={"file": name, "marks": len(marks.drawings) + len(marks.key_images)},
        )


class MarkExports(_StudyView):
    """Marks as DICOM objects."""

    @extend_schema(
        operation_id="mark_export_create",
        request=MarkExportForm,
        responses={201: StoredObjects, **PROBLEMS, **PICTURE},
    )
    def post(self, request: Request, study_id: uuid.UUID) -> Response:
        """Write marks as SR (TID 1500), presentation states or key objects, and store them."""
        study = self.find_study(study_id)
        form = MarkExportForm(data=request.data)
        form.is_valid(raise_exception=True)
        facts = form.validated_data
        marks = gather_marks(study, facts.get("marks"))
        wish = Wish(
            forms=list(dict.fromkeys(facts["forms"])),
            in_patient=facts["coordinates"] == "patient",
            look=LookForm.to_look(facts["look"]) if "look" in facts else Look(),
            note=facts["note"],
        )
        done = export_marks(self.author(), study, marks, wish)
        return Response({"objects": done.objects, "left_out": done.left_out}, status=201)


class MarksTable(_StudyView):
    """Marks for spreadsheets."""

    @extend_schema(
        operation_id="study_marks_csv",
        responses={(200, "text/csv"): OpenApiTypes.STR, 404: OpenApiResponse()},
    )
    def get(self, request: Request, study_id: uuid.UUID) -> HttpResponse:
        """Return all marks of a study as CSV."""
        study = self.find_study(study_id)
        marks = gather_marks(study)
        self.save(study, "marks.csv", marks)
        # The mark at the beginning tells spreadsheets that it is UTF-8.
        content = f"\ufeff{write_table(study, marks)}".encode()
        response = HttpResponse(content, content_type="text/csv; charset=utf-8")
        _make_file(response, "marks.csv")
        return response


class MarksDocument(_StudyView):
    """Marks for programs."""

    @extend_schema(operation_id="study_marks_json", responses={200: OpenApiTypes.OBJECT, 404: None})
    def get(self, request: Request, study_id: uuid.UUID) -> Response:
        """Return all marks of a study, each as its own address gives it."""
        study = self.find_study(study_id)
        marks = gather_marks(study)
        self.save(study, "marks.json", marks)
        document = {
            "study_instance_uid": study.study_instance_uid,
            "patient_id": study.patient.patient_id,
            "measurements": MeasurementSerializer(marks.measurements, many=True).data,
            "annotations": AnnotationSerializer(marks.annotations, many=True).data,
            "key_images": KeyImageSerializer(marks.key_images, many=True).data,
            "layers": LayerSerializer(marks.layers, many=True).data,
        }
        response = Response(document)
        _make_file(response, "marks.json")
        return response


def _make_file(response: HttpResponseBase, name: str) -> None:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"


urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<uuid:study_id>/mark-exports/", MarkExports.as_view(), name="mark-exports"),
    path("studies/<uuid:study_id>/marks.csv", MarksTable.as_view(), name="marks-csv"),
    path("studies/<uuid:study_id>/marks.json", MarksDocument.as_view(), name="marks-json"),
]
