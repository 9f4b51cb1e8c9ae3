"""Pages to look after people and facilities, and to read the audit trail."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import api_tokens
from accounts.access import may_change_person
from accounts.address import read_address
from accounts.admin_pages import FacilityFilter, VisibleAdmin
from accounts.models import ApiToken, AuditRow, Facility, User
from accounts.roles import apply_role, roles_to_grant
from accounts.timeline import Timeline, find_actions

# Roles say what people may do; Django's groups would say it a second time.
admin.site.unregister(Group)


class RightsForm(forms.ModelForm):  # type: ignore[type-arg]
    """What both forms check: rights that the one who grants does not have are not granted.

    `granter` is set by the page on a subclass made for the request.
    """

    granter: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            role = self.fields["role"]
            assert isinstance(role, forms.ChoiceField)
            role.choices = roles_to_grant(self.granter)
        if "facilities" in self.fields:
            facilities = self.fields["facilities"]
            assert isinstance(facilities, forms.ModelMultipleChoiceField)
            facilities.queryset = Facility.objects.visible_to(self.granter)

    def clean(self) -> dict[str, Any] | None:
        """Refuse a person without facility from who could not see that person afterwards."""
        cleaned = super().clean()
        if (
            not self.granter.is_archive_admin
            and "facilities" in self.fields
            and not self.cleaned_data.get("facilities")
        ):
            self.add_error("facilities", ValidationError(_("Choose at least one facility.")))
        return cleaned


class AddPersonForm(RightsForm, AdminUserCreationForm):  # type: ignore[type-arg]
    """A new person with password, role and facilities."""


class ChangePersonForm(RightsForm, UserChangeForm):  # type: ignore[type-arg]
    """A person's facts, role and facilities."""


