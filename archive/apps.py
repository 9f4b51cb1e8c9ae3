"""Patients, studies, series, instances; their files; the one way in."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ArchiveConfig(AppConfig):
    """The archive room."""

    name = "archive"
    verbose_name = _("Archive")
