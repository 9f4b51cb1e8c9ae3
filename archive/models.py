"""The index of the archive: what every room asks.

A row says what the file says; the file stays as it came. Counts are kept,
not computed. Every row carries its facility, so that access, uniqueness
and lists need no joins; no facility means quarantine.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import Facility, User
from archive.access import VisibleQuerySet
from archive.name_forms import HasOtherForms

UID_LENGTH = 64
TEXT_LENGTH = 1024


def _unique_in_facility(fields: list[str], name: str, **also: Any) -> list[models.BaseConstraint]:
    """Return the two constraints that make `fields` unique per facility and in quarantine."""
    condition = models.Q(**also)
    return [
        models.UniqueConstraint(
            fields=["facility", *fields],
            condition=models.Q(facility__isnull=False) & condition,
            name=f"{name}_unique_in_facility",
        ),
        models.UniqueConstraint(
            fields=fields,
            condition=models.Q(facility__isnull=True) & condition,
            name=f"{name}_unique_in_quarantine",
        ),
    ]


class FacilityRow(models.Model):
    """What every row of patient data has: a key and a facility."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    facility = models.ForeignKey(
        Facility,
        models.PROTECT,
        verbose_name=_("facility"),
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        help_text=_("Empty: quarantine, seen by administrators alone."),
    )

    class Meta:
        abstract = True


