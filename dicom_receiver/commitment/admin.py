"""The page on storage commitments that peers asked of us. Administrators alone."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_pages import FacilityFilter, VisibleAdmin
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.tasks import REPORTS, wake


@admin.register(Commitment)
class CommitmentAdmin(VisibleAdmin[Commitment]):
    """What was asked for, what the check found, whether the report was taken."""

    admins_only = True
    list_display = (
        "ae_title", "user", "transaction_uid", "status", "instance_count", "checked_count",
        "failure_count", "attempts", "reason", "created_at", "reported_at",
    )  # fmt: skip
    list_filter: ClassVar[Any] = ("status", FacilityFilter)
    search_fields = ("ae_title", "transaction_uid")
    search_help_text = _("AE title or Transaction UID")
    # Up to 20,000 references are no reading for people.
    exclude = ("references", "failures")
    actions = ("report_again",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Commitment]:
        """Return all rows: only administrators come here."""
        rows = Commitment.objects.defer("references")
        return rows.order_by(*self.get_ordering(request))

    @admin.display(description=_("failures"))
    def failure_count(self, row: Commitment) -> int:
        """Return how many instances are not promised."""
        return len(row.failures)

    @admin.action(description=_("Report again"))
    def report_again(self, request: HttpRequest, queryset: models.QuerySet[Commitment]) -> None:
        """Bring the report once more to peers that lost it, or did not take it in time."""
        now = timezone.now()
        over = [Commitment.Status.REPORTED, Commitment.Status.GIVEN_UP]
        rows = list(queryset.filter(status__in=over, user=None))
        again = Commitment.objects.filter(pk__in=[row.pk for row in rows])
        again.update(
            status=Commitment.Status.CHECKED, due_at=now, attempts=0, claim=None, lease_until=None
        )
        for row in rows:
            self.record_act(request, "commitment_reported_again", row, peer=row.ae_title)
        wake(REPORTS)
        self.message_user(request, gettext("Done for %(count)d.") % {"count": len(rows)})
