"""The worklist, uploads, reading and reports."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorklistConfig(AppConfig):
    """The room's configuration."""

    name = "worklist"
    verbose_name = _("Worklist")
