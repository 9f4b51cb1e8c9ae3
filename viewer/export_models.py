"""Exports: what somebody takes out of a study, in which form, and how far it is."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from archive.access import VisibleQuerySet
from archive.models import FacilityRow, Study


class Export(FacilityRow):
    """One export. Only who asked for it gets it, and only while the study is visible to them."""

    class State(models.TextChoices):
        # Made while it is sent: there is nothing to wait for.
        READY = "ready", _("Ready")
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    study = models.ForeignKey(Study, models.CASCADE, related_name="exports")
    created_by = models.ForeignKey(User, models.CASCADE, related_name="exports")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    form = models.CharField(_("form"), max_length=8)
    wish: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict, help_text=_("What was asked for, as it was understood.")
    )
    images: models.JSONField[list[list[Any]], list[list[Any]]] = models.JSONField(
        default=list, help_text=_("[[instance, frame], …]; frame -1 is the whole object.")
    )
    state = models.CharField(_("state"), max_length=8, choices=State.choices)
    done_count = models.PositiveIntegerField(_("done"), default=0)
    problem = models.CharField(_("problem"), max_length=500, blank=True)
    size_bytes = models.BigIntegerField(_("size"), default=0)
    # Secret of the pseudonyms of this export alone; forgotten with the row.
    key = models.BinaryField(default=bytes, editable=False)

    objects: ClassVar[VisibleQuerySet[Export]] = VisibleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        indexes = [
            models.Index(fields=["created_by", "-created_at"], name="viewer_export_by_person")
        ]

    def __str__(self) -> str:
        return f"{self.form} {self.pk}"
