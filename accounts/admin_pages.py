"""What every administration page shares: who sees which rows, and what may be changed.

The role decides, not Django's permission tables: administrators see all,
facility administrators what is of their own facilities, nobody else comes
in. Every queryset starts at `visible_to`, so a foreign row answers as a
missing one. Pages are read-only unless they say which fields may change.
Lists never count more than a few thousand rows. Reading them is audited.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.access import may_administer
from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import Facility, User

ModelT = TypeVar("ModelT", bound=models.Model)

LONGEST_QUERY = 20


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than CAP: a list of a million rows opens as fast as a short one."""

    CAP: ClassVar[int] = 5_000

    @cached_property
    def count(self) -> int:
        """Return the number of rows, CAP when there are more."""
        rows = self.object_list
        if isinstance(rows, models.QuerySet):
            return rows.order_by()[: self.CAP].count()
        return min(len(rows), self.CAP)

    @property
    def is_capped(self) -> bool:
        """Whether there are, or may be, more rows than the pages show."""
        return self.count >= self.CAP


class FacilityFilter(admin.SimpleListFilter):
    """Rows of one facility; the choices are those that the user sees."""

    title = _("facility")
    parameter_name = "facility"
    QUARANTINE = "none"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        """Return the visible facilities by code, and the quarantine for administrators."""
        user = request.user
        rows = Facility.objects.visible_to(user).values_list("code", "name")
        choices: list[tuple[str, Any]] = list(rows)
        if user.is_authenticated and user.is_archive_admin:
            choices.append((self.QUARANTINE, _("Quarantine")))
        return choices

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """Return the rows of the chosen facility."""
        if self.value() == self.QUARANTINE:
            return queryset.filter(facility__isnull=True)
        if self.value():
            return queryset.filter(facility__code=self.value())
        return queryset


class VisibleAdmin(admin.ModelAdmin, Generic[ModelT]):  # type: ignore[type-arg]
    """A page of rows that have a facility; read-only but for `changeable` fields."""

    changeable: ClassVar[Sequence[str]] = ()
    admins_only: ClassVar[bool] = False
    is_audited: ClassVar[bool] = True

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    ordering: ClassVar[Any] = ("-pk",)
    # For who sees own facilities alone: an order that an index by facility gives for nothing.
    ordering_in_facility: ClassVar[Any] = None

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[ModelT]:
        """Return the rows that the user may see."""
        manager: Any = self.model._default_manager
        rows: models.QuerySet[ModelT] = manager.visible_to(request.user)
        return rows.order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> Any:
        """Return the order that the database need not sort for."""
        user = request.user
        is_boss = user.is_authenticated and user.is_archive_admin
        return self.ordering if is_boss else self.ordering_in_facility or self.ordering

    # --- who may ------------------------------------------------------------
    def may_open(self, request: HttpRequest) -> bool:
        """Whether the user may open pages of this kind."""
        user = request.user
        if self.admins_only:
            return user.is_authenticated and user.is_archive_admin
        return may_administer(user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the room in the index to who may open this page."""
        return self.may_open(request)

    def has_view_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Admit by role; which rows there are is `get_queryset`'s to say."""
        return self.may_open(request)

    def has_change_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Admit by role where something may be changed at all."""
        return bool(self.changeable) and self.may_open(request)

    def has_add_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Refuse: rows are made by what they tell of, not by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Refuse: rows are removed with their files, by a command of its own."""
        return False

    def get_fields(self, request: HttpRequest, obj: ModelT | None = None) -> Any:
        """Return every field that means something to a person, in the model's order."""
        if self.fields:
            return self.fields
        hidden = set(self.exclude or ())
        named = [field.name for field in self.model._meta.fields if field.name not in hidden]
        return [name for name in named if name not in {"search_key", "frame_table"}]

    def get_readonly_fields(self, request: HttpRequest, obj: ModelT | None = None) -> Any:
        """Return every field but the changeable ones: the rest is what the file says."""
        return [name for name in self.get_fields(request, obj) if name not in self.changeable]

    # --- the trail ------------------------------------------------------------
    def describe(self, obj: ModelT) -> dict[str, Any]:
        """Return what the audit trail says of a row: facility, patient, study."""
        return {"facility_id": getattr(obj, "facility_id", None)}

    def record_act(self, request: HttpRequest, action: str, obj: ModelT, **detail: Any) -> None:
        """Write into the audit trail what the user did with the row."""
        about = {"page": self.opts.label_lower, "row": str(obj.pk), **detail}
        record_for_user(
            _person(request),
            action,
            address=read_address(request),
            detail=about,
            **self.describe(obj),
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list; who asked for what is written down."""
        response = super().changelist_view(request, extra_context)
        if self.is_audited and response.status_code == 200:
            query = {key: value[:200] for key, value in list(request.GET.items())[:LONGEST_QUERY]}
            record_for_user(
                _person(request),
                "admin_list",
                address=read_address(request),
                detail={"page": self.opts.label_lower, "query": query},
            )
        return response

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: ModelT | None = None,
    ) -> HttpResponse:
        """Show one row; that it was read is written down."""
        if self.is_audited and obj is not None:
            self.record_act(request, "admin_view", obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was changed by hand; who may not open the page learns of no row."""
        if not self.may_open(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)

    def log_change(self, request: HttpRequest, obj: ModelT, message: Any) -> Any:
        """Write a change into Django's log and into the audit trail."""
        self.record_act(request, "admin_change", obj, changes=_fields_of(message))
        return super().log_change(request, obj, message)

    def log_addition(self, request: HttpRequest, obj: ModelT, message: Any) -> Any:
        """Write an addition into Django's log and into the audit trail."""
        self.record_act(request, "admin_add", obj)
        return super().log_addition(request, obj, message)


def _person(request: HttpRequest) -> User:
    user = request.user
    assert user.is_authenticated
    return user


def _fields_of(message: Any) -> list[str]:
    """Return the names of changed fields from Django's own change message."""
    parts = message if isinstance(message, list) else []
    return [name for part in parts for name in part.get("changed", {}).get("fields", [])]
