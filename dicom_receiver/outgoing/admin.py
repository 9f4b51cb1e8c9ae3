"""Pages on what goes out: transfers with what can be done, and each peer's way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import may_administer
from accounts.address import read_address
from accounts.admin_pages import FacilityFilter
from accounts.models import User
from archive.admin import UnderStudyAdmin
from archive.models import Study
from dicom_receiver.outgoing import asking
from dicom_receiver.outgoing.models import Line, Transfer
from imaging.errors import NoctisError


class LineInline(admin.StackedInline):  # type: ignore[type-arg]
    """The way out to a peer, on the peer's page."""

    model = Line
    can_delete = False
    min_num = max_num = 1
    fields = (
        "is_paused", "associations", "asks_commitment", "failures", "retry_at", "last_error",
        "last_success_at",
    )  # fmt: skip
    readonly_fields = ("failures", "retry_at", "last_error", "last_success_at")
    verbose_name = verbose_name_plural = _("What we send there")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admit administrators, to whom peers belong."""
        user = request.user
        return bool(user.is_authenticated and user.is_archive_admin)

    has_add_permission = has_change_permission = has_view_permission


@admin.register(Transfer)
class TransferAdmin(UnderStudyAdmin[Transfer]):
    """Transfers, and what can be done with them."""

    list_display = (
        "peer", "what", "wherefore", "state", "arrived", "failed_count", "reason", "created_at",
    )  # fmt: skip
    list_select_related = ("peer", "study", "rule", "requested_by")
    list_filter: ClassVar[Any] = ("status", "why", "commitment", "peer", FacilityFilter)
    search_fields = ("study",)
    search_help_text = _("Whole Study Instance UID.")
    actions = ("try_again", "cancel", "pause", "resume")

    @admin.display(description=_("study"))
    def what(self, transfer: Transfer) -> str:
        """Return the study as people know it."""
        study = transfer.study
        day = f"{study.study_date:%Y-%m-%d}" if study.study_date else ""
        return " ".join(filter(None, [day, study.modalities, study.study_description])) or "-"

    @admin.display(description=_("why"))
    def wherefore(self, transfer: Transfer) -> str:
        """Return the rule, or who asked."""
        by = transfer.rule or transfer.requested_by
        return str(by) if by else transfer.get_why_display()

    @admin.display(description=_("status"), ordering="status")
    def state(self, transfer: Transfer) -> str:
        """Return the status, and whether it is paused."""
        is_waiting = transfer.is_paused and transfer.status in Transfer.OPEN
        return gettext("Paused") if is_waiting else transfer.get_status_display()

    @admin.display(description=_("sent"))
    def arrived(self, transfer: Transfer) -> str:
        """Return how many images have arrived, of how many."""
        return f"{transfer.sent_count} / {transfer.instance_count}"

    def search(self, text: str) -> models.Q:
        """Find by the study's UID."""
        studies = Study.objects.filter(study_instance_uid=text).values("pk")
        return models.Q(study__in=studies)

    def has_delete_permission(self, request: HttpRequest, obj: Transfer | None = None) -> bool:
        """Let transfers go with their peer, and in no other way."""
        match = request.resolver_match
        is_of_peer = bool(match and (match.url_name or "").startswith("dicom_receiver_peer_"))
        return is_of_peer and self.may_open(request)

    @admin.action(description=_("Try again"))
    def try_again(self, request: HttpRequest, queryset: models.QuerySet[Transfer]) -> None:
        """Let failed and cancelled transfers wait again."""
        self._do(request, queryset, asking.retry)

    @admin.action(description=_("Cancel"))
    def cancel(self, request: HttpRequest, queryset: models.QuerySet[Transfer]) -> None:
        """Stop transfers."""
        self._do(request, queryset, asking.cancel)

    @admin.action(description=_("Pause"))
    def pause(self, request: HttpRequest, queryset: models.QuerySet[Transfer]) -> None:
        """Let transfers wait until they are told to go on."""
        self._do(request, queryset, _paused)

    @admin.action(description=_("Go on"))
    def resume(self, request: HttpRequest, queryset: models.QuerySet[Transfer]) -> None:
        """Let paused transfers go on."""
        self._do(request, queryset, _resumed)

    def _do(
        self,
        request: HttpRequest,
        queryset: models.QuerySet[Transfer],
        verb: Callable[..., None],
    ) -> None:
        """Do something with each; say how many it could not be done with, and why."""
        user = request.user
        assert may_administer(user)
        assert isinstance(user, User)
        done, refused = 0, ""
        for transfer in queryset.select_related("peer", "study__patient"):
            try:
                verb(user, transfer, address=read_address(request))
                done += 1
            except NoctisError as error:
                refused = str(error)
        if done:
            self.message_user(request, gettext("Done for %(count)d.") % {"count": done})
        if refused:
            self.message_user(request, refused, messages.WARNING)


def _paused(user: User, transfer: Transfer, *, address: str) -> None:
    asking.pause(user, transfer, is_paused=True, address=address)


def _resumed(user: User, transfer: Transfer, *, address: str) -> None:
    asking.pause(user, transfer, is_paused=False, address=address)
