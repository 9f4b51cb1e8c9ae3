"""Pages on peers and on what passed through the port. Administrators alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.admin_pages import CappedPaginator, FacilityFilter, VisibleAdmin
from dicom_receiver.commitment.admin import CommitmentAdmin
from dicom_receiver.models import Peer, SenderStatistics
from dicom_receiver.outgoing.admin import LineInline, TransferAdmin
from dicom_receiver.remote.admin import ExchangeAdmin, ProbedAdmin, WebPeerAdmin
from dicom_receiver.routing.admin import RoutingRuleAdmin

__all__ = [
    "CommitmentAdmin",
    "ExchangeAdmin",
    "PeerAdmin",
    "RoutingRuleAdmin",
    "SenderStatisticsAdmin",
    "TransferAdmin",
    "WebPeerAdmin",
]

_TOTALS = {
    "associations": _("associations"),
    "refused": _("refused associations"),
    "objects_stored": _("objects"),
    "bytes_stored": _("bytes"),
    "failures": _("failures"),
}


@admin.register(Peer)
class PeerAdmin(ProbedAdmin[Peer]):
    """Who may call, what they may ask, and where what they send belongs."""

    admins_only = True
    ordering = ("ae_title",)
    list_display = ("ae_title", "facility", "host", "port", "may_store", "is_active")
    list_filter = (FacilityFilter, "is_active")
    list_select_related = ("facility",)
    search_fields = ("ae_title", "description", "host")
    search_help_text = _("AE title, description or host")
    inlines = (LineInline,)
    fieldsets = (
        (None, {"fields": ("ae_title", "description", "is_active", "facility")}),
        (_("Where it is"), {"fields": ("host", "port", "use_tls", "check_address", "certificate")}),
        (
            _("What it may do"),
            {
                "fields": (
                    "may_store",
                    "may_find",
                    "may_move",
                    "may_get",
                    "may_mwl",
                    "may_mpps",
                    "may_commit",
                )
            },
        ),
        (
            _("What we use it for"),
            {
                "fields": (
                    "is_queried",
                    "is_destination",
                    "retrieve_method",
                    "retrieve_syntaxes",
                    "timeout_seconds",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Peer]:
        """Return all peers: only administrators come here."""
        return Peer.objects.order_by(*self.get_ordering(request))

    def has_add_permission(self, request: HttpRequest, obj: Peer | None = None) -> bool:
        """Let administrators write down a new peer."""
        return self.may_open(request)

    def has_change_permission(self, request: HttpRequest, obj: Peer | None = None) -> bool:
        """Let administrators change a peer; the next association meets the change."""
        return self.may_open(request)

    def has_delete_permission(self, request: HttpRequest, obj: Peer | None = None) -> bool:
        """Let administrators remove a peer; it is a stranger from then on."""
        return self.may_open(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Peer | None = None) -> tuple[str, ...]:
        """Return nothing: a peer is what an administrator says."""
        return ()

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[Peer]) -> Any:
        """Write removals into Django's log and into the audit trail."""
        for peer in queryset:
            self.record_act(request, "admin_delete", peer, ae_title=peer.ae_title)
        return super().log_deletions(request, queryset)


@admin.register(SenderStatistics)
class SenderStatisticsAdmin(VisibleAdmin[SenderStatistics]):
    """What each sender did on each day, and the sums of what the filters leave."""

    admins_only = True
    paginator = CappedPaginator
    ordering = ("-day", "ae_title")
    list_display = (
        "day",
        "sender",
        "address",
        "associations",
        "refused",
        "objects_stored",
        "bytes_stored",
        "failures",
        "last_seen_at",
    )
    list_display_links = None
    list_filter = ("day",)
    search_fields = ("ae_title", "address")
    search_help_text = _("AE title or address")
    change_list_template = "admin/dicom_receiver/senderstatistics/change_list.html"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[SenderStatistics]:
        """Return all rows: only administrators come here."""
        return SenderStatistics.objects.order_by(*self.get_ordering(request))

    @admin.display(description=_("calling AE title"), ordering="ae_title")
    def sender(self, row: SenderStatistics) -> Any:
        """Return the title, or words when the callers gave none."""
        return row.ae_title or _("(no title)")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list with its sums."""
        response = super().changelist_view(request, extra_context)
        context: dict[str, Any] = getattr(response, "context_data", None) or {}
        if "cl" in context:
            rows = context["cl"].queryset.order_by()
            sums = rows.aggregate(**{name: Sum(name) for name in _TOTALS})
            context["totals"] = [(_TOTALS[name], sums[name] or 0) for name in _TOTALS]
        return response
