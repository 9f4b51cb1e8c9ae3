"""Pages on what is stored. What a file says is read-only: a change would lie."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.address import read_address
from accounts.admin_pages import FacilityFilter, ModelT, VisibleAdmin
from accounts.models import Facility
from archive import jobs, reconcile
from archive.models import (
    Discrepancy,
    Event,
    Heartbeat,
    Instance,
    Job,
    Patient,
    Series,
    Study,
)
from imaging.errors import NoctisError
from imaging.search import search_key
from imaging.text import display_name

# Past every character that a name may begin with: the end of a range by prefix.
LAST = "\U0010ffff"

MODALITIES = ("CT", "MR", "US", "CR", "DX", "MG", "XA", "RF", "NM", "PT", "SR", "SEG", "PR", "OT")


def by_name(field: str, text: str) -> models.Q:
    """Return the condition "name begins with": a range, which an index answers."""
    key = search_key(text)
    return models.Q(**{f"{field}__gte": key, f"{field}__lt": key + LAST}) if key else models.Q()


class ModalityFilter(admin.SimpleListFilter):
    """Rows of one modality; choices are fixed, for the tables are long."""

    title = _("modality")
    parameter_name = "modality"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        """Return the modalities that hospitals commonly have."""
        return [(name, name) for name in MODALITIES]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """Return the rows with that modality."""
        if self.value() not in MODALITIES:
            return queryset
        if queryset.model is Series:
            return queryset.filter(modality=self.value())
        return queryset.filter(modalities__contains=self.value())


class StoredAdmin(VisibleAdmin[ModelT]):
    """A page on rows that tell of files: to read, and to find by what staff know."""

    def search(self, text: str) -> models.Q:
        """Return the condition that the search box asks for; here one that finds nothing."""
        return models.Q(pk__in=[])

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[ModelT], search_term: str
    ) -> tuple[models.QuerySet[ModelT], bool]:
        """Return what the page's own search finds; no join makes rows double."""
        text = search_term.strip()
        return (queryset.filter(self.search(text)) if text else queryset), False


@admin.register(Patient)
class PatientAdmin(StoredAdmin[Patient]):
    """Patients as each facility and issuer knows them."""

    list_display = (
        "patient_shown",
        "patient_id",
        "issuer_of_patient_id",
        "patient_birth_date",
        "patient_sex",
        "facility",
        "studies_link",
    )
    list_select_related = ("facility",)
    list_filter = (FacilityFilter,)
    search_fields = ("patient_id",)
    search_help_text = _("Whole patient ID, or how the name begins: family name first.")
    readonly_fields = ("studies_link",)

    def search(self, text: str) -> models.Q:
        """Find by ID or by the beginning of the name."""
        return models.Q(patient_id=text) | by_name("search_key", text)

    @admin.display(description=_("name"))
    def patient_shown(self, obj: Patient) -> str:
        """Return the name as people write it."""
        return display_name(obj.patient_name) or str(_("No name"))

    @admin.display(description=_("studies"))
    def studies_link(self, obj: Patient) -> str:
        """Return the way to this patient's studies."""
        address = reverse("admin:archive_study_changelist")
        return format_html(
            '<a href="{}?patient__id__exact={}">{}</a>', address, obj.pk, _("Studies")
        )

    def describe(self, obj: Patient) -> dict[str, Any]:
        """Return the patient."""
        return {"facility_id": obj.facility_id, "patient_id": obj.patient_id}


class AssignForm(ActionForm):
    """Where a quarantined study shall go."""

    facility = forms.ModelChoiceField(
        Facility.objects.filter(is_active=True), required=False, label=_("facility")
    )