class Patient(FacilityRow):
    """One person as one facility and issuer know them.

    An empty Patient ID names nobody: each such study gets a patient of its own.
    """

    patient_id = models.CharField(_("patient ID"), max_length=64, blank=True)
    issuer_of_patient_id = models.CharField(_("issuer"), max_length=64, blank=True)
    patient_name = models.CharField(_("name"), max_length=TEXT_LENGTH, blank=True)
    patient_birth_date = models.DateField(_("birth date"), null=True, blank=True)
    patient_sex = models.CharField(_("sex"), max_length=16, blank=True)
    search_key = models.CharField(max_length=TEXT_LENGTH, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects: ClassVar[VisibleQuerySet[Patient]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        constraints = _unique_in_facility(
            ["issuer_of_patient_id", "patient_id"], "archive_patient", patient_id__gt=""
        )
        indexes = [
            # By beginnings, which on PostgreSQL needs an order of its own.
            models.Index(
                fields=["search_key"],
                name="archive_patient_by_name",
                opclasses=["varchar_pattern_ops"],
            ),
            models.Index(
                fields=["search_key"],
                name="archive_patient_by_form",
                condition=models.Q(HasOtherForms("patient_name")),
            ),
            models.Index(fields=["patient_id"], name="archive_patient_by_id"),
        ]

    def __str__(self) -> str:
        return f"{self.patient_name} ({self.patient_id})"


class Study(FacilityRow):
    """One study. Name, birth date and sex are as this study's own files say."""

    patient = models.ForeignKey(
        Patient, models.PROTECT, verbose_name=_("patient"), related_name="studies"
    )
    study_instance_uid = models.CharField("Study Instance UID", max_length=UID_LENGTH)
    study_date = models.DateField(_("study date"), null=True, blank=True)
    study_time = models.TimeField(_("study time"), null=True, blank=True)
    study_id = models.CharField(_("study ID"), max_length=64, blank=True)
    study_description = models.CharField(_("description"), max_length=TEXT_LENGTH, blank=True)
    accession_number = models.CharField(_("accession number"), max_length=64, blank=True)
    referring_physician_name = models.CharField(
        _("referring physician"), max_length=TEXT_LENGTH, blank=True
    )
    institution_name = models.CharField(_("institution"), max_length=TEXT_LENGTH, blank=True)
    patient_name = models.CharField(_("patient name"), max_length=TEXT_LENGTH, blank=True)
    patient_birth_date = models.DateField(_("birth date"), null=True, blank=True)
    patient_sex = models.CharField(_("sex"), max_length=16, blank=True)
    patient_age = models.CharField(_("age"), max_length=16, blank=True)
    search_key = models.CharField(max_length=TEXT_LENGTH, blank=True, editable=False)
    modalities = models.CharField(
        _("modalities"),
        max_length=255,
        blank=True,
        help_text=_("Modalities in Study, sorted, separated by a backslash."),
    )
    body_parts = models.CharField(_("body parts"), max_length=255, blank=True)
    series_count = models.PositiveIntegerField(_("series"), default=0)
    instance_count = models.PositiveIntegerField(_("instances"), default=0)
    size_bytes = models.BigIntegerField(_("bytes"), default=0)
    door = models.CharField(_("came by"), max_length=16)
    sender = models.CharField(_("sender"), max_length=150, blank=True)
    first_received_at = models.DateTimeField(_("first arrival"))
    last_received_at = models.DateTimeField(_("last arrival"))
    has_discrepancy = models.BooleanField(_("needs reconciliation"), default=False)
    flags: models.JSONField[list[str], list[str]] = models.JSONField(
        _("flags"), default=list, blank=True
    )
    passport_badges: models.JSONField[list[str], list[str]] = models.JSONField(
        _("marks"),
        default=list,
        blank=True,
        help_text=_("What the passports of its series want to be known: archive.badges."),
    )

    objects: ClassVar[VisibleQuerySet[Study]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("study")
        verbose_name_plural = _("studies")
        constraints = _unique_in_facility(["study_instance_uid"], "archive_study")
        indexes = [
            models.Index(fields=["study_instance_uid"], name="archive_study_by_uid"),
            models.Index(fields=["facility", "accession_number"], name="archive_study_by_acc"),
            models.Index(fields=["accession_number"], name="archive_study_by_any_acc"),
            models.Index(fields=["facility", "-study_date"], name="archive_study_by_date"),
            models.Index(
                fields=["facility", "search_key"],
                name="archive_study_by_name",
                opclasses=["uuid_ops", "varchar_pattern_ops"],
            ),
            models.Index(
                fields=["facility", "search_key"],
                name="archive_study_by_form",
                condition=models.Q(HasOtherForms("patient_name")),
            ),
        ]

    def __str__(self) -> str:
        return self.study_instance_uid


class Series(FacilityRow):
    """One series of a study."""

    study = models.ForeignKey(
        Study, models.PROTECT, verbose_name=_("study"), related_name="series_set"
    )
    series_instance_uid = models.CharField("Series Instance UID", max_length=UID_LENGTH)
    series_number = models.BigIntegerField(_("number"), null=True, blank=True)
    modality = models.CharField(_("modality"), max_length=16, blank=True)
    series_description = models.CharField(_("description"), max_length=TEXT_LENGTH, blank=True)
    body_part_examined = models.CharField(_("body part"), max_length=64, blank=True)
    laterality = models.CharField(_("laterality"), max_length=16, blank=True)
    protocol_name = models.CharField(_("protocol"), max_length=TEXT_LENGTH, blank=True)
    manufacturer = models.CharField(_("manufacturer"), max_length=TEXT_LENGTH, blank=True)
    manufacturer_model_name = models.CharField(_("model"), max_length=TEXT_LENGTH, blank=True)
    station_name = models.CharField(_("station"), max_length=64, blank=True)
    frame_of_reference_uid = models.CharField(max_length=UID_LENGTH, blank=True)
    instance_count = models.PositiveIntegerField(_("instances"), default=0)
    frame_count = models.PositiveBigIntegerField(_("frames"), default=0)
    size_bytes = models.BigIntegerField(_("bytes"), default=0)
    last_received_at = models.DateTimeField(_("last arrival"))
    passport: models.JSONField[dict[str, Any] | None, dict[str, Any] | None] = models.JSONField(
        _("passport"), null=True, blank=True
    )
    passport_rules = models.SmallIntegerField(
        null=True,
        editable=False,
        help_text=_(
            "Rules by which the passport was made: archive.passport.RULES. Empty: to be made; "
            "negative: these rules failed."
        ),
    )
    thumbnail_key = models.CharField(max_length=200, blank=True, editable=False)
    thumbnail_made_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[VisibleQuerySet[Series]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("series")
        verbose_name_plural = _("series")
        constraints = [
            models.UniqueConstraint(
                fields=["study", "series_instance_uid"], name="archive_series_unique_in_study"
            )
        ]
        indexes = [
            models.Index(fields=["series_instance_uid"], name="archive_series_by_uid"),
            models.Index(fields=["passport_rules", "id"], name="archive_series_by_rules"),
        ]

    def __str__(self) -> str:
        return self.series_instance_uid


class Instance(FacilityRow):
    """One SOP Instance: where its file lies and where its frames lie in the file."""

    study = models.ForeignKey(Study, models.PROTECT, related_name="instances")
    series = models.ForeignKey(Series, models.PROTECT, related_name="instances", db_index=False)
    sop_instance_uid = models.CharField("SOP Instance UID", max_length=UID_LENGTH)
    sop_class_uid = models.CharField("SOP Class UID", max_length=UID_LENGTH)
    transfer_syntax_uid = models.CharField("Transfer Syntax UID", max_length=UID_LENGTH)
    instance_number = models.BigIntegerField(_("number"), null=True, blank=True)
    number_of_frames = models.PositiveIntegerField(_("frames"), default=0)
    rows = models.PositiveIntegerField(_("rows"), null=True, blank=True)
    columns = models.PositiveIntegerField(_("columns"), null=True, blank=True)
    image: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict,
        blank=True,
        help_text=_("Geometry, window and pixel facts: imaging.facts.InstanceFacts.image."),
    )
    flags: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    facts_version = models.SmallIntegerField(
        null=True,
        editable=False,
        help_text=_(
            "Which imaging.facts.FACTS_VERSION read the header. Empty: an older one; "
            "negative: this one tried and failed."
        ),
    )

    storage_key = models.CharField(max_length=200, unique=True)
    size_bytes = models.BigIntegerField(_("bytes"))
    dataset_offset = models.PositiveIntegerField(
        help_text=_("Where the data set begins: after preamble and file meta information.")
    )
    dataset_sha256 = models.CharField(max_length=64)
    meta_sha256 = models.CharField(max_length=64)
    frame_table = models.BinaryField(
        null=True,
        help_text=_("imaging.frames.FrameIndex: offset and length of every frame."),
    )

    door = models.CharField(_("came by"), max_length=16)
    sender = models.CharField(_("sender"), max_length=150, blank=True)
    received_at = models.DateTimeField(_("arrival"))

    objects: ClassVar[VisibleQuerySet[Instance]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("instance")
        verbose_name_plural = _("instances")
        constraints = _unique_in_facility(["sop_instance_uid"], "archive_instance")
        indexes = [
            models.Index(fields=["series", "instance_number"], name="archive_instance_in_series"),
            models.Index(fields=["facts_version"], name="archive_instance_by_facts"),
        ]

    def __str__(self) -> str:
        return self.sop_instance_uid


class Discrepancy(FacilityRow):
    """Something that a person must decide: nothing was merged, nothing thrown away."""

    class Kind(models.TextChoices):
        DUPLICATE_UID = "duplicate_uid", _("Same UID, other content")
        PATIENT_IDENTITY = "patient_identity", _("Same patient ID, other person")
        STUDY_IDENTITY = "study_identity", _("Same study UID, other patient")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    study = models.ForeignKey(
        Study, models.PROTECT, verbose_name=_("study"), null=True, related_name="discrepancies"
    )
    sop_instance_uid = models.CharField("SOP Instance UID", max_length=UID_LENGTH, blank=True)
    storage_key = models.CharField(
        max_length=200, blank=True, help_text=_("The copy that is kept aside, if there is one.")
    )
    dataset_sha256 = models.CharField(max_length=64, blank=True)
    sender = models.CharField(_("sender"), max_length=150, blank=True)
    reason = models.CharField(_("reason"), max_length=TEXT_LENGTH)
    created_at = models.DateTimeField(_("found"), auto_now_add=True)
    resolved_at = models.DateTimeField(_("settled"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("settled by"), null=True, blank=True
    )

    objects: ClassVar[VisibleQuerySet[Discrepancy]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("discrepancy")
        verbose_name_plural = _("discrepancies")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["storage_key"],
                condition=models.Q(storage_key__gt=""),
                name="archive_discrepancy_one_row_a_file",
            )
        ]
        indexes = [models.Index(fields=["sop_instance_uid"], name="archive_discrepancy_by_uid")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.sop_instance_uid}"


class Event(models.Model):
    """News for pages that watch: ids only grow, and none appears late."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    facility = models.ForeignKey(Facility, models.CASCADE, null=True, related_name="+")
    study = models.ForeignKey(Study, models.CASCADE, null=True, related_name="+")
    payload: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects: ClassVar[VisibleQuerySet[Event]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.id} {self.kind}"


class Job(models.Model):
    """Work to be done after the answer: a row first; Celery only wakes the worker."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    kind = models.CharField(_("kind"), max_length=40)
    key = models.CharField(_("key"), max_length=64)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.WAITING
    )
    due_at = models.DateTimeField(_("due"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    locked_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=models.Q(state="waiting"),
                name="archive_job_waits_once",
            )
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="archive_job_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Heartbeat(models.Model):
    """A sign of life of one process, renewed every few seconds."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    role = models.CharField(_("role"), max_length=20)
    host = models.CharField(_("host"), max_length=120)
    pid = models.PositiveIntegerField(_("process"))
    started_at = models.DateTimeField(_("started"))
    seen_at = models.DateTimeField(_("last seen"), db_index=True)
    detail: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        constraints = [
            models.UniqueConstraint(fields=["role", "host", "pid"], name="archive_heartbeat_once")
        ]

    def __str__(self) -> str:
        return f"{self.role} on {self.host}"
