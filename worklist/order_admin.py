"""Pages on orders and on what scanners performed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import audit
from accounts.address import read_address
from accounts.admin_pages import FacilityFilter
from accounts.models import Facility
from archive import events
from archive.admin import StoredAdmin, by_name
from imaging.errors import ConflictError, NoctisError
from imaging.text import display_name
from worklist import orders
from worklist.linking import link_studies, lock_studies
from worklist.order_models import Order, PerformedStep, ScheduledStep
from worklist.orders import Author

_LOW: Mapping[type[models.Field[Any, Any]], Mapping[str, Any]] = {
    models.TextField: {"widget": forms.Textarea(attrs={"rows": 2, "cols": 60})}
}
_LATER = ("studies_shown", "cancellation_reason")
_CODE_PARTS = ("code_value", "coding_scheme_designator", "code_meaning", "coding_scheme_version")


class CodesField(forms.CharField):
    """Coded entries as people write them: a line each, parts separated by `|`."""

    def __init__(self, **also: Any) -> None:
        super().__init__(
            widget=forms.Textarea(attrs={"rows": 2, "cols": 44}),
            required=False,
            help_text=_("A line each: value | scheme | meaning"),
            **also,
        )

    def prepare_value(self, value: Any) -> Any:
        """Return the lines of coded entries; what was typed stays as it was typed."""
        if not isinstance(value, list):
            return value
        return "\n".join(
            " | ".join(code[part] for part in _CODE_PARTS if code.get(part)) for code in value
        )

    def to_python(self, value: Any) -> Any:
        """Return the coded entries of the lines."""
        lines = [line for line in str(super().to_python(value) or "").splitlines() if line.strip()]
        return [self._read(line) for line in lines]

    def _read(self, line: str) -> dict[str, str]:
        parts = [part.strip() for part in line.split("|")]
        if not 3 <= len(parts) <= len(_CODE_PARTS) or not all(parts):
            raise ValidationError(_("Write each code as: value | scheme | meaning"), "code")
        return dict(zip(_CODE_PARTS, parts, strict=False))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the lines say something else than the entries."""
        return str(self.prepare_value(initial or [])).split() != str(data or "").split()


class _RowForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose row keeps its facility: uniqueness is checked within it."""

    def _get_validation_exclusions(self) -> set[str]:
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions - {"facility"} if self.instance.facility_id else exclusions


class OrderForm(_RowForm):
    """An order; what is left empty is made."""

    requested_procedure_codes = CodesField(label=_("Procedure codes"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "facility" in self.fields:
            self.fields["facility"].required = True
            self.fields["facility"].help_text = ""
        if "patient_name" in self.fields:
            self.fields["patient_name"].help_text = _("Family^Given, as in Doe^Jane")
        if "study_instance_uid" in self.fields:
            self.fields["study_instance_uid"].required = False


class StepForm(_RowForm):
    """A step; its status moves as the house allows."""

    scheduled_protocol_codes = CodesField(label=_("Protocol codes"))

    def clean_status(self) -> str:
        """Refuse a move that there is not."""
        status = str(self.cleaned_data["status"])
        if self.instance.pk and not self.instance._state.adding:
            try:
                orders.check_move(self.initial["status"], status)
            except ConflictError as error:
                raise ValidationError(str(error)) from error
        return status


class StepFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The steps of one order, in its facility."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)  # type: ignore[misc]
        form.instance.facility_id = self.instance.facility_id
        return form


class StepInline(admin.StackedInline):  # type: ignore[type-arg]
    """Steps under their order."""

    model = ScheduledStep
    form = StepForm
    formfield_overrides = _LOW
    formset = StepFormSet
    extra = 0
    min_num = 1
    validate_min = True
    max_num = orders.MOST_STEPS
    can_delete = False
    fields = (
        ("modality", "scheduled_station_ae_title", "scheduled_procedure_step_location"),
        ("scheduled_procedure_step_start_date", "scheduled_procedure_step_start_time", "status"),
        ("scheduled_procedure_step_description", "scheduled_performing_physician_name"),
        ("scheduled_procedure_step_id", "scheduled_station_name", "scheduled_protocol_codes"),
        ("pre_medication", "requested_contrast_agent"),
        "comments_on_the_scheduled_procedure_step",
    )

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the forms; an order has one step at least."""
        return super().get_formset(request, obj, validate_min=True, **kwargs)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Leave it to the order's page."""
        return True

    has_add_permission = has_change_permission = has_view_permission


