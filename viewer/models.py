"""What readers draw on pictures: measurements, annotations, layers and key images."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys import new_key
from accounts.models import Facility, User
from archive.access import ModelT, VisibleQuerySet
from archive.models import FacilityRow, Instance, Series, Study

# The form of the JSON in a row, as docs/measurements.md tells it. Whoever changes the form
# counts on here and goes on reading every form there was.
FORMAT_VERSION = 1


class MarkQuerySet(VisibleQuerySet[ModelT]):
    """Marks. What is deleted stays in the table, for the trail and for undo."""

    def present(self) -> Self:
        """Return the marks that nobody has deleted."""
        return self.filter(deleted_at=None)


class Kept(FacilityRow):
    """What a person keeps of a study: who, when, in which version; deleted, it stays as a row.

    `word` names the kind of row in the trail and in the news.
    """

    word: ClassVar[str]

    study = models.ForeignKey(Study, models.PROTECT, related_name="%(class)ss")
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


class Mark(Kept):
    """Something on one frame, or on a plane through a series."""

    frame = models.PositiveIntegerField(_("frame"), default=0, help_text=_("Counted from 0."))

    class Meta:
        abstract = True

    def find_home(self) -> tuple[Instance | None, Series]:
        """Return the image, None on a plane, and the series."""
        raise NotImplementedError


class Drawing(Mark):
    """What measurement and annotation share: points, and how they look.

    A drawing on a reformatted plane has no image: its `series` was cut along `plane`, whose form
    is told by docs/measurements.md.
    """

    instance = models.ForeignKey(
        Instance, models.PROTECT, null=True, blank=True, related_name="%(class)ss"
    )
    series = models.ForeignKey(
        Series, models.PROTECT, null=True, blank=True, related_name="%(class)ss"
    )
    plane: models.JSONField[dict[str, Any] | None, dict[str, Any] | None] = models.JSONField(
        _("plane"), null=True, blank=True
    )
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

    class Meta:
        abstract = True

    def find_home(self) -> tuple[Instance | None, Series]:
        """Return the image, None on a plane, and the series."""
        if self.instance is not None:
            return self.instance, self.instance.series
        assert self.series is not None
        return None, self.series

    @property
    def image(self) -> Instance:
        """The image; only of a drawing that is on one."""
        assert self.instance is not None
        return self.instance


# On an image, or on a plane through a series: one of both.
_IS_PLACED = models.Q(instance__isnull=False, series__isnull=True, plane__isnull=True) | models.Q(
    instance__isnull=True, series__isnull=False, plane__isnull=False
)


class Measurement(Drawing):
    """A number taken from a picture, with its unit and where both came from."""

    word = "measurement"

    class Kind(models.TextChoices):
        LENGTH = "length", _("Length")
        ANGLE = "angle", _("Angle")
        COBB = "cobb", _("Cobb angle")
        BIDIRECTIONAL = "bidirectional", _("Bidirectional")
        CARDIOTHORACIC = "cardiothoracic", _("Cardiothoracic ratio")
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
    finding: models.JSONField[dict[str, str], dict[str, str]] = models.JSONField(
        default=dict, blank=True, help_text=_("Coded: {value, scheme, meaning}, or empty.")
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
                        "cardiothoracic",
                        "rectangle",
                        "ellipse",
                        "polygon",
                        "probe",
                        "polyline",
                        "circle",
                    ]
                ),
                name="viewer_measurement_kind_is_known",
            ),
            models.CheckConstraint(condition=_IS_PLACED, name="viewer_measurement_is_placed"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value} {self.unit}"


class Annotation(Drawing):
    """An arrow, a text, a drawing: says something, measures nothing."""

    word = "annotation"

    class Kind(models.TextChoices):
        ARROW = "arrow", _("Arrow")
        TEXT = "text", _("Text")
        SPINE_LABEL = "spine_label", _("Spine label")
        POINT = "point", _("Point")
        POLYLINE = "polyline", _("Polyline")
        FREEHAND = "freehand", _("Freehand")
        POLYGON = "polygon", _("Polygon")
        RECTANGLE = "rectangle", _("Rectangle")
        ELLIPSE = "ellipse", _("Ellipse")
        CIRCLE = "circle", _("Circle")
        CALIBRATION = "calibration", _("Calibration line")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    text = models.TextField(_("text"), blank=True)
    known_mm = models.FloatField(
        _("known length"),
        null=True,
        blank=True,
        help_text=_("Of a calibration line: how long it is, in mm."),
    )

    objects: ClassVar[MarkQuerySet[Annotation]] = MarkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("annotation")
        verbose_name_plural = _("annotations")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=[
                        "arrow",
                        "text",
                        "spine_label",
                        "point",
                        "polyline",
                        "freehand",
                        "polygon",
                        "rectangle",
                        "ellipse",
                        "circle",
                        "calibration",
                    ]
                ),
                name="viewer_annotation_kind_is_known",
            ),
            models.CheckConstraint(condition=_IS_PLACED, name="viewer_annotation_is_placed"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.text}"


class MarkLayer(Kept):
    """How the marks of one layer of a study look; marks name their layer."""

    word = "layer"

    name = models.CharField(_("name"), max_length=64)
    colour = models.CharField(_("colour"), max_length=7, help_text=_("As #rrggbb."))
    is_visible = models.BooleanField(_("visible"), default=True)
    position = models.PositiveSmallIntegerField(
        _("position"), default=0, help_text=_("The lowest is drawn first.")
    )

    objects: ClassVar[MarkQuerySet[MarkLayer]] = MarkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("layer of marks")
        verbose_name_plural = _("layers of marks")
        constraints = [
            models.UniqueConstraint(
                fields=["study", "name"],
                condition=models.Q(deleted_at=None),
                name="viewer_marklayer_once_a_study",
            )
        ]

    def __str__(self) -> str:
        return self.name


class KeyImage(Mark):
    """A frame that a reader wants to be found again, and why."""

    word = "key_image"

    instance = models.ForeignKey(Instance, models.PROTECT, related_name="%(class)ss")
    note = models.CharField(_("note"), max_length=1000, blank=True)

    objects: ClassVar[MarkQuerySet[KeyImage]] = MarkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("key image")
        verbose_name_plural = _("key images")
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "frame"],
                condition=models.Q(deleted_at=None),
                name="viewer_keyimage_once_a_frame",
            )
        ]

    def __str__(self) -> str:
        return f"{self.instance_id}/{self.frame}"

    def find_home(self) -> tuple[Instance | None, Series]:
        """Return the image and its series."""
        return self.instance, self.instance.series


class Preferences(models.Model):
    """How one person likes the viewer to behave; the form is told by docs/preferences.md."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="viewer_preferences"
    )
    document: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("settings"), default=dict, blank=True
    )
    format_version = models.PositiveSmallIntegerField(_("format"), default=1)
    version = models.PositiveIntegerField(_("version"), default=1)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")

    def __str__(self) -> str:
        return self.user.get_username()


