"""Lines that readers draw through volumes, along which curved pictures are made."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from archive.models import Series
from viewer.models import Kept, MarkQuerySet


class Centreline(Kept):
    """A reader's line through a series, and how the picture along it is seen."""

    word = "centreline"

    class Form(models.TextChoices):
        STRAIGHTENED = "straightened", _("Straightened")
        STRETCHED = "stretched", _("Stretched")

    series = models.ForeignKey(Series, models.PROTECT, related_name="centrelines")
    points_lps_mm: models.JSONField[list[list[float]], list[list[float]]] = models.JSONField(
        help_text=_("[[x, y, z], …] in patient space, mm.")
    )
    form = models.CharField(
        _("form"), max_length=16, choices=Form.choices, default=Form.STRAIGHTENED
    )
    width_mm = models.FloatField(_("width"), default=60.0)
    angle_deg = models.FloatField(_("angle"), default=0.0)
    slab: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("slab"), default=dict, blank=True, help_text=_("mode and thickness_mm; empty: thin.")
    )

    objects: ClassVar[MarkQuerySet[Centreline]] = MarkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("centreline")
        verbose_name_plural = _("centrelines")
        constraints = [
            models.UniqueConstraint(
                fields=["series", "created_by"],
                condition=models.Q(deleted_at=None),
                name="viewer_centreline_once_a_reader",
            )
        ]

    def __str__(self) -> str:
        return f"{len(self.points_lps_mm)} points"
