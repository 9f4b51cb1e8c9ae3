"""The admin site of the house."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts.access import may_administer


class NoctisAdminSite(AdminSite):
    """Django's admin for administrators and facility administrators."""

    site_header = _("Noctis administration")
    site_title = _("Noctis")
    index_title = _("Administration")

    def has_permission(self, request: HttpRequest) -> bool:
        """Admit administrators and facility administrators; the pages say what they may do."""
        return may_administer(request.user)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send who is not logged in to the house's own log-in; refuse who may not come in."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next") or request.get_full_path())

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send who changes their own password to the house's own page."""
        return redirect("accounts:password_change")
