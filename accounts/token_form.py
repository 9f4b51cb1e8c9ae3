"""What may be asked of a new token, for the page and for REST alike."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api_tokens import MOST_DAYS, NAME_LENGTH, Wish
from accounts.models import ApiToken, Facility, User

DAYS = (7, 30, 90, 365)
DEFAULT_DAYS = 90


class TokenForm(forms.Form):
    """The form of the page."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        help_text=_("What it is for: the audit trail shows this name."),
    )
    scope = forms.ChoiceField(label=_("Scope"), choices=ApiToken.Scope.choices, initial="read")
    facility = forms.ModelChoiceField(
        Facility.objects.none(),
        label=_("Facility"),
        required=False,
        empty_label=_("All that you see"),
    )
    days = forms.TypedChoiceField(
        label=_("Ends after"),
        coerce=int,
        choices=[(days, _("%(days)d days") % {"days": days}) for days in DAYS],
        initial=DEFAULT_DAYS,
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        facilities = self.fields["facility"]
        assert isinstance(facilities, forms.ModelChoiceField)
        facilities.queryset = Facility.objects.visible_to(user).filter(is_active=True)

    def read(self) -> Wish:
        """Return what is asked for; only of a form that is valid."""
        return Wish(**self.cleaned_data)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token as it is listed: never its word."""

    facility = serializers.SlugRelatedField[Facility](
        slug_field="code", read_only=True, allow_null=True
    )

    class Meta:
        model = ApiToken
        fields = [
            "id", "name", "scope", "facility", "created_at", "expires_at", "last_used_at",
            "last_address", "revoked_at",
        ]  # fmt: skip
        read_only_fields = fields


class TokenWishSerializer(serializers.Serializer[Any]):
    """What a program asks for."""

    name = serializers.CharField(max_length=NAME_LENGTH)
    scope = serializers.ChoiceField(choices=ApiToken.Scope.choices, default="read")
    facility = serializers.CharField(
        required=False, allow_null=True, help_text="A facility's code; none: all of the person's."
    )
    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS, default=DEFAULT_DAYS)

    def validate_facility(self, code: str | None) -> Facility | None:
        """Return the facility with this code, when it is one of the person's."""
        if code is None:
            return None
        mine = Facility.objects.visible_to(self.context["request"].user)
        found = mine.filter(code=code, is_active=True).first()
        if found is None:
            raise serializers.ValidationError("Not a facility of yours.", "unknown")
        return found


class NewTokenSerializer(TokenSerializer):
    """A token as it is answered once, with its word."""

    token = serializers.CharField(read_only=True, help_text="Shown now and never again.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields
