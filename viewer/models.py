"""What readers draw on pictures: measurements and annotations in patient space."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from archive.access import ModelT, VisibleQuerySet
from archive.models import FacilityRow, Instance, Study

# The form of the JSON in a row, as docs/measurements.md tells it. Whoever changes the form
# counts on here and goes on reading every form there was.
FORMAT_VERSION = 1


class MarkQuerySet(VisibleQuerySet[ModelT]):
    """Marks. What is deleted stays in the table, for the trail."""

    def present(self) -> Self:
        """Return the marks that nobody has deleted."""
        return self.filter(deleted_at=None)


class Mark(FacilityRow):
    """What measurement and annotation share: where, who, when, which version."""

    study = models.ForeignKey(Study, models.PROTECT, related_name="%(class)ss")
    instance = models.ForeignKey(Instance, models.PROTECT, related_name="%(class)ss")
    frame = models.PositiveIntegerField(_("frame"), default=0, help_text=_("Counted from 0."))
    points_lps_mm: models.JSONField[list[list[float]] | None, list[list[float]] | None] = (
        models.JSONField(null=True, blank=True, help_text=_("[[x, y, z], …] in patient space, mm."))
    )
    points_px: models.JSONField[list[list[float]], list[list[float]]] = models.JSONField(
        help_text=_("[[column, row], …]; the centre of the first pixel is (0, 0).")
    )
    layer = models.CharField(_("layer"), max_length=64, blank=True)
    label = models.CharField(_("label"), max_length=255, blank=True)
    style: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict, blank=True
    )
    is_visible = models.BooleanField(_("visible"), default=True)
    format_version = models.PositiveSmallIntegerField(_("format"), default=FORMAT_VERSION)
    version = models.PositiveIntegerField(_("version"), default=1)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    changed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(_("changed"), auto_now=True)
    deleted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    class Meta:
        abstract = True


class Measurement(Mark):
    """A number taken from a picture, with its unit and where both came from."""

    class Kind(models.TextChoices):
        LENGTH = "length", _("Length")
        ANGLE = "angle", _("Angle")
        COBB = "cobb", _("Cobb angle")
        BIDIRECTIONAL = "bidirectional", _("Bidirectional")
        RECTANGLE = "rectangle", _("Rectangle")
        ELLIPSE = "ellipse", _("Ellipse")
        POLYGON = "polygon", _("Polygon")
        PROBE = "probe", _("Probe")
        POLYLINE = "polyline", _("Polyline")
        CIRCLE = "circle", _("Circle")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    value = models.FloatField(_("value"), null=True, blank=True)
    unit = models.CharField(_("unit"), max_length=64, blank=True)
    statistics: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict, blank=True
    )
    provenance = models.CharField(
        _("provenance"), max_length=32, help_text=_("Where the scale came from.")
    )
    uncertainty = models.FloatField(_("uncertainty"), null=True, blank=True)
    notes: models.JSONField[list[str], list[str]] = models.JSONField(
        default=list, blank=True, help_text=_("Codes of what one should know of the number.")
    )

    objects: ClassVar[MarkQuerySet[Measurement]] = MarkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("measurement")
        verbose_name_plural = _("measurements")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=[
                        "length",
                        "angle",
                        "cobb",
                        "bidirectional",
                        "rectangle",
                        "ellipse",
                        "polygon",
                        "probe",
                        "polyline",
                        "circle",
                    ]
                ),
                name="viewer_measurement_kind_is_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value} {self.unit}"


class Annotation(Mark):
    """An arrow, a text, a drawing: says something, measures nothing."""

    class Kind(models.TextChoices):
        ARROW = "arrow", _("Arrow")
        TEXT = "text", _("Text")
        POLYLINE = "polyline", _("Polyline")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    text = models.TextField(_("text"), blank=True)

    objects: ClassVar[MarkQuerySet[Annotation]] = MarkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("annotation")
        verbose_name_plural = _("annotations")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["arrow", "text", "polyline"]),
                name="viewer_annotation_kind_is_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.text}"
