"""Pages on marks. Read-only: what a reader measured is changed in the viewer alone."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.admin_pages import FacilityFilter, ModelT
from archive.admin import UnderStudyAdmin
from archive.models import Study
from viewer.models import Annotation, Measurement


class MarkAdmin(UnderStudyAdmin[ModelT]):
    """What measurements and annotations share."""

    list_select_related = ("facility", "created_by")
    list_filter: ClassVar[Any] = ("kind", FacilityFilter)
    search_fields = ("study",)
    search_help_text = _("Whole Study Instance UID.")

    def search(self, text: str) -> models.Q:
        """Find by the study's UID."""
        studies = Study.objects.filter(study_instance_uid=text).values("pk")
        return models.Q(study__in=studies)


@admin.register(Measurement)
class MeasurementAdmin(MarkAdmin[Measurement]):
    """Measurements."""

    list_display = ("kind", "value", "unit", "provenance", "facility", "created_by", "created_at")


@admin.register(Annotation)
class AnnotationAdmin(MarkAdmin[Annotation]):
    """Annotations."""

    list_display = ("kind", "text", "label", "facility", "created_by", "created_at")
