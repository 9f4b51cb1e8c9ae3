"""The whole house: its configuration and its admin site."""

import contextlib
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin_apps

# Imported so that tasks queued by any process go to our broker.
from noctis.celery import app as celery_app

__all__ = ["NoctisAdminConfig", "NoctisConfig", "celery_app"]


class NoctisConfig(AppConfig):
    """Wires the rooms; nobody imports it."""

    name = "noctis"

    def ready(self) -> None:
        """Make the folders of the embedded broker; who may not is told when a job is queued."""
        options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        for name in {"data_folder_in", "control_folder"} & options.keys():
            with contextlib.suppress(OSError):
                Path(options[name]).mkdir(parents=True, exist_ok=True)


class NoctisAdminConfig(admin_apps.SimpleAdminConfig):
    """Django admin with the house's own site; `noctis/urls.py` gathers its pages."""

    default = False
    default_site = "noctis.admin.NoctisAdminSite"