@admin.register(Study)
class StudyAdmin(StoredAdmin[Study]):
    """Studies; one from the quarantine can be given to a facility."""

    ordering_in_facility = ("-study_date", "-pk")

    list_display = (
        "patient_shown",
        "accession_number",
        "study_date",
        "modalities_shown",
        "study_description",
        "study_instance_uid",
        "series_count",
        "instance_count",
        "facility",
        "has_discrepancy",
    )
    list_select_related = ("facility",)
    list_filter = (FacilityFilter, ModalityFilter, "study_date", "has_discrepancy")
    search_fields = ("study_instance_uid",)
    search_help_text = _(
        "Whole Study Instance UID, accession number or patient ID, or how the name begins."
    )
    readonly_fields = ("series_link",)
    actions = ("assign_to_facility",)
    action_form = AssignForm

    def search(self, text: str) -> models.Q:
        """Find by UID, accession number, patient ID or the beginning of the name."""
        patients = Patient.objects.filter(models.Q(patient_id=text) | by_name("search_key", text))
        return (
            models.Q(study_instance_uid=text)
            | models.Q(accession_number=text)
            | models.Q(patient__in=patients.values("pk"))
        )

    @admin.display(description=_("patient name"))
    def patient_shown(self, obj: Study) -> str:
        """Return the name as people write it; the way to the study is never without a word."""
        return display_name(obj.patient_name) or str(_("No name"))

    @admin.display(description=_("modalities"))
    def modalities_shown(self, obj: Study) -> str:
        """Return the modalities, separated for reading."""
        return ", ".join(obj.modalities.split("\\"))

    @admin.display(description=_("series"))
    def series_link(self, obj: Study) -> str:
        """Return the way to this study's series."""
        address = reverse("admin:archive_series_changelist")
        return format_html('<a href="{}?study__id__exact={}">{}</a>', address, obj.pk, _("Series"))

    def has_assign_permission(self, request: HttpRequest) -> bool:
        """Let administrators alone empty the quarantine."""
        return request.user.is_authenticated and request.user.is_archive_admin

    @admin.action(
        permissions=["assign"], description=_("Give quarantined studies to the chosen facility")
    )
    def assign_to_facility(self, request: HttpRequest, queryset: models.QuerySet[Study]) -> None:
        """Move each chosen study; what cannot move stays and is named with the reason."""
        assert request.user.is_authenticated
        key = request.POST.get("facility") or ""
        facility = _find_facility(key)
        if facility is None:
            self.message_user(request, _("Choose a facility first."), messages.ERROR)
            return
        moved = 0
        for study_id in queryset.values_list("pk", flat=True)[:1000]:
            try:
                reconcile.assign_to_facility(
                    study_id, facility, request.user, address=read_address(request)
                )
                moved += 1
            except NoctisError as error:
                self.message_user(request, str(error), messages.ERROR)
        if moved:
            text = ngettext("%(count)d study moved.", "%(count)d studies moved.", moved)
            self.message_user(request, text % {"count": moved}, messages.SUCCESS)

    def describe(self, obj: Study) -> dict[str, Any]:
        """Return study and patient."""
        return {
            "facility_id": obj.facility_id,
            "patient_id": obj.patient.patient_id,
            "study_instance_uid": obj.study_instance_uid,
        }


class UnderStudyAdmin(StoredAdmin[ModelT]):
    """Rows below a study: the trail names the study."""

    def describe(self, obj: Any) -> dict[str, Any]:
        """Return study and patient."""
        study = obj.study
        if study is None:
            return {"facility_id": obj.facility_id}
        return {
            "facility_id": obj.facility_id,
            "patient_id": study.patient.patient_id,
            "study_instance_uid": study.study_instance_uid,
        }


@admin.register(Series)
class SeriesAdmin(UnderStudyAdmin[Series]):
    """Series."""

    list_display = (
        "series_instance_uid",
        "series_number",
        "modality",
        "series_description",
        "body_part_examined",
        "instance_count",
        "facility",
        "last_received_at",
    )
    list_select_related = ("facility",)
    list_filter = (FacilityFilter, ModalityFilter)
    search_fields = ("series_instance_uid",)
    search_help_text = _("Whole Series Instance UID or Study Instance UID.")
    readonly_fields = ("instances_link",)
    raw_id_fields = ("study",)

    def search(self, text: str) -> models.Q:
        """Find by the series' or the study's UID."""
        studies = Study.objects.filter(study_instance_uid=text).values("pk")
        return models.Q(series_instance_uid=text) | models.Q(study__in=studies)

    @admin.display(description=_("instances"))
    def instances_link(self, obj: Series) -> str:
        """Return the way to this series' instances."""
        address = reverse("admin:archive_instance_changelist")
        return format_html(
            '<a href="{}?series__id__exact={}">{}</a>', address, obj.pk, _("Instances")
        )