@admin.register(User)
class PersonAdmin(VisibleAdmin[User], UserAdmin):  # type: ignore[type-arg]
    """People; a facility administrator changes those of own facilities alone."""

    changeable = ("username", "role", "facilities", "is_active")
    form = ChangePersonForm
    add_form = AddPersonForm
    ordering = ("username",)
    list_display = ("username", "last_name", "first_name", "role", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("username__startswith", "last_name__istartswith", "first_name__istartswith")
    filter_horizontal = ("facilities",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Rights"), {"fields": ("role", "facilities", "is_active")}),
        (_("Times"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Rights"), {"fields": ("role", "facilities")}),
    )

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return the fields of the fieldsets."""
        groups = self.get_fieldsets(request, obj)
        return [name for _title, group in groups for name in group["fields"]]

    def has_add_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Let who looks after people add some."""
        return self.may_open(request)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Let who may open the page change people who are wholly in their care."""
        user = request.user
        if obj is None or not user.is_authenticated:
            return self.may_open(request)
        return self.may_open(request) and may_change_person(user, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return the times, and one's own rights: nobody raises or loses their own."""
        readonly = ["last_login", "date_joined"]
        if obj is not None and obj.pk == request.user.pk:
            readonly += ["role", "facilities", "is_active"]
        return readonly

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form, which knows who grants."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"granter": request.user})

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save the person with the marks that go with the role."""
        apply_role(obj, obj.role)
        super().save_model(request, obj, form, change)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Set another person's password, with its audit row in one transaction."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def describe(self, obj: User) -> dict[str, Any]:
        """Return the facility when the person has exactly one: then its trail tells of it."""
        keys = list(obj.facilities.values_list("pk", flat=True)[:2])
        return {"facility_id": keys[0] if len(keys) == 1 else None}

    def record_act(self, request: HttpRequest, action: str, obj: User, **detail: Any) -> None:
        """Write who was looked at or changed, and the rights that they have now."""
        if action != "admin_view":
            codes = obj.facilities.order_by("code").values_list("code", flat=True)
            detail |= {"role": obj.role, "facilities": list(codes), "is_active": obj.is_active}
        super().record_act(request, action, obj, name=obj.get_username(), **detail)


@admin.register(Facility)
class FacilityAdmin(VisibleAdmin[Facility]):
    """Facilities; administrators add and change them, none is deleted."""

    changeable = ("code", "name", "is_active")
    ordering = ("name",)
    list_display = ("name", "code", "is_active", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name__istartswith", "code__istartswith")

    def has_add_permission(self, request: HttpRequest, obj: Facility | None = None) -> bool:
        """Let administrators add."""
        return request.user.is_authenticated and request.user.is_archive_admin

    def has_change_permission(self, request: HttpRequest, obj: Facility | None = None) -> bool:
        """Let administrators change."""
        return request.user.is_authenticated and request.user.is_archive_admin

    def get_readonly_fields(self, request: HttpRequest, obj: Facility | None = None) -> Any:
        """Return what is never changed; a code is fixed once filters and files use it."""
        return ["created_at"] if obj is None else ["code", "created_at"]

    def get_fields(self, request: HttpRequest, obj: Facility | None = None) -> Any:
        """Return the fields in the order in which one fills them in."""
        return ["code", "name", "is_active", "created_at"]

    def describe(self, obj: Facility) -> dict[str, Any]:
        """Return the facility itself."""
        return {"facility_id": obj.pk}


@admin.register(ApiToken)
class ApiTokenAdmin(VisibleAdmin[ApiToken]):
    """Tokens for programs, to see and to revoke; their words are nowhere."""

    list_display = ("name", "user", "scope", "facility", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("user", "facility")
    list_filter = ("scope", FacilityFilter)
    search_fields = ("user__username__exact", "name__istartswith")
    actions = ("revoke",)
    exclude = ("secret_hash", "password_stamp")

    def has_view_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Admit by role; which tokens there are is `visible_to`'s to say."""
        return self.may_open(request)

    @admin.action(description=_("Revoke the chosen tokens"))
    def revoke(self, request: HttpRequest, tokens: models.QuerySet[ApiToken]) -> None:
        """End the chosen tokens of people who are in the user's care."""
        user = request.user
        assert user.is_authenticated
        mine = [
            token
            for token in tokens.select_related("user", "facility")
            if token.user_id == user.pk or may_change_person(user, token.user)
        ]
        for token in mine:
            api_tokens.revoke_token(user, token, address=read_address(request))
        text = ngettext("%(n)d token is revoked.", "%(n)d tokens are revoked.", len(mine))
        self.message_user(request, text % {"n": len(mine)})


class OutcomeFilter(admin.SimpleListFilter):
    """What went well, or did not; choices are fixed, for the trail is long."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        """Return both answers."""
        return [("success", _("Success")), ("other", _("Refused or failed"))]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """Return the rows with that outcome."""
        if self.value() == "success":
            return queryset.filter(outcome="success")
        return queryset.exclude(outcome="success") if self.value() else queryset


class ActionFilter(admin.SimpleListFilter):
    """What was done."""

    title = _("action")
    parameter_name = "action"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        """Return the actions that the trail knows."""
        return [(action, action) for action in find_actions()]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """Return the rows with that action."""
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditRow)
class AuditRowAdmin(VisibleAdmin[AuditRow]):
    """The audit trail, to read; reading it is in it."""

    ordering = ("-at", "-id")
    date_hierarchy = "at"
    list_display = ("at", "actor", "action", "outcome", "facility", "patient_id", "address")
    list_select_related = ("facility",)
    list_filter = (ActionFilter, OutcomeFilter, FacilityFilter)
    search_fields = (
        "actor__exact",
        "patient_id__exact",
        "study_instance_uid__exact",
        "hash__exact",
    )
    search_help_text = _("Whole user name, patient ID or Study Instance UID.")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[AuditRow]:
        """Return the visible rows, which find their dates by the index."""
        rows = Timeline(model=AuditRow).visible_to(request.user)
        return rows.order_by(*self.get_ordering(request))

    def get_fields(self, request: HttpRequest, obj: AuditRow | None = None) -> Any:
        """Return the row as it was written, chain included."""
        return [field.name for field in self.model._meta.fields]