class HangingProtocolQuerySet(models.QuerySet["HangingProtocol"]):
    """Hanging protocols: a person's own, and those of the person's facilities."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the protocols that the user may see and hang studies by."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_archive_admin:
            return self.filter(models.Q(owner=user) | models.Q(owner=None))
        of_house = models.Q(owner=None, facility__in=user.facility_keys())
        return self.filter(models.Q(owner=user) | of_house)


class HangingProtocol(models.Model):
    """How studies of a kind are hung; the forms of both documents are told by docs/hanging.md."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    owner = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="hanging_protocols"
    )
    facility = models.ForeignKey(
        Facility, models.CASCADE, null=True, blank=True, related_name="hanging_protocols"
    )
    name = models.CharField(_("name"), max_length=100)
    rules: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("rules"), default=dict, help_text=_("Which studies it is for.")
    )
    layout: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("layout"), default=dict, help_text=_("Panes, and what each shows.")
    )
    format_version = models.PositiveSmallIntegerField(_("format"), default=FORMAT_VERSION)
    version = models.PositiveIntegerField(_("version"), default=1)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[HangingProtocolQuerySet] = HangingProtocolQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("hanging protocol")
        verbose_name_plural = _("hanging protocols")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(owner=None, facility__isnull=False)
                | models.Q(owner__isnull=False, facility=None),
                name="viewer_hanging_has_one_owner",
            )
        ]

    def __str__(self) -> str:
        return self.name


# Last, and only so that Django finds the table.
from viewer.centreline_models import Centreline  # noqa: E402, F401
from viewer.export_models import Export  # noqa: E402, F401
from viewer.launch_models import Launch  # noqa: E402, F401
