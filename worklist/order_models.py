"""Orders: what somebody wants to be examined, and the steps in which scanners do it.

An order is a requested procedure with its scheduled procedure steps (PS3.3
C.4.10 to C.4.12, PS3.4 Annex K). Its Study Instance UID is made with it and
stays. Orders are cancelled, never deleted.
"""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from archive.access import VisibleQuerySet
from archive.models import TEXT_LENGTH, UID_LENGTH, FacilityRow
from worklist import order_fields as of
from worklist.performed_data import decode_said


class Priority(models.IntegerChoices):
    """How urgent it is."""

    STAT = 1, _("STAT")
    URGENT = 2, _("Urgent")
    ROUTINE = 3, _("Routine")


class Order(FacilityRow):
    """A requested procedure: for whom, by whom, what, and the study that it will become."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", _("Scheduled")
        IN_PROGRESS = "in_progress", _("In progress")
        COMPLETED = "completed", _("Completed")
        DISCONTINUED = "discontinued", _("Discontinued")
        CANCELLED = "cancelled", _("Cancelled")

    class Sex(models.TextChoices):
        MALE = "M", _("Male")
        FEMALE = "F", _("Female")
        OTHER = "O", _("Other")

    class Pregnancy(models.IntegerChoices):
        NOT_PREGNANT = 1, _("Not pregnant")
        POSSIBLY = 2, _("Possibly pregnant")
        PREGNANT = 3, _("Pregnant")
        UNKNOWN = 4, _("Unknown")

    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.SCHEDULED
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.ROUTINE
    )
    study_instance_uid = models.CharField(
        "Study Instance UID",
        max_length=UID_LENGTH,
        validators=[of.check_uid],
        help_text=_("Made with the order; scanners write it into the images. It never changes."),
    )
    accession_number = of.short(_("accession number"), help_text=_("Empty: one is made."))
    requested_procedure_id = of.short(
        _("requested procedure ID"), help_text=_("Empty: one is made.")
    )
    requested_procedure_description = of.line(_("requested procedure"))
    requested_procedure_codes = of.codes(_("procedure codes"))
    reason_for_the_requested_procedure = of.line(_("reason"))
    requested_procedure_comments = of.text(_("comments"))

    patient_id = models.CharField(
        _("patient ID"), max_length=of.LINE_LENGTH, validators=[of.check_line]
    )
    issuer_of_patient_id = of.line(_("issuer"))
    patient_name = models.CharField(
        _("patient name"), max_length=of.NAME_LENGTH, validators=[of.check_name]
    )
    patient_key = models.CharField(max_length=TEXT_LENGTH, blank=True, editable=False)
    patient_birth_date = models.DateField(_("birth date"), null=True, blank=True)
    patient_sex = models.CharField(_("sex"), max_length=1, choices=Sex.choices, blank=True)
    patient_weight_kg = models.DecimalField(
        _("weight (kg)"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    patient_size_m = models.DecimalField(
        _("height (m)"),
        max_digits=4,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(3)],
    )
    pregnancy_status = models.PositiveSmallIntegerField(
        _("pregnancy"), choices=Pregnancy.choices, null=True, blank=True
    )
    medical_alerts = of.line(_("medical alerts"))
    allergies = of.line(_("allergies"))
    special_needs = of.line(_("special needs"))
    patient_state = of.line(_("patient state"))
    confidentiality_constraint = of.line(_("confidentiality"))
    admission_id = of.line(_("admission ID"))
    current_patient_location = of.line(_("patient's location"))
    patient_transport_arrangements = of.line(_("transport"))

    referring_physician_name = of.name(_("referring physician"))
    requesting_physician = of.name(_("requesting physician"))
    requesting_service = of.line(_("requesting service"))

    cancellation_reason = of.line(_("reason of cancellation"))
    created_by = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("made by"), null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    changed_at = models.DateTimeField(_("last change"), auto_now=True)

    objects: ClassVar[VisibleQuerySet[Order]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(facility__isnull=False), name="worklist_order_has_facility"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    status__in=[
                        "scheduled", "in_progress", "completed", "discontinued", "cancelled",
                    ]
                ),
                name="worklist_order_status_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(priority__in=[1, 2, 3]),
                name="worklist_order_priority_is_known",
            ),
            models.UniqueConstraint(
                fields=["facility", "study_instance_uid"],
                name="worklist_order_study_once_in_facility",
                violation_error_message=_("Another order has this Study Instance UID."),
            ),
            models.UniqueConstraint(
                fields=["facility", "requested_procedure_id"],
                name="worklist_order_procedure_once_in_facility",
                violation_error_message=_("Another order has this requested procedure ID."),
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["facility", "accession_number"], name="worklist_order_by_acc"),
            models.Index(fields=["facility", "patient_id"], name="worklist_order_by_patient"),
            models.Index(fields=["facility", "patient_key"], name="worklist_order_by_name"),
            models.Index(fields=["facility", "-id"], name="worklist_order_in_facility"),
        ]

    def __str__(self) -> str:
        return f"{self.accession_number} {self.requested_procedure_description}".strip()


class ScheduledStep(FacilityRow):
    """A scheduled procedure step: one piece of an order, for one kind of scanner at one time.

    Date and time are the scanner's own, without a zone. Without a station
    the step is offered to every station that asks for its modality.
    """

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", _("Scheduled")
        ARRIVED = "arrived", _("Arrived")
        READY = "ready", _("Ready")
        STARTED = "started", _("Started")
        COMPLETED = "completed", _("Completed")
        DISCONTINUED = "discontinued", _("Discontinued")
        CANCELLED = "cancelled", _("Cancelled")

    order = models.ForeignKey(Order, models.PROTECT, verbose_name=_("order"), related_name="steps")
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.SCHEDULED
    )
    scheduled_procedure_step_id = of.short(_("step ID"), help_text=_("Empty: one is made."))
    scheduled_procedure_step_description = of.line(_("description"))
    modality = models.CharField(
        _("modality"), max_length=of.SHORT_LENGTH, validators=[of.check_modality]
    )
    scheduled_station_ae_title = models.CharField(
        _("station (AE title)"),
        max_length=of.AE_LIST_LENGTH,
        blank=True,
        validators=[of.check_ae_titles],
        help_text=_("Empty: every station of this modality; several: separated by a backslash."),
    )
    scheduled_station_name = of.short(_("station name"))
    scheduled_procedure_step_location = of.short(_("room"))
    scheduled_procedure_step_start_date = models.DateField(_("date"))
    scheduled_procedure_step_start_time = models.TimeField(_("time"))
    scheduled_performing_physician_name = of.name(_("performing physician"))
    scheduled_protocol_codes = of.codes(_("protocol codes"))
    pre_medication = of.line(_("pre-medication"))
    requested_contrast_agent = of.line(_("contrast agent"))
    comments_on_the_scheduled_procedure_step = of.text(_("comments"))

    objects: ClassVar[VisibleQuerySet[ScheduledStep]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("scheduled step")
        verbose_name_plural = _("scheduled steps")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(facility__isnull=False), name="worklist_step_has_facility"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    status__in=[
                        "scheduled", "arrived", "ready", "started",
                        "completed", "discontinued", "cancelled",
                    ]
                ),
                name="worklist_step_status_is_known",
            ),
            models.UniqueConstraint(
                fields=["facility", "scheduled_procedure_step_id"],
                name="worklist_step_once_in_facility",
                violation_error_message=_("Another step has this ID."),
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(
                fields=[
                    "facility",
                    "status",
                    "scheduled_procedure_step_start_date",
                    "scheduled_procedure_step_start_time",
                ],
                name="worklist_step_by_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scheduled_procedure_step_id} {self.modality}"


# Steps that a scanner may still begin or go on with: the modality worklist.
OPEN = (
    ScheduledStep.Status.SCHEDULED,
    ScheduledStep.Status.ARRIVED,
    ScheduledStep.Status.READY,
    ScheduledStep.Status.STARTED,
)


class PerformedStep(FacilityRow):
    """What a scanner says that it did: a Modality Performed Procedure Step (PS3.4 Annex F).

    `data_set` holds all that the scanner said, creation and changes in one
    data set (Explicit VR Little Endian, UTF-8); the columns are copies.
    """

    class Status(models.TextChoices):
        IN_PROGRESS = "IN PROGRESS", _("In progress")
        COMPLETED = "COMPLETED", _("Completed")
        DISCONTINUED = "DISCONTINUED", _("Discontinued")

    sop_instance_uid = models.CharField("SOP Instance UID", max_length=UID_LENGTH)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    sender = models.CharField(_("sender"), max_length=16)
    performed_procedure_step_id = models.CharField(_("step ID"), max_length=64, blank=True)
    performed_procedure_step_description = models.CharField(
        _("description"), max_length=TEXT_LENGTH, blank=True
    )
    performed_station_ae_title = models.CharField(_("station"), max_length=16, blank=True)
    modality = models.CharField(_("modality"), max_length=16, blank=True)
    patient_id = models.CharField(_("patient ID"), max_length=64, blank=True)
    patient_name = models.CharField(_("patient name"), max_length=TEXT_LENGTH, blank=True)
    study_instance_uid = models.CharField("Study Instance UID", max_length=UID_LENGTH, blank=True)
    accession_number = models.CharField(_("accession number"), max_length=64, blank=True)
    started_at = models.CharField(
        _("began"), max_length=32, blank=True, help_text=_("As the scanner wrote it.")
    )
    ended_at = models.CharField(_("ended"), max_length=32, blank=True)
    discontinuation_reason = models.CharField(_("reason"), max_length=TEXT_LENGTH, blank=True)
    expected_series_count = models.PositiveIntegerField(_("series"), default=0)
    expected_instance_count = models.PositiveIntegerField(_("images"), default=0)
    steps = models.ManyToManyField(
        ScheduledStep,
        verbose_name=_("scheduled steps"),
        related_name="performed_steps",
        blank=True,
        help_text=_("Empty: nothing of this was scheduled here."),
    )
    data_set = models.BinaryField(editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    changed_at = models.DateTimeField(_("last change"), auto_now=True)

    objects: ClassVar[VisibleQuerySet[PerformedStep]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("performed step")
        verbose_name_plural = _("performed steps")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(facility__isnull=False), name="worklist_performed_has_facility"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["IN PROGRESS", "COMPLETED", "DISCONTINUED"]),
                name="worklist_performed_status_is_known",
            ),
            models.UniqueConstraint(
                fields=["facility", "sop_instance_uid"],
                name="worklist_performed_once_in_facility",
            ),
        ]
        indexes = [
            models.Index(
                fields=["facility", "study_instance_uid"], name="worklist_performed_by_study"
            ),
            models.Index(fields=["facility", "-id"], name="worklist_performed_in_facility"),
        ]

    def __str__(self) -> str:
        return f"{self.performed_procedure_step_id} {self.status}"

    def describe_data_set(self, *, most_lines: int = 500) -> str:
        """Return what the scanner said as text, a line an attribute."""
        lines = str(decode_said(bytes(self.data_set))).splitlines()
        left_out = len(lines) - most_lines
        return "\n".join([*lines[:most_lines], *([f"… {left_out}"] if left_out > 0 else [])])
