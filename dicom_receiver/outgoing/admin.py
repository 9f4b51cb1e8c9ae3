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
    verbose_name_plural = _("What we send there")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admit administrators, to whom peers belong."""
        user = request.user
        return bool(user.is_authenticated and user.is_archive_admin)

    has_add_permission = has_change_permission = has_view_permission


@admin.register(Transfer)
class TransferAdmin(UnderStudyAdmin[Transfer]):
    """Transfers, and what can be done with them."""

    list_display = (
        "peer", "study", "why", "rule", "status", "is_paused", "sent_count", "instance_count",
        "failed_count", "priority", "reason", "facility", "created_at", "ended_at",
    )  # fmt: skip
    list_select_related = ("facility", "peer", "study", "rule")
    list_filter: ClassVar[Any] = ("status", "why", "commitment", "peer", FacilityFilter)
    search_fields = ("study",)
    search_help_text = _("Whole Study Instance UID.")
    actions = ("try_again", "cancel", "pause", "resume")

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
