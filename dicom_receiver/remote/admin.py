"""Administration of DICOMweb peers and exchanges, and the button that tests a connection."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.admin_pages import FacilityFilter, ModelT, VisibleAdmin
from dicom_receiver.remote.models import Exchange, WebPeer
from dicom_receiver.remote.probing import probe
from dicom_receiver.remote.secrets import seal


class ProbedAdmin(VisibleAdmin[ModelT]):
    """A page of peers with a button that calls them."""

    def get_urls(self) -> list[URLPattern]:
        """Add the button's address to those of the page."""
        view = self.admin_site.admin_view(require_POST(self.test_connection))
        name = f"{self.opts.app_label}_{self.opts.model_name}_test"
        return [path("<path:object_id>/test/", view, name=name), *super().get_urls()]

    def test_connection(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Call the peer and say what came of it above its form."""
        peer = self.get_object(request, object_id) if self.may_open(request) else None
        if peer is None:
            raise Http404
        result = probe(peer)
        words = f"{result.words} ({result.took_ms} ms) {result.advice}".strip()
        messages.add_message(request, messages.SUCCESS if result.is_well else messages.ERROR, words)
        self.record_act(
            request, "peer_tested", peer, peer=str(peer), ms=result.took_ms, well=result.is_well
        )
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return redirect(reverse(name, args=[peer.pk]))


class WebPeerForm(forms.ModelForm):  # type: ignore[type-arg]  # no type argument at run time
    """A DICOMweb peer; its password or token can be written, never read."""

    secret = forms.CharField(
        label=gettext_lazy("password or token"),
        required=False,
        max_length=4096,
        strip=True,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Kept encrypted and not shown again. Empty: it stays as it is."),
    )

    class Meta:
        model = WebPeer
        fields = (
            *("name", "description", "is_active", "facility", "base_url", "verify_certificate"),
            *("timeout_seconds", "authentication", "username", "is_queried", "is_destination"),
        )

    def clean(self) -> dict[str, Any]:
        """Refuse a way to log in that lacks what it needs."""
        cleaned = super().clean() or self.cleaned_data
        kinds = WebPeer.Authentication
        way, new_secret = cleaned.get("authentication"), cleaned.get("secret")
        if way == kinds.BASIC and not cleaned.get("username"):
            self.add_error("username", _("Give the user."))
        if way in (kinds.BASIC, kinds.BEARER) and not new_secret:
            if not self.instance.sealed_secret:
                self.add_error("secret", _("Give the password or token."))
            elif "base_url" in self.changed_data:
                # Else whoever may change the address could have the secret sent to himself.
                words = _("The address is new: give the password or token again.")
                self.add_error("secret", words)
        return cleaned

    def save(self, commit: bool = True) -> Any:
        """Seal a new secret; without a log-in there is none to keep."""
        if self.cleaned_data.get("secret"):
            self.instance.sealed_secret = seal(self.cleaned_data["secret"])
        if self.cleaned_data["authentication"] == WebPeer.Authentication.NONE:
            self.instance.sealed_secret = ""
        return super().save(commit)


@admin.register(WebPeer)
class WebPeerAdmin(ProbedAdmin[WebPeer]):
    """Other archives that we call by DICOMweb."""

    admins_only = True
    form = WebPeerForm
    ordering = ("name",)
    list_display = ("name", "facility", "base_url", "is_queried", "is_destination", "is_active")
    list_filter = (FacilityFilter, "is_active")
    list_select_related = ("facility",)
    search_fields = ("name", "description", "base_url")
    search_help_text = gettext_lazy("Name, description or address")
    fieldsets = (
        (None, {"fields": ("name", "description", "is_active", "facility")}),
        (
            gettext_lazy("Where it is"),
            {"fields": ("base_url", "verify_certificate", "timeout_seconds")},
        ),
        (gettext_lazy("Log-in"), {"fields": ("authentication", "username", "secret")}),
        (gettext_lazy("What it is used for"), {"fields": ("is_queried", "is_destination")}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[WebPeer]:
        """Return all: only administrators come here."""
        return WebPeer.objects.order_by(*self.get_ordering(request))

    def has_add_permission(self, request: HttpRequest, obj: WebPeer | None = None) -> bool:
        """Let administrators write down a new peer."""
        return self.may_open(request)

    def has_change_permission(self, request: HttpRequest, obj: WebPeer | None = None) -> bool:
        """Let administrators change a peer."""
        return self.may_open(request)

    def has_delete_permission(self, request: HttpRequest, obj: WebPeer | None = None) -> bool:
        """Let administrators remove a peer; exchanges keep its name."""
        return self.may_open(request)

    def get_readonly_fields(
        self, request: HttpRequest, obj: WebPeer | None = None
    ) -> tuple[str, ...]:
        """Return nothing: a peer is what an administrator says."""
        return ()

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[WebPeer]) -> Any:
        """Write removals into Django's log and into the audit trail."""
        for peer in queryset:
            self.record_act(request, "admin_delete", peer, peer=peer.name)
        return super().log_deletions(request, queryset)


@admin.register(Exchange)
class ExchangeAdmin(VisibleAdmin[Exchange]):
    """What was fetched from other archives, and sent by DICOMweb."""

    ordering = ("-pk",)
    list_display = ("peer_name", "way", "status", "done", "expected", "requested_by", "created_at")
    list_filter = (FacilityFilter, "way", "status")
    list_select_related = ("requested_by",)

    def describe(self, obj: Exchange) -> dict[str, Any]:
        """Return what the trail says of a row."""
        return {
            "facility_id": obj.facility_id,
            "patient_id": obj.patient_id,
            "study_instance_uid": obj.study_instance_uid,
        }
