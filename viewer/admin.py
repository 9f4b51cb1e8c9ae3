"""Pages on marks. Read-only: what a reader measured is changed in the viewer alone."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.admin_pages import FacilityFilter, ModelT
from archive.admin import UnderStudyAdmin
from archive.models import Study
from viewer.centreline_models import Centreline
from viewer.models import Annotation, KeyImage, MarkLayer, Measurement


class MarkAdmin(UnderStudyAdmin[ModelT]):
    """What all marks share."""

    list_select_related = ("facility", "created_by")
    list_filter: ClassVar[Any] = (FacilityFilter,)
    search_fields = ("study",)
    search_help_text = _("Whole Study Instance UID.")

    def search(self, text: str) -> models.Q:
        """Find by the study's UID."""
        studies = Study.objects.filter(study_instance_uid=text).values("pk")
        return models.Q(study__in=studies)


@admin.register(Measurement)
class MeasurementAdmin(MarkAdmin[Measurement]):
    """Measurements."""

    list_filter = ("kind", FacilityFilter)
    list_display = ("kind", "value", "unit", "provenance", "facility", "created_by", "created_at")


@admin.register(Annotation)
class AnnotationAdmin(MarkAdmin[Annotation]):
    """Annotations."""

    list_filter = ("kind", FacilityFilter)
    list_display = ("kind", "text", "label", "facility", "created_by", "created_at")


@admin.register(MarkLayer)
class MarkLayerAdmin(MarkAdmin[MarkLayer]):
    """Layers of marks."""

    list_display = ("name", "colour", "is_visible", "facility", "created_by", "created_at")


@admin.register(KeyImage)
class KeyImageAdmin(MarkAdmin[KeyImage]):
    """Key images."""

    list_display = ("instance", "frame", "note", "facility", "created_by", "created_at")


@admin.register(Centreline)
class CentrelineAdmin(MarkAdmin[Centreline]):
    """Lines along which curved pictures are made."""

    list_display = ("series", "form", "facility", "created_by", "created_at")
