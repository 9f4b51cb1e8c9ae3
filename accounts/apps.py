"""Facilities, people, roles, the audit trail."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The people's room."""

    name = "accounts"
    verbose_name = "People and facilities"
