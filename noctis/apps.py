"""The whole house: its configuration and its admin site."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class NoctisConfig(AppConfig):
    """Wires the rooms; nobody imports it."""

    name = "noctis"


class NoctisAdminConfig(admin_apps.AdminConfig):
    """Django admin with the house's own site."""

    default = False
    default_site = "noctis.admin.NoctisAdminSite"
