"""Facilities, people, roles, the audit trail."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """The people's room."""

    name = "accounts"
    verbose_name = _("People and facilities")

    def ready(self) -> None:
        """Have every log-in, log-out and failure written down."""
        # Models can be imported only now.
        from accounts import signals  # noqa: PLC0415

        user_logged_in.connect(signals.record_login, dispatch_uid="accounts_login")
        user_logged_out.connect(signals.record_logout, dispatch_uid="accounts_logout")
        user_login_failed.connect(signals.record_failed_login, dispatch_uid="accounts_failure")