@admin.register(Instance)
class InstanceAdmin(UnderStudyAdmin[Instance]):
    """Instances."""

    ordering_in_facility = ("sop_instance_uid",)

    list_display = (
        "sop_instance_uid",
        "instance_number",
        "sop_class_uid",
        "transfer_syntax_uid",
        "number_of_frames",
        "size_bytes",
        "facility",
        "received_at",
    )
    list_select_related = ("facility",)
    list_filter = (FacilityFilter,)
    search_fields = ("sop_instance_uid",)
    search_help_text = _("Whole SOP, Series or Study Instance UID.")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Instance]:
        """Leave out what no page shows."""
        return super().get_queryset(request).defer("frame_table")

    def search(self, text: str) -> models.Q:
        """Find by the UID of instance, series or study."""
        studies = Study.objects.filter(study_instance_uid=text).values("pk")
        series = Series.objects.filter(series_instance_uid=text).values("pk")
        return (
            models.Q(sop_instance_uid=text)
            | models.Q(series__in=series)
            | models.Q(study__in=studies)
        )


@admin.register(Discrepancy)
class DiscrepancyAdmin(UnderStudyAdmin[Discrepancy]):
    """What a person must decide, and who settled it."""

    list_display = (
        "kind",
        "sop_instance_uid",
        "sender",
        "reason",
        "created_at",
        "resolved_at",
        "resolved_by",
    )
    list_select_related = ("resolved_by",)
    list_filter = ("kind", ("resolved_at", admin.EmptyFieldListFilter), FacilityFilter)
    search_fields = ("sop_instance_uid",)
    search_help_text = _("Whole SOP Instance UID or Study Instance UID.")
    actions = ("settle",)

    def search(self, text: str) -> models.Q:
        """Find by the UID of instance or study."""
        studies = Study.objects.filter(study_instance_uid=text).values("pk")
        return models.Q(sop_instance_uid=text) | models.Q(study__in=studies)

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Let who may open the page settle what it shows."""
        return self.may_open(request)

    @admin.action(permissions=["settle"], description=_("Mark as settled"))
    def settle(self, request: HttpRequest, queryset: models.QuerySet[Discrepancy]) -> None:
        """Note who settled the chosen discrepancies, and when."""
        assert request.user.is_authenticated
        keys = list(queryset.values_list("pk", flat=True))
        count = reconcile.settle(keys, request.user, address=read_address(request))
        text = ngettext("%(count)d discrepancy settled.", "%(count)d discrepancies settled.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


class MachineryAdmin(VisibleAdmin[ModelT]):
    """What the server notes about its own work; for administrators, no patient data."""

    admins_only = True
    is_audited = False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[ModelT]:
        """Return all rows to administrators, none to others."""
        rows: models.QuerySet[ModelT] = self.model._default_manager.all()
        if not self.may_open(request):
            rows = rows.none()
        return rows.order_by(*self.get_ordering(request))


@admin.register(Event)
class EventAdmin(MachineryAdmin[Event]):
    """News for pages, of the last day."""

    ordering = ("-id",)
    list_display = ("id", "kind", "facility", "study", "created_at")
    list_select_related = ("facility", "study")
    search_fields = ("kind__exact",)


@admin.register(Job)
class JobAdmin(MachineryAdmin[Job]):
    """Work that waits, runs or failed; failed work can be tried again."""

    list_display = ("kind", "key", "state", "attempts", "due_at", "last_error", "created_at")
    list_filter = ("state",)
    search_fields = ("key__exact", "kind__exact")
    search_help_text = _("Whole key or kind.")
    actions = ("try_again",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Let administrators try again."""
        return self.may_open(request)

    @admin.action(permissions=["retry"], description=_("Try failed jobs again"))
    def try_again(self, request: HttpRequest, queryset: models.QuerySet[Job]) -> None:
        """Put the chosen failed jobs back into the queue."""
        count = jobs.retry(queryset)
        text = ngettext("%(count)d job waits again.", "%(count)d jobs wait again.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@admin.register(Heartbeat)
class HeartbeatAdmin(MachineryAdmin[Heartbeat]):
    """Which processes are alive."""

    ordering = ("role", "host", "pid")
    list_display = ("role", "host", "pid", "started_at", "seen_at")
    list_filter = ("role",)


def _find_facility(key: str) -> Facility | None:
    """Return the active facility with this key, None when there is none."""
    try:
        return Facility.objects.filter(pk=uuid.UUID(key), is_active=True).first()
    except ValueError:
        return None
