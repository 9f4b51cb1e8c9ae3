"""The page on worklist entries: status and priority may change, the rest follows the study."""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.admin_pages import FacilityFilter
from archive.admin import ModalityFilter, UnderStudyAdmin, by_name
from archive.models import Study
from worklist import order_admin  # noqa: F401 - registers its pages
from worklist.models import WorklistEntry


@admin.register(WorklistEntry)
class WorklistEntryAdmin(UnderStudyAdmin[WorklistEntry]):
    """Entries of the worklist."""

    changeable = ("status", "priority")
    list_display = (
        "study",
        "patient_name",
        "status",
        "priority",
        "acquisition",
        "order",
        "modalities",
        "study_at",
        "arrived_at",
        "facility",
    )
    list_select_related = ("study", "facility", "order")
    list_filter = ("status", "priority", FacilityFilter, ModalityFilter)
    search_fields = ("study",)
    search_help_text = _("Whole Study Instance UID or accession number, or how the name begins.")
    exclude = ("patient_key",)

    def search(self, text: str) -> models.Q:
        """Find by UID, accession number or the beginning of the name."""
        studies = Study.objects.filter(
            models.Q(study_instance_uid=text) | models.Q(accession_number=text)
        )
        return models.Q(study__in=studies.values("pk")) | by_name("patient_key", text)

    @admin.display(description=_("patient name"))
    def patient_name(self, obj: WorklistEntry) -> str:
        """Return the name as the study's files say."""
        return obj.study.patient_name