@admin.register(Order)
class OrderAdmin(StoredAdmin[Order]):
    """Orders with their steps; made and changed here by who looks after a facility."""

    form = OrderForm
    formfield_overrides = _LOW
    inlines = (StepInline,)
    ordering_in_facility = ("-pk",)
    list_display = (
        "patient_shown",
        "patient_id",
        "accession_number",
        "requested_procedure_description",
        "steps_shown",
        "status",
        "priority",
        "facility",
    )
    list_select_related = ("facility",)
    list_filter = ("status", "priority", FacilityFilter)
    search_fields = ("accession_number",)
    search_help_text = _(
        "Whole accession number, patient ID, procedure ID or Study Instance UID, "
        "or how the name begins."
    )
    actions = ("cancel",)
    fieldsets = (
        (
            _("Patient"),
            {
                "fields": (
                    ("patient_name", "patient_id", "issuer_of_patient_id"),
                    ("patient_birth_date", "patient_sex"),
                )
            },
        ),
        (
            _("Order"),
            {
                "fields": (
                    "facility",
                    ("requested_procedure_description", "priority", "status"),
                    ("accession_number", "requested_procedure_id"),
                    "requested_procedure_codes",
                    ("reason_for_the_requested_procedure", "requested_procedure_comments"),
                    ("referring_physician_name", "requesting_physician", "requesting_service"),
                    "study_instance_uid",
                    _LATER,
                )
            },
        ),
        (
            _("For the examination"),
            {
                "classes": ("collapse",),
                "fields": (
                    ("patient_weight_kg", "patient_size_m", "pregnancy_status"),
                    ("medical_alerts", "allergies"),
                    ("special_needs", "patient_state"),
                    ("admission_id", "current_patient_location"),
                    ("patient_transport_arrangements", "confidentiality_constraint"),
                ),
            },
        ),
    )
    _once: ClassVar = ("facility", "study_instance_uid")
    _shown: ClassVar = ("status", "studies_shown", "cancellation_reason")

    # --- who may, and what --------------------------------------------------
    def has_add_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """Let who looks after a facility enter orders."""
        return self.may_open(request)

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """Let who looks after a facility change its orders."""
        return self.may_open(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Order | None = None) -> Any:
        """Return what follows from the steps, and what never changes once it is there."""
        return self._shown if obj is None else (*self._shown, *self._once)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the facilities that the user sees."""
        if db_field.name == "facility":
            kwargs["queryset"] = Facility.objects.visible_to(request.user).filter(is_active=True)
        return db_field.formfield(**kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Order | None = None) -> Any:
        """Return the groups of fields; a new order has no studies and no end yet."""
        groups: Any = super().get_fieldsets(request, obj)
        if obj is not None:
            return groups
        return [
            (title, {**about, "fields": [one for one in about["fields"] if one != _LATER]})
            for title, about in groups
        ]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Let who may change orders cancel them."""
        return self.may_open(request)

    # --- lists ----------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Order]:
        """Return the visible orders with their steps."""
        return super().get_queryset(request).prefetch_related("steps")

    def search(self, text: str) -> models.Q:
        """Find by a whole number or UID, or by the beginning of the name."""
        return (
            models.Q(accession_number=text)
            | models.Q(patient_id=text)
            | models.Q(requested_procedure_id=text)
            | models.Q(study_instance_uid=text)
            | by_name("patient_key", text)
        )

    @admin.display(description=_("patient name"))
    def patient_shown(self, obj: Order) -> str:
        """Return the name as people write it."""
        return display_name(obj.patient_name) or str(_("No name"))

    @admin.display(description=_("steps"))
    def steps_shown(self, obj: Order) -> str:
        """Return modality, day, time and status of each step."""
        rows = sorted(((_moment(step), step) for step in obj.steps.all()), key=lambda row: row[0])
        return format_html_join(
            mark_safe("<br>"),
            "{} {} {}",
            ((step.modality, moment, step.get_status_display()) for moment, step in rows),
        )

    @admin.display(description=_("studies"))
    def studies_shown(self, obj: Order) -> str:
        """Return the ways to the studies that carry the order."""
        keys = obj.entries.values_list("study_id", "study__study_instance_uid")
        return format_html_join(
            mark_safe("<br>"),
            '<a href="{}">{}</a>',
            ((reverse("admin:archive_study_change", args=[key]), uid) for key, uid in keys),
        ) or str(_("None yet."))

    # --- writing --------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:
        """Save the order with the identifiers that nobody chose."""
        if not change:
            obj.created_by_id = request.user.pk
        orders.fill_blanks(obj)
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save the steps likewise."""
        for step in formset.save(commit=False):
            step.facility_id = form.instance.facility_id
            orders.fill_blanks(step)
            step.save()
        formset.save_m2m()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the steps, then what follows from them: status, studies, trail, news."""
        super().save_related(request, form, formsets, change)
        order = form.instance
        uids, numbers = [order.study_instance_uid], [order.accession_number]
        link_studies(lock_studies(order.facility_id, uids, numbers))
        orders.refresh_status(order)
        author = Author.from_user(request.user, read_address(request))  # type: ignore[arg-type]
        action = "order_changed" if change else "order_created"
        audit.record([orders.describe_change(order, action, author, page="admin")])
        events.publish_for("order_changed", order.facility_id, order=str(order.pk))

    @admin.action(permissions=["cancel"], description=_("Cancel the chosen orders"))
    def cancel(self, request: HttpRequest, queryset: models.QuerySet[Order]) -> None:
        """Cancel each chosen order; one that has begun stays and is named with the reason."""
        author = Author.from_user(request.user, read_address(request))  # type: ignore[arg-type]
        count = 0
        for order in queryset:
            try:
                orders.cancel_order(order.pk, author)
                count += 1
            except NoctisError as error:
                self.message_user(request, f"{order}: {error}", messages.WARNING)
        text = ngettext("%(count)d order cancelled.", "%(count)d orders cancelled.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def describe(self, obj: Order) -> dict[str, Any]:
        """Return patient and study."""
        return {
            "facility_id": obj.facility_id,
            "patient_id": obj.patient_id,
            "study_instance_uid": obj.study_instance_uid,
        }


def _moment(step: ScheduledStep) -> str:
    """Return when a step is due, for people; sorts by time."""
    day, at = step.scheduled_procedure_step_start_date, step.scheduled_procedure_step_start_time
    return f"{day:%Y-%m-%d} {at:%H:%M}"


@admin.register(PerformedStep)
class PerformedStepAdmin(StoredAdmin[PerformedStep]):
    """What scanners said that they did; read-only."""

    ordering_in_facility = ("-pk",)
    list_display = (
        "patient_shown",
        "patient_id",
        "accession_number",
        "performed_station_ae_title",
        "modality",
        "status",
        "started_at",
        "ended_at",
        "expected_series_count",
        "expected_instance_count",
        "facility",
    )
    list_select_related = ("facility",)
    list_filter = ("status", FacilityFilter)
    search_fields = ("accession_number",)
    search_help_text = _("Whole accession number, patient ID, Study or SOP Instance UID.")
    exclude = ("data_set",)
    readonly_fields = ("steps_shown", "said")

    def get_fields(self, request: HttpRequest, obj: PerformedStep | None = None) -> Any:
        """Return the columns, the scheduled steps and all that was said."""
        return [*super().get_fields(request, obj), "steps_shown", "said"]

    def search(self, text: str) -> models.Q:
        """Find by a whole number or UID."""
        return (
            models.Q(accession_number=text)
            | models.Q(patient_id=text)
            | models.Q(study_instance_uid=text)
            | models.Q(sop_instance_uid=text)
        )

    @admin.display(description=_("patient name"))
    def patient_shown(self, obj: PerformedStep) -> str:
        """Return the name as people write it."""
        return display_name(obj.patient_name) or str(_("No name"))

    @admin.display(description=_("scheduled steps"))
    def steps_shown(self, obj: PerformedStep) -> str:
        """Return the ways to the orders of its steps."""
        return format_html_join(
            mark_safe("<br>"),
            '<a href="{}">{}</a>',
            (
                (reverse("admin:worklist_order_change", args=[step.order_id]), str(step))
                for step in obj.steps.all()
            ),
        ) or str(_("Nothing of this was scheduled here."))

    @admin.display(description=_("all that was said"))
    def said(self, obj: PerformedStep) -> str:
        """Return the data set as text, its first lines."""
        return format_html("<pre>{}</pre>", obj.describe_data_set())

    def describe(self, obj: PerformedStep) -> dict[str, Any]:
        """Return patient and study."""
        return {
            "facility_id": obj.facility_id,
            "patient_id": obj.patient_id,
            "study_instance_uid": obj.study_instance_uid,
        }
