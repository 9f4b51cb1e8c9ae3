"""The admin site of the house."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class NoctisAdminSite(AdminSite):
    """Django's admin for administrators and facility administrators."""

    site_header = _("Noctis administration")
    site_title = _("Noctis")
    index_title = _("Administration")

    def has_permission(self, request: HttpRequest) -> bool:
        """Admit active staff; Django's model permissions say what they may do."""
        return bool(request.user.is_active and request.user.is_staff)
