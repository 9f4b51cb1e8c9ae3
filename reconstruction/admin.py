"""The page on reconstruction jobs. Read-only: what can be done is done on their own page."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.admin_pages import FacilityFilter
from archive.admin import UnderStudyAdmin
from archive.models import Study
from reconstruction.models import ReconstructionJob


@admin.register(ReconstructionJob)
class ReconstructionJobAdmin(UnderStudyAdmin[ReconstructionJob]):
    """Reconstruction jobs."""

    list_display = (
        "kind", "status", "progress", "requested_by", "facility", "lane", "attempts",
        "created_at", "ended_at", "size_bytes",
    )  # fmt: skip
    list_select_related = ("facility", "requested_by")
    list_filter: ClassVar[Any] = ("status", "kind", FacilityFilter)
    search_fields = ("study",)
    search_help_text = _("Whole Study Instance UID.")

    def search(self, text: str) -> models.Q:
        """Find by the study's UID."""
        studies = Study.objects.filter(study_instance_uid=text).values("pk")
        return models.Q(study__in=studies)
