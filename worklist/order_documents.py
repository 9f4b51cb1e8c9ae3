"""Orders and steps as the REST interface reads and writes them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Facility
from worklist.order_models import Order, PerformedStep, ScheduledStep

STEP_FIELDS = (
    "scheduled_procedure_step_id",
    "status",
    "modality",
    "scheduled_procedure_step_start_date",
    "scheduled_procedure_step_start_time",
    "scheduled_station_ae_title",
    "scheduled_station_name",
    "scheduled_procedure_step_location",
    "scheduled_procedure_step_description",
    "scheduled_performing_physician_name",
    "scheduled_protocol_codes",
    "pre_medication",
    "requested_contrast_agent",
    "comments_on_the_scheduled_procedure_step",
)
ORDER_FIELDS = (
    "accession_number",
    "requested_procedure_id",
    "requested_procedure_description",
    "requested_procedure_codes",
    "reason_for_the_requested_procedure",
    "requested_procedure_comments",
    "priority",
    "patient_id",
    "issuer_of_patient_id",
    "patient_name",
    "patient_birth_date",
    "patient_sex",
    "patient_weight_kg",
    "patient_size_m",
    "pregnancy_status",
    "medical_alerts",
    "allergies",
    "special_needs",
    "patient_state",
    "confidentiality_constraint",
    "admission_id",
    "current_patient_location",
    "patient_transport_arrangements",
    "referring_physician_name",
    "requesting_physician",
    "requesting_service",
)


class CodeSerializer(serializers.Serializer[Any]):
    """A coded entry."""

    code_value = serializers.CharField(max_length=16)
    coding_scheme_designator = serializers.CharField(max_length=16)
    coding_scheme_version = serializers.CharField(max_length=16, required=False)
    code_meaning = serializers.CharField(max_length=64)


class KnownFieldsMixin(serializers.BaseSerializer[Any]):
    """Refuses fields that there are not: a misspelt one must not be lost in silence."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the read values; names every field that is not one."""
        if isinstance(data, dict):
            known: Any = self.fields  # type: ignore[attr-defined]
            unknown = [name for name in data if name not in known or known[name].read_only]
            if unknown:
                words = _("This field cannot be given.")
                raise serializers.ValidationError({str(name)[:80]: words for name in unknown})
        return super().to_internal_value(data)


class StepSerializer(KnownFieldsMixin, serializers.ModelSerializer[ScheduledStep]):
    """A scheduled step."""

    scheduled_protocol_codes = CodeSerializer(many=True, required=False)

    class Meta:
        model = ScheduledStep
        fields = ["id", *STEP_FIELDS]
        # Uniqueness is the verbs' to check, with the facility that they know.
        validators: list[Any] = []


class OrderSerializer(KnownFieldsMixin, serializers.ModelSerializer[Order]):
    """An order with its steps, as it is read."""

    facility: Any = serializers.SlugRelatedField("code", read_only=True)
    requested_procedure_codes = CodeSerializer(many=True, required=False)
    steps = StepSerializer(many=True, read_only=True)
    studies = serializers.SerializerMethodField(help_text="Studies here that carry the order.")

    class Meta:
        model = Order
        fields = [
            "id",
            "facility",
            "status",
            "study_instance_uid",
            *ORDER_FIELDS,
            "cancellation_reason",
            "steps",
            "studies",
            "created_at",
            "changed_at",
        ]
        read_only_fields = ["status", "study_instance_uid", "cancellation_reason"]
        validators: list[Any] = []

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_studies(self, order: Order) -> list[str]:
        """Return the Study Instance UIDs of the studies that are linked."""
        return sorted(entry.study.study_instance_uid for entry in order.entries.all())


class NewOrderSerializer(OrderSerializer):
    """A new order; what is left out is made: Study Instance UID, accession number, IDs."""

    facility = serializers.CharField(
        required=False, help_text="Code; may be left out by who works in one facility alone."
    )
    study_instance_uid = serializers.CharField(
        required=False, max_length=64, help_text="Only where another system has made it."
    )
    steps = StepSerializer(many=True, allow_empty=False)

    class Meta(OrderSerializer.Meta):
        read_only_fields = ["status", "cancellation_reason", "studies"]


class CancelSerializer(KnownFieldsMixin, serializers.Serializer[Any]):
    """Why an order is cancelled."""

    reason = serializers.CharField(max_length=64, required=False, allow_blank=True)


class PerformedStepSerializer(serializers.ModelSerializer[PerformedStep]):
    """What a scanner said that it did."""

    class Meta:
        model = PerformedStep
        fields = [
            "id",
            "sop_instance_uid",
            "status",
            "performed_procedure_step_id",
            "performed_station_ae_title",
            "modality",
            "study_instance_uid",
            "started_at",
            "ended_at",
            "discontinuation_reason",
            "expected_series_count",
            "expected_instance_count",
        ]


def find_facility(code: str, visible: Any) -> Facility:
    """Return the visible, active facility of this code; the only one when none is named."""
    rows = list(visible.filter(is_active=True, **({"code": code} if code else {}))[:2])
    if len(rows) == 1:
        found: Facility = rows[0]
        return found
    words = _("There is no such facility.") if code else _("Name a facility.")
    raise serializers.ValidationError({"facility": [words]})
