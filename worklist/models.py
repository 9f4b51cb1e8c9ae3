"""The worklist: one entry a study, written in the transaction that stores its first instance."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from archive.access import VisibleQuerySet
from archive.models import TEXT_LENGTH, FacilityRow, Study
from worklist.order_models import OPEN, Order, PerformedStep, Priority, ScheduledStep
from worklist.upload_models import Upload, UploadVerdict

__all__ = [
    "OPEN",
    "Order",
    "PerformedStep",
    "Priority",
    "ScheduledStep",
    "Upload",
    "UploadVerdict",
    "WorklistEntry",
]


class WorklistEntry(FacilityRow):
    """A study as staff see it in the list.

    Beside workflow facts the entry keeps copies of what the list filters and
    sorts by, so that a page of it is one index range; `fix_worklist` proves
    the copies.
    """

    class Status(models.TextChoices):
        NEW = "new", _("New")
        IN_PROGRESS = "in_progress", _("In progress")
        REPORTED = "reported", _("Reported")
        FINAL = "final", _("Final")

    class Acquisition(models.TextChoices):
        """What the scanner says of the examination; empty when it says nothing."""

        STARTED = "started", _("Started")
        COMPLETED = "completed", _("Completed")
        DISCONTINUED = "discontinued", _("Discontinued")

    Priority = Priority

    study = models.OneToOneField(
        Study, models.CASCADE, verbose_name=_("study"), related_name="worklist_entry"
    )
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.NEW
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.ROUTINE
    )
    order = models.ForeignKey(
        Order,
        models.SET_NULL,
        verbose_name=_("order"),
        null=True,
        blank=True,
        related_name="entries",
        help_text=_("Which order the images carry, where that is beyond doubt."),
    )
    acquisition = models.CharField(
        _("examination"), max_length=16, choices=Acquisition.choices, blank=True
    )
    study_at = models.DateTimeField(
        _("study date and time"),
        help_text=_("As the scanner wrote it, read as UTC; the first arrival when it wrote none."),
    )
    arrived_at = models.DateTimeField(_("last arrival"))
    patient_key = models.CharField(max_length=TEXT_LENGTH, blank=True, editable=False)
    modalities = models.CharField(_("modalities"), max_length=255, blank=True)

    objects: ClassVar[VisibleQuerySet[WorklistEntry]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("worklist entry")
        verbose_name_plural = _("worklist entries")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["new", "in_progress", "reported", "final"]),
                name="worklist_entry_status_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(priority__in=[1, 2, 3]),
                name="worklist_entry_priority_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(acquisition__in=["", "started", "completed", "discontinued"]),
                name="worklist_entry_acquisition_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["-study_at", "-id"], name="worklist_by_study_time"),
            models.Index(fields=["-arrived_at", "-id"], name="worklist_by_arrival"),
            models.Index(fields=["patient_key", "id"], name="worklist_by_patient"),
            models.Index(fields=["priority", "-study_at", "-id"], name="worklist_by_priority"),
            models.Index(fields=["facility", "-study_at", "-id"], name="worklist_in_facility"),
            models.Index(fields=["status", "-study_at", "-id"], name="worklist_by_status"),
            models.Index(
                fields=["facility", "-arrived_at", "-id"], name="worklist_in_facility_arrival"
            ),
            models.Index(
                fields=["facility", "patient_key", "id"], name="worklist_in_facility_patient"
            ),
            models.Index(
                fields=["facility", "priority", "-study_at", "-id"],
                name="worklist_in_facility_urgency",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study_id} {self.status}"
