"""The page on routing rules, and a trial of them. Administrators alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_pages import FacilityFilter, VisibleAdmin
from archive.models import Instance, Study
from dicom_receiver.routing.matching import Arrivals, explain
from dicom_receiver.routing.models import RoutingRule

SERIES_SHOWN = 50


class TrialForm(forms.Form):
    """Which study is tried, and from whom it comes."""

    study = forms.CharField(
        label=_("Study Instance UID"),
        max_length=64,
        widget=forms.TextInput(attrs={"class": "vLargeTextField"}),
    )
    sender = forms.CharField(
        label=_("Sender"),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        max_length=150,
        required=False,
        help_text=_("Empty: from whom it really came."),
    )


@dataclass(frozen=True)
class Verdict:
    """What one rule says of one series."""

    rule: RoutingRule
    conditions: list[tuple[str, bool]]
    peers: list[tuple[str, str]]
    """AE title, and why it does not get the series; empty when it does."""

    @property
    def fits(self) -> bool:
        """Whether all conditions hold."""
        return all(holds for _words, holds in self.conditions)


@admin.register(RoutingRule)
class RoutingRuleAdmin(VisibleAdmin[RoutingRule]):
    """What is sent on to whom."""

    admins_only = True
    ordering = ("-priority", "name")
    list_display = (
        "name", "is_active", "facility", "sender", "modality", "description", "body_part",
        "time_from", "time_until", "goes_to", "priority",
    )  # fmt: skip
    list_filter: ClassVar[Any] = ("is_active", FacilityFilter)
    list_select_related = ("facility",)
    search_fields = ("name", "sender", "modality", "description")
    filter_horizontal = ("peers",)
    change_list_template = "admin/dicom_receiver/routingrule/change_list.html"
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("name", "is_active", "priority", "peers")}),
        (
            _("What it is for"),
            {
                "fields": (
                    "facility", "sender", "modality", "description", "body_part", "time_from",
                    "time_until",
                )
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[RoutingRule]:
        """Return all rules: only administrators come here."""
        rows = RoutingRule.objects.prefetch_related("peers")
        return rows.order_by(*self.get_ordering(request))

    def has_add_permission(self, request: HttpRequest, obj: RoutingRule | None = None) -> bool:
        """Let administrators write rules."""
        return self.may_open(request)

    has_change_permission = has_delete_permission = has_add_permission

    def get_readonly_fields(
        self, request: HttpRequest, obj: RoutingRule | None = None
    ) -> tuple[str, ...]:
        """Return nothing: a rule is what an administrator says."""
        return ()

    def save_model(self, request: HttpRequest, obj: RoutingRule, form: Any, change: bool) -> None:
        """Let a rule begin now: what came before it was made, or woken, is not sent on."""
        if not change or ("is_active" in form.changed_data and obj.is_active):
            obj.since = timezone.now()
        super().save_model(request, obj, form, change)

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[RoutingRule]) -> Any:
        """Write removals into Django's log and into the audit trail."""
        for rule in queryset:
            self.record_act(request, "admin_delete", rule, name=rule.name)
        return super().log_deletions(request, queryset)

    @admin.display(description=_("peers"))
    def goes_to(self, rule: RoutingRule) -> str:
        """Return the titles of its peers."""
        return ", ".join(peer.ae_title for peer in rule.peers.all())

    # --- the trial ---------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        """Add the page of the trial."""
        trial = path(
            "trial/",
            self.admin_site.admin_view(self.show_trial),
            name="dicom_receiver_routingrule_trial",
        )
        return [trial, *super().get_urls()]

    def show_trial(self, request: HttpRequest) -> HttpResponse:
        """Show what the rules would do with a study if it came now; nothing is sent."""
        if not self.may_open(request):
            raise PermissionDenied
        form = TrialForm(request.GET or None)
        series: list[dict[str, Any]] = []
        problem = ""
        if form.is_valid():
            uid = form.cleaned_data["study"].strip()
            visible = Study.objects.visible_to(request.user)
            study = visible.filter(study_instance_uid=uid).first()
            if study is None:
                problem = gettext("There is no such study.")
            else:
                series = _try(study, form.cleaned_data["sender"].strip())
        context = {
            **self.admin_site.each_context(request), "title": gettext("Try the rules"),
            "opts": self.opts, "form": form, "series": series, "problem": problem,
        }  # fmt: skip
        name = "admin/dicom_receiver/routingrule/trial.html"
        return TemplateResponse(request, name, context)


def _try(study: Study, sender: str) -> list[dict[str, Any]]:
    """Return each series of a study with each rule's verdict."""
    rules = list(RoutingRule.objects.prefetch_related("peers"))
    rows = study.series_set.select_related("study").order_by("series_number", "id")
    tried = []
    for series in rows[:SERIES_SHOWN]:
        first = Instance.objects.filter(series=series).order_by("id").first()
        came_from = sender or (first.sender if first else study.sender)
        arrivals = Arrivals.of(series, came_from, timezone.now())
        verdicts = [
            Verdict(
                rule,
                explain(rule, arrivals),
                [(peer.ae_title, _why_not(peer, came_from)) for peer in rule.peers.all()],
            )
            for rule in rules
        ]
        tried.append({"series": series, "sender": came_from, "verdicts": verdicts})
    return tried


def _why_not(peer: Any, sender: str) -> str:
    if not peer.is_active:
        return gettext("the peer is not active")
    if peer.ae_title == sender:
        return gettext("it came from there")
    if not peer.host or not peer.port:
        return gettext("the peer has no address")
    return ""
